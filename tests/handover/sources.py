# SPDX-License-Identifier: MIT
"""A city of tiles that are built from sources in a git repository, and what the tests of refactors
ask of it."""

import json
import os
import subprocess

from ledger import LedgerCity, adds_up, books, limits_for, settled
from city import BUILD_LIMIT, children, name_of
from tap import check, check_equal

HERE = os.path.dirname(os.path.abspath(__file__))
COLORS = {1: (0x20, 0x40, 0x60), 2: (0x60, 0x40, 0x20)}
# A compiler that waits where a test says so, until something comes out of the FIFO.
WAIT = "if [ -p {gate} ]; then : >{gate}.reached; read line <{gate}; fi"
COMPILER = f"""#!/bin/sh
{WAIT}
{{more}}
exec cc {{options}} "$@"
"""
# Git does so before it commits. Whether something comes out, or the FIFO is gone already: it may.
HOOK = f"""#!/bin/sh
if [ "$1" = prepared ]; then {WAIT}; fi
exit 0
"""


class Sources(LedgerCity):
    """Two ledgers, each in a district, with something that the user has not committed in the
    first."""

    patience = BUILD_LIMIT

    def __init__(self, one="home", two="home", link=False):
        """link: the configuration names the sources by way of a link."""
        super().__init__(env={"SOURCE_CITY_LIMITS": limits_for(), "SOURCE_CITY_SANDBOX": "off"})
        self.root = os.path.join(self.folder, "data", "source-city", "city")
        named = os.path.join(self.folder, "link") if link else self.root
        if link:
            os.symlink(self.root, named)
        self.gate = os.path.join(self.folder, "gate")
        self.compiler()
        self.extra_env["SOURCE_CITY_CC"] = os.path.join(self.folder, "compiler")
        with open(os.path.join(HERE, "tiles", "ledger.c")) as file:
            ledger = file.read()
        for number, (name, district) in enumerate((("one", one), ("two", two)), 1):
            self.write(f"{district}/{name}/{name}.c", f"#define VARIANT {number}\n{ledger}")
            self.config += (f'tile {name} {{\n\tsource "{named}/{district}/{name}"\n'
                            f"\tat {100 + 400 * (number - 1)} 100\n\tsize 300 200\n}}\n")
        self.git("init", "-q")
        self.git("config", "user.name", "Somebody")
        self.git("config", "user.email", "somebody@localhost")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "first")
        hook = ".git/hooks/reference-transaction"
        self.write(hook, HOOK.format(gate=self.gate + ".commit"))
        os.chmod(self.path(hook), 0o755)
        self.write(f"{one}/one/notes", "mine\n")
        with open(self.path(f"{one}/one/one.c"), "a") as file:
            file.write("/* not committed */\n")

    def __enter__(self):
        super().__enter__()
        for name in ("one", "two"):
            self.wait_tile(name, limit=BUILD_LIMIT)
            settled(self, name)
        return self

    def path(self, name):
        return os.path.join(self.root, name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w") as file:
            file.write(text)

    def compiler(self, more="", options=""):
        path = os.path.join(self.folder, "compiler")
        with open(path + ".new", "w") as file:
            file.write(COMPILER.format(gate=self.gate, more=more, options=options))
        os.chmod(path + ".new", 0o755)
        os.rename(path + ".new", path)

    def git(self, *words):
        """To look takes no lock, which a refactor that is under way would then not get."""
        env = dict(os.environ, HOME="/nowhere", GIT_OPTIONAL_LOCKS="0")
        return subprocess.run(["git", *words], cwd=self.root, env=env, check=True,
                              stdout=subprocess.PIPE).stdout.decode().strip()

    def do(self, *words):
        """A refactor that must succeed: what was done."""
        answers = self.ctl(*words, limit=BUILD_LIMIT)
        return answers[-1]

    def refused(self, *words):
        """One that must fail: its reason."""
        done = self.run("cityctl", *words, "--json", check=False, limit=BUILD_LIMIT)
        answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
        check_equal(done.returncode, 1, f"the status of {words}: {answers}")
        check_equal(answers[-1]["event"], "failed", f"the end of {words}")
        return answers[-1]

    def look(self):
        """Whatever a refactor that fails must leave alone. While one is under way it may end with one of IN_MOTION."""
        files = {}
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name != ".git"]
            for name in names:
                with open(os.path.join(folder, name)) as file:
                    files[os.path.relpath(os.path.join(folder, name), self.root)] = file.read()
        with open(os.path.join(self.folder, "config", "source-city", "config")) as file:
            files["config"] = file.read()
        tiles = {}
        for tile in self.ctl("tiles"):
            tiles[tile["name"]] = [tile[key] for key in ("uuid", "pid", "artifact", "source")]
        return files, tiles, self.git("status", "--porcelain"), self.git("rev-parse", "HEAD")

    def as_before(self, before, what):
        """A compositor that was started anew has its tiles after a moment."""
        self.until(lambda: self.look() == before, what=f"{what}: not as before")
        for name in ("one", "two"):
            settled(self, name)
            check(adds_up(books(self, name)), f"{what}: the books of {name}")

    def held(self, *words, commit=False):
        """A refactor whose compiler waits, or, when that is done, its commit."""
        self.closed = self.gate + (".commit" if commit else "")
        os.mkfifo(self.closed)
        helper = self.popen("cityctl", *words, "--json", stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
        reached = self.closed + ".reached"
        self.until(lambda: os.path.exists(reached), BUILD_LIMIT, f"{words}: it did not get there")
        os.unlink(reached)
        return helper

    def let_go(self):
        gate = os.open(self.closed, os.O_RDWR)
        os.unlink(self.closed)
        os.write(gate, b"\n")
        return gate

    def end_of(self, helper):
        out = helper.communicate(timeout=BUILD_LIMIT)[0].decode()
        return json.loads(out.splitlines()[-1])

    def pid_of(self, part):
        for pid in children(self.keeper.pid):
            if name_of(pid).startswith("source-city-" + part):
                return pid
        raise AssertionError(f"no {part} runs")

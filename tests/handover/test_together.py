#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Several tiles from their sources: in one command, and saved in one go."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess

from ledger import (NO_FORGE, PATIENT, LedgerCity, adds_up, books, limits_for, settled,
                    tile_path, with_programs)
from city import BUILD_LIMIT, children, name_of
from nonsense import Peer, core_xml, interfaces, own_xml
from tap import check, check_equal, run

TILES = ("one", "two")
LEDGER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tiles", "ledger.c")
OLD = (0x20, 0x40, 0x60)
NEW = (0x60, 0x40, 0x20)
LIMITS = limits_for(probation=30, frames=1)
KNOWN = interfaces(core_xml(), own_xml("source-city-control-v1"))


class Sources(LedgerCity):
    """A city with two ledgers and a folder of sources for each, which is not theirs yet."""

    patience = BUILD_LIMIT

    def __init__(self, watched=False, shared=False, env=None, **program):
        config = "".join(
            f"tile {name} {{\n\tartifact {tile_path('ledger-1')}\n\tkind ledger\n"
            f"\tat {20 + i * 220} 40\n\tsize 200 120\n"
            + (f"\tsource ../../{TILES[0] if shared else name}\n" if watched else "") + "}\n"
            for i, name in enumerate(TILES))
        super().__init__(config=config, **program,
                         env={"SOURCE_CITY_LIMITS": f"{PATIENT},{LIMITS}", **(env or {})})
        for name in TILES:
            os.makedirs(self.source(name))
            shutil.copy(LEDGER, self.source(name, "ledger.inc"))
            self.write(name, 30)

    def source(self, name, *file):
        return os.path.join(self.folder, name, *file)

    def write(self, name, variant, more=""):
        with open(self.source(name, "new.tmp"), "w") as file:
            file.write(f"#define VARIANT {variant}\n#include \"ledger.inc\"\n{more}")
        os.rename(self.source(name, "new.tmp"), self.source(name, "main.c"))

    def forge(self):
        return next((pid for pid in children(self.keeper.pid) if name_of(pid) == "source-city-for"), None)

    def swap(self, *words):
        done = self.run("cityctl", "swap", *words, "--strategy", "instant", "--settled", "--json",
                        check=False, limit=BUILD_LIMIT)
        values = [json.loads(line) for line in done.stdout.decode().splitlines()]
        return done.returncode, [v for v in values if "result" in v], done.stderr.decode()

    def colors(self):
        row = self.pixels((0, 100, 500, 1))[0]
        return [row[120 + i * 220] for i in range(len(TILES))]

    def notice(self, name):
        return self.tile(name)["notice"]


def live_together(city, records):
    check_equal([r["result"] for r in records], ["live"] * 2, f"{records}")
    check_equal({r["transaction"] for r in records}, {min(r["id"] for r in records)}, "transaction")
    for name in TILES:
        settled(city, name)
        check(adds_up(books(city, name)), f"{name}: books")


class Builder(Peer):
    """Instead of the forge. It knows of the watches, and says what it is told to say."""

    def __init__(self, city):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(os.path.join(city.environment()["XDG_RUNTIME_DIR"], city.display))
        super().__init__(sock, KNOWN, None)
        registry = self.call(1, "get_registry")
        self.round_trip()
        self.builder = self.call(self.bind(registry, "source_city_control_v1"), "register_builder")
        self.jobs, self.words, self.builds = {}, {}, {}
        self.wait(lambda: len(self.jobs) == len(TILES), self._handle)

    def _handle(self, target, interface, event, values):
        if event in ("watch", "watch_on"):
            self.jobs[values[1]] = values[0]
            self.words[values[1]] = values[3] if event == "watch_on" else None
        elif event == "build":
            self.builds[values[1]] = values[0]

    def wait_for_builds(self):
        self.wait(lambda: len(self.builds) == len(TILES), self._handle)

    def say(self, job, request, *values):
        self.call(self.builder, request, job, *values)

    def say_built(self, job, artifact, folder):
        with open(artifact, "rb") as file:
            name = hashlib.blake2b(file.read(), digest_size=32).hexdigest()
        self.say(job, "built", os.open(artifact, os.O_RDONLY), name, folder, 0, 0)

    def die(self):
        self.round_trip()
        self.sock.close()


def test_from_sources():
    with Sources() as city:
        before = [settled(city, name) for name in TILES]
        # A folder, and one of the sources in it.
        status, records, said = city.swap(f"one={city.source('one')}",
                                          f"two={city.source('two', 'main.c')}")
        check_equal(status, 0, said)
        live_together(city, records)
        check_equal({r["origin"] for r in records}, {f"source {city.source(name)}" for name in TILES},
                    "where they came from")
        check(all(r["build_us"] > 0 and r["steps"][0]["step"] == "build" for r in records), f"{records}")
        check_equal(city.colors(), [NEW] * 2, "seen")
        # Now these are their own, and one may be built already.
        city.write("one", 31)
        city.write("two", 31)
        status, records, said = city.swap("one", "two")
        check_equal((status, city.colors()), (0, [OLD] * 2), said)
        live_together(city, records)
        city.write("one", 32)
        status, records, said = city.swap("one", f"two={tile_path('ledger-2')}")
        check_equal((status, city.colors()), (0, [NEW] * 2), said)
        live_together(city, records)
        check(all(settled(city, t["name"])["pid"] != t["pid"] for t in before), "new versions")


def test_none_when_one_is_not_built():
    with Sources() as city:
        before = [settled(city, name) for name in TILES]
        city.write("two", 30, "int wrong = ;\n")
        parts = [f"{name}={city.source(name)}" for name in TILES]
        status, records, said = city.swap(*parts)
        check_equal((status, records), (1, []), said)
        check("two: " in said and "main.c:3:" in said, f"it says which, and where: {said}")
        check("not built" in city.notice("two"), "what is shown on it")
        city.until(lambda: city.notice("one") == "", what="nothing is said on the other")
        for tile in before:
            now = settled(city, tile["name"])
            check_equal((now["pid"], len(now["versions"])), (tile["pid"], 1), "the old version")
            check(adds_up(books(city, tile["name"])), "books")
        status, _, said = city.swap("one", "two")
        check("no source folder" in said and status == 1, said)
        status, _, said = city.swap("one", f"two={city.folder}/nowhere.c")
        check("no such folder" in said and status == 1, said)


def test_a_newer_request_is_not_overtaken():
    """By one that is older and still being built."""
    with Sources() as city:
        before = [settled(city, name) for name in TILES]
        # The compiler waits for what nobody writes.
        os.mkfifo(city.source("one", "never.h"))
        city.write("one", 30, "#include \"never.h\"\n")
        helper = city.popen("cityctl", "swap", *[f"{n}={city.source(n)}" for n in TILES], "--json",
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for line in helper.stdout:
            if json.loads(line).get("step") == "build":
                break
        city.run("cityctl", "swap", "one", "--artifact", tile_path("ledger-3"), "--settled")
        _, err = helper.communicate(timeout=BUILD_LIMIT)
        check(helper.returncode == 1 and b"newer" in err, err)
        check_equal(settled(city, "two")["pid"], before[1]["pid"], "nothing of it goes live")
        check(settled(city, "one")["pid"] != before[0]["pid"], "what was asked for last does")
        check_equal([t["notice"] for t in city.ctl("tiles")], [""] * 2, "nothing is left on them")


def test_saved_in_one_go():
    """All or none, and what waits goes live with what mends the rest."""
    with Sources(watched=True) as city:
        before = [settled(city, name) for name in TILES]
        city.until(lambda: city.said().count("watching ") == 2)
        forge = city.forge()

        def save(**variants):
            # It hears of all of them at once.
            os.kill(forge, signal.SIGSTOP)
            for name, (variant, more) in variants.items():
                city.write(name, variant, more)
            os.kill(forge, signal.SIGCONT)

        save(one=(40, ""), two=(40, "int wrong = ;\n"))
        city.until(lambda: "main.c:3:" in city.notice("two"), what="two is not built")
        city.until(lambda: "waits for two" in city.notice("one"), what="one waits for it")
        check_equal([settled(city, t["name"])["pid"] for t in before], [t["pid"] for t in before],
                    "the old versions")
        save(two=(42, ""))
        records = city.until(lambda: len(city.ctl("history")) == 2 and city.ctl("history"))
        live_together(city, records)
        check_equal((city.colors(), [t["notice"] for t in city.ctl("tiles")]), ([NEW] * 2, [""] * 2),
                    "seen")
        save(one=(41, ""), two=(41, ""))
        city.until(lambda: len(city.ctl("history")) == 4)
        live_together(city, city.ctl("history")[2:])
        # Saved anew it is another save: it waits for nobody.
        save(one=(44, ""), two=(44, "int wrong = ;\n"))
        city.until(lambda: "waits for two" in city.notice("one"), what="one waits for it")
        save(one=(46, ""))
        city.until(lambda: len(city.ctl("history")) == 5)
        record = city.ctl("history")[4]
        check_equal((record["tile"], record["transaction"], record["result"]), ("one", None, "live"),
                    f"{record}")
        check_equal(city.colors(), [NEW, OLD], "seen")


def test_a_builder_that_dies():
    """What was built counts for a tile from when it came: the next builder hears of what was not."""
    folder, keeper, env = with_programs(forge=NO_FORGE)
    with Sources(watched=True, shared=True, env=env, folder=folder, program=keeper) as city:
        city.own_folder = True
        builder = Builder(city)
        check_equal(builder.words, {"one": None, "two": None}, "what the first one hears")
        for name in TILES:
            builder.say(builder.jobs[name], "sources", "before")
        for name in TILES:
            builder.say(builder.jobs[name], "started")
            builder.say(builder.jobs[name], "sources", "after")
        builder.say_built(builder.jobs["one"], tile_path("ledger-2"), city.source("one"))
        builder.die()
        builder = Builder(city)
        check_equal(builder.words, {"one": "after", "two": "before"}, "what the next one hears")
        builder.die()


def test_saved_anew_while_it_waits_with_others():
    """What was saved together with it does not stay behind."""
    folder, keeper, env = with_programs(forge=NO_FORGE)
    with Sources(watched=True, env=env, folder=folder, program=keeper) as city:
        city.own_folder = True
        before = {name: settled(city, name)["pid"] for name in TILES}
        builder = Builder(city)
        compositor = city.compositor()
        # All of it before anything of the first save can have been loaded.
        os.kill(compositor, signal.SIGSTOP)
        for name in TILES:
            builder.say(builder.jobs[name], "started")
        for name in TILES:
            builder.say_built(builder.jobs[name], tile_path("ledger-2"), city.source(name))
        builder.say(builder.jobs["one"], "started")
        builder.say_built(builder.jobs["one"], tile_path("ledger-3"), city.source("one"))
        os.kill(compositor, signal.SIGCONT)
        records = city.until(lambda: len(city.ctl("history")) == 4 and city.ctl("history"), what="four records")
        check_equal(sorted((r["tile"], r["result"]) for r in records),
                    [("one", "live"), ("one", "superseded"), ("two", "live"), ("two", "superseded")], f"{records}")
        check_equal(len({r["transaction"] for r in records if r["result"] == "live"}), 1, "in one transaction")
        for name in TILES:
            check(settled(city, name)["pid"] != before[name], f"{name} is new")
        builder.die()


def test_asked_for_while_it_is_built():
    """What was saved and is then asked for too comes once: the save does not take the request's place."""
    folder, keeper, env = with_programs(forge=NO_FORGE)
    with Sources(watched=True, env=env, folder=folder, program=keeper) as city:
        city.own_folder = True
        builder = Builder(city)
        for name in TILES:
            builder.say(builder.jobs[name], "started")
        builder.round_trip()
        helper = city.popen("cityctl", "swap", *TILES, "--settled", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        builder.wait_for_builds()
        # All of it comes at once: the save of one before the request, that of two after it.
        compositor = city.compositor()
        os.kill(compositor, signal.SIGSTOP)
        for job in (builder.jobs["one"], builder.builds["one"], builder.builds["two"], builder.jobs["two"]):
            builder.say_built(job, tile_path("ledger-2"), city.source("one"))
        os.kill(compositor, signal.SIGCONT)
        _, err = helper.communicate(timeout=BUILD_LIMIT)
        check_equal(helper.returncode, 0, err)
        check_equal(sorted((r["tile"], r["result"]) for r in city.ctl("history")),
                    [(name, "live") for name in TILES], "each once")
        builder.die()


if __name__ == "__main__":
    run([value for name, value in list(globals().items()) if name.startswith("test_")])

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a person sees who lives in the city while it is rewritten: shells, keys, errors, deaths."""

import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from city import BUILD_LIMIT, Builds, City, Lines, children, name_of, process_state  # noqa: E402
from tap import check, check_equal, run  # noqa: E402


BUILDS = Builds()


class Home:
    """A city with a terminal, a folder for what happens in it, and a copy of its source."""

    def __enter__(self):
        self.city = City(env=BUILDS.environment)
        self.city.__enter__()
        self.city.wait_tile("terminal")
        self.folder = os.path.join(self.city.folder, "test")
        os.makedirs(self.folder)
        self.city.ctl("run", "focus", "terminal")
        return self

    def __exit__(self, *exc):
        if exc[0] is not None:
            for line in self.city.said().splitlines()[-60:]:
                print(f"# {line}")
        self.city.__exit__(*exc)

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        try:
            with open(self.path(name)) as file:
                return file.read().strip()
        except FileNotFoundError:
            return ""

    def wait_file(self, name):
        self.city.until(lambda: self.read(name), what=f"{name} was not written")
        return self.read(name)

    def enter(self, text):
        self.city.type(text, "-k", "Return")

    def shell_pid(self):
        self.enter(f"echo $$ > {self.path('pid.new')}; mv {self.path('pid.new')} {self.path('pid')}")
        pid = int(self.wait_file("pid"))
        os.unlink(self.path("pid"))
        return pid

    def source(self, color="0x241433"):
        """A copy of the terminal's source with another background."""
        target = self.path("terminal-" + color)
        shutil.copytree(os.path.join(os.environ["SOURCE_CITY_BUILD"], "prefix", "share",
                                     "source-city", "tiles", "terminal"), target)
        theme = os.path.join(target, "theme.c")
        with open(theme) as file:
            text = file.read()
        check("0x11151c" in text, "the theme is not as expected")
        with open(theme, "w") as file:
            file.write(text.replace("0x11151c", color))
        return target

    def swap(self, source, *options):
        with BUILDS.one():
            answer = self.city.ctl("swap", "terminal", "--source", source, "--settled", *options,
                                   limit=BUILD_LIMIT)
        records = [a for a in answer if "result" in a]
        check(records and records[-1]["result"] == "live", f"the swap failed: {answer}")
        return records[-1]

    def edge(self):
        return self.city.edge("terminal")


def test_typing_reaches_the_shell():
    with Home() as home:
        home.enter(f"tty > {home.path('tty')}; stty size > {home.path('size')}; "
                   f"echo $TERM $COLORTERM > {home.path('term')}")
        term = home.wait_file("term")
        check(home.read("tty").startswith("/dev/pts/"), "the shell has no terminal")
        rows, cols = map(int, home.read("size").split())
        check(rows > 10 and cols > 40, f"the grid is {cols} by {rows}")
        name = term.split()[0]
        check_equal(term.split()[1], "truecolor", "COLORTERM")
        home.enter(f"infocmp > {home.path('infocmp')} && echo ok > {home.path('known')}")
        check_equal(home.wait_file("known"), "ok", f"terminfo of {name}")


def test_shell_and_line_survive_a_handover():
    with Home() as home:
        pid = home.shell_pid()
        home.city.type("echo half; echo 'two hal")
        record = home.swap(home.source())
        check(record["pause_us"] > 0, "no pause was measured")
        home.enter(f"ves' > {home.path('line')}")
        check_equal(home.wait_file("line"), "two halves", "the line typed across the handover")
        check_equal(home.shell_pid(), pid, "the shell's process")
        check_equal(home.edge(), (0x24, 0x14, 0x33), "the new version's colour")


def test_keys_typed_during_handovers_arrive():
    with Home() as home:
        sources = [home.source(c) for c in ("0x241433", "0x142433")]
        for source in sources:
            home.swap(source)  # built once, so that what follows is all handover
        text = "abcdefghijklmnopqrstuvwxyz0123456789" * 4
        home.enter(f"cat > {home.path('typed')}")
        typed, swaps = "", 0
        while swaps < 3:
            typing = home.city.popen("wtype", "-d", "12", text)
            typed += text
            while typing.poll() is None:
                home.city.ctl("swap", "terminal", "--source", sources[swaps % 2], limit=BUILD_LIMIT)
                swaps += 1
            check_equal(typing.returncode, 0, "wtype")
        home.city.type("-k", "Return")
        home.city.type("-M", "ctrl", "-k", "d", "-m", "ctrl")
        home.enter(f"echo done > {home.path('done')}")
        home.wait_file("done")
        check_equal(home.read("typed"), typed, f"what was typed over {swaps} handovers")


def test_compile_error_is_shown_and_mended():
    with Home() as home:
        before = home.edge()
        pid = home.shell_pid()
        source = home.source()
        theme = os.path.join(source, "theme.c")
        with open(theme, "a") as file:
            file.write("this is no C\n")
        with BUILDS.one():
            done = home.city.run("cityctl", "swap", "terminal", "--source", source, check=False,
                                 limit=BUILD_LIMIT)
        check_equal(done.returncode, 1, "cityctl's exit")
        said = (done.stdout + done.stderr).decode()
        check("theme.c:" in said and "error" in said, f"cityctl said {said}")
        tile = home.city.tile("terminal")
        check("theme.c" in tile["notice"], f"the notice on the tile is {tile['notice']!r}")
        check_equal(home.edge(), before, "the colour while the build is broken")
        check_equal(home.shell_pid(), pid, "the shell's process")
        with open(theme) as file:
            text = file.read().replace("this is no C\n", "")
        with open(theme, "w") as file:
            file.write(text)
        home.swap(source)
        check_equal(home.city.tile("terminal")["notice"], "", "the notice after mending")
        check_equal(home.edge(), (0x24, 0x14, 0x33), "the colour after mending")


def test_a_save_is_one_handover():
    """Also where the folder is watched by the city and by somebody, from before it was its source."""
    with Home() as home:
        clock = os.path.join(home.path("clock"), "clock.c")
        shutil.copytree(os.path.join(os.environ["SOURCE_CITY_BUILD"], "prefix", "share",
                                     "source-city", "tiles", "clock"), os.path.dirname(clock))
        watch = home.city.popen("cityctl", "watch", "clock", "--source", os.path.dirname(clock),
                                "--json", stdout=subprocess.PIPE)
        lines = Lines(watch.stdout)
        home.city.ctl("swap", "clock", "--source", os.path.dirname(clock), "--settled",
                      limit=BUILD_LIMIT)
        for edit in range(3):
            with open(clock, "a") as file:
                file.write(f"const int edit_{edit} = {edit};\n")
            while '"result"' not in (line := lines.next()):
                pass
            check_equal(json.loads(line)["result"], "live", "the saved clock")
        results = [record["result"] for record in home.city.ctl("history")]
        check_equal(results, ["live"] * 4, "one handover for the swap and each save")


def test_tile_process_dies():
    with Home() as home:
        pid = home.shell_pid()
        tile = home.city.tile("terminal")
        home.city.kill(tile["pid"])
        home.city.until(lambda: home.city.tile("terminal")["pid"] not in (0, tile["pid"]) and
                        home.city.tile("terminal")["state"] == "live",
                        what="the terminal did not come back")
        check_equal(home.shell_pid(), pid, "the shell's process")


def test_end_leaves_nothing():
    with Home() as home:
        # A job of the shell, and one that the shell does not know of.
        home.enter(f"sleep 1000 & echo $! > {home.path('job')}")
        home.enter(f"sh -mc 'sleep 1000 & echo $! > {home.path('stray')}'")
        jobs = [int(home.wait_file(name)) for name in ("job", "stray")]
        for job in jobs:
            home.city.until(lambda: name_of(job) == "sleep", what="the job does not start")
        pids = children(home.city.keeper.pid)
        check(len(pids) >= 4, f"the keeper has only {len(pids)} children")
        check_equal(home.city.stop(), 0, "the city's exit status")
        for pid in set(pids) - set(jobs):
            check(not os.path.exists(f"/proc/{pid}"), f"process {pid} is left behind")
        # They are told, but not the keeper's to wait for.
        for job in jobs:
            home.city.until(lambda: process_state(job) in ("Z", ""), what=f"job {job} is left behind")
        left = [n for n in os.listdir(os.path.join(home.city.folder, "run"))
                if n.startswith("wayland-")]
        check_equal(left, [], "what is left in the runtime directory")


def test_programs_of_the_distribution():
    with Home() as home:
        city = home.city
        foot = city.popen("foot", "sh", "-c", f"echo up > {home.path('foot')}; sleep 1000")
        home.wait_file("foot")
        city.until(lambda: any(v["app_id"] == "foot" for v in city.ctl("state")[0]["views"]),
                   what="foot is not on the map")
        said = city.run("wlr-randr").stdout.decode()
        check("1280x720" in said, f"wlr-randr said {said}")
        city.run("wlr-randr", "--output", "HEADLESS-1", "--custom-mode", "1024x768")
        check("1024x768" in city.run("wlr-randr").stdout.decode(), "the mode did not change")
        picture = city.picture(home.path("picture.png"))
        check(os.path.getsize(picture) > 1000, "grim's picture is empty")
        foot.terminate()
        foot.wait()


def test_goes_on_where_it_is_seen():
    """Also after another screen has left it behind, and after a picture of it was drawn: the clock's seconds go on."""
    config = "animations off\ntile clock {\n\tkind clock\n\tat 1130 100\n\tsize 300 300\n}\n"
    with City(config=config, env={"WLR_HEADLESS_OUTPUTS": "2"}) as city:
        city.wait_tile("clock")
        # It stands across both; the keyboard is on one of them.
        left, right = [camera["output"] for camera in sorted(city.ctl("camera"), key=lambda camera: camera["cx"])]

        def frames(name):
            return next(o["frames"] for o in city.ctl("state")[0]["outputs"] if o["name"] == name)

        def goes_on(name, what):
            before = frames(name)
            city.until(lambda: frames(name) > before + 1, what=f"{name} stands still {what}")

        city.ctl("run", "pan", "0", "3000")
        gone = next(camera["output"] for camera in city.ctl("camera") if camera["cy"] == 3000)
        goes_on(right if gone == left else left, f"when {gone} has left")
        city.ctl("run", "pan", "0", "-3000")
        city.run("cityctl", "picture", os.path.join(city.folder, "picture.png"), "--tile", "clock")
        goes_on(left, "after a picture")
        goes_on(right, "after a picture")


def test_pace_is_kept_where_asked_for():
    with City("animations off\n", env={"SOURCE_CITY_PACE": "1"}) as city:
        def shown():
            return city.ctl("state")[0]["outputs"][0]["frames"]
        city.wait_tile("terminal")
        city.wait_tile("clock")
        # The clock, which is all that changes, draws once in a second.
        first = shown()
        city.until(lambda: shown() >= first + 90, what="the screen does not draw all the time")


if __name__ == "__main__":
    run([
        test_typing_reaches_the_shell,
        test_shell_and_line_survive_a_handover,
        test_keys_typed_during_handovers_arrive,
        test_compile_error_is_shown_and_mended,
        test_a_save_is_one_handover,
        test_tile_process_dies,
        test_end_leaves_nothing,
        test_programs_of_the_distribution,
        test_pace_is_kept_where_asked_for,
    ], jobs=3)

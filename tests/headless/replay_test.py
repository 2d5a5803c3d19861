#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What goes into real tiles is recorded, and they pass the replay and the amnesia test on it: a
session in the shell, and the clock."""

import json
import os
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from city import City  # noqa: E402
from tap import check, check_equal, run  # noqa: E402
from terminal_test import PAGE, Terminal  # noqa: E402

BUILD = os.environ["SOURCE_CITY_BUILD"]
TILES = os.path.join(BUILD, "prefix", "lib", "source-city", "tiles")
SOURCES = os.path.join(BUILD, "prefix", "share", "source-city", "tiles")


def test_tile(city, *args, status=0):
    """cityctl test; what it said as objects, and as lines."""
    done = city.run("cityctl", "test", *args, "--json", check=False, limit=300)
    said = [json.loads(line) for line in done.stdout.decode().splitlines()]
    text = "\n".join(map(str, said)) + done.stderr.decode()
    check_equal(done.returncode, status, f"exit status; {text}")
    return said


def part(said, name):
    return next(o for o in said if o["event"] == "part" and o["part"] == name)


def session(t):
    """A bit of everything that a terminal knows."""
    t.start_probe()
    t.measure()
    t.show(PAGE)
    t.hand("move " + t.place(1, 2), "press left", "move " + t.place(3, 9), "release left")
    t.hand("move " + t.place(1, 2), *["press left", "release left"] * 2)
    t.show(b"\033[?1049h\033[?1003;1006h\033[5;5Hprogram\033[?5h")
    t.hand("move " + t.place(4, 4), "press left", "move " + t.place(5, 6), "release left")
    t.show(b"\033[?5l\033[?1003l\033[?1049l")
    t.show(b"".join(b"\033[3%dmline %d\r\n" % (i % 8, i) for i in range(100)))
    t.city.type("-M", "shift", "-k", "Prior", "-k", "Prior", "-m", "shift")
    t.hand("move " + t.place(4, 4), "scroll 15", "scroll -30")
    t.city.type("-M", "ctrl", "-k", "plus", "-m", "ctrl")
    t.city.type("typed")
    t.city.ctl("run", "resize", "wider")
    t.show(b"\033[31mred \xe6\xbc")
    t.show(b"\xa2\033[m\033[?2026h picture")
    t.show(b"\033[?2026l\033[5 q\a")


def titled(t, title):
    t.show(f"\033]2;{title}\033\\".encode())
    t.city.until(lambda: t.city.tile("terminal")["title"] == title, what=f"title {title}")


def test_terminal():
    with Terminal() as t:
        session(t)
        # What the core tells is heard after a new size, and after a handover.
        titled(t, "after a size")
        t.city.ctl("swap", "terminal", "--artifact", os.path.join(TILES, "terminal.so"),
                   "--strategy", "instant", "--settled")
        titled(t, "after a handover")
        said = test_tile(t.city, "terminal")
        check(part(said, "replay")["steps"] > 50, f"a session: {said}")
        check(part(said, "amnesia")["handovers"] > 20, "handovers")
        path = os.path.join(t.city.folder, "recording")
        t.city.ctl("record", "terminal", path)
        check_equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, "who may read it")
        pid = t.city.tile("terminal")["pid"]
        # The same without the city.
        artifact = os.path.join(TILES, "terminal.so")
        done = t.city.run("source-city-tile", "--replay", path, artifact, "--amnesia",
                          check=False, limit=300)
        check_equal(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
        check(done.stdout.decode().splitlines()[-1].startswith("ok: "), "the last line")
        check_equal(t.city.tile("terminal")["pid"], pid, "the tile is not touched")


def test_clock():
    with Terminal() as t:
        t.city.wait_tile("clock")
        x, y, width, height = t.city.box("clock")
        for _ in range(3):
            t.hand(f"move {x + width // 2} {y + height // 2}", "press left", "release left",
                   "scroll 15")
        # Recorded are its seconds, too: the picture changes by itself.
        frames = t.city.ctl("state")[0]["outputs"][0]["frames"]
        t.city.until(lambda: t.city.ctl("state")[0]["outputs"][0]["frames"] > frames + 2,
                     what="the clock does not go")
        said = test_tile(t.city, "clock", "--amnesia")
        check(part(said, "replay")["steps"] > 10, f"it was recorded: {said}")
        check(not any(o.get("part") == "against" for o in said), "it is tested alone")
        # The same sources again, beside what runs.
        said = test_tile(t.city, "clock", "--source", os.path.join(SOURCES, "clock"))
        check_equal(part(said, "against")["differences"], [], "differences")
        # Another tile cannot be run on it.
        done = t.city.run("cityctl", "test", "clock", "--artifact",
                          os.path.join(TILES, "no-such.so"), check=False)
        check_equal(done.returncode, 1, "what is not there")
        check(b"no-such.so: No such file" in done.stderr, f"says so: {done.stderr}")


def test_not_recorded():
    config = "tile clock {\n\toption record off\n}\nrecord 8M\n"
    with City(config=config) as city:
        city.wait_tile("clock")
        done = city.run("cityctl", "test", "clock", check=False)
        check_equal(done.returncode, 1, "exit status")
        check(b"the tile is not recorded: see record in source-city(5)" in done.stderr,
              f"says why: {done.stderr}")
    with City(config="record lots\n") as city:
        check("\"record\" must be off, or a size from 1M to 1G, not \"lots\"" in city.said(),
              "the mistake is named")


if __name__ == "__main__":
    run([
        test_terminal,
        test_clock,
        test_not_recorded,
    ])

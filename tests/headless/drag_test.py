#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Dragging tiles on the map: what a drop would do is said before, and done."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "handover")]

from city import BUILD_LIMIT, Lines  # noqa: E402
from ledger import adds_up, books, settled  # noqa: E402
from sources import Sources  # noqa: E402
from tap import check, check_equal, run  # noqa: E402

CTRL, LOGO = 4, 64
ZOOM = 0.5


class Hand:
    def __init__(self, city):
        self.city = city
        self.process = city.popen(os.environ["SOURCE_CITY_TEST_HAND"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        self.lines = Lines(self.process.stdout)

    def do(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        check_equal(self.lines.next(), "ok", line)

    def to(self, cx, cy):
        """A point of the city."""
        camera = self.city.ctl("state")[0]["outputs"][0]["camera"]
        self.do(f"move {round((cx - camera['cx']) * camera['zoom'])} "
                f"{round((cy - camera['cy']) * camera['zoom'])}")

    def take(self, tile, modifiers=LOGO):
        """By its middle."""
        self.to(tile["cx"] + tile["width"] / 2, tile["cy"] + tile["height"] / 2)
        self.do(f"modifiers {LOGO}")
        self.do("press left")
        self.do(f"modifiers {modifiers}")

    def let_go(self):
        self.do("release left")
        self.do("modifiers 0")


def drag_of(city):
    return city.ctl("state")[0]["drag"]


def zoomed(city, zoom):
    city.ctl("run", "camera", "0", "0", str(zoom))
    city.until(lambda: city.ctl("state")[0]["outputs"][0]["camera"]["zoom"] == zoom,
               what="the camera did not arrive")


def middle(tile):
    return tile["cx"] + tile["width"] / 2, tile["cy"] + tile["height"] / 2


def test_drags():
    with Sources(one="home", two="work") as city:
        hand = Hand(city)
        one, two = city.tile("one"), city.tile("two")
        beside = two["cx"] - 20, two["cy"] + 20  # in its block, and not on it

        # In the room it is an ordinary desktop.
        zoomed(city, 1)
        hand.take(one)
        hand.to(*middle(two))
        check_equal(drag_of(city)["what"], "place", "a drag in the room")
        city.type("-k", "Escape")
        hand.let_go()
        check_equal(city.tile("one")["cx"], one["cx"], "Escape in the room")

        zoomed(city, ZOOM)
        screen = (0, 0, 640, 360)
        city.ctl("run", "focus", "one")
        before = city.pixels(screen)
        hand.take(one)
        check_equal(drag_of(city)["what"], "place", "at its place")
        hand.to(*beside)
        drag = drag_of(city)
        check_equal((drag["tile"], drag["what"], drag["target"]), ("one", "move", "work"), "drag")
        check("from home to work" in drag["text"], drag["text"])
        check(city.pixels(screen) != before, "nothing of it is seen")
        check_equal(city.tile("one")["cx"], one["cx"], "the tile itself stays")
        city.type("-k", "Escape")
        check_equal(drag_of(city), None, "after Escape")
        hand.let_go()
        check_equal(city.tile("one")["source"], city.path("home/one"), "nothing was dropped")

        # With the copy modifier, also when it is pressed on the way; and on the other tile.
        hand.take(one, LOGO)
        hand.to(*middle(two))
        drag = drag_of(city)
        check_equal((drag["what"], drag["target"]), ("replace", "two"), "onto a tile of its role")
        hand.do(f"modifiers {LOGO | CTRL}")
        check_equal(drag_of(city)["what"], "fork", "with Ctrl")
        hand.do(f"modifiers {LOGO}")
        check_equal(drag_of(city)["what"], "replace", "without Ctrl")
        hand.to(*beside)
        hand.let_go()
        city.until(lambda: city.tile("one")["source"] == city.path("work/one"), BUILD_LIMIT,
                   "the source did not move")
        city.until(lambda: city.ctl("state")[0]["refactor"] is None, what="no end of it")
        moved = city.tile("one")
        check_equal(moved["uuid"], one["uuid"], "its identity")
        check(abs(moved["cx"] - (one["cx"] + beside[0] - middle(one)[0])) <= 3, "it is elsewhere")
        check_equal(city.git("log", "-1", "--format=%s"), "Move home/one to work/one", "the commit")
        views = {v["tile"]: v["district"] for v in city.ctl("state")[0]["views"]}
        check_equal(views, {"one": "work", "two": "work"}, "the districts")

        # Onto the other: that one gets the implementation, with its own state.
        settled(city, "one")
        hand.take(moved)
        hand.to(*middle(two))
        check_equal(drag_of(city)["what"], "replace", "onto the other")
        hand.let_go()
        city.until(lambda: city.tile("two")["source"] == city.path("work/one"), BUILD_LIMIT,
                   "it was not replaced")
        city.until(lambda: city.ctl("state")[0]["refactor"] is None, what="no end of it")
        check_equal(city.tile("two")["artifact"], city.tile("one")["artifact"], "what it runs")
        check_equal(city.tile("two")["uuid"], two["uuid"], "its identity")
        check(adds_up(books(city, "two")), "its state")

        # A fork lands where it was dropped.
        settled(city, "two")
        hand.take(two, LOGO | CTRL)
        hand.to(600, 500)
        check_equal(drag_of(city)["what"], "fork", "with Ctrl")
        hand.let_go()
        name = city.until(lambda: next((t["name"] for t in city.ctl("tiles")
                                        if t["name"] not in ("one", "two")), None), BUILD_LIMIT)
        settled(city, name)
        fork = city.tile(name)
        check(abs(fork["cx"] - (600 - two["width"] / 2)) <= 3, f"the fork is at {fork['cx']}")
        city.until(lambda: city.ctl("state")[0]["refactor"] is None, what="no end of it")
        # Undo and redo put tiles where they stood.
        city.do("undo")
        city.do("redo")
        settled(city, name)
        again = city.tile(name)
        check_equal((again["cx"], again["cy"]), (fork["cx"], fork["cy"]), "the fork, done again")
        city.do("undo")
        city.do("undo")
        check_equal(city.tile("two")["source"], city.path("work/two"), "after the undo of replace")
        settled(city, "two")
        city.do("undo")
        back = city.tile("one")
        check_equal((back["source"], back["cx"], back["cy"]),
                    (city.path("home/one"), one["cx"], one["cy"]), "the move, undone")
        city.do("redo")
        again = city.tile("one")
        check_equal((again["source"], again["cx"], again["cy"]),
                    (city.path("work/one"), moved["cx"], moved["cy"]), "the move, done again")


run([test_drags])

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Dragging tiles on the map: what a drop would do is said before, and done."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "handover")]

from city import BUILD_LIMIT, Lines  # noqa: E402
from ledger import adds_up, books, settled, tile_path  # noqa: E402
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


class At:
    """Where things are, and that a drag which came to nothing has left them there."""

    def __init__(self, city, name="one"):
        self.city, self.name = city, name
        self.before = self.look()

    def look(self):
        tile = self.city.tile(self.name)
        return [tile[key] for key in ("source", "uuid", "pid", "cx", "cy", "width", "height")]

    def check(self, what):
        check_equal((drag_of(self.city), self.city.ctl("state")[0]["refactor"]), (None, None), what)
        check_equal(self.look(), self.before, f"{what}: the tile")


def _drags_that_come_to_nothing(city, hand, one, two, beside):
    """Those after which all is as before, so that they can come first."""
    at = At(city)

    # The session is locked meanwhile.
    hand.take(one)
    hand.to(*beside)
    check_equal(drag_of(city)["what"], "move", "before the lock")
    hand.do("lock")
    check_equal(drag_of(city), None, "the drag when it is locked")
    hand.let_go()
    at.check("a drag and a lock")
    hand.do("unlock")
    hand.take(one)
    cx, cy = middle(one)
    hand.to(cx + 20, cy + 40)
    check_equal(drag_of(city)["what"], "place", "within its district")
    check(city.tile("one")["cy"] != one["cy"], "it does not follow the pointer")
    hand.do("lock")
    at.check("what is only placed, and a lock")
    hand.let_go()
    hand.do("unlock")

    # Another hand takes another tile.
    other = Hand(city)
    hand.take(one)
    hand.to(*middle(two))
    check_equal(drag_of(city)["what"], "replace", "before another drag")
    seen = At(city, "two")
    other.do("press left")
    check((drag_of(city) or {}).get("tile") != "one", "the first drag goes on")
    hand.let_go()
    other.do("release left")
    at.check("a drag and another one")
    seen.check("the other drag's tile")

    # It is handed over meanwhile, and does not come to an end with it.
    hand.take(one)
    hand.to(*beside)
    check_equal(drag_of(city)["what"], "move", "before the handover")
    city.popen("cityctl", "swap", "one", "--artifact", tile_path("warm-hang"),
               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    city.until(lambda: city.tile("one")["state"] == "handover", what="no handover")
    hand.to(beside[0], beside[1] + 10)
    drag = drag_of(city)
    check_equal(drag["what"], "none", "during a handover")
    check("a handover of one is under way" in drag["text"], drag["text"])
    hand.let_go()
    at.check("a drag during a handover")
    # Let go where nothing was said yet: the pointer has not moved since.
    city.ctl("swap", "one", "--source", city.path("home/one"), "--settled", limit=BUILD_LIMIT)
    settled(city, "one")

    # Another refactor is under way.
    at = At(city)
    city.compiler(more="echo one.c:7:1: error: no more >&2; exit 1")
    helper = city.held("move", "two", "attic")
    hand.take(one)
    hand.to(*beside)
    drag = drag_of(city)
    check_equal(drag["what"], "none", "during a refactor")
    check("a refactor of two is under way" in drag["text"], drag["text"])
    hand.let_go()
    gate = city.let_go()
    check_equal(city.end_of(helper)["event"], "failed", "the other refactor")
    os.close(gate)
    city.compiler()
    at.check("a drag during a refactor")


def _targets_that_vanish(city, hand, beside):
    """The tile is in its district, and the other in the other one."""
    at = At(city)
    hand.take(city.tile("one"))
    hand.to(*beside)
    check_equal(drag_of(city)["what"], "move", "before the folder goes")
    os.rename(city.path("work"), city.path("away"))
    drag = drag_of(city)
    hand.let_go()
    # Where something else has made it look again, that was said before the drop.
    if drag["what"] == "move":
        city.until(lambda: "no longer there" in city.tile("one")["notice"], what="nothing is said")
    else:
        check("no longer there" in drag["text"], drag["text"])
    os.rename(city.path("away"), city.path("work"))
    at.check("a drop on a folder that is gone")


def _tiles_that_vanish(city, hand):
    """The other tile, then the one that is dragged, then the compositor."""
    settled(city, "one")
    at = At(city)
    hand.take(city.tile("one"))
    hand.to(*middle(city.tile("two")))
    check_equal(drag_of(city)["what"], "replace", "before the target closes")
    city.ctl("close", "two")
    city.until(lambda: (drag_of(city) or {}).get("what") != "replace", what="it is still a target")
    city.type("-k", "Escape")
    hand.let_go()
    at.check("a target that closed")

    hand.take(city.tile("one"))
    hand.do(f"modifiers {LOGO | CTRL}")
    check_equal(drag_of(city)["what"], "fork", "before the compositor dies")
    city.die()
    city.wait_tile("one")
    settled(city, "one")
    at.check("a drag that the compositor did not outlive")

    hand = Hand(city)
    zoomed(city, ZOOM)
    hand.take(city.tile("one"))
    hand.do(f"modifiers {LOGO | CTRL}")
    check_equal(drag_of(city)["what"], "fork", "before the tile closes")
    city.ctl("close", "one")
    check_equal(drag_of(city), None, "the drag of a tile that closed")
    hand.let_go()
    check("one" not in [tile["name"] for tile in city.ctl("tiles")], "it is still there")
    check_equal(city.ctl("state")[0]["refactor"], None, "what was begun")


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
        _drags_that_come_to_nothing(city, hand, one, two, beside)
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
        _targets_that_vanish(city, hand, beside)
        city.do("redo")
        again = city.tile("one")
        check_equal((again["source"], again["cx"], again["cy"]),
                    (city.path("work/one"), moved["cx"], moved["cy"]), "the move, done again")
        _tiles_that_vanish(city, hand)


run([test_drags])

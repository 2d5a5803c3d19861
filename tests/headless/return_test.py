#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the compositor's death must not take: keys, what was copied, windows, and the lock."""

import os
import signal

from desk import Desk, Program  # sets the path up
from city import process_state
from tap import check, check_equal, run

COVER = (0x3a, 0x12, 0x18)  # over a city that is locked, but has no locker


def test_keys_typed_while_it_comes_back():
    """Typed to the new compositor while the tile has not heard of it."""
    with Desk() as city:
        terminal = city.wait_tile("terminal")
        city.wait_tile("clock")
        city.ctl("run", "focus", "terminal")
        city.enter(f"read x; echo \"$x\" > {city.path('typed')}")
        text = "abcdefghijklmnopqrstuvwxyz0123456789"
        dead = city.leave_dead()
        city.kill(terminal["pid"], signal.SIGSTOP)
        city.until(lambda: process_state(terminal["pid"]) == "T")
        first = city.popen("wtype", text)
        city.kill(city.keeper.pid, signal.SIGCONT)
        check_equal(first.wait(60), 0, "wtype")
        second = city.popen("wtype", text.upper())
        city.kill(terminal["pid"], signal.SIGCONT)
        check_equal(second.wait(60), 0, "wtype")
        city.back(dead)
        city.enter("")
        check_equal(city.wait_file("typed"), text + text.upper(), "what was typed")
        check_equal(city.wait_tile("terminal")["pid"], terminal["pid"], "the process")


def pasted(city, *options):
    return city.run("wl-paste", "-n", *options, check=False).stdout


def test_what_was_copied():
    """At once, though the tile that offered it does not get the keyboard, or has ended."""
    with Desk() as city:
        city.wait_tile("terminal")
        city.wait_tile("clock")
        city.ctl("run", "focus", "terminal")
        city.enter("printf '\\033]52;c;Y29waWVk\\007\\033]52;p;bWFya2Vk\\007'")
        city.until(lambda: pasted(city) == b"copied", what="nothing was copied")
        city.until(lambda: pasted(city, "--primary") == b"marked", what="nothing was marked")
        city.ctl("run", "focus", "clock")
        # Three deaths in all: one more in a row would be a breakdown.
        city.die()
        city.until(lambda: pasted(city) == b"copied", what="what was copied is lost")
        city.until(lambda: pasted(city, "--primary") == b"marked", what="what was marked is lost")
        city.wait_tile("terminal")
        city.ctl("close", "terminal")
        city.until(lambda: "terminal" not in [t["name"] for t in city.ctl("tiles")])
        city.die()
        city.until(lambda: pasted(city) == b"copied", what="it went with its tile")
        # What is taken back does not come again.
        city.run("wl-copy", "--clear")
        city.until(lambda: pasted(city) == b"", what="it is still there")
        city.die()
        city.until(lambda: pasted(city, "--primary") == b"marked", what="what was marked is lost")
        check_equal(pasted(city), b"", "what was taken back")


def test_locked_it_stays():
    """However often it dies, also in safe mode, until a locker unlocks."""
    with Desk() as city:
        city.wait_tile("terminal")
        city.ctl("run", "focus", "terminal")
        x, y, width, height = city.box("terminal")
        middle = (x + width // 2, y + height // 2, 1, 1)
        hand = Program(city, "hand")
        hand.say("lock")
        for death in range(4):
            city.die()
            check_equal(city.pixels(middle)[0][0], COVER, f"what is seen after death {death + 1}")
            check_equal(city.pixels((8, 8, 1, 1))[0][0], COVER, "in the corner")
            if death == 0:
                hand.end()
                city.enter(f"touch {city.path('typed')}")
        check("in safe mode" in city.said(), "it is not in safe mode")
        hand = Program(city, "hand")
        hand.say("lock")
        hand.say("unlock")
        city.until(lambda: city.pixels(middle)[0][0] != COVER, what="it is not unlocked")
        dead = city.compositor()
        city.run("cityctl", "run", "restart")
        city.back(dead)
        city.wait_tile("terminal")
        city.until(lambda: city.pixels(middle)[0][0] != COVER, what="it is locked again")
        city.ctl("run", "focus", "terminal")
        city.enter(f"touch {city.path('after')}; echo > {city.path('done')}")
        city.until(lambda: os.path.exists(city.path("done")), what="keys do not arrive")
        check(not os.path.exists(city.path("typed")), "what was typed into the lock arrived")
        hand.end()


WINDOWS = ("one", "west", "300", "200", "aa0000", "one", "east", "240", "160", "00aa00",
           "two", "wide", "400", "100", "0000aa", "two", "hidden", "200", "200", "aa00aa")


def four_windows(city):
    """Placed and stacked otherwise than they would be by themselves; the wide one fills the screen."""
    guest = Program(city, "guest", *WINDOWS)
    city.until(lambda: len([v for v in city.views() if v["app_id"] in ("one", "two")]) == 4,
               what="the windows do not come")
    for command in ("focus hidden", "move 50 60", "minimize", "focus east", "move 200 -30",
                    "resize 260 170", "focus west", "move -120 90", "focus terminal", "focus wide"):
        city.ctl("run", *command.split())
    city.until(lambda: named(city, "east")["width"] == 260)
    place = named(city, "west")
    for command in ("focus west", "snap left", "focus terminal", "focus wide"):
        city.ctl("run", *command.split())
    city.until(lambda: named(city, "west")["width"] > 500, what="it does not fill its part")
    guest.place = place
    return guest


def named(city, title):
    return [v for v in city.views() if v["title"] == title][0]


def twice_before_they_return(city, guest):
    city.kill(guest.process.pid, signal.SIGSTOP)
    city.until(lambda: process_state(guest.process.pid) == "T")
    dead = city.compositor()
    city.run("cityctl", "run", "restart")
    city.back(dead)
    city.die()
    check_equal([v["title"] for v in city.views() if v["app_id"] in ("one", "two")], [],
                "windows of a program that is stopped")
    city.kill(guest.process.pid, signal.SIGCONT)


def test_windows_come_back():
    """Made again in another order than they lie in: place, size, state, order and focus are as before."""
    with Desk(config="animations off\n") as city:
        city.wait_tile("terminal")
        guest = four_windows(city)
        for fill in ("maximize", "fullscreen"):
            before = named(city, "wide")
            city.ctl("run", fill)
            city.until(lambda: named(city, "wide")["width"] > 1000, what="it does not fill the screen")
            views, camera = city.views(), city.camera()
            city.die()
            city.until(lambda: city.views() == views, what=f"not as it was: {views}")
            check_equal(city.camera(), camera, "the camera")
            if fill == "fullscreen":
                twice_before_they_return(city, guest)
                city.until(lambda: city.views() == views, what=f"not as it was: {views}")
                check_equal(city.camera(), camera, "the camera")
            city.ctl("run", fill)
            city.until(lambda: named(city, "wide") == before, what=f"its place is lost: {before}")
        city.ctl("run", "focus", "west")
        city.ctl("run", "snap", "off")
        city.until(lambda: {**named(city, "west"), "focused": False} == guest.place,
                   what=f"its place is lost: {guest.place}")
        guest.end()


def test_windows_that_do_not_come_back():
    """The focus goes to somebody who is there, and their places are nobody else's."""
    with Desk(config="animations off\n") as city:
        city.wait_tile("terminal")
        guest = four_windows(city)
        # The user goes elsewhere before they are back.
        city.kill(guest.process.pid, signal.SIGSTOP)
        city.until(lambda: process_state(guest.process.pid) == "T")
        places = {v["title"]: (v["cx"], v["cy"]) for v in city.views()}
        city.die()
        check(not any(v["focused"] for v in city.views()), "who was not there had the focus")
        city.ctl("run", "focus", "clock")
        city.kill(guest.process.pid, signal.SIGCONT)
        city.until(lambda: len(city.views()) == 6, what="they do not come")
        check_equal([v["tile"] for v in city.views() if v["focused"]], ["clock"], "the focus")
        check_equal(city.views()[0]["tile"], "clock", "the topmost")
        check_equal((named(city, "west")["cx"], named(city, "west")["cy"]), places["west"], "the place")
        city.ctl("run", "focus", "west")
        city.ctl("run", "maximize")
        dead = city.leave_dead(guest.process.pid)
        city.revive(dead)
        city.until(lambda: [v["tile"] for v in city.views() if v["focused"]] != [],
                   what="nobody gets the focus")
        other = Program(city, "guest", *WINDOWS[:5])
        city.until(lambda: [v for v in city.views() if v["title"] == "west"], what="it does not come")
        check(not named(city, "west")["maximized"], "another program took the place")
        other.end()


if __name__ == "__main__":
    run([value for name, value in list(globals().items()) if name.startswith("test_")])

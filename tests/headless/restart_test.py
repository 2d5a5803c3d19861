#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The compositor dies, hangs or breaks down again and again under somebody who works in the city."""

import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from city import process_state  # noqa: E402
from desk import Desk  # noqa: E402
from tap import check, check_equal, run  # noqa: E402


def test_shell_works_on_across_the_death():
    with Desk() as city:
        before = city.wait_tile("terminal")
        city.ctl("run", "focus", "terminal")
        fifo = city.path("go")
        os.mkfifo(fifo)
        # The program goes on printing while nobody shows it.
        city.enter(f"printf '\\033]0;at work\\007'; echo $$ > {city.path('pid')}; "
                   f"(read x < {fifo}; seq 1 20000; echo 'the last one' > {city.path('printed')})")
        pid = city.wait_file("pid")
        city.until(lambda: city.tile("terminal")["title"] == "at work", what="no title")
        color = city.edge("terminal")
        dead = city.leave_dead()
        with open(fifo, "w") as file:
            file.write("go\n")
        # More than a PTY holds: the terminal has read it without a compositor.
        city.wait_file("printed")
        city.revive(dead)
        after = city.wait_tile("terminal")
        check_equal(after["pid"], before["pid"], "the terminal's process")
        check_equal(after["title"], "at work", "the title")
        city.until(lambda: city.edge("terminal") == color, what="it is not on the screen")
        city.until(lambda: "all tiles are on the screen again" in city.said(), what="the log does not say so")
        city.enter(f"echo $$ > {city.path('again')}")
        check_equal(city.wait_file("again"), pid, "the shell that has the focus again")


def test_desk_is_as_it_was():
    with Desk(config="animations off\n") as city:
        city.wait_tile("terminal")
        city.wait_tile("clock")
        city.ctl("open", "clock", "--name", "second")
        city.wait_tile("second")
        for command in ("focus terminal", "move 300 -40", "resize 640 480"):
            city.ctl("run", *command.split())
        city.until(lambda: [v for v in city.views() if v["tile"] == "terminal"][0]["width"] == 640)
        for command in ("maximize", "focus second", "move -500 80", "minimize", "focus clock", "snap right", "zoom 0.7",
                        "pan 30 40"):
            city.ctl("run", *command.split())
        city.until(lambda: city.tile("clock")["state"] == "live")
        # The maximised one has been drawn as large as it is to be.
        city.until(lambda: [v for v in city.views() if v["maximized"]][0]["width"] > 1000,
                   what="the terminal is not as large as the screen")
        city.until(lambda: [v for v in city.views() if v["snapped"]][0]["width"] > 500,
                   what="the clock is not as large as its part of the screen")
        city.ctl("bookmark", "set", "my desk")
        city.until(lambda: os.path.exists(
            os.path.join(city.folder, "state", "source-city", "bookmarks")))
        views, camera, marks = city.views(), city.camera(), city.ctl("bookmark")
        for _ in range(2):
            city.die()
            city.until(lambda: city.views() == views, what=f"not as it was: {views}")
            check_equal(city.camera(), camera, "the camera")
            check_equal(city.ctl("bookmark"), marks, "the bookmarks")
        city.ctl("run", "focus", "terminal")
        city.ctl("run", "maximize")
        city.until(lambda: [v for v in city.views() if v["tile"] == "terminal"][0]["width"] == 640,
                   what="the size before it was maximised is lost")
        city.ctl("run", "fullscreen")
        city.until(lambda: city.box("terminal") == (0, 0, 1280, 720), what="it does not fill the screen")
        views, camera = city.views(), city.camera()
        check(views[0]["tile"] == "terminal" and views[0]["focused"], f"{views}")
        city.die()
        city.until(lambda: city.views() == views, what=f"not as it was: {views}")
        check_equal((city.camera(), city.box("terminal")), (camera, (0, 0, 1280, 720)), "the camera")


def test_opened_and_closed_at_the_last_moment():
    with Desk() as city:
        city.wait_tile("terminal")
        city.ctl("open", "clock", "--name", "second")
        tile = city.wait_tile("second")
        city.ctl("close", "clock")
        city.die()
        after = city.wait_tile("second")
        check_equal((after["pid"], after["kind"]), (tile["pid"], "clock"), "the new tile")
        check_equal(sorted(t["name"] for t in city.ctl("tiles")), ["second", "terminal"], "tiles")


def test_clients_connect_again():
    """The socket stays: who connects while nobody is there waits, and is served."""
    with Desk() as city:
        city.wait_tile("terminal")
        loop = city.popen("sh", "-c", "while :; do foot sh -c "
                          f"'echo up >> {city.path('foot')}; sleep 1000'; done",
                          start_new_session=True)
        try:
            city.wait_file("foot")
            city.leave_dead()
            waiting = city.popen("cityctl", "tiles", "--json", stdout=subprocess.PIPE)
            city.kill(city.keeper.pid, signal.SIGCONT)
            said, _ = waiting.communicate(timeout=60)
            check_equal(waiting.returncode, 0, "who came meanwhile was served")
            check(b"terminal" in said, said)
            city.until(lambda: any(v["app_id"] == "foot" for v in city.ctl("state")[0]["views"]),
                       what="the program that connects again is not there")
        finally:
            os.killpg(loop.pid, signal.SIGKILL)
            loop.wait()


def test_hanging_compositor_is_replaced():
    with Desk(env={"SOURCE_CITY_LIMITS": "hang=1000"}) as city:
        before = city.wait_tile("terminal")
        dead = city.compositor()
        config = os.path.join(city.folder, "config", "source-city", "config")
        os.rename(config, config + ".real")
        # Whoever reads this waits for what is never written.
        os.mkfifo(config)
        asked = city.popen("cityctl", "run", "reload", stderr=subprocess.DEVNULL)
        writer = city.until(lambda: writer_of(config), what="nobody reads it")
        os.rename(config + ".real", config)
        city.back(dead)
        os.close(writer)
        asked.wait(60)
        check_equal(city.wait_tile("terminal")["pid"], before["pid"], "the terminal's process")
        check("hangs for 1000 ms" in city.said(), "the log says why")
        check("SIGABRT" in city.said() or "signal 6" in city.said(), "and how it ended")


def writer_of(fifo):
    """As soon as there is a reader."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def test_stopped_compositor_is_left_alone():
    with Desk(env={"SOURCE_CITY_LIMITS": "hang=200"}) as city:
        city.wait_tile("terminal")
        compositor = city.compositor()
        for _ in range(3):
            # Busy, so that its watchdog is awake.
            city.ctl("state")
            city.kill(compositor, signal.SIGSTOP)
            city.until(lambda: process_state(compositor) == "T")
            # That nothing happens can only be seen by waiting.
            time.sleep(0.5)
            city.kill(compositor, signal.SIGCONT)
            city.ctl("state")
        check_equal(city.compositor(), compositor, "the compositor")


def test_restart_on_request():
    """As after an update of the compositor."""
    with Desk() as city:
        city.wait_tile("terminal")
        city.wait_tile("clock")
        before = {tile["name"]: tile["pid"] for tile in city.ctl("tiles")}
        for _ in range(5):
            dead = city.compositor()
            city.run("cityctl", "run", "restart")
            city.back(dead)
        city.wait_tile("terminal")
        city.wait_tile("clock")
        check_equal({tile["name"]: tile["pid"] for tile in city.ctl("tiles")}, before, "tiles")
        check("breaks down" not in city.said() and "safe mode" not in city.said(), city.said())


def test_keeper_is_replaced():
    """The whole city under it goes on; then compositor and tiles come from the new folder."""
    with Desk() as city:
        before = city.wait_tile("terminal")
        city.ctl("run", "focus", "terminal")
        city.enter(f"echo $$ > {city.path('pid')}")
        pid = city.wait_file("pid")
        prefix = os.path.join(os.environ["SOURCE_CITY_BUILD"], "prefix")
        newer = os.path.join(city.folder, "newer")
        shutil.copytree(prefix, newer)
        keeper = os.path.join(newer, "bin", "source-city")
        compositor, old = city.compositor(), city.keeper.pid
        for path in (keeper, None):
            city.run("cityctl", "keeper", "--replace", *([path] if path else []))
            check_equal(os.readlink(f"/proc/{old}/exe"), keeper, "what the keeper runs")
        refused = city.run("cityctl", "keeper", "--replace", "/bin/true", check=False)
        check_equal(refused.returncode, 1, "no keeper")
        check(b"it is no keeper" in refused.stderr, refused.stderr)
        check_equal(city.compositor(), compositor, "the compositor")
        city.enter(f"echo $$ > {city.path('again')}; exit 3")
        check_equal(city.wait_file("again"), pid, "the shell")
        dead = city.compositor()
        city.run("cityctl", "run", "restart")
        city.back(dead)
        check(os.readlink(f"/proc/{city.compositor()}/exe").startswith(newer), "the compositor")
        check_equal(city.wait_tile("terminal")["pid"], before["pid"], "the tile")
        # It ends as orderly as ever.
        check_equal(city.stop(), 0, "exit status")
        check_equal(os.listdir(os.path.join(city.folder, "run")), [], "what is left")


def test_safe_mode():
    with Desk() as city:
        city.wait_tile("clock")
        before = city.wait_tile("terminal")
        config = os.path.join(city.folder, "config", "source-city", "config")
        with open(config, "a") as file:
            file.write("ground 0x00ff00\n")
        for _ in range(4):
            city.die()
        check("in safe mode" in city.said(), "the log says so")
        check("broke down 4 times in a row" in city.said(), "and why")
        tiles = city.until(lambda: city.wait_tile("safe-mode"), what="no terminal to mend with")
        check_equal([t["name"] for t in city.ctl("tiles")], ["safe-mode"], "tiles")
        check(tiles["pid"] != before["pid"], "it is a terminal of its own")
        # The words are on the screen: light on the colour of errors.
        row = [pixel for line in city.pixels((8, 8, 700, 40)) for pixel in line]
        check(sum(p[0] > 200 and p[1] > 200 for p in row) > 200, "no message on the screen")
        check(os.path.exists(f"/proc/{before['pid']}"), "the user's tile does not run on")
        city.ctl("run", "focus", "safe-mode")
        # It breaks down once more: that terminal is kept as well.
        city.die()
        check_equal(city.wait_tile("safe-mode")["pid"], tiles["pid"], "the terminal")
        dead = city.compositor()
        city.enter("cityctl run restart")
        city.back(dead)
        check_equal(city.wait_tile("terminal")["pid"], before["pid"], "the user's tile")
        check_equal(sorted(t["name"] for t in city.ctl("tiles")), ["clock", "terminal"], "tiles")
        city.until(lambda: not os.path.exists(f"/proc/{tiles['pid']}"),
                   what="the terminal of safe mode is left")


if __name__ == "__main__":
    run([value for name, value in list(globals().items()) if name.startswith("test_")])

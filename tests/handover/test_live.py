#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Handovers as they should be: state, input, records, the newest request, rollback."""

import configparser
import glob
import os
import shutil
import subprocess
import time

from ledger import (City, LedgerCity, adds_up, books, ledger_city, limits_for, settled, swap,
                    tile_path, tile_pids)
from city import BUILD_LIMIT, LIMIT, children, name_of
import json

from tap import check, check_equal, run

STEPS = ["spawn", "warm", "splice", "migrate", "attach", "frame", "commit", "probation", "retire"]


def test_state_goes_along():
    with ledger_city() as city:
        before = settled(city)
        was = books(city)
        status, record, said = swap(city, "ledger-2", "--strategy", "instant")
        check_equal(status, 0, said)
        check_equal(record["result"], "live", "result")
        check_equal([s["step"] for s in record["steps"]], STEPS, "steps")
        check_equal(record["from"], before["artifact"], "from")
        check(record["pause_us"] is not None and record["pause_us"] > 0, "a pause is measured")
        check(record["state_bytes"] >= 4000, "state bytes")
        check_equal(record["migrated_bytes"], 0, "an unchanged schema moves nothing")
        after = settled(city)
        now = books(city)
        check(after["pid"] != before["pid"], "another process")
        check_equal(after["artifact"], record["to"], "artifact")
        check_equal(after["good"], record["to"], "last known good")
        check_equal(after["uuid"], before["uuid"], "identity")
        check(now["updates"] > was["updates"], "it goes on")
        check_equal(now["attaches"], was["attaches"] + 1, "attached once")
        check_equal(now["ruined"], 0, "books")
        history = city.ctl("history")
        check_equal(history[-1]["id"], record["id"], "history")


def test_events_tell_of_records():
    with ledger_city() as city:
        settled(city)
        helper = city.popen("cityctl", "events", "--json", stdout=subprocess.PIPE)
        lines = (json.loads(line) for line in helper.stdout)
        next(line for line in lines if line["event"] == "ready")
        status, record, said = swap(city, "ledger-2", "--strategy", "instant")
        check_equal(status, 0, said)
        told = next(line for line in lines if line["event"] == "record")
        check_equal(told, {**record, "event": "record"}, "the record")


def test_melts():
    with ledger_city() as city:
        settled(city)
        for name in ("ledger-2", "ledger-1"):
            status, record, said = swap(city, name)
            check_equal(status, 0, said)
            check_equal(record["strategy"], "melt", "strategy")
            check("melt" in [s["step"] for s in record["steps"]], "there is a melt")
        pixels = city.pixels((150, 150, 4, 4))
        check_equal(pixels[0][0], (0x20, 0x40, 0x60), "what is seen at the end")


def test_back_to_back():
    with ledger_city(limits="probation=30,frames=1,melt=50") as city:
        settled(city)
        updates = 0
        for i in range(20):
            strategy = ("instant", "melt", "crossfade")[i % 3]
            status, record, said = swap(city, f"ledger-{2 - i % 2}", "--strategy", strategy)
            check_equal(status, 0, said)
            now = books(city)
            check(now["updates"] >= updates, "no update is lost")
            check_equal(now["attaches"], i + 2, "attaches")
            updates = now["updates"]
        check_equal(len(city.ctl("history")), 20, "records")
        log = city.said()
    check("error" not in log.replace("melt.frag", ""), f"nothing went wrong:\n{log}")


def held(city):
    """Open descriptors of keeper and compositor. What the keeper forks to save a state has its name, too."""
    compositors = [pid for pid in children(city.keeper.pid) if name_of(pid) == "source-city-com"]
    return {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in [city.keeper.pid, *compositors]}


def test_nothing_grows():
    with ledger_city(limits="probation=20,frames=1,melt=30") as city:
        settled(city)

        def some(number):
            for i in range(number):
                name = ("ledger-2", "attach-crash", "ledger-1", "check-false")[i % 4]
                swap(city, name, "--strategy", "melt" if i % 8 < 4 else "instant")
            settled(city)

        some(8)
        before = held(city)
        some(32)
        # The last processes and requests come and go by themselves; each of the four kinds of end that leaves
        # something behind has left it eight times.
        city.until(lambda: all(count <= before[pid] + 6 for pid, count in held(city).items()),
                   what=f"descriptors: {before}, {held(city)}")


def test_input_waits_for_the_new_version():
    with ledger_city(limits="probation=100,frames=1") as city:
        settled(city)
        city.ctl("run", "focus", "ledger")
        helper = city.popen("cityctl", "swap", "ledger", "--artifact", tile_path("attach-slow"),
                            "--settled", "--json", "--strategy", "instant",
                            stdout=subprocess.PIPE)
        for line in helper.stdout:
            value = json.loads(line)
            if value.get("step") == "attach":
                break
        city.type("between")
        check_equal(helper.wait(LIMIT), 0, "the handover")
        city.until(lambda: books(city)["typed"] == "between", what="the keys came")


def test_input_returns_to_the_old_version():
    with ledger_city(limits="attach=700,probation=100,frames=1") as city:
        settled(city)
        city.ctl("run", "focus", "ledger")
        city.type("before ")
        helper = city.popen("cityctl", "swap", "ledger", "--artifact", tile_path("attach-hang"),
                            "--settled", "--json", "--strategy", "instant",
                            stdout=subprocess.PIPE)
        for line in helper.stdout:
            if json.loads(line).get("step") == "attach":
                break
        city.type("between")
        check_equal(helper.wait(LIMIT), 1, "the handover fails")
        city.type(" after")
        city.until(lambda: books(city)["typed"] == "before between after",
                   what=f"all keys are there: {books(city)['typed']!r}")


def test_newest_wins():
    with ledger_city(limits="probation=30,frames=1,melt=50") as city:
        settled(city)
        helpers = []
        for i in range(30):
            helpers.append(city.popen(
                "cityctl", "swap", "ledger", "--artifact", tile_path(f"ledger-{2 + i % 2}"),
                "--settled", "--json", "--strategy", "instant",
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for helper in helpers:
            helper.wait(60)
        status, record, said = swap(city, "ledger-1", "--strategy", "instant")
        check_equal(status, 0, said)
        check_equal(settled(city)["artifact"], record["to"], "the newest")
        history = city.ctl("history")
        check_equal(len(history), 31, "each has a record")
        check({r["result"] for r in history} <= {"live", "superseded"}, "none failed")
        check_equal(books(city)["ruined"], 0, "books")


def test_a_hundred_requests_at_once():
    """Each gets an answer at once or the newest one's; there is no queue and no crowd of processes."""
    with ledger_city(limits=limits_for(probation=30, frames=1, melt=50)) as city:
        settled(city)
        helpers, most = [], 0
        for i in range(100):
            helpers.append(city.popen(
                "cityctl", "swap", "ledger", "--artifact", tile_path(f"ledger-{1 + i % 3}"),
                "--settled", "--strategy", "instant",
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            most = max(most, len(tile_pids(city.keeper.pid)))
        while any(helper.poll() is None for helper in helpers):
            most = max(most, len(tile_pids(city.keeper.pid)))
        check({h.returncode for h in helpers} <= {0, 1}, "each gets an answer")
        tile = settled(city)
        history = city.ctl("history")
        check_equal(len(history), 100, "and a record")
        check({r["result"] for r in history} <= {"live", "superseded"}, "none failed")
        newest = max(history, key=lambda record: record["id"])
        check_equal((newest["result"], newest["to"]), ("live", tile["artifact"]), "the newest")
        # A and B, one in preparation, two that are ending, the keeper's spare and the next one.
        check(most <= 8, f"{most} processes")
        check_equal(books(city)["ruined"], 0, "books")


def test_rollback_in_probation():
    with ledger_city(limits="probation=600000,melt=50") as city:
        before = city.wait_tile("ledger")
        helper = city.popen("cityctl", "swap", "ledger", "--artifact", tile_path("ledger-2"),
                            "--settled", "--json", stdout=subprocess.PIPE)
        for line in helper.stdout:
            if json.loads(line).get("step") == "probation":
                break
        was = books(city)
        city.run("cityctl", "rollback", "ledger")
        helper.wait(LIMIT)
        after = settled(city)
        now = books(city)
        check_equal(after["artifact"], before["artifact"], "artifact")
        check_equal(after["pid"], before["pid"], "the old process, which never ended")
        check_equal(now["attaches"], was["attaches"], "the new version's attach is undone")
        check_equal(now["rollbacks"], 1, "attached for a rollback")
        check_equal(city.ctl("history")[-1]["result"], "rolled-back", "record")


def test_rollback_later():
    with ledger_city() as city:
        before = settled(city)
        check_equal(swap(city, "ledger-2")[0], 0, "swap")
        done = city.run("cityctl", "rollback", "ledger", check=False)
        check_equal(done.returncode, 0, done.stderr)
        check_equal(settled(city)["artifact"], before["artifact"], "artifact")
        check_equal(books(city)["ruined"], 0, "books")


def versions_city():
    """ledger-1, -2 and -3 have been good, in this order; the hashes of the three."""
    city = ledger_city()
    city.start()
    hashes = [settled(city)["artifact"]]
    for name in ("ledger-2", "ledger-3"):
        status, record, said = swap(city, name, "--strategy", "instant")
        check_equal(status, 0, said)
        hashes.append(record["to"])
    return city, hashes


def test_rollback_several_versions():
    city, (first, second, third) = versions_city()
    try:
        listed = city.ctl("rollback", "ledger", "--list")
        check_equal([(v["back"], v["artifact"]) for v in listed],
                    [(0, third), (1, second), (2, first)], "the list")
        check("ledger-3" in listed[0]["origin"] and listed[0]["time"] != "", f"{listed[0]}")
        was = books(city)
        city.ctl("rollback", "ledger", "2")
        tile = settled(city)
        check_equal((tile["artifact"], tile["good"]), (first, first), "two versions back")
        check_equal((tile["later"], tile["earlier"]), ([third, second], []), "none is forgotten")
        now = books(city)
        check(adds_up(now) and now["updates"] >= was["updates"], f"the state goes along: {now}")
        check_equal(city.ctl("history")[-1]["origin"], "rollback", "record")
        for which, words in (("1", b"no earlier version"), ("ffffffff", b"ffffffff"),
                             (first[:8], b"is the one that runs")):
            done = city.run("cityctl", "rollback", "ledger", which, check=False)
            check_equal(done.returncode, 1, f"rollback {which}")
            check(words in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr)
        city.ctl("rollback", "ledger", second[:8])
        check_equal(settled(city)["artifact"], second, "forward by its hash")
        # Over a restart of everything.
        city.own_folder = False
        city.stop()
        again = City(config=city.config, folder=city.folder, env=city.extra_env)
        with again:
            tile = settled(again)
            check_equal((tile["good"], tile["later"], tile["earlier"]),
                        (second, [third], [first]), "after a restart")
            again.ctl("rollback", "ledger")
            check_equal(settled(again)["artifact"], first, "back as before the restart")
    finally:
        city.own_folder = True
        city.__exit__(None, None, None)


def test_rollback_several_versions_in_probation():
    """What the version in probation wrote is undone, then it goes further back."""
    with ledger_city() as city:
        first = settled(city)["artifact"]
        check_equal(swap(city, "ledger-2", "--strategy", "instant")[0], 0, "swap")
        city.own_folder = False
        city.stop()
        again = LedgerCity(config=city.config, folder=city.folder,
                           env={"SOURCE_CITY_LIMITS": limits_for(probation=60000)})
        again.own_folder = True
        with again:
            again.wait_tile("ledger")
            helper = again.popen("cityctl", "swap", "ledger", "--artifact", tile_path("update-wrong"),
                                 "--settled", "--json", "--strategy", "instant",
                                 stdout=subprocess.PIPE)
            for line in helper.stdout:
                if json.loads(line).get("step") == "probation":
                    break
            again.popen("cityctl", "rollback", "ledger", "2", stdout=subprocess.DEVNULL)
            again.until(lambda: again.tile("ledger")["artifact"] == first, what="not gone back to")
            check_equal(helper.wait(60), 1, "the new version is rolled back")
            check_equal(books(again)["ruined"], 0, "nothing of it is left")


def test_swap_in_probation_builds_the_newest_folder():
    """After swap --source X, a swap without a folder means X, also while X is on probation."""
    with ledger_city(limits=limits_for(probation=60000)) as city:
        city.wait_tile("ledger")
        here = os.path.dirname(os.path.abspath(__file__))
        folders = []
        for name in ("one", "two"):
            folders.append(os.path.join(city.folder, name))
            os.makedirs(folders[-1])
            shutil.copy(os.path.join(here, "tiles", "ledger.c"), folders[-1])
        for folder in folders:
            city.run("cityctl", "swap", "ledger", "--source", folder, "--strategy", "instant",
                     limit=BUILD_LIMIT)
        city.wait_tile("ledger", "probation")
        with open(os.path.join(folders[1], "ledger.c"), "a") as file:
            file.write('\n__attribute__((used)) static const char more[] = "newer";\n')
        city.run("cityctl", "swap", "ledger", "--strategy", "instant", limit=BUILD_LIMIT)
        newest = city.wait_tile("ledger", "probation")
        check_equal(newest["source"], folders[1], "what runs was built from the newest folder")


def test_no_earlier_version():
    with ledger_city() as city:
        settled(city)
        done = city.run("cityctl", "rollback", "ledger", check=False)
        check_equal(done.returncode, 1, "exit status")
        check(b"no earlier version" in done.stderr, done.stderr)


def test_killed_tile_comes_back():
    with ledger_city() as city:
        before = settled(city)
        was = books(city)
        city.kill(before["pid"])
        city.until(lambda: _settled_other(city, before["pid"]), what="it did not come back")
        now = books(city)
        check_equal(now["restarts"], was["restarts"] + 1, "attached as a restart")
        check(now["updates"] >= was["updates"], "with its state")
        check_equal(now["ruined"], 0, "books")


def _settled_other(city, pid):
    for tile in city.ctl("state")[-1]["tiles"]:
        if tile["name"] == "ledger" and tile["pid"] not in (0, pid) and tile["step"] == "":
            return tile
    return None


def test_tile_that_dies_again_and_again():
    with ledger_city() as city:
        settled(city)
        while True:
            tile = city.tile("ledger")
            if tile["state"] == "dead":
                break
            if tile["pid"]:
                try:
                    city.kill(tile["pid"])
                except ProcessLookupError:
                    pass
            time.sleep(0.02)
        check("cityctl" in tile["notice"], f"it says how to go on: {tile['notice']!r}")
        check_equal(books(city)["ruined"], 0, "its state is kept")
        status, record, said = swap(city, "ledger-2")
        check_equal(status, 0, said)
        tile = settled(city)
        check_equal(tile["notice"], "", "the notice is gone")


def test_places_are_kept():
    with ledger_city() as city:
        settled(city)
        check_equal(swap(city, "ledger-2", "--strategy", "instant")[0], 0, "swap")
        city.ctl("run", "focus", "ledger")
        city.ctl("run", "move", "200", "150")
        first = settled(city)
        city.own_folder = False
        city.stop()
        again = City(config=city.config, folder=city.folder, env=city.extra_env)
        again.own_folder = True
        with again:
            second = settled(again)
            view = again.ctl("state")[-1]["views"][0]
            check_equal(second["uuid"], first["uuid"], "identity")
            check_equal(second["artifact"], first["artifact"], "last known good version")
            check_equal((view["cx"], view["cy"]), (200.0, 150.0), "place")
            check_equal(len(again.ctl("history")), 1, "history")


def test_open_a_folder_named_like_an_installed_tile():
    with ledger_city() as city:
        settled(city)
        folder = os.path.join(city.folder, "clock")
        os.makedirs(folder)
        here = os.path.dirname(os.path.abspath(__file__))
        shutil.copy(os.path.join(here, "tiles", "ledger.c"), os.path.join(folder, "clock.c"))
        city.run("cityctl", "open", folder)
        tile = settled(city, "clock")
        check_equal(tile["kind"], "ledger", "what runs is what the folder holds")
        check_equal(tile["source"], folder, "its source")
        done = city.run("cityctl", "open", "clok", check=False)
        check_equal(done.returncode, 1, "exit status")
        check(b"clock" in done.stderr and b"terminal" in done.stderr, done.stderr)


def test_a_folder_that_was_opened_is_what_runs_after_a_restart():
    with ledger_city() as city:
        settled(city)
        installed = os.path.join(os.environ["SOURCE_CITY_BUILD"], "prefix", "share", "source-city", "tiles", "clock")
        folder = os.path.join(city.folder, "clock")
        shutil.copytree(installed, folder)
        with open(os.path.join(folder, "clock.c"), "a") as file:
            file.write("\n__attribute__((used)) static const char mine[] = \"another clock\";\n")
        city.run("cityctl", "open", folder)
        first = settled(city, "clock")
        city.own_folder = False
        city.stop()
        again = City(config=city.config, folder=city.folder, env=city.extra_env)
        again.own_folder = True
        with again:
            second = settled(again, "clock")
            check_equal(second["artifact"], first["artifact"], "the folder's build, not the installed one")


def test_options_of_a_tile_that_was_opened():
    """Of a second one of what is configured, of one's own, of a fork; also after a restart."""
    def command(word):
        return f"echo {word} >> $HOME/../said; exec sleep 100000"

    def said(city):
        path = os.path.join(city.folder, "said")
        return sorted(open(path).read().split()) if os.path.exists(path) else []

    config = f"tile shell {{\n\tkind terminal\n\toption command \"{command('configured')}\"\n}}\n"
    with City(config=config) as city:
        city.wait_tile("shell")
        city.run("cityctl", "open", "shell")
        city.run("cityctl", "open", "shell", "--name", "mine", "--option", f"command={command('own')}")
        city.until(lambda: said(city) == ["configured", "configured", "own"], what=f"{said(city)}")
        for option, status in (("nonsense", 2), ("=x", 2), ("a=b\nc", 1), (f"a={'x' * 3000}", 2)):
            done = city.run("cityctl", "open", "clock", "--option", option, check=False)
            check_equal((done.returncode, done.stderr.count(b"\n") > 0), (status, True), f"{option}: {done.stderr}")
        city.run("cityctl", "fork", "mine", "another")
        city.until(lambda: said(city) == ["configured", "configured", "own", "own"], what=f"{said(city)}")
        names = sorted(tile["name"] for tile in city.ctl("tiles"))
        for name in names:
            settled(city, name)
        city.own_folder = False
        city.stop()
        again = City(config=city.config, folder=city.folder, env=city.extra_env)
        again.own_folder = True
        with again:
            again.until(lambda: said(again) == ["configured"] * 4 + ["own"] * 4, what=f"{said(again)}")
            check_equal(sorted(tile["name"] for tile in again.ctl("tiles")), names, "the tiles")


def test_open_from_a_launcher():
    """What a launcher is told of the installed tiles opens them, and is shown in this desktop."""
    entries = sorted(glob.glob(os.path.join(os.environ["SOURCE_CITY_BUILD"], "prefix", "share", "applications",
                                            "source-city-*.desktop")))
    check(len(entries) >= 3, entries)
    config = "tile shell {\n\tkind terminal\n\toption command \"echo $XDG_CURRENT_DESKTOP > $HOME/../desktop; exec cat\"\n}\n"
    with City(config=config) as city:
        settled(city, "shell")
        desktops = city.until(lambda: open(os.path.join(city.folder, "desktop")).read()).strip().split(":")
        for path in entries:
            entry = configparser.ConfigParser(interpolation=None)
            entry.optionxform = str
            entry.read(path)
            entry = entry["Desktop Entry"]
            check(set(entry["OnlyShowIn"].rstrip(";").split(";")) & set(desktops), f"{path}: {desktops}")
            name = city.run(*entry["Exec"].split()).stdout.decode().strip()
            settled(city, name)


def test_open_and_close():
    with ledger_city() as city:
        settled(city)
        city.run("cityctl", "open", "clock")
        clock = settled(city, "clock")
        city.run("cityctl", "open", "clock")
        settled(city, "clock-2")
        city.run("cityctl", "close", "clock")
        city.until(lambda: all(t["name"] != "clock" for t in city.ctl("tiles")))
        city.until(lambda: not os.path.exists(f"/proc/{clock['pid']}"), what="it still runs")
        done = city.run("cityctl", "open", "nonsense", check=False)
        check_equal(done.returncode, 1, "unknown tile")


def test_nothing_is_left():
    with ledger_city() as city:
        pids = [settled(city)["pid"], city.keeper.pid]
        swap(city, "ledger-2")
        pids.append(settled(city)["pid"])
        folder = city.environment()["XDG_RUNTIME_DIR"]
        city.own_folder = False
        check_equal(city.stop(), 0, "exit status")
        check_equal(os.listdir(folder), [], "runtime folder")
        for pid in pids:
            check(not os.path.exists(f"/proc/{pid}"), f"{pid} is gone")


if __name__ == "__main__":
    run([value for name, value in list(globals().items()) if name.startswith("test_")], jobs=3)

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""State that changes shape: up and down over migration edges, what is refused and why, and what becomes
of the state when it may be lost. tiles/shapes.c says what the tiles are."""

import hashlib
import json
import re
import subprocess

from ledger import LIMITS, PATIENT, LedgerCity, limits_for, settled, swap, tile_path
from tap import check, check_equal, run

SECOND = {1: ("seconds", 1), 2: ("ms", 1000), 3: ("us", 1000000), 4: ("us", 1000000)}


def shapes_city(first="shapes-1", limits=LIMITS):
    config = (f"tile shapes {{\n\tartifact {tile_path(first)}\n\tkind shapes\n\tat 100 100\n"
              f"\tsize 100 80\n}}\n")
    return LedgerCity(config=config, env={"SOURCE_CITY_LIMITS": f"{PATIENT},{limits}"})


def cells(city):
    text = city.run("cityctl", "vat", "shapes", "--json", "--all").stdout.decode()
    region = json.loads(text.splitlines()[-1])
    return {cell["name"]: cell for cell in region["cells"]}


def laps(city, shape, count=1000):
    """The elements, whose ids are in order."""
    cell = cells(city)["laps"]
    check_equal(cell["version"], shape, "version of the schema")
    check_equal([lap["id"] for lap in cell["values"]], list(range(1, count + 1)), "ids")
    name, second = SECOND[shape]
    check(all(lap[name] % second == 0 for lap in cell["values"]), "whole seconds")
    return cell["values"]


def go(city, name, *options):
    return swap(city, name, "--strategy", "instant", *options, tile="shapes")


def went(city, name, *options):
    """check() of the tile adds everything up, at the begin and at the end of the probation."""
    status, record, said = go(city, name, *options)
    check_equal(status, 0, said)
    check_equal(record["result"], "live", "result")
    return record


def refused(city, name, *options, words=()):
    before = settled(city, "shapes")
    status, record, said = go(city, name, *options)
    check_equal(status, 1, said)
    check(record is None or record["result"] == "failed", "result")
    for word in words:
        check(word in said, f"{word!r} is said: {said}")
    after = settled(city, "shapes")
    check_equal(after["pid"], before["pid"], "the old version runs on")
    return said


def test_up_and_down():
    with shapes_city() as city:
        settled(city, "shapes")
        record = went(city, "shapes-3")
        check_equal(record["migrated_bytes"], 32000, "migrated bytes")
        check_equal((record["state"], record["lossy"], record["lost"]), ("inherit", False, ""), "record")
        check(all(lap["best"] == 300 for lap in laps(city, 3)), "a new field begins with its value")
        # One version down loses nothing; the edge is in the version that runs.
        went(city, "shapes-2")
        check_equal(laps(city, 2)[26]["name"], "a", "names")
        refused(city, "shapes-1", words=["cell 'laps'", "'best'"])
        record = went(city, "shapes-1", "--lossy")
        check_equal(record["lossy"], True, "record")
        check("'best'" in record["lost"], record["lost"])
        laps(city, 1)
        # Two versions back by hand, over the edges of the newer one.
        went(city, "shapes-3")
        done = city.run("cityctl", "rollback", "shapes", check=False)
        check_equal(done.returncode, 1, "a rollback that would lose something")
        check(b"best" in done.stderr, done.stderr.decode())
        city.run("cityctl", "rollback", "shapes", "--lossy")
        settled(city, "shapes")
        laps(city, 1)
        check_equal(cells(city)["work"]["values"][0]["restarts"], 0, "never restarted")


def test_all_losses_are_named():
    with shapes_city("shapes-3") as city:
        settled(city, "shapes")
        refused(city, "shapes-4", words=["'name' (id 3)", "'best' (id 4)", "u32 into u8"])
        record = went(city, "shapes-4", "--lossy")
        check("'name'" in record["lost"] and "'best'" in record["lost"], record["lost"])
        check(all(lap["best"] == 0 for lap in laps(city, 4)), "the nearest values")


def test_merge():
    with shapes_city("shapes-1") as city:
        settled(city, "shapes")
        went(city, "shapes-3")
        record = went(city, "shapes-4", "--state", "merge")
        check_equal(record["state"], "merge", "record")
        check("'best'" in record["lost"], record["lost"])
        check(all(lap["best"] == 9 for lap in laps(city, 4)), "it starts anew")
        check(sum(lap["us"] for lap in laps(city, 4)) > 0, "the rest is carried over")


def test_merge_after_a_lie():
    with shapes_city("shapes-2") as city:
        settled(city, "shapes")
        record = went(city, "shapes-3-lie", "--state", "merge")
        check("'laps' starts anew" in record["lost"] and "element 777" in record["lost"], record["lost"])
        check_equal(laps(city, 3)[1]["name"], "b", "filled in again")


def test_reset():
    with shapes_city("shapes-2") as city:
        settled(city, "shapes")
        city.until(lambda: cells(city)["work"]["values"][0]["updates"] > 20, what="no updates")
        attaches = cells(city)["work"]["values"][0]["attaches"]
        record = went(city, "shapes-2b", "--state", "reset")
        check_equal(record["state"], "reset", "record")
        check_equal(cells(city)["work"]["values"][0]["attaches"], attaches, "everything began anew")
        laps(city, 2)


def test_edges_that_fail():
    with shapes_city("shapes-2", limits=limits_for(attach=1500, warm=60000)) as city:
        settled(city, "shapes")
        refused(city, "shapes-3-lie", words=["cell 'laps'", "element 777", "'best'", "invertible"])
        refused(city, "shapes-3-lie", "--lossy", words=["element 777"])
        refused(city, "shapes-3-false", words=["from version 2 to 3 refuses"])
        refused(city, "shapes-3-crash", words=["crashed in migrate"])
        refused(city, "shapes-3-hang", words=["attach"])
        refused(city, "shapes-3-stray", words=["crashed in migrate"])
        check_equal(cells(city)["work"]["values"][0]["restarts"], 0, "never restarted")
        went(city, "shapes-3")
        laps(city, 3)


def ahead(city):
    """How often cells were built before the pause, and what of them again in it."""
    found = re.findall(r"(\d+) bytes of cells were built ahead, (\d+) of them again", city.said())
    return [(int(built), int(again)) for built, again in found]


def test_built_ahead():
    with shapes_city("big-1") as city:
        settled(city, "shapes")
        done = []
        # What the tile writes between the last look and the pause is done again; it need not have written then.
        while len(done) < 4 or (len(done) < 100 and not any(again for _, again in done)):
            name, size = (("big-2", 2400000), ("big-3", 3200000))[len(done) % 2]
            went(city, name)
            number, done = len(done) + 1, ahead(city)
            check_equal(len(done), number, f"built ahead: {done}")
            check_equal(done[-1][0], size, "bytes built")
            check(done[-1][1] <= size, f"more was done again than there is: {done}")
        check(any(again for _, again in done), f"none was ever converted again: {done}")
        settled(city, "shapes")


def test_ahead_comes_to_nothing():
    with shapes_city("big-2") as city:
        settled(city, "shapes")
        refused(city, "big-3-lie", words=["element 777", "'best'"])
        refused(city, "big-3-crash", words=["crashed in migrate"])
        check_equal(ahead(city), [], "nothing was taken over")
        # Whoever was tracked for them is so no more, and is tracked for the next.
        went(city, "big-3")
        check_equal(len(ahead(city)), 1, "built ahead")
        check_equal(cells(city)["work"]["values"][0]["restarts"], 0, "never restarted")


def test_rolled_back():
    """What was built ahead goes again, whatever the new version has written into it."""
    with shapes_city("big-2", limits=limits_for(probation=4000)) as city:
        settled(city, "shapes")
        for number, name in enumerate(["big-3-bad", "big-3-late", "big-3-bad"], 1):
            before = settled(city, "shapes")
            status, record, said = go(city, name)
            check_equal(status, 1, said)
            check_equal(record["result"], "rolled-back", said)
            check_equal(len(ahead(city)), number, "built ahead")
            check_equal(settled(city, "shapes")["pid"], before["pid"], "the same process goes on")
            laps(city, 2, 100000)
        went(city, "big-3")  # whose check adds it all up
        laps(city, 3, 100000)


def hash_of(name):
    with open(tile_path(name), "rb") as file:
        return hashlib.blake2b(file.read(), digest_size=32).hexdigest()


def test_newest_wins_while_building():
    """Whoever is replaced while it builds leaves nothing behind, neither in cells nor in who is tracked."""
    with shapes_city("big-2") as city:
        settled(city, "shapes")
        for _ in range(2):
            crowd = [city.popen("cityctl", "swap", "shapes", "--artifact", tile_path(name),
                                stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
                     for name in ["big-3", "big-3-lie", "big-3", "big-3-crash", "big-3"]]
            # Which of them is the newest is a matter of chance.
            for swapping in crowd:
                swapping.wait()
            settled(city, "shapes")
            laps(city, cells(city)["laps"]["version"], 100000)
            if cells(city)["laps"]["version"] == 3:
                # One whose edges crash or lie may be the last, after another had made the state its own.
                if settled(city, "shapes")["artifact"] != hash_of("big-3"):
                    went(city, "big-3")
                went(city, "big-2")
        before = len(ahead(city))
        went(city, "big-3")
        check_equal(len(ahead(city)), before + 1, "built ahead")
        check_equal(cells(city)["work"]["values"][0]["restarts"], 0, "never restarted")


if __name__ == "__main__":
    run([value for name, value in list(globals().items()) if name.startswith("test_")])

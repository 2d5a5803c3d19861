#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Several tiles on one output frame, all or none."""

import json
import subprocess
import threading

from ledger import LedgerCity, adds_up, books, limits_for, settled, tile_path
from tap import check, check_equal, run

TILES = ("one", "two", "three")
OLD = (0x20, 0x40, 0x60)
NEW = (0x60, 0x40, 0x20)


def city_of(limits):
    config = "".join(
        f"tile {name} {{\n\tartifact {tile_path('ledger-1')}\n\tkind ledger\n\tat {20 + i * 220} 40\n"
        f"\tsize 200 120\n}}\n" for i, name in enumerate(TILES))
    return LedgerCity(config=config, env={"SOURCE_CITY_LIMITS": limits})


def all_settled(city):
    return [settled(city, name) for name in TILES]


def parts(names):
    return [f"{tile}={tile_path(name)}" for tile, name in zip(TILES, names)]


def begin(city, names, *options):
    return city.popen("cityctl", "swap", *parts(names), "--settled", "--json", *options,
                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(helper):
    out, err = helper.communicate(timeout=120)
    values = [json.loads(line) for line in out.decode().splitlines()]
    return helper.returncode, [v for v in values if "result" in v], err.decode()


def until_step(helper, wanted):
    for line in helper.stdout:
        if json.loads(line).get("step") == wanted:
            return
    raise AssertionError(f"step {wanted} never came")


def colors(city):
    """Of all tiles, in one frame."""
    row = city.pixels((0, 100, 700, 1))[0]
    return [row[120 + i * 220] for i in range(len(TILES))]


def same_state(city, before):
    for name, tile in zip(TILES, before):
        now = settled(city, name)
        check_equal(now["pid"], tile["pid"], f"{name}: the old version")
        fields = books(city, name)
        check(adds_up(fields) and fields["attaches"] - fields["rollbacks"] == 1, f"{name}: {fields}")


def test_all_on_one_frame():
    """Watched all the time: there is no picture with some old and some new. One is slow to draw."""
    with city_of(limits_for(probation=300)) as city:
        before = all_settled(city)
        check_equal(colors(city), [OLD] * 3, "before")
        seen, stop = set(), threading.Event()

        def watch():
            while not stop.is_set():
                seen.add(tuple(colors(city)))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            status, records, said = ended(
                begin(city, ("ledger-2", "attach-slow-2", "ledger-2"), "--strategy", "instant"))
        finally:
            stop.set()
            watcher.join()
        check_equal(status, 0, said)
        check_equal({r["tile"] for r in records}, set(TILES), "a record for each")
        check_equal({r["result"] for r in records}, {"live"}, "results")
        check_equal({r["transaction"] for r in records}, {min(r["id"] for r in records)}, "transaction")
        check(seen <= {(OLD,) * 3, (NEW,) * 3}, f"a picture between: {seen}")
        check_equal(colors(city), [NEW] * 3, "after")
        for name, tile in zip(TILES, before):
            check(settled(city, name)["pid"] != tile["pid"], f"{name}: the new version")
            check(adds_up(books(city, name)), f"{name}: books")


def none_of(names, step):
    with city_of(limits_for(probation=300)) as city:
        before = all_settled(city)
        status, records, said = ended(begin(city, names, "--strategy", "instant"))
        check_equal(status, 1, said)
        check("two" in said, f"it says which: {said}")
        check_equal({r["result"] for r in records}, {"failed"}, "results")
        failed = [r for r in records if r["tile"] == "two"][0]
        check_equal(failed["step"], step, f"{failed}")
        same_state(city, before)
        # And the next one is as good as ever.
        status, records, said = ended(begin(city, ["ledger-2"] * 3, "--strategy", "instant"))
        check_equal((status, colors(city)), (0, [NEW] * 3), said)


def test_none_when_one_does_not_warm():
    none_of(("ledger-2", "warm-false", "ledger-2"), "warm")


def test_none_when_one_does_not_attach():
    none_of(("ledger-2", "attach-crash", "ledger-2"), "attach")


def test_none_when_one_does_not_draw():
    none_of(("ledger-2", "draw-crash", "ledger-2"), "frame")


def test_none_when_one_is_no_tile():
    with city_of(limits_for()) as city:
        before = all_settled(city)
        done = city.run("cityctl", "swap", f"one={tile_path('ledger-2')}", "two=/dev/null", check=False)
        check_equal(done.returncode, 1, "exit status")
        done = city.run("cityctl", "swap", f"one={tile_path('ledger-2')}",
                        f"one={tile_path('ledger-3')}", check=False)
        check_equal(done.returncode, 1, "exit status")
        check(b"twice" in done.stderr, done.stderr)
        done = city.run("cityctl", "swap", f"one={tile_path('ledger-2')}", "two=", check=False)
        check_equal(done.returncode, 2, "usage")
        same_state(city, before)


def test_all_back_when_one_fails_its_check():
    with city_of(limits_for(probation=300)) as city:
        before = all_settled(city)
        status, records, said = ended(
            begin(city, ("ledger-2", "draw-wrong", "ledger-2"), "--strategy", "instant"))
        check_equal(status, 1, said)
        check_equal({r["result"] for r in records}, {"rolled-back"}, "results")
        check("add up" in said, f"the reason is that of the one that failed: {said}")
        same_state(city, before)


def test_all_back_by_hand():
    with city_of(limits_for(probation=600000)) as city:
        before = [city.wait_tile(name) for name in TILES]
        helper = begin(city, ["ledger-2"] * 3, "--strategy", "instant")
        until_step(helper, "probation")
        city.run("cityctl", "rollback", "three")
        status, records, said = ended(helper)
        check_equal(status, 1, said)
        for name, tile in zip(TILES, before):
            now = city.until(lambda: [t for t in city.ctl("state")[-1]["tiles"]
                                      if t["name"] == name and t["state"] == "live"])[0]
            check_equal(now["pid"], tile["pid"], f"{name}: the old version")
            check(adds_up(books(city, name)), f"{name}: books")


def test_a_newer_request_replaces_all():
    """While one is still warming up nothing has happened to any of them."""
    with city_of(limits_for(probation=300)) as city:
        all_settled(city)
        helper = begin(city, ("ledger-2", "warm-hang", "ledger-2"), "--strategy", "instant")
        city.until(lambda: len(city.ctl("state")[-1]["tiles"][0]["versions"]) == 2, what="prepared")
        city.run("cityctl", "swap", "one", "--artifact", tile_path("ledger-3"), "--settled")
        status, records, said = ended(helper)
        check_equal((status, {r["result"] for r in records}), (1, {"superseded"}), said)
        for name in TILES:
            tile = settled(city, name)
            check_equal(len(tile["versions"]), 1, f"{name}: nothing is left of it")
            check(adds_up(books(city, name)), f"{name}: books")


def test_a_closed_tile_takes_all_with_it():
    with city_of(limits_for(probation=300)) as city:
        before = all_settled(city)
        helper = begin(city, ("ledger-2", "warm-hang", "ledger-2"), "--strategy", "instant")
        city.until(lambda: len(city.ctl("state")[-1]["tiles"][0]["versions"]) == 2, what="prepared")
        city.run("cityctl", "close", "two")
        status, records, said = ended(helper)
        check_equal(status, 1, said)
        check("closed" in said, said)
        check_equal(settled(city, "one")["pid"], before[0]["pid"], "the old version")


def records_of(city):
    """One for each tile, of one transaction: their results."""
    records = city.until(lambda: len(city.ctl("history")) >= len(TILES) and city.ctl("history"),
                         what="records are missing")
    check_equal(sorted(r["tile"] for r in records), sorted(TILES), "a record for each")
    check_equal({r["transaction"] for r in records}, {min(r["id"] for r in records)}, "transaction")
    return {r["result"] for r in records}


def test_none_when_the_compositor_dies_before_all_have_it():
    """Two have taken over their state and write it; the third hangs."""
    with city_of(limits_for(warm=2000)) as city:
        before = all_settled(city)
        begin(city, ("ledger-2", "attach-hang", "ledger-2"), "--strategy", "instant")
        for name in ("one", "three"):
            city.until(lambda: books(city, name)["attaches"] == 2, what=f"{name} does not attach")
        city.die()
        same_state(city, before)
        check_equal(records_of(city), {"failed"}, "results")
        city.until(lambda: colors(city) == [OLD] * 3, what="not all are the old ones")
        status, records, said = ended(begin(city, ["ledger-2"] * 3, "--strategy", "instant"))
        check_equal((status, colors(city)), (0, [NEW] * 3), said)


def in_step(city, name, step):
    return [t["name"] for t in city.ctl("state")[-1]["tiles"] if t["name"] == name and t["step"] == step]


def test_all_go_on_when_the_compositor_dies_in_probation():
    """And they stay together: what one of them does wrong takes all back."""
    with city_of(limits_for(probation=600000)) as city:
        before = [city.wait_tile(name) for name in TILES]
        helper = begin(city, ["ledger-2"] * 3, "--strategy", "instant")
        until_step(helper, "probation")
        city.die()
        for name in TILES:
            city.until(lambda: in_step(city, name, "probation"), what=f"{name}: no probation")
        city.until(lambda: colors(city) == [NEW] * 3, what="not all are the new ones")
        city.kill(city.tile("two")["pid"])
        for name, tile in zip(TILES, before):
            city.until(lambda: city.tile(name)["pid"] == tile["pid"], what=f"{name}: the old version")
            check(adds_up(books(city, name)), f"{name}: books")
        check_equal(records_of(city), {"rolled-back"}, "results")


if __name__ == "__main__":
    run([value for name, value in list(globals().items()) if name.startswith("test_")])

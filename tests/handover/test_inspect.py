#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cityctl vat --diff and --watch on a tile that goes on all the time."""

import json
import os
import subprocess

from ledger import adds_up, books, ledger_city, limits_for, settled, swap, tile_path
from city import LIMIT
from tap import check, check_equal, run

LONG = limits_for(probation=60000, melt=50)


def lines_of(city, *args, **options):
    done = city.run("cityctl", "vat", *args, **options)
    return done.stdout.decode().splitlines(), done.stderr.decode()


def in_probation(city):
    """A swap whose probation lasts; the process that waits for its end."""
    helper = city.popen("cityctl", "swap", "ledger", "--artifact", tile_path("ledger-2"),
                        "--settled", "--json", stdout=subprocess.PIPE)
    for line in helper.stdout:
        if json.loads(line).get("step") == "probation":
            return helper
    raise AssertionError("no probation")


def test_diff_previous():
    with ledger_city(limits=LONG) as city:
        city.until(lambda: city.tile("ledger")["state"] == "live", what="it does not start")
        # Nothing to compare with: that is said, with what to do instead.
        done = city.run("cityctl", "vat", "ledger", "--diff", "previous", check=False)
        check_equal(done.returncode, 1, "exit status")
        check("cityctl vat --save" in done.stderr.decode(), done.stderr.decode())
        helper = in_probation(city)
        now = books(city)
        out, err = lines_of(city, "ledger", "ledger.updates", "--diff", "previous", "--json")
        check_equal(len(out), 1, f"one value: {out}")
        value = json.loads(out[0])
        check_equal((value["cell"], value["field"]), ("ledger", "updates"), "what")
        check(value["new"] >= now["updates"] > value["old"], f"from A's to B's: {value}")
        # All of the state at the handover, in one piece: its books add up.
        out, err = lines_of(city, "ledger", "--diff", "previous", "--json", "--all")
        changed = [json.loads(line) for line in out]
        fields = {c["field"] for c in changed}
        check({"sum", "entries", "updates", "attaches"} <= fields, f"what B wrote: {fields}")
        old = {c["field"]: c["old"] for c in changed if c["field"] != "entries"}
        check(adds_up({**old, "ruined": 0}), f"the old side is a whole state: {old}")
        check_equal(old["attaches"], 1, "it is A's")
        text, _ = lines_of(city, "ledger", "ledger.attaches", "--diff", "previous")
        check_equal(text, ["ledger.attaches: 1 -> 2"], "for people")
        check_equal(helper.poll(), None, "the probation goes on")
        city.ctl("rollback", "ledger")
        helper.wait(LIMIT)
        settled(city)
        check(adds_up(books(city)), "books")


def test_diff_file():
    with ledger_city() as city:
        settled(city)
        saved = os.path.join(city.folder, "saved")
        city.ctl("vat", "ledger", "--save", saved)
        before = json.loads(lines_of(city, "--file", saved, "--json")[0][0])
        before = before["cells"][0]["values"][0]
        city.until(lambda: books(city)["updates"] > before["updates"] + 5, what="it stands still")
        out, err = lines_of(city, "ledger", "ledger.updates", "--diff", saved, "--json")
        value = json.loads(out[0])
        check_equal(value["old"], before["updates"], "the copy")
        check(value["new"] > before["updates"] + 5, "and now")
        status, record, said = swap(city, "ledger-2")
        check_equal(status, 0, said)
        out, err = lines_of(city, "ledger", "ledger.attaches", "--diff", saved)
        check_equal(out, ["ledger.attaches: 1 -> 2"], "over a handover")
        # Two copies, and no city.
        later = os.path.join(city.folder, "later")
        city.ctl("vat", "ledger", "--save", later)
        out, err = lines_of(city, "--file", later, "ledger.attaches", "--diff", saved)
        check_equal(out, ["ledger.attaches: 1 -> 2"], "two files")
        out, err = lines_of(city, "--file", saved, "--diff", saved)
        check_equal(out, [], "nothing differs from itself")
        done = city.run("cityctl", "vat", "ledger", "ledger.updats", "--diff", saved, check=False)
        check("did you mean updates?" in done.stderr.decode(), done.stderr.decode())


def test_watch():
    with ledger_city() as city:
        settled(city)
        watch = city.popen("cityctl", "vat", "ledger", "--watch", "ledger.updates", "--interval", "20",
                           "--json", stdout=subprocess.PIPE)
        first = json.loads(watch.stdout.readline())
        last = first["cells"][0]["values"][0]["updates"]
        for i in range(5):
            line = json.loads(watch.stdout.readline())
            check_equal((line["event"], line["cell"], line["field"]), ("value", "ledger", "updates"), "what")
            check_equal(line["old"], last, "nothing is left out between two lines")
            check(line["new"] > last and line["time"].endswith("Z"), f"it goes on: {line}")
            last = line["new"]
        # A handover is nothing special.
        status, record, said = swap(city, "ledger-2")
        check_equal(status, 0, said)
        end = books(city)["updates"]
        while last < end:
            line = json.loads(watch.stdout.readline())
            check_equal(line["old"], last, "also over a handover")
            last = line["new"]
        city.ctl("close", "ledger")
        rest = watch.stdout.read().decode().splitlines()
        check_equal(watch.wait(LIMIT), 1, "it ends with the tile")
        check_equal(json.loads(rest[-1]).get("step"), "closed", f"why: {rest[-1]}")


if __name__ == "__main__":
    run([value for name, value in list(globals().items()) if name.startswith("test_")])

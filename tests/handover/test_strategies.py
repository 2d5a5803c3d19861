#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How handovers look and what goes on during them: the choice by what differs, and each strategy."""

import json
import subprocess

from ledger import adds_up, books, ledger_city, limits_for, settled, swap, tile_path
from tap import check, check_equal, run

OLD = (0x20, 0x40, 0x60)
NEW = (0x60, 0x40, 0x20)


def steps(record):
    return [s["step"] for s in record["steps"]]


def until_step(helper, wanted):
    for line in helper.stdout:
        if json.loads(line).get("step") == wanted:
            return
    raise AssertionError(f"step {wanted} never came")


def begin(city, name, *options):
    return city.popen("cityctl", "swap", "ledger", "--artifact", tile_path(name), "--settled",
                      "--json", *options, stdout=subprocess.PIPE)


def seen(city):
    return city.pixels((150, 150, 1, 1))[0][0]


def versions(city, state):
    """Processes of the ledger in that state."""
    return [v["pid"] for v in city.ctl("state")[-1]["tiles"][0]["versions"] if v["state"] == state]


def test_chosen_by_what_differs():
    rows = [
        ("ledger-2", "melt", "only code and parameters differ"),
        ("with-port", "crossfade", "its ports differ: new port copies"),
        ("ledger-3", "crossfade", "its ports differ: no port copies"),
        ("with-memo", "freeze-and-fade", "state that did not exist: cell memo"),
        ("period-1", "freeze-and-fade", "the time model differs: none to phase"),
        ("period-2", "crossfade", "the period differs, the phase is aligned"),
        ("wide", "freeze-and-fade", "the time model differs: phase to none"),
        ("ledger-2", "crossfade", "the state is laid out anew: cell ledger"),
        ("warm-up", "freeze-and-fade", "it has to warm up"),
    ]
    with ledger_city(limits=limits_for(**{"warm-up": 20, "probation": 30, "frames": 1})) as city:
        settled(city)
        for name, strategy, reason in rows:
            status, record, said = swap(city, name)
            check_equal(status, 0, said)
            check_equal((record["strategy"], record["strategy_asked"], record["strategy_reason"]),
                        (strategy, "auto", reason), name)
            check(adds_up(books(city)), f"the books add up after {name}")
            check_equal("warm-up" in steps(record), strategy == "freeze-and-fade", name)
        status, record, said = swap(city, "with-port", "--strategy", "instant")
        check_equal((record["strategy"], record["strategy_reason"]), ("instant", "asked for"), said)


def test_the_configuration_decides():
    with ledger_city(more="strategy instant\n") as city:
        settled(city)
        status, record, said = swap(city, "with-port")
        check_equal((record["strategy"], record["strategy_asked"], record["strategy_reason"]),
                    ("instant", "auto", "the configuration says so"), said)
        status, record, said = swap(city, "ledger-1", "--strategy", "melt")
        check_equal(record["strategy"], "melt", said)


def test_freeze_and_fade_warms_up_unseen():
    with ledger_city(limits=limits_for(**{"warm-up": 3600000})) as city:
        before = settled(city)
        check_equal(seen(city), OLD, "before")
        helper = begin(city, "ledger-2", "--strategy", "freeze-and-fade")
        until_step(helper, "warm-up")
        was = books(city)
        city.until(lambda: books(city)["updates"] > was["updates"] + 3, what="it does not run")
        check_equal(books(city)["attaches"], 2, "what runs is the new version")
        check_equal(seen(city), OLD, "what is seen is the old version's last picture")
        check_equal(city.tile("ledger")["artifact"], before["artifact"], "what is shown")
        for pid in versions(city, "live"):
            city.kill(pid)
        check_equal(helper.wait(60), 1, "the handover failed")
        record = city.ctl("history")[-1]
        check_equal((record["result"], record["step"]), ("failed", "warm-up"), "record")
        check_equal(settled(city)["pid"], before["pid"], "the old version goes on")
        now = books(city)
        check(adds_up(now) and now["attaches"] == 2, f"undone, and resumed: {now}")


def test_freeze_and_fade_ends_with_the_new_version():
    with ledger_city(limits=limits_for(**{"warm-up": 50})) as city:
        settled(city)
        status, record, said = swap(city, "ledger-2", "--strategy", "freeze-and-fade")
        check_equal(status, 0, said)
        names = steps(record)
        check(names.index("frame") < names.index("warm-up") < names.index("commit")
              < names.index("melt"), f"{names}")
        check_equal(seen(city), NEW, "what is seen at the end")


if __name__ == "__main__":
    run([value for name, value in list(globals().items()) if name.startswith("test_")])

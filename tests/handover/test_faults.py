#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A version that crashes, hangs, exits or refuses in each of its operations: the city goes on, and the
state is that of before or of after, never between."""

import json
import signal
import subprocess
import time

from ledger import (adds_up, books, ledger_city, limits_for, limits_of, settled, swap,
                    tile_path, tile_pids)
from city import LIMIT, process_state
from tap import check, check_equal, run

# A tile hangs when it has used seconds of processor time, of which there may be little.
NOTICED_S = 180

# As the new version: operation, kind -> result and step. The old one goes on in all of these.
AS_NEW = [
    ("warm", "crash", "failed", ["warm"]),
    ("warm", "hang", "failed", ["warm"]),
    ("warm", "exit", "failed", ["warm"]),
    ("warm", "false", "failed", ["warm"]),
    ("attach", "crash", "failed", ["attach"]),
    ("attach", "hang", "failed", ["attach"]),
    ("attach", "exit", "failed", ["attach"]),
    ("attach", "false", "failed", ["attach"]),
    ("attach", "stray", "failed", ["attach"]),
    ("draw", "crash", "failed", ["frame"]),
    ("draw", "hang", "failed", ["frame"]),
    # Its last words may be lost with its connection.
    ("draw", "exit", "failed", ["attach", "frame"]),
    ("check", "crash", "rolled-back", ["melt", "probation"]),
    ("check", "hang", "rolled-back", ["melt", "probation"]),
    ("check", "exit", "rolled-back", ["melt", "probation"]),
    ("check", "false", "rolled-back", ["melt", "probation"]),
    ("draw", "wrong", "rolled-back", ["melt", "probation"]),
    ("update", "crash", "rolled-back", ["melt", "probation"]),
    ("update", "stray", "rolled-back", ["melt", "probation"]),
    ("update", "hang", "rolled-back", ["melt", "probation"]),
    ("update", "exit", "rolled-back", ["melt", "probation"]),
    ("update", "wrong", "rolled-back", ["melt", "probation"]),
]


def new_version(city, op, kind, result, steps):
    before = settled(city)
    was = books(city)
    status, record, said = swap(city, f"{op}-{kind}")
    check_equal(status, 1, f"exit status of {op}-{kind}: {said}")
    check(record is not None, f"there is a record: {said}")
    check_equal(record["result"], result, f"result: {record}")
    check(record["step"] in steps, f"step: {record}")
    check(record["reason"] != "", "a reason is given")
    check("\n" not in record["reason"], "in one line")
    if kind in ("crash", "stray"):
        check(f"crashed in {op} (SIGSEGV)" in record["reason"], record["reason"])
    after = settled(city)
    now = books(city)
    check_equal(after["artifact"], before["artifact"], "the old version")
    check_equal(after["pid"], before["pid"], "in its own process")
    check(after["notice"] != "", "the tile says what failed")
    check_equal(now["ruined"], 0, "nothing of what the new version wrote is left")
    check(adds_up(now), f"the books add up: {now}")
    check(now["updates"] >= was["updates"], "no update is lost")
    # The old version really goes on.
    city.until(lambda: books(city)["updates"] > now["updates"], what="the old version stands still")


def by_limits(rows):
    """Those that need the same limits, few at a time: a city is slower to begin than most of them to fail."""
    groups = {}
    for row in rows:
        groups.setdefault(limits_of(row[0], row[1]), []).append(row)
    return [rows[i:i + 5] for rows in groups.values() for i in range(0, len(rows), 5)]


def make_new(rows):
    """One after the other in one city, whose old version goes on from each to the next."""
    def test():
        with ledger_city(limits=limits_of(*rows[0][:2])) as city:
            for row in rows:
                new_version(city, *row)
    test.__name__ = "test_new_" + "_".join(f"{op}_{kind}" for op, kind, _, _ in rows)
    return test


def make_old(kind):
    """A version that does not get through its quiesce: the new one takes over without it."""
    def test():
        with ledger_city(limits=limits_of("quiesce", kind), artifact=f"quiesce-{kind}") as city:
            settled(city)
            was = books(city)
            status, record, said = swap(city, "ledger-2", "--strategy", "instant")
            check_equal(status, 0, said)
            check_equal(record["result"], "live", f"result: {record}")
            check(record["pause_us"] is None, "nothing yielded")
            check("the state is as it left it" in record["reason"], record["reason"])
            now = books(city)
            check_equal(now["ruined"], 0, "books")
            check(adds_up(now), f"the books add up: {now}")
            check(now["updates"] >= was["updates"], "no update is lost")
            check_equal(now["restarts"], was["restarts"] + 1, "attached as after a crash")
            check_equal(settled(city)["artifact"], record["to"], "the new version")
            city.until(lambda: books(city)["updates"] > now["updates"], what="it stands still")
    test.__name__ = f"test_old_quiesce_{kind}"
    return test


def test_old_quiesce_refuses():
    """It stays, but for who insists."""
    with ledger_city(artifact="quiesce-false") as city:
        before = settled(city)
        status, record, said = swap(city, "ledger-2", "--strategy", "instant")
        check_equal(status, 1, said)
        check_equal(record["step"], "migrate", f"step: {record}")
        check("refused on purpose" in record["reason"] and "--force" in record["reason"], said)
        after = settled(city)
        check_equal(after["pid"], before["pid"], "the old version runs on")
        was = books(city)
        status, record, said = swap(city, "ledger-2", "--strategy", "instant", "--force")
        check_equal(status, 0, said)
        check("refused on purpose" in record["reason"], record["reason"])
        now = books(city)
        check(adds_up(now) and now["updates"] >= was["updates"], f"the books add up: {now}")
        check_equal(settled(city)["artifact"], record["to"], "the new version")


def test_live_version_hangs():
    """Long after its probation: it is noticed without being asked, and a new version takes over."""
    with ledger_city(artifact="input-stuck", limits=limits_for(migrate=500, late=60000)) as city:
        before = settled(city)
        city.ctl("run", "focus", "ledger")
        city.type("x")
        tile = city.until(lambda: _stuck(city), NOTICED_S, "nobody notices")
        check_equal(tile["stuck"], "input", "the operation")
        check_equal(tile["pid"], before["pid"], "it is left alone")
        check("hangs in input" in tile["notice"], tile["notice"])
        check("hangs in input" in city.said(), "one line in the log")
        status, record, said = swap(city, "ledger-2", "--strategy", "instant")
        check_equal(status, 0, said)
        check("hung in input" in record["reason"], record["reason"])
        after = settled(city)
        check_equal(after["notice"], "", "the mark is gone")
        now = books(city)
        check(adds_up(now), f"the books add up: {now}")
        check_equal(now["typed"], "x", "the state is as the old version left it")


def test_live_version_is_only_slow():
    """It is said that it hangs, and taken back when it has come to an end."""
    with ledger_city(artifact="input-slowly") as city:
        before = settled(city)
        city.ctl("run", "focus", "ledger")
        city.type("x")
        city.until(lambda: _stuck(city), NOTICED_S, "nobody notices")
        city.until(lambda: not _stuck(city), NOTICED_S, "it does not come back")
        after = settled(city)
        check_equal(after["notice"], "", "the mark is gone")
        check_equal(after["pid"], before["pid"], "the same version")


def _stuck(city):
    tile = city.ctl("state")[-1]["tiles"][0]
    return tile if tile["stuck"] else None


def make_detach(kind):
    """detach of the old version comes after everything: the handover is good."""
    def test():
        with ledger_city(artifact=f"detach-{kind}") as city:
            settled(city)
            status, record, said = swap(city, "ledger-2", "--strategy", "instant")
            check_equal(status, 0, said)
            settled(city)
            check_equal(books(city)["ruined"], 0, "books")
    test.__name__ = f"test_old_detach_{kind}"
    return test


def test_missed_frames_in_probation():
    """A version that takes too long for each of its frames, though it does nothing wrong."""
    with ledger_city(limits=limits_for(probation=600000, missed=30)) as city:
        before = city.wait_tile("ledger")
        was = books(city)
        status, record, said = swap(city, "draw-slow", "--strategy", "instant")
        check_equal(status, 1, said)
        check_equal((record["result"], record["step"]), ("rolled-back", "probation"), said)
        check("misses frames" in record["reason"], record["reason"])
        after = city.wait_tile("ledger")
        check_equal(after["pid"], before["pid"], "the old version")
        now = books(city)
        check(adds_up(now) and now["updates"] >= was["updates"], f"books: {now}")


def test_no_slower_than_before():
    """Where the old version was as slow that is no reason to go back."""
    limits = limits_for(probation=1500, missed=2)
    with ledger_city(limits=limits, artifact="draw-slow") as city:
        settled(city)
        status, record, said = swap(city, "draw-slow-2", "--strategy", "instant")
        check_equal(status, 0, said)
        check_equal(record["result"], "live", said)


def test_input_crash_in_probation():
    with ledger_city(limits=limits_for(probation=600000, melt=50)) as city:
        before = city.wait_tile("ledger")
        city.ctl("run", "focus", "ledger")
        helper = city.popen("cityctl", "swap", "ledger", "--artifact", tile_path("input-crash"),
                            "--settled", "--json", stdout=subprocess.PIPE)
        for line in helper.stdout:
            if json.loads(line).get("step") == "probation":
                break
        city.type("x")
        check_equal(helper.wait(LIMIT), 1, "it is rolled back")
        after = settled(city)
        check_equal(after["pid"], before["pid"], "the old version")
        check_equal(books(city)["ruined"], 0, "books")
        city.type("y")
        city.until(lambda: books(city)["typed"].endswith("y"), what="it gets keys again")


def test_killed_while_frozen():
    """A dies in probation: B stays. Then B dies, too: A's artifact is started on A's state."""
    with ledger_city(limits=limits_for(probation=600000, melt=50)) as city:
        before = city.wait_tile("ledger")
        helper = city.popen("cityctl", "swap", "ledger", "--artifact", tile_path("ledger-2"),
                            "--settled", "--json", stdout=subprocess.PIPE)
        for line in helper.stdout:
            if json.loads(line).get("step") == "probation":
                break
        city.kill(before["pid"])
        now = city.tile("ledger")
        check(now["pid"] not in (0, before["pid"]), "B runs")
        was = books(city)
        city.kill(now["pid"])
        check_equal(helper.wait(LIMIT), 1, "it is rolled back")
        after = city.until(lambda: _settled(city), what="it did not come back")
        check_equal(after["artifact"], before["artifact"], "the old artifact")
        state = books(city)
        check_equal(state["ruined"], 0, "books")
        check(adds_up(state), f"the books add up: {state}")
        check(state["updates"] > 0 and was["updates"] > 0, "with its state")


def stop(city, pid):
    """Stops a process, and returns when it has stopped."""
    city.kill(pid, signal.SIGSTOP)
    city.until(lambda: process_state(pid) == "T")


def test_keys_while_nothing_runs():
    """Keys of the moment between the end of a version and the start of the next one are kept for it."""
    with ledger_city() as city:
        before = settled(city)
        city.ctl("run", "focus", "ledger")
        city.type("before ")
        city.until(lambda: books(city)["typed"] == "before ", what="the first keys")
        # The next one starts only when the keeper goes on.
        stop(city, city.keeper.pid)
        try:
            city.kill(before["pid"])
            city.type("between")
        finally:
            city.kill(city.keeper.pid, signal.SIGCONT)
        city.until(lambda: books(city)["typed"] == "before between",
                   what=f"keys are lost: {books(city)['typed']!r}")


def test_keys_of_a_pause_that_nobody_survives():
    """Old and new version end while the new one attaches: the next start gets what was typed."""
    with ledger_city(limits=limits_for(attach=600000)) as city:
        before = settled(city)
        city.ctl("run", "focus", "ledger")
        helper = city.popen("cityctl", "swap", "ledger", "--artifact", tile_path("attach-hang"),
                            "--settled", "--json", "--strategy", "instant",
                            stdout=subprocess.PIPE)
        for line in helper.stdout:
            if json.loads(line).get("step") == "attach":
                break
        city.type("between")
        city.kill(before["pid"])
        city.until(lambda: process_state(before["pid"]) in ("Z", ""))
        for pid in tile_pids(city.keeper.pid):
            if process_state(pid) == "R":
                city.kill(pid)
        check_equal(helper.wait(LIMIT), 1, "the handover fails")
        after = settled(city)
        check_equal(after["artifact"], before["artifact"], "the old artifact")
        city.until(lambda: books(city)["typed"] == "between",
                   what=f"keys are lost: {books(city)['typed']!r}")
        check_equal(books(city)["ruined"], 0, "books")


def _lost(city, wanted_step, artifact, seconds):
    """Swaps; when the step is reached the new version is killed, but the keeper cannot say so yet."""
    before = settled(city)
    old = tile_pids(city.keeper.pid)
    helper = city.popen("cityctl", "swap", "ledger", "--artifact", tile_path(artifact),
                        "--settled", "--json", stdout=subprocess.PIPE)
    for line in helper.stdout:
        if json.loads(line).get("step") == wanted_step:
            break
    spare = set(tile_pids(city.keeper.pid)) - set(old)
    stop(city, city.keeper.pid)
    try:
        for pid in set(old) - {before["pid"]} or spare:
            city.kill(pid)
        # Nothing may be asked of it; that nothing is can only be seen by waiting.
        time.sleep(seconds)
        city.ctl("state")
    finally:
        city.kill(city.keeper.pid, signal.SIGCONT)
    check_equal(helper.wait(LIMIT), 1, "the handover fails")
    after = settled(city)
    check_equal(after["pid"], before["pid"], "the old version goes on")
    record = city.ctl("history")[-1]
    check("killed" in record["reason"], record["reason"])
    return record


def test_new_version_lost_while_the_old_one_yields():
    with ledger_city(artifact="quiesce-slow") as city:
        check_equal(_lost(city, "migrate", "ledger-2", 1)["result"], "failed", "result")


def test_new_version_lost_in_probation():
    with ledger_city(limits=limits_for(probation=3000, melt=50)) as city:
        check_equal(_lost(city, "probation", "ledger-2", 3.5)["result"], "rolled-back", "result")


def _settled(city):
    tile = city.ctl("state")[-1]["tiles"][0]
    return tile if tile["state"] == "live" else None


def test_several_faults_in_one_city():
    with ledger_city() as city:
        for op, kind, result, steps in AS_NEW[4:6] + AS_NEW[8:9] + AS_NEW[11:12] + AS_NEW[4:5]:
            new_version(city, op, kind, result, steps)
        status, record, said = swap(city, "ledger-2")
        check_equal(status, 0, said)
        check_equal(settled(city)["notice"], "", "the notice goes with the next good version")


if __name__ == "__main__":
    tests = [make_new(rows) for rows in by_limits(AS_NEW)]
    tests += [make_old(kind) for kind in ("crash", "hang", "exit")]
    tests += [make_detach(kind) for kind in ("crash", "hang", "exit")]
    tests += [value for name, value in list(globals().items()) if name.startswith("test_")]
    run(tests, jobs=4)

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The compositor dies, also in the middle of a handover: versions of tiles run on, and the state is
that of before the handover or that of the new version, never between."""

import json
import signal
import subprocess

from ledger import (adds_up, books, ledger_city, limits_for, limits_of, settled, swap, tile_path,
                    tile_pids)
from city import process_state
from tap import check, check_equal, run

LONG = limits_for(probation=600000, melt=50)


def live(city):
    """Perhaps on probation still, after its start."""
    return city.until(lambda: is_live(city), what="the ledger is not live")


def is_live(city):
    tile = city.ctl("state")[-1]["tiles"][0]
    return tile if tile["state"] == "live" else None


def together(city, *others):
    """The compositor and others die before the keeper hears of any of them."""
    city.revive(city.leave_dead(*others))


def goes_on(city):
    """With sound books that are written on."""
    tile = live(city)
    now = books(city)
    check_equal(now["ruined"], 0, "what a failed version wrote is undone")
    check(adds_up(now), f"the books add up: {now}")
    city.until(lambda: books(city)["updates"] > now["updates"], what="it stands still")
    return tile, now


def swap_until(city, step, artifact="ledger-2", strategy="instant"):
    """A handover that has reached this step, and the process of its new version."""
    old = set(tile_pids(city.keeper.pid))
    helper = city.popen("cityctl", "swap", "ledger", "--artifact", tile_path(artifact),
                        "--settled", "--json", "--strategy", strategy, stdout=subprocess.PIPE)
    for line in helper.stdout:
        if json.loads(line).get("step") == step:
            break
    return helper, old


def test_versions_run_on():
    with ledger_city() as city:
        before = settled(city)
        was = books(city)
        for number in (signal.SIGKILL, signal.SIGABRT):
            city.die(number)
            after, now = goes_on(city)
            check_equal(after["pid"], before["pid"], "the process")
            check_equal(after["artifact"], before["artifact"], "the artifact")
            check_equal(now["attaches"], was["attaches"], "it was never attached again")
            check(now["updates"] > was["updates"], "it has gone on")
        status, record, said = swap(city, "ledger-2")
        check_equal(status, 0, said)
        check_equal(goes_on(city)[0]["artifact"], record["to"], "the new version")
        city.ctl("run", "focus", "ledger")
        city.type("keys")
        city.until(lambda: books(city)["typed"] == "keys", what="keys do not arrive")


def test_dies_while_there_is_no_compositor():
    with ledger_city() as city:
        before = settled(city)
        was = books(city)
        together(city, before["pid"])
        after, now = goes_on(city)
        check(after["pid"] != before["pid"], "another process")
        check_equal(now["restarts"], was["restarts"] + 1, "started again")
        check(now["updates"] >= was["updates"], "on the state that it left")


def check_recorded(city, before, after):
    """The handover has ended in one record."""
    records = city.until(lambda: city.ctl("history"), what="no record")
    check_equal(len(records), 1, f"records: {records}")
    record = records[0]
    check_equal(record["from"], before["artifact"], "from")
    check(record["origin"] and record["strategy_asked"] == "instant", f"as it was asked for: {record}")
    if after["artifact"] == before["artifact"]:
        check_equal((record["result"], record["reason"]),
                    ("failed", "the compositor ended before it was done"), f"{record}")
        check(record["step"] in [s["step"] for s in record["steps"]], f"{record}")
    else:
        check_equal((record["result"], record["to"]), ("live", after["artifact"]), f"{record}")


def make_step(step, artifact):
    """At each step: afterwards it is one version or the other."""
    def test():
        with ledger_city(artifact="quiesce-slow" if step == "migrate" else "ledger-1") as city:
            before = settled(city)
            was = books(city)
            helper, _ = swap_until(city, step, artifact)
            city.die()
            helper.wait(60)
            after, now = goes_on(city)
            check(now["updates"] >= was["updates"], "no update is lost")
            if after["pid"] == before["pid"]:
                check_equal(after["artifact"], before["artifact"], "the old version")
            else:
                check(after["artifact"] != before["artifact"], "the new version")
                check_equal(now["attaches"], was["attaches"] + 1, "attached once")
            check_recorded(city, before, after)
            # Nobody else is left but a spare.
            city.until(lambda: len(tile_pids(city.keeper.pid)) <= 2, what="processes are left")
            status, record, said = swap(city, "ledger-3")
            check_equal(status, 0, said)
    test.__name__ = f"test_in_{step}_{artifact}"
    return test


def test_new_version_hangs_in_attach():
    with ledger_city(limits=limits_for(warm=2000)) as city:
        before = settled(city)
        swap_until(city, "attach", "attach-hang")
        city.die()
        after, _ = goes_on(city)
        check_equal(after["pid"], before["pid"], "the old version goes on")
        check_recorded(city, before, after)


def in_crossfade(city):
    """Both versions run, the old one on a copy of its own."""
    before = live(city)
    helper, _ = swap_until(city, "melt", "lively-2", "crossfade")
    city.until(lambda: "shadow" in [v["state"] for v in city.ctl("state")[-1]["tiles"][0]["versions"]],
               what="the old version does not go on")
    return before, helper


def test_dies_in_a_crossfade():
    with ledger_city(limits=limits_for(melt=3000000), artifact="lively-1") as city:
        before, helper = in_crossfade(city)
        new = city.tile("ledger")["pid"]
        city.die()
        after, now = goes_on(city)
        check_equal((after["pid"], now["attaches"]), (new, 2), "the new version")
        settled(city)
        city.until(lambda: process_state(before["pid"]) == "", what="the old one does not retire")
        check_equal([(r["result"], r["strategy"]) for r in city.ctl("history")],
                    [("live", "crossfade")], "the record")
        helper.wait(60)


def test_dies_in_a_crossfade_with_the_new_version():
    with ledger_city(limits=limits_for(melt=3000000), artifact="lively-1") as city:
        before, helper = in_crossfade(city)
        together(city, city.tile("ledger")["pid"])
        after, now = goes_on(city)
        check_equal(after["pid"], before["pid"], "the old version goes on")
        check_equal(now["rollbacks"], 1, "by a rollback, on its own state again")
        check_equal([(r["result"], r["step"]) for r in city.ctl("history")],
                    [("rolled-back", "melt")], "the record")
        helper.wait(60)


def test_dies_while_the_new_version_warms_up_unseen():
    with ledger_city(limits=limits_for(**{"warm-up": 3600000})) as city:
        before = live(city)
        helper, _ = swap_until(city, "warm-up", strategy="freeze-and-fade")
        at_handover = books(city)
        city.die()
        after, now = goes_on(city)
        check(after["artifact"] != before["artifact"], "the new version")
        check_equal(now["attaches"], at_handover["attaches"], "attached once")
        settled(city)
        check_equal([(r["result"], r["strategy"]) for r in city.ctl("history")],
                    [("live", "freeze-and-fade")], "the record")
        helper.wait(60)


def test_probation_goes_on():
    """What the new version writes can still be undone, to the bit."""
    with ledger_city(limits=LONG) as city:
        before = live(city)
        helper, _ = swap_until(city, "probation")
        new = city.tile("ledger")["pid"]
        at_handover = books(city)
        city.die()
        tile = city.until(lambda: in_probation(city), what="the probation does not go on")
        check_equal(tile["pid"], new, "the new version is shown")
        city.until(lambda: books(city)["updates"] > at_handover["updates"] + 20)
        city.die()
        city.until(lambda: in_probation(city), what="the probation does not go on")
        city.kill(new)
        after, now = goes_on(city)
        check_equal(after["pid"], before["pid"], "the old version comes back")
        check_equal(now["rollbacks"], 1, "by a rollback")
        check_equal(now["attaches"], 2, "of which the books know as much as before")
        check_equal([(r["result"], r["step"]) for r in city.ctl("history")],
                    [("rolled-back", "probation")], "the record")
        helper.wait(60)


def stop(city, *pids):
    for pid in pids:
        city.kill(pid, signal.SIGSTOP)
        city.until(lambda: process_state(pid) == "T")


def test_dies_again_while_versions_return():
    """They have not said yet what they are; then all is as after one death."""
    with ledger_city(limits=f"{LONG},warm=60000") as city:
        live(city)
        helper, _ = swap_until(city, "probation")
        new = city.tile("ledger")["pid"]
        pids = [v["pid"] for v in city.ctl("state")[-1]["tiles"][0]["versions"]]
        stop(city, *pids)
        city.die()
        city.die()
        for pid in pids:
            city.kill(pid, signal.SIGCONT)
        tile = city.until(lambda: in_probation(city), what="the probation does not go on")
        check_equal(tile["pid"], new, "the new version")
        city.run("cityctl", "rollback", "ledger")
        goes_on(city)
        check_equal([r["result"] for r in city.ctl("history")], ["rolled-back"], "one record")
        helper.wait(60)


def test_handover_asked_for_while_the_tile_returns():
    with ledger_city() as city:
        before = settled(city)
        stop(city, before["pid"])
        city.die()
        helper = city.popen("cityctl", "swap", "ledger", "--artifact", tile_path("ledger-2"),
                            "--settled", "--json", stdout=subprocess.PIPE)
        # The request is there when the versions are looked for.
        city.until(lambda: city.ctl("state")[-1]["tiles"][0]["state"] != "live")
        city.kill(before["pid"], signal.SIGCONT)
        out, _ = helper.communicate(timeout=60)
        check_equal(helper.returncode, 0, out.decode())
        record = city.ctl("history")[-1]
        check_equal(record["result"], "live", f"{record}")
        check_equal((record["from"], goes_on(city)[0]["artifact"]), (before["artifact"], record["to"]),
                    "from the version that came back")


def test_rollback_by_hand_after_the_death():
    with ledger_city(limits=LONG) as city:
        before = live(city)
        swap_until(city, "probation")
        city.die()
        city.until(lambda: in_probation(city), what="the probation does not go on")
        city.run("cityctl", "rollback", "ledger")
        after, _ = goes_on(city)
        check_equal(after["pid"], before["pid"], "the old version comes back")


def test_probation_ends_well():
    with ledger_city(limits=limits_for(probation=2000, melt=50)) as city:
        before = live(city)
        swap_until(city, "probation")
        new = city.tile("ledger")["pid"]
        city.die()
        after, now = goes_on(city)
        check_equal(after["pid"], new, "the new version")
        settled(city)
        city.until(lambda: process_state(before["pid"]) == "", what="the old one does not retire")
        check_equal(now["attaches"], 2, "attached once each")


def test_new_version_dies_as_well():
    with ledger_city(limits=LONG) as city:
        before = live(city)
        swap_until(city, "probation")
        together(city, city.tile("ledger")["pid"])
        after, now = goes_on(city)
        check_equal(after["pid"], before["pid"], "the old version goes on")
        check_equal(now["rollbacks"], 1, "by a rollback")


def test_new_version_ruins_its_state_and_dies_as_well():
    """All over its region, the header too: it cannot even be mapped before it is undone."""
    with ledger_city(limits=LONG) as city:
        before = live(city)
        swap_until(city, "probation", "update-stray")
        new = city.tile("ledger")["pid"]
        dead = city.compositor()
        city.kill(city.keeper.pid, signal.SIGSTOP)
        city.kill(dead)
        city.until(lambda: process_state(new) in ("Z", ""), what="it goes on")
        city.kill(city.keeper.pid, signal.SIGCONT)
        city.back(dead)
        after, now = goes_on(city)
        check_equal(after["pid"], before["pid"], "the old version goes on")
        check_equal(now["rollbacks"], 1, "by a rollback")


def test_old_version_dies_as_well():
    """In probation there is then only the state to go back to."""
    with ledger_city(limits=LONG) as city:
        before = live(city)
        swap_until(city, "probation")
        new = city.tile("ledger")["pid"]
        together(city, before["pid"])
        tile = city.until(lambda: in_probation(city), what="the probation does not go on")
        check_equal(tile["pid"], new, "the new version")
        city.kill(new)
        after, _ = goes_on(city)
        check_equal(after["artifact"], before["artifact"], "the good version is started")


def test_both_die_as_well():
    with ledger_city(limits=LONG) as city:
        before = live(city)
        swap_until(city, "probation")
        together(city, before["pid"], city.tile("ledger")["pid"])
        city.until(lambda: books(city)["restarts"] == 1, what="no version is started")
        after, now = goes_on(city)
        check_equal(after["artifact"], before["artifact"], "the good version is started")
        check_equal(now["attaches"], 2, "on the state of before")


def in_probation(city):
    tile = city.ctl("state")[-1]["tiles"][0]
    return tile if tile["step"] == "probation" else None


if __name__ == "__main__":
    tests = [make_step("spawn", "ledger-2"), make_step("warm", "warm-slow"),
             make_step("migrate", "ledger-2"), make_step("attach", "attach-slow"),
             make_step("frame", "draw-slow"), make_step("commit", "ledger-2"),
             make_step("melt", "ledger-2"), make_step("retire", "ledger-2")]
    tests += [value for name, value in list(globals().items()) if name.startswith("test_")]
    run(tests)

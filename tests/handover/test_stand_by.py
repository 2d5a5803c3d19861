#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The successor takes the cells over as soon as they are given up, and before the compositor hears of it. Whatever
happens to whom in between, the state is that of before or of after, to the bit."""

import json
import os
import signal
import subprocess
import threading
import time

from campaign import ProofCity
from city import process_state
from disk import in_namespace
from ledger import ledger_city, limits_for, settled, swap, tile_path
from tap import check, check_equal, run

MIGRATE_MS = 5000
TOOK = "took over in"


class Handover:
    """One whose old version stands still in its migrate until it is let go."""

    def __init__(self, city, artifact=None):
        self.city = city
        self.new = 3 - city.version
        self.artifact = artifact or f"proof-{self.new}"
        self.stopped = threading.Event()
        self.a = self.b = self.compositor = 0
        self.taken = city.said().count(TOOK)

    def at_step(self, event):
        if event["step"] == "migrate" and not event["start"] and not self.stopped.is_set():
            self.a, self.b = event["a"], event["b"]
            os.kill(self.a, signal.SIGSTOP)
            self.stopped.set()

    def begin(self):
        city = self.city
        self.before = city.settled()
        city.check_state()
        city.witness.at_step = self.at_step
        self.helper = subprocess.Popen(
            ["cityctl", "swap", "proof", "--artifact", tile_path(self.artifact), "--settled", "--json",
             "--strategy", "instant"],
            env=city.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check(self.stopped.wait(60), "the old version is told to migrate")
        self.compositor = city.witness.compositor
        # Whoever is answered now: the compositor has sent all that it had to send in that step.
        city.ctl("state")

    def stop_compositor(self):
        os.kill(self.compositor, signal.SIGSTOP)
        self.city.until(lambda: process_state(self.compositor) == "T", what="the compositor does not stop")

    def give(self):
        """The old version goes on, and the new one has taken over; nobody else knows."""
        os.kill(self.a, signal.SIGCONT)
        self.city.until(lambda: self.city.said().count(TOOK) > self.taken, what="the new version did not take over")

    def go_on(self):
        try:
            os.kill(self.compositor, signal.SIGCONT)
        except ProcessLookupError:
            pass

    def end(self):
        """Result, record, and the versions that attached."""
        said = self.helper.communicate(timeout=120)[0].decode()
        self.city.witness.at_step = lambda event: None
        if self.city.witness.error:
            raise AssertionError(self.city.witness.error)
        after = self.city.settled()
        versions, state = self.city.check_state()
        changed = after["artifact"] != self.before["artifact"]
        if changed:
            self.city.version = self.new
        # And it still runs.
        self.city.until(lambda: self.city.check_state()[1].updates > state.updates, what="the tile stands still")
        records = [json.loads(line) for line in said.splitlines() if line.startswith("{") and '"result"' in line]
        return records[-1] if records else None, versions, changed


def proof_city(**limits):
    return ProofCity(limits_for(**{"migrate": 60000, **limits}), {"SOURCE_CITY_LOG": "debug"})


def handover(city, what, artifact=None):
    """With what has happened by the time that the compositor goes on; see Handover.end."""
    it = Handover(city, artifact)
    it.begin()
    it.stop_compositor()
    it.give()
    what(it)
    it.go_on()
    return it.end()


def test_before_it_is_heard_of():
    with proof_city() as city:
        record, versions, changed = handover(city, lambda it: None)
        check_equal(record["result"], "live", f"record: {record}")
        check(changed and versions == [2], f"the new version: {versions}")
        check(record["pause_us"] > 0, f"pause: {record['pause_us']}")
        # That the compositor stood still is no part of it.
        check(record["pause_us"] < record["total_us"], f"pause: {record['pause_us']} of {record['total_us']}")


def test_new_version_killed():
    """What it wrote is undone, and the old one goes on."""
    with proof_city() as city:
        record, versions, changed = handover(city, lambda it: os.kill(it.b, signal.SIGKILL))
        check_equal((record["result"], record["step"]), ("failed", "attach"), f"record: {record}")
        check(not changed and 2 not in versions, f"the old version: {versions}")
        record, versions, changed = handover(city, lambda it: None)
        check(changed and versions == [2], f"the next one takes over: {versions}")


def test_old_version_killed():
    """It had nothing more to give."""
    with proof_city() as city:
        record, versions, changed = handover(city, lambda it: os.kill(it.a, signal.SIGKILL))
        check_equal(record["result"], "live", f"record: {record}")
        check(changed and versions == [2], f"the new version: {versions}")


def test_both_killed():
    def kill(it):
        os.kill(it.b, signal.SIGKILL)
        os.kill(it.a, signal.SIGKILL)

    with proof_city() as city:
        _, versions, changed = handover(city, kill)
        check(not changed and 2 not in versions, f"the good version begins again: {versions}")


def test_compositor_killed():
    """The next one finds a version that has attached."""
    with proof_city() as city:
        _, versions, changed = handover(city, lambda it: os.kill(it.compositor, signal.SIGKILL))
        check(changed and versions == [2], f"the new version: {versions}")
        record = city.until(lambda: next((r for r in city.ctl("history") if r.get("to")), None), what="no record")
        check_equal(record["result"], "live", f"record: {record}")


def test_compositor_and_new_version_killed():
    def kill(it):
        os.kill(it.b, signal.SIGKILL)
        os.kill(it.compositor, signal.SIGKILL)

    with proof_city() as city:
        _, versions, changed = handover(city, kill)
        check(not changed and 2 not in versions, f"the old version goes on: {versions}")


def wait_for_deadline(began):
    while time.monotonic() < began + MIGRATE_MS / 1000:
        time.sleep(0.1)  # that so much time passes is the case


def test_heard_of_too_late():
    """The handover has failed, and whatever the new version wrote goes."""
    with proof_city(migrate=MIGRATE_MS, late=60000) as city:
        it = Handover(city)
        it.begin()
        it.stop_compositor()
        it.give()
        wait_for_deadline(time.monotonic())
        it.go_on()
        record, versions, changed = it.end()
        check_equal((record["result"], record["step"]), ("failed", "attach"), f"record: {record}")
        check("in time" in record["reason"], f"record: {record}")
        check(not changed and 2 not in versions, f"the old version goes on: {versions}")


def test_given_up_too_late():
    """Whoever knows that it is late does not give: the compositor decides."""
    with ledger_city(artifact="quiesce-slow", limits=limits_for(migrate=20, late=60000),
                     env={"SOURCE_CITY_LOG": "debug"}) as city:
        before = settled(city)
        _, record, said = swap(city, "ledger-2", "--strategy", "instant")
        check_equal((record["result"], record["step"]), ("failed", "migrate"), f"record: {said}")
        check("in time" in record["reason"], f"record: {record}")
        check_equal(city.said().count(TOOK), 0, "nobody took over")
        check_equal(settled(city)["pid"], before["pid"], "the old version goes on")


def test_nothing_taken_nothing_undone():
    """A successor that ends before it has the baton, while the old version has not yet read that its own probation
    is over: the shape of its state before that is not gone back to."""
    with proof_city() as city:
        settling = threading.Event()

        def at_step(event):
            if event["step"] == "retire" and not event["start"] and not settling.is_set():
                os.kill(event["b"], signal.SIGSTOP)
                settling.set()

        city.settled()
        city.check_state()
        city.witness.at_step = at_step
        city.run("cityctl", "swap", "proof", "--artifact", tile_path("proof-2w"), "--settled", "--strategy", "instant")
        check(settling.is_set(), "it stands still before it hears that it is settled")
        city.version, city.wide = 2, True
        it = Handover(city, artifact="proof-1w")
        it.begin()
        os.kill(it.b, signal.SIGKILL)
        it.helper.wait(timeout=60)
        os.kill(it.a, signal.SIGCONT)
        record, versions, changed = it.end()
        check_equal((record["result"], record["step"]), ("failed", "migrate"), f"record: {record}")
        check(not changed and 1 not in versions, f"the old version goes on: {versions}")
        record, versions, changed = handover(city, lambda it: None, artifact="proof-1w")
        check(changed and versions == [1], f"the next one takes over: {versions}")


def test_new_version_asleep():
    """Nobody takes the baton: the compositor says when it is its turn."""
    with proof_city() as city:
        it = Handover(city)
        attach = threading.Event()

        def at_step(event):
            it.at_step(event)
            if event["step"] == "attach" and not event["start"]:
                attach.set()

        it.begin()
        city.witness.at_step = at_step
        os.kill(it.b, signal.SIGSTOP)
        os.kill(it.a, signal.SIGCONT)
        check(attach.wait(60), "the old version yields")
        os.kill(it.b, signal.SIGCONT)
        record, versions, changed = it.end()
        check_equal(record["result"], "live", f"record: {record}")
        check(changed and versions == [2], f"once, the new version: {versions}")


if __name__ == "__main__":
    in_namespace()
    run([value for name, value in list(globals().items()) if name.startswith("test_")], jobs=3)

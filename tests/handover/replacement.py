# SPDX-License-Identifier: MIT
"""The campaign's cases of another keeper that takes over: at each of its steps, which the keeper tells the witness, what
can happen to every process of the city, to the new program while it is asked, and to the keeper itself but for its
death, which is the end of the city by design. Whatever it is, the city goes on, under one keeper or the other, whoever
asked hears which, no tile has noticed, and the next replacement goes well."""

import random
import subprocess
import time

from faults import KINDS, wake
from proof import Wrong, follow

DEATHS = ["SIGKILL", "SIGSEGV", "exit"]
HALTS = ["SIGSTOP", "deadline"]
VICTIMS = {
    "check": [*DEATHS, *HALTS, "memory", "disk"],  # the new program, as it is asked whether it could
    "keeper": ["deadline", "memory", "disk"],
    "a": [*DEATHS, *HALTS, "memory", "disk", "garbage"],
    "spare": [*DEATHS, *HALTS],
    "compositor": [*DEATHS, "deadline", "memory", "garbage"],
    "forge": [*DEATHS, *HALTS],
    "disk": ["full"],
    "runtime": ["full"],
}
CHECK_STEP, LOADED_STEP, DONE_STEP, STAYED = "check", "loaded", "done", "stayed"
QUIET_SECONDS = 10


class Replacement:
    """As campaign.Case."""

    def __init__(self, step, victim, kind):
        self.step, self.victim, self.kind = step, victim, kind
        self.name = f"keeper:{step}/{victim}/{kind}"
        self.undo = None
        self.pid = 0
        self.outcome = "-"
        self.note = ""
        self.seen = []

    def at_step(self, event):
        if event["step"] == self.step and not self.undo:
            self.befall(event)
        self.seen.append(event["step"])

    def befall(self, event):
        if self.victim in self.city.disks:
            disk = self.city.disks[self.victim]
            self.undo = [disk.free]
            disk.fill()
            return
        self.pid = {"check": event["check"], "keeper": event["keeper"], "a": self.a,
                    "spare": self.city.child("spare", (self.a, self.other)),
                    "compositor": self.city.witness.compositor, "forge": self.forge}[self.victim]
        try:
            self.undo = [KINDS[self.kind](self.pid)] if self.pid else None
        except (ProcessLookupError, FileNotFoundError, ChildProcessError):
            self.note = "it had gone"

    def run(self, city):
        self.city = city
        city.cases += 1
        self.a = city.settled()["pid"]
        self.other = city.tile("other")["pid"]
        city.check_state()
        keeper = city.keeper.pid
        self.forge = city.until(lambda: city.child("forge", ()), what="the forge did not come back")
        city.until(lambda: city.child("spare", (self.a, self.other)), what="there is no spare")
        city.witness.at_keeper_step = self.at_step
        # What is asked for when it is to come to nothing is no keeper.
        path = ["/bin/false"] if self.step == STAYED else []
        helper = subprocess.Popen(["cityctl", "keeper", "--replace", *path], env=city.environment(),
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            self.watch(helper)
            said = helper.communicate(timeout=60)[0].decode()
        finally:
            helper.kill()
        # The answer may come before the last step.
        if LOADED_STEP in self.seen:
            city.until(lambda: DONE_STEP in self.seen, what="the replacement has no end")
        city.witness.at_keeper_step = lambda event: None
        for undo in self.undo or []:
            undo()
        if city.witness.error:
            raise AssertionError(city.witness.error)
        self.judge(keeper, helper.returncode, said)

    def watch(self, helper):
        """What stands still has to be found out, or does not matter."""
        if self.kind != "SIGSTOP":
            return
        end = time.monotonic() + QUIET_SECONDS
        while helper.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        if helper.poll() is None:
            self.note = f"nobody noticed for {QUIET_SECONDS} s"
            wake(self.pid)

    def judge(self, keeper, status, said):
        city, replaced = self.city, LOADED_STEP in self.seen
        if city.keeper.poll() is not None or city.keeper.pid != keeper:
            raise Wrong(f"the keeper ended: {said}")
        self.outcome = "replaced" if replaced else "stayed"
        if status == 0 and not replaced:
            raise Wrong(f"it says that there is another keeper, but there is none: {said}")
        # Who asked through a compositor that died meanwhile hears nothing.
        if status != 0 and replaced and self.victim != "compositor":
            raise Wrong(f"there is another keeper, but it says: {said}")
        if not self.undo:
            self.outcome = "-"
        city.deaths += self.victim in ("a", "compositor")
        after = city.settled()
        if self.victim not in ("a", "compositor") and after["pid"] != self.a:
            raise Wrong("the tile is another process")
        state = city.check_state()[1]
        city.until(lambda: follow(city.model, city)[1].updates > state.updates, what="the tile stands still")
        city.run("cityctl", "keeper", "--replace")
        city.settled()


def all_cases(steps):
    for step in steps:
        for victim, kinds in VICTIMS.items():
            if victim != "check" or step == CHECK_STEP:
                for kind in kinds:
                    yield Replacement(step, victim, kind)


def sample(steps, seed):
    """Each step and each victim; the rest is chance."""
    dice = random.Random(seed)
    others = [victim for victim in VICTIMS if victim != "check"]
    for i, step in enumerate(steps):
        victim = "check" if step == CHECK_STEP else others[i % len(others)]
        yield Replacement(step, victim, dice.choice([kind for kind in VICTIMS[victim] if kind not in HALTS]
                                                    or VICTIMS[victim]))

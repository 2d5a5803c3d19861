#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The fault campaign: at every step of a handover, everything that can happen to every process of the city.
Whatever it is, the city goes on, and the state is to the bit that of before the handover or that of after
it, never between; no update that was made before is lost.

usage: campaign.py [--full] [--jobs N] [--seed N] [FILTER...]

The steps come from the compositor itself, which tells its table to the witness (compositor/witness.h), and those of
the replacement of the keeper from the keeper (vat/keeper/replace.c; see replacement.py).
Without --full a sample is taken in which each step meets each kind of fault and each victim. FILTERs choose cases by
their names, STEP/VICTIM/KIND/SCHEMA, such as attach/b/ or /SIGSTOP/. Prints the table of results, and TAP.

Victims: a (the old version), b (the new one), both, the compositor, of the keeper's other children the forge and
the process of another tile, and the disks: that of state and artifacts, and that of the sockets, full to the last byte.
A cell of the table says where it ended: `after`; `before`; `after by A`, the state of after
with the old version going on from it; or `WRONG`. `-`: there was no such process at that step."""

import json
import os
import random
import select
import socket
import subprocess
import sys
import threading
import time
import traceback

import replacement
from faults import KINDS, wake
from ledger import LedgerCity, tile_path
from city import children, name_of
from disk import SmallDisk, in_namespace
from proof import Model, Wrong, follow

VICTIMS = ["a", "b", "both", "compositor", "forge", "other"]
BYSTANDERS = ["forge", "other"]
DISKS = ["disk", "runtime"]  # which are full: the only kind there is for them
COLUMNS = [*KINDS, "full"]
SCHEMAS = ["same", "changed"]
# Steps that only these have.
SPLICES = {"wait": ("--at", "@beat")}  # refused where nothing lets time pass
STRATEGIES = {"melt": "melt", "warm-up": "freeze-and-fade"}
NAMES = {"forge": "source-city-for", "spare": "source-city-til"}
# They have no part in the handover: garbage and limits of theirs are no case of it.
BYSTANDER_KINDS = ["SIGKILL", "SIGSTOP", "exit"]
# Short, for whatever comes of it is right as long as the state is; SIGSTOP always runs into one.
LIMITS = ("spawn=1500,warm=1500,migrate=400,late=300,attach=600,frame=600,check=600,retire=300,melt=60,"
          "probation=150,frames=2")
CASES_PER_CITY = 40
DEATHS_PER_CITY = 2  # of a live version, or of the compositor; more would be a crash loop


class Witness:
    """Hears of each step while everything waits; see compositor/witness.h."""

    def __init__(self, path):
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.server.bind(path)
        self.server.listen(4)
        self.path = path
        self.steps, self.keeper_steps = [], []
        self.compositor = 0
        self.at_step = lambda event: None
        self.at_keeper_step = lambda event: None
        self.error = None
        self.wake_read, self.wake_write = os.pipe()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self):
        os.write(self.wake_write, b"x")
        self.thread.join()
        self.server.close()
        os.close(self.wake_read)
        os.close(self.wake_write)

    def _serve(self):
        peers = []
        while True:
            ready = select.select([self.wake_read, self.server, *peers], [], [])[0]
            if self.wake_read in ready:
                break
            if self.server in ready:
                peers.append(self.server.accept()[0])
            for peer in [p for p in peers if p in ready]:
                if not self._hear(peer):
                    peers.remove(peer)
                    peer.close()
        for peer in peers:
            peer.close()

    def _hear(self, peer):
        try:
            data = peer.recv(65536)
        except OSError:
            return False
        if not data:
            return False
        event = json.loads(data)
        if "steps" in event and "keeper" in event:
            self.keeper_steps = event["steps"]
            return True
        if "steps" in event:
            self.steps = event["steps"]
            self.compositor = event["compositor"]
            return True
        try:
            (self.at_keeper_step if "keeper" in event else self.at_step)(event)
        except Exception:
            self.error = traceback.format_exc()
        try:
            peer.send(b"go")
        except OSError:
            return False
        return True


class ProofCity(LedgerCity):
    """A city with one proof tile, its witness, and what is known of its state."""

    def __init__(self, limits=LIMITS, env=None):
        config = "".join(
            f"tile {name} {{\n\tartifact {tile_path('proof-1')}\n\tkind proof\n\tat {x} 100\n\tsize 120 80\n}}\n"
            for name, x in (("proof", 100), ("other", 400)))
        super().__init__(config=config, env={"SOURCE_CITY_LIMITS": limits, **(env or {})})
        self.disks = {}
        if in_namespace():
            self.disks = {"disk": SmallDisk(os.path.join(self.folder, "disk"), size="16M"),
                          "runtime": SmallDisk(os.path.join(self.folder, "run"))}
            for name in ("state", "data", "cache"):
                self.extra_env[f"XDG_{name.upper()}_HOME"] = os.path.join(self.disks["disk"].path, name)
        self.witness = Witness(os.path.join(self.folder, "witness"))
        self.extra_env["SOURCE_CITY_WITNESS"] = self.witness.path
        self.model, self.other_model = Model(), Model()
        self.cases = self.deaths = 0
        self.version = 1
        self.wide = False

    def __exit__(self, *exc):
        self.witness.close()
        try:
            super().__exit__(*exc)
        finally:
            for disk in self.disks.values():
                disk.end()

    def settled(self):
        """The proof tile, when it and the other one are live and nothing is under way."""
        return self.until(self._settled, what="the tiles did not come back")

    def _settled(self):
        try:
            done = self.run("cityctl", "state", "--json", check=False)
            tiles = {tile["name"]: tile for tile in json.loads(done.stdout.splitlines()[-1])["tiles"]}
            settled = all(tile["state"] == "live" and tile["step"] == "" for tile in tiles.values())
            return tiles["proof"] if settled and len(tiles) == 2 else None
        except (IndexError, KeyError, ValueError):
            return None  # it is just being started again

    def check_state(self):
        """Names of the versions that attached since last time, all bytes being right."""
        follow(self.other_model, self, "other")
        return follow(self.model, self)

    def child(self, name, others):
        """A process of the keeper by its name, but none of the others; 0 if there is none."""
        for pid in children(self.keeper.pid):
            if name_of(pid) == NAMES[name] and pid not in others:
                return pid
        return 0


class Case:
    def __init__(self, step, victim, kind, schema):
        self.step, self.victim, self.kind, self.schema = step, victim, kind, schema
        self.name = f"{step}/{victim}/{kind}/{schema}"
        self.undo = None
        self.pid = 0
        self.outcome = "-"
        self.note = ""

    def at_step(self, event):
        if event["start"] or event["step"] != self.step or self.undo:
            return
        if self.victim in DISKS:
            disk = self.city.disks[self.victim]
            self.undo = [disk.free]
            disk.fill()
            return
        spare = self.city.child("spare", (event["a"], event["b"], self.other))
        a, b = event["a"], event["b"] or spare  # which B is before it is asked for
        pids = {"a": [a], "b": [b], "both": [a, b], "compositor": [self.city.witness.compositor],
                "forge": [self.forge], "other": [self.other]}[self.victim]
        undo = []
        for pid in filter(None, pids):
            try:
                undo.append(KINDS[self.kind](pid))
                self.pid = pid
            except (ProcessLookupError, FileNotFoundError, ChildProcessError):
                self.note = "it had gone"
        self.undo = undo

    def end_fault(self):
        for undo in self.undo or []:
            undo()

    def run(self, city):
        self.city = city
        city.cases += 1
        before = city.settled()
        city.check_state()
        self.forge = city.until(lambda: city.child("forge", ()), what="the forge did not come back")
        self.other = city.tile("other")["pid"]
        old = city.version
        new = 3 - old
        wide = city.wide != (self.schema == "changed")
        target = f"proof-{new}" + ("w" if wide else "")
        strategy = STRATEGIES.get(self.step, "instant")
        if self.step in SPLICES:
            city.run("cityctl", "transport", "play", check=False)
        city.witness.at_step = self.at_step
        helper = subprocess.Popen(
            ["cityctl", "swap", "proof", "--artifact", tile_path(target), "--settled", "--json", "--strategy",
             strategy, *SPLICES.get(self.step, ())], env=city.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if self.victim == "compositor" and self.kind in ("SIGSTOP", "deadline"):
            self.watch_stopped(helper)
        try:
            said = helper.communicate(timeout=60)[0].decode()
        finally:
            helper.kill()
        city.witness.at_step = lambda event: None
        self.end_fault()
        if city.witness.error:
            raise AssertionError(city.witness.error)
        after = city.settled()
        self.judge(city, before, after, old, new, wide, said)

    def watch_stopped(self, helper):
        """Somebody has to find out; if nobody does, it goes on."""
        end = time.monotonic() + 10
        while helper.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        if helper.poll() is None:
            self.note = "nobody noticed for 10 s"
            wake(self.pid)

    def judge(self, city, before, after, old, new, wide, said):
        versions, state = city.check_state()
        running = city.model.runs[-1][0]
        if after["artifact"] == before["artifact"]:
            self.outcome, expected = "before", old
        else:
            self.outcome, expected = "after", new
        # Right as well, as nothing is lost: what the new version did counts, and the old one goes on from it.
        if expected == old and new in versions:
            self.outcome = "after by A"
        if not self.undo:
            self.outcome = "-"
        if running != expected:
            raise Wrong(f"version {running} attached last, but {expected} runs")
        result = [json.loads(line).get("result") for line in said.splitlines()
                  if line.startswith("{") and '"result"' in line]
        if result and result[-1] in ("failed", "rolled-back") and new in versions:
            raise Wrong(f"{result[-1]}, but the new version's writes are there: {versions}")
        if result and result[-1] == "live" and new not in versions:
            raise Wrong(f"live, but the new version never attached: {versions}")
        if expected == new:
            city.version = new
            city.wide = wide
        # Those of B are no crashes as long as it is on trial.
        city.deaths += self.victim not in ("b", *DISKS) or self.step == "retire"
        # And it still can.
        again = state.updates
        city.until(lambda: follow(city.model, city)[1].updates > again, what="the tile stands still")


def steps_of_the_city():
    """Of a handover, and of a replacement of the keeper."""
    with ProofCity() as city:
        city.settled()
        return [step["name"] for step in city.witness.steps], city.witness.keeper_steps


def all_cases(steps):
    for step in steps:
        for victim in VICTIMS:
            for kind in KINDS:
                if victim in BYSTANDERS and kind not in BYSTANDER_KINDS:
                    continue
                for schema in SCHEMAS:
                    yield Case(step, victim, kind, schema)
        for disk in DISKS:
            for schema in SCHEMAS:
                yield Case(step, disk, "full", schema)


def sample(steps, seed):
    """Each step with each kind, and with each victim; the rest is chance."""
    dice = random.Random(seed)
    kinds = list(KINDS)
    for i, step in enumerate(steps):
        for j, kind in enumerate(kinds):
            yield Case(step, ["a", "b", "both"][(i + j) % 3], kind, dice.choice(SCHEMAS))
        # Where nobody notices that it stands still it is a matter of seconds: now and then.
        quick = [kind for kind in kinds if kind not in ("SIGSTOP", "deadline")]
        yield Case(step, "compositor", quick[i % len(quick)], dice.choice(SCHEMAS))
        yield Case(step, BYSTANDERS[i % 2], BYSTANDER_KINDS[i // 2 % 3], dice.choice(SCHEMAS))
        if i % 2 == 0:
            yield Case(step, DISKS[i // 2 % 2], "full", dice.choice(SCHEMAS))


def print_table(steps, victims, cases):
    rows = {}
    for case in cases:
        rows.setdefault((case.step, case.victim), {}).setdefault(case.kind, []).append(case.outcome)
    width = 20
    print("# " + "step".ljust(11) + "victim".ljust(12) + "".join(kind.ljust(width) for kind in COLUMNS))
    for step in steps:
        for victim in victims:
            row = rows.get((step, victim))
            if row:
                print("# " + step.ljust(11) + victim.ljust(12) + "".join(
                    "/".join(row.get(kind, [""])).ljust(width) for kind in COLUMNS))
    sys.stdout.flush()


class Run:
    """Runs cases, several at a time, each in a city that no other has at that time."""

    def __init__(self, cases, jobs):
        self.todo = list(reversed(cases))
        self.lock = threading.Lock()
        self.number = 0
        self.failed = False
        self.threads = [threading.Thread(target=self.work) for _ in range(jobs)]

    def go(self):
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()
        return self.failed

    def next(self):
        with self.lock:
            return self.todo.pop() if self.todo else None

    def say(self, good, text, lines=()):
        with self.lock:
            self.number += 1
            self.failed |= not good
            print(f"{'' if good else 'not '}ok {self.number} - {text}")
            for line in lines:
                print(f"#   {line}")
            sys.stdout.flush()

    def work(self):
        city = None
        while case := self.next():
            if city and (city.cases >= CASES_PER_CITY or city.deaths >= DEATHS_PER_CITY):
                city = self.leave(city)
            begin = time.monotonic()
            try:
                city = city or ProofCity().__enter__()
                case.run(city)
                note = f" # {case.note}" if case.note else ""
                self.say(True, f"{case.name}: {case.outcome}, {time.monotonic() - begin:.1f} s{note}")
            except Exception:
                case.outcome = "WRONG"
                lines = traceback.format_exc().splitlines()
                self.say(False, case.name, lines + (city.said().splitlines()[-25:] if city else []))
                city = city and self.leave(city)
        if city:
            self.leave(city)

    def leave(self, city):
        try:
            city.__exit__(None, None, None)
        except Exception as error:
            self.say(False, "the end of a city", str(error).splitlines())


def number_after(words, name, otherwise):
    return int(words[words.index(name) + 1]) if name in words else otherwise


def main():
    words = sys.argv[1:]
    numbers = [i + 1 for i, w in enumerate(words) if w in ("--seed", "--jobs")]
    filters = [w for i, w in enumerate(words) if not w.startswith("--") and i not in numbers]
    has_disks = in_namespace()
    steps, keeper_steps = steps_of_the_city()
    if "--full" in words or filters:
        cases = [*all_cases(steps), *replacement.all_cases(keeper_steps)]
    else:
        seed = number_after(words, "--seed", 1)
        cases = [*sample(steps, seed), *replacement.sample(keeper_steps, seed)]
    cases = [case for case in cases if all(f in case.name for f in filters) and
             (has_disks or case.victim not in DISKS)]
    failed = Run(cases, number_after(words, "--jobs", 3)).go()
    print_table(steps, [*VICTIMS, *DISKS], [case for case in cases if isinstance(case, Case)])
    print_table(keeper_steps, replacement.VICTIMS, [case for case in cases if not isinstance(case, Case)])
    if not has_disks:
        print("# full disks are not among them: no mount namespace can be had here")
    print(f"1..{len(cases)}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

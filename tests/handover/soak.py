#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Handovers, one after the other, of alternating versions, schemas, strategies and ways with the state, with rollbacks
among them and keys typed all the time. At the end every byte of the state is as foretold, every key has arrived once
and in its order, and nothing has grown: no memory, descriptor, mapping, process or shared memory of any process of the
city.

usage: soak.py [N]      N handovers, 210 without. SIGTERM and SIGINT end it earlier; what was until then is judged

What is flat: samples are taken along the way, each when the city has settled. The first third is warm-up. Of the rest
the median of the last half may exceed that of the first half by what BOUNDS says, which is less than a page
per handover for anything that the city would keep of each of them."""

import itertools
import json
import os
import signal
import statistics
import subprocess
import sys

from ledger import LedgerCity, tile_path, tile_pids
from city import children, name_of
from proof import MASK, Model, follow, mix
from tap import check, check_equal

LIMITS = ("spawn=60000,warm=60000,migrate=30000,attach=30000,frame=30000,check=30000,retire=30000,"
          "melt=40,probation=20,frames=1,missed=0")
STRATEGIES = ["instant", "melt", "crossfade", "freeze-and-fade", "auto"]
ARTIFACTS = ["proof-1", "proof-2", "proof-1w", "proof-2w", "proof-1w", "proof-2"]
ROLLBACK_EVERY = 10
# Of a round, those in which the state does not just go on. What is to begin anew does so unless it is rolled back.
MODES = {4: ["--strategy", "reset"], 8: ["--state", "merge"], 13: ["--state", "reset"], 17: ["--lossy"],
         22: ["--strategy", "reset", "--state", "reset"], 25: ["--state", "merge", "--lossy"], 29: ["--state", "reset"]}
ROUND = 30  # after so many it all begins again, and the same version runs on the same schema
SAMPLES = 24
ENOUGH = []  # not empty: somebody wishes to see the end
RECORDING = "source-city-memory"  # fills the room that it is given, and no more
# What may be more at the end, for any number of handovers.
BOUNDS = {"memory": 768 * 1024, "fds": 1, "mappings": 12, "processes": 0, "memfds": 0, "memfd bytes": 64 * 1024}


def memory(pid):
    """Bytes that it has written: heap, stacks, shared memory. Pages of programs and libraries are not among
    them: how much of those counts as its own depends on who else uses them just now."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in file if line.endswith("kB\n")}
    return (sizes["Anonymous"] + sizes.get("Pss_Shmem", 0) + sizes["Swap"]) * 1024


def mappings(pid):
    with open(f"/proc/{pid}/maps") as file:
        return sum(1 for _ in file)


def memfds(pids):
    """All shared memory that somebody holds, each once: name and bytes by its inode."""
    found = {}
    for pid in pids:
        for name in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{name}"
            try:
                if (target := os.readlink(path)).startswith("/memfd:"):
                    status = os.stat(path)
                    found[status.st_ino] = target.split(":")[1].split(" ")[0], status.st_blocks * 512
            except OSError:
                pass
    return found


class Soak:
    def __init__(self, city):
        self.city = city
        self.model = Model()
        self.samples = []
        self.typed, self.hash = 0, 0
        self.letters = itertools.cycle("abcdefghijklmnopqrstuvwxyz")

    def tile(self):
        tile = self.city.ctl("state")[-1]["tiles"][0]
        return tile if tile["state"] == "live" and tile["step"] == "" else None

    def settled(self):
        return self.city.until(self.tile, what="it did not settle")

    def type(self):
        text = "".join(next(self.letters) for _ in range(3))
        self.city.type(text)
        for letter in text:
            self.hash = mix((self.hash + ord(letter)) & MASK)
        self.typed += len(text)

    def hand_over(self, number):
        # An odd count against an even one: every artifact meets every strategy.
        artifact = ARTIFACTS[number % len(ARTIFACTS)]
        mode = MODES.get(number % ROUND, [])
        options = [*([] if "--strategy" in mode else ["--strategy", STRATEGIES[number % len(STRATEGIES)]]), *mode]
        anew = "reset" in mode
        if anew:
            self.check_state()
        helper = subprocess.Popen(
            ["cityctl", "swap", "proof", "--artifact", tile_path(artifact), "--settled", "--json", *options],
            env=self.city.environment(), stdout=subprocess.PIPE)
        if number % ROLLBACK_EVERY == ROLLBACK_EVERY - 1:
            said = self.roll_back(helper)
            anew = anew and '"result":"live"' in said
        else:
            if not anew:  # a key would be lost with the state, or not, as it happens
                self.type()
            said = helper.communicate(timeout=60)[0].decode()
            check_equal(helper.returncode, 0, f"handover {number} to {artifact}, {' '.join(options)}: {said}")
        if anew:
            self.model, self.typed, self.hash = Model(), 0, 0

    def roll_back(self, helper):
        """What the handover said."""
        said = ""
        for line in helper.stdout:
            said += line.decode()
            if json.loads(line).get("step") == "probation":
                break
        # It may be over by now: then this is a handover to the version before.
        self.city.run("cityctl", "rollback", "proof", check=False)
        said += helper.stdout.read().decode()  # also what has been read ahead
        helper.wait(60)
        return said

    def sample(self):
        """Of the city at rest: one tile process runs, and one is spare."""
        tile = self.settled()
        keeper = self.city.keeper.pid
        self.city.until(lambda: len(tile_pids(keeper)) == 2,
                        what="there are more or fewer than one tile and one spare")
        pids = {"keeper": keeper, "tile": tile["pid"]}
        names = {"source-city-com": "compositor", "source-city-for": "forge"}
        pids.update({names[name_of(p)]: p for p in children(keeper) if name_of(p) in names})
        held = memfds([keeper, *children(keeper)])
        found = {("city", "processes"): len(children(keeper)), ("city", "memfds"): len(held),
                 ("city", "memfd bytes"): sum(size for name, size in held.values() if name != RECORDING)}
        recorded = sum(size for name, size in held.values() if name == RECORDING)
        check(recorded <= 1 << 20, f"{recorded} bytes are recorded, where there is room for 1M")
        self.held = sorted(held.values())
        for name, pid in pids.items():
            found[name, "memory"] = memory(pid)
            found[name, "fds"] = len(os.listdir(f"/proc/{pid}/fd"))
            found[name, "mappings"] = mappings(pid)
        self.samples.append(found)

    def check_state(self):
        _, state = follow(self.model, self.city)
        check_equal(state.typed, self.typed, "keys that arrived")
        check_equal(state.typed_hash, self.hash, "they arrived in their order")

    def check_flat(self):
        if len(self.samples) < 6:
            print("# too short to say whether anything grew", flush=True)
            return
        rest = self.samples[len(self.samples) // 3:]
        first, last = rest[:len(rest) // 2], rest[len(rest) // 2:]
        grown = []
        print(f"# {'':<12}{'':<14}{'after warm-up':>16}{'at the end':>16}{'may grow by':>14}")
        for key in rest[0]:
            before = statistics.median(sample[key] for sample in first)
            after = statistics.median(sample[key] for sample in last)
            bound = BOUNDS[key[1]]
            print(f"# {key[0]:<12}{key[1]:<14}{before:>16.0f}{after:>16.0f}{bound:>14}", flush=True)
            if after - before > bound:
                grown.append(f"{key[1]} of {key[0]}: {before:.0f} -> {after:.0f}")
        check(not grown, "; ".join(grown) + f"; shared memory in the end: {self.held}")


def tell(number, sample):
    sizes = ", ".join(f"{key[0]} {value // 1024} KiB" for key, value in sample.items() if key[1] == "memory")
    held = sample["city", "memfd bytes"] // 1024
    print(f"# {number} handovers: {sizes}, shared {held} KiB", flush=True)


def soak(count):
    config = (f"tile proof {{\n\tartifact {tile_path('proof-1')}\n\tkind proof\n\tat 100 100\n"
              f"\tsize 120 80\n\toption record 1M\n}}\n")
    with LedgerCity(config=config, env={"SOURCE_CITY_LIMITS": LIMITS}) as city:
        run = Soak(city)
        run.settled()
        city.ctl("run", "focus", "proof")
        every = max(1, count // SAMPLES // ROUND) * ROUND
        number = 0
        for number in range(count):
            if ENOUGH:
                break
            run.hand_over(number)
            if number % ROUND == ROUND - 1:
                run.check_state()
            if number % every == every - 1:
                run.sample()
                tell(number + 1, run.samples[-1])
        run.check_state()
        run.check_flat()
        return number + (not ENOUGH)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 210
    for wish in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wish, lambda *_: ENOUGH.append(True))
    print("1..1", flush=True)
    try:
        count = soak(count)
        print(f"ok 1 - {count} handovers")
    except Exception as error:
        print(f"not ok 1 - {count} handovers")
        for line in str(error).splitlines():
            print(f"# {line}")
        sys.exit(1)


if __name__ == "__main__":
    main()

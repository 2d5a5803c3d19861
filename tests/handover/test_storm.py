#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Everything at once, in random order: good and faulty versions, deaths, stops, rollbacks, resizes, tiles that
come and go. In the end the compositor is the one that was there at the beginning, the books add up and
nothing is left over. SEED and STORM_SECONDS choose another storm."""

import os
import random
import signal
import subprocess
import time

from ledger import adds_up, books, ledger_city, settled, swap, tile_path, tile_pids
from tap import check, check_equal, run

LIMITS = ("warm=600,migrate=300,attach=300,frame=300,check=300,retire=200,late=300,"
          "melt=60,probation=60,frames=2")
FAULTS = ["warm-crash", "warm-hang", "attach-crash", "attach-hang", "attach-false", "draw-crash", "draw-hang",
          "check-false", "check-hang", "check-crash", "draw-wrong", "detach-hang",
          "warm-slow", "attach-slow", "quiesce-crash", "quiesce-hang", "quiesce-false"]
STRATEGIES = ["instant", "melt", "crossfade", "auto"]


def one_thing(city, dice, helpers):
    what = dice.random()
    if what < 0.45:
        name = dice.choice(["ledger-1", "ledger-2", "ledger-3"])
    elif what < 0.75:
        name = dice.choice(FAULTS)
    else:
        name = None
    if name:
        helpers.append(subprocess.Popen(
            ["cityctl", "swap", "ledger", "--artifact", tile_path(name), "--settled",
             "--strategy", dice.choice(STRATEGIES), *dice.choice([[], ["--force"]])],
            env=city.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    elif what < 0.83:
        pids = tile_pids(city.keeper.pid)
        if pids:
            number = dice.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP, signal.SIGTERM])
            try:
                os.kill(dice.choice(pids), number)
            except ProcessLookupError:
                pass
    elif what < 0.88:
        city.run("cityctl", "rollback", "ledger", check=False)
    elif what < 0.93:
        city.ctl("run", "focus", "ledger", check=False)
        city.ctl("run", "resize", str(dice.randint(50, 600)), str(dice.randint(50, 400)), check=False)
    elif what < 0.96:
        city.run("cityctl", "open", "clock", check=False)
    elif what < 0.98:
        city.run("cityctl", "close", "clock", check=False)
    else:
        city.ctl("run", "zoom", dice.choice(["all", "room", "0.3", "2"]), check=False)


def test_storm():
    seed = int(os.environ.get("SEED", "1"))
    seconds = float(os.environ.get("STORM_SECONDS", "20"))
    dice = random.Random(seed)
    with ledger_city(limits=LIMITS) as city:
        settled(city)
        compositor = city.compositor()
        helpers = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            one_thing(city, dice, helpers)
            time.sleep(dice.random() * 0.15)
            helpers = [h for h in helpers if h.poll() is None]
            check_equal(city.compositor(), compositor, f"the compositor (seed {seed})")
        for pid in tile_pids(city.keeper.pid):
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        for helper in helpers:
            check_equal(helper.wait(60) in (0, 1), True, "each request gets an answer")
        # The storm may leave it dead, or on a version that refuses to yield.
        for name in ("ledger-2", "ledger-3", "ledger-1", "ledger-2", "ledger-3"):
            status, record, said = swap(city, name, "--force")
            if status == 0:
                break
            city.until(lambda: city.tile("ledger")["state"] in ("live", "dead"))
        check_equal(status, 0, said)
        settled(city)
        check(adds_up(books(city)), "the books add up")
        check_equal(city.compositor(), compositor, f"the compositor (seed {seed})")
        for tile in city.ctl("tiles"):
            if tile["name"] != "ledger":
                city.run("cityctl", "close", tile["name"])
        # The ledger, and the keeper's spare.
        city.until(lambda: len(tile_pids(city.keeper.pid)) <= 2,
                   what="processes are left over")


if __name__ == "__main__":
    run([test_storm])

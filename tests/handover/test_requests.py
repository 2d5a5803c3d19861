#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Requests that make no sense, by the thousand, of both protocols: from clients that speak the control protocol, and
from every tile of the city, which are stray_tile.py. Handovers, rollbacks, transactions, builds, deaths of the
compositor and replacements of the keeper happen meanwhile, as these very requests ask for them. Neither the compositor
nor the keeper ends or stops to answer, and when the tiles are well again a handover goes well.

usage: test_requests.py [MESSAGES [SEED]]    of the control protocol; those of the tiles come on top"""

import os
import socket
import subprocess
import sys
import time

from ledger import NO_FORGE, LedgerCity, swap, tile_path, with_programs
from nonsense import Broken, Peer, core_xml, interfaces, own_xml, seeded
from city import CityError
from tap import check

TESTS = os.path.dirname(os.path.abspath(__file__))
TILES = ["one", "two", "three"]
ARTIFACTS = ["ledger-1", "ledger-2", "ledger-3", "attach-crash", "with-port", "wide", "bad-abi"]
# Short: what does not answer in time is as good as what answers wrong.
LIMITS = ("spawn=1500,warm=600,migrate=200,late=200,attach=300,frame=300,check=300,retire=200,melt=40,"
          "probation=60,frames=2")
PATIENCE = 240.0  # seconds until one of many handovers met its limits
STRATEGIES = ["auto", "instant", "melt", "crossfade", "freeze-and-fade", "reset"]
PER_PEER = 60
KILL_EVERY = 400  # messages, and
STEADY = 15.0  # seconds at least, or it is a crash loop; twice in a row is none yet
WORDS = [*TILES, "stray", "clock", "", "1", "2", "0", "deadbeef", "!", "@bar", "{}", "/", "/tmp", "/nonexistent/keeper",
         "zoom 1", "zoom all", "zoom nan", "pan 100 0", "pan 1e300 -1e300", "camera 0 0 0.1", "move nan inf", "reload",
         "resize 1 1", "resize 999999 999999", "focus next", "focus one", "fullscreen", "maximize", "minimize", "close"]
SELDOM = {
    ("source_city_tile_handle_v1", "swap_artifact"): 4,
    ("source_city_tile_handle_v1", "close"): 0.1,
    ("source_city_control_v1", "open_tile"): 0.3,
    ("source_city_control_v1", "replace_keeper"): 0.1,
    ("source_city_control_v1", "register_builder"): 0.3,
    ("source_city_transaction_v1", "add_artifact"): 2,
    ("wl_display", "get_registry"): 0.05,
    ("wl_display", "sync"): 0.1,
    ("wl_registry", "bind"): 0.05,
    ("wl_callback", "destroy"): 0,
}
KNOWN = interfaces(core_xml(), own_xml("source-city-control-v1"))


class StrayCity(LedgerCity):
    """The city's own keeper and compositor, but every tile is a stray one, and nobody builds."""

    def __init__(self, seed):
        folder, keeper, env = with_programs(
            tile=f"#!/bin/sh\nexec {sys.executable} {TESTS}/stray_tile.py\n", forge=NO_FORGE)
        config = "".join(f"tile {name} {{\n\tartifact {tile_path('ledger-1')}\n\tkind ledger\n\tat {x} 100\n"
                         f"\tsize 120 80\n}}\n" for x, name in enumerate(TILES))
        super().__init__(config=config, folder=folder, program=keeper, env={
            **env, "SOURCE_CITY_LIMITS": LIMITS, "STRAY_FOLDER": folder, "STRAY_TESTS": TESTS,
            "STRAY_SEED": str(seed), "PYTHONDONTWRITEBYTECODE": "1"})
        self.own_folder = True

    def said_by_tiles(self):
        with open(os.path.join(self.folder, "count")) as file:
            return sum(int(line) for line in file)


class Speaker(Peer):
    """A client of the control protocol."""

    def __init__(self, city, dice):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(os.path.join(city.environment()["XDG_RUNTIME_DIR"], city.display))
        super().__init__(sock, KNOWN, dice, WORDS, self.artifact, SELDOM)
        registry = self.call(1, "get_registry")
        self.round_trip()
        self.bind(registry, "source_city_control_v1", dice.choice([1, 2, 3, 3, 3, 3]))
        self.round_trip()

    def artifact(self):
        return os.open(tile_path(self.dice.choice(ARTIFACTS)), os.O_RDONLY)

    def speak(self):
        """How many messages it took until it broke off, or until that is enough."""
        begin = self.sent
        try:
            for _ in range(self.dice.randrange(PER_PEER)):
                self.nonsense()
                self.read()
            if self.dice.random() < 0.5 and not self.cut:
                self.round_trip()
        except Broken:
            pass
        return self.sent - begin


def answers(city):
    """The names of the tiles."""
    return [tile["name"] for tile in city.ctl("state")[-1]["tiles"]]


def hand_over(city, dice):
    """One that is let go on to its end, whatever that is, with rollbacks among them."""
    names = answers(city)
    if not names:
        city.ctl("open", dice.choice(TILES), check=False)
        return
    name = dice.choice(names)
    if dice.random() < 0.15:
        city.run("cityctl", "rollback", name, check=False)
    try:
        swap(city, dice.choice(ARTIFACTS[:3]), "--strategy", dice.choice(STRATEGIES), tile=name)
    except subprocess.TimeoutExpired as error:
        raise CityError(f"{error}\n{city.said()[-6000:]}") from None


def goes_well(city):
    with open(os.path.join(city.folder, "well"), "w"):
        pass
    for name in answers(city):
        city.ctl("close", name)
    city.until(lambda: not answers(city), what="tiles are still there")
    city.ctl("open", "one")
    # The limits are short: on a busy machine it may take more than one.
    city.until(lambda: swap(city, "ledger-2", tile="one")[0] == 0, PATIENCE, "no handover goes well")
    with open(os.path.join(city.folder, "hasty"), "w"):
        pass

    def too_late():
        status, record, said = swap(city, "ledger-3", tile="one")
        check(status == 1, said)
        return "after the snapshot" in record["reason"]
    city.until(too_late, PATIENCE, "what it says after the snapshot is not refused")


def requests(count, seed):
    with StrayCity(seed) as city:
        dice = seeded(seed)
        compositor, keeper, sent, kills, killed = city.compositor(), city.keeper.pid, 0, 0, 0
        while sent < count:
            speakers = [Speaker(city, dice) for _ in range(dice.randrange(1, 4))]
            for speaker in speakers:
                sent += speaker.speak()
            for speaker in speakers:
                speaker.sock.close()
            hand_over(city, dice)
            check(city.compositor() == compositor, f"the compositor ended:\n{city.said()[-6000:]}")
            check(city.keeper.poll() is None, "the keeper ended")
            if sent > KILL_EVERY * (kills + 1) and (kills < 2 or time.monotonic() > killed + STEADY):
                kills += 1
                killed = time.monotonic()
                city.kill(compositor)
                compositor = city.until(lambda: city.compositor() not in (0, compositor) and city.compositor(),
                                        what="there is no other compositor")
                city.until(lambda: city.run("cityctl", "tiles", check=False).returncode == 0)
        goes_well(city)
        check(city.compositor() == compositor and city.keeper.pid == keeper, "the city is another one")
        city.stop()
        return sent, city.said_by_tiles()


def main():
    numbers = [int(word) for word in sys.argv[1:]]
    count, seed = (numbers + [600, 1][len(numbers):])[:2]
    print("1..1", flush=True)
    try:
        sent, by_tiles = requests(count, seed)
        print(f"ok 1 - {sent} requests of clients, {by_tiles} of tiles, seed {seed}")
    except (CityError, AssertionError, TimeoutError, subprocess.TimeoutExpired) as error:
        print(f"not ok 1 - requests, seed {seed}")
        for line in str(error).splitlines():
            print(f"# {line}")
        sys.exit(1)


if __name__ == "__main__":
    main()

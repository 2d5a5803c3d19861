#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The RISC-V tile in a city: a guest that counts, sleeps and prints is handed over, rolled back and brought
back from disk, and each of its lines comes once."""

import glob
import os
import re
import struct
import subprocess
import sys
import tempfile

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(SOURCE, "tests", "lib"))

from city import LIMIT, City, CityError, Lines, children, name_of  # noqa: E402
from tap import Skip, check, check_equal, run  # noqa: E402

REPLAY_LIMIT = 5 * LIMIT  # a hundred runs of the machine, perhaps beside much else
PREFIX = os.path.join(os.environ["SOURCE_CITY_BUILD"], "prefix")
TILES = os.path.join(PREFIX, "lib", "source-city", "tiles")
SOURCES = os.path.join(PREFIX, "share", "source-city", "tiles")
ARTIFACTS = {name: os.path.join(TILES, name + ".so") for name in ("riscv", "riscv-fast")}
GUEST = os.environ.get("SOURCE_CITY_TEST_RISCV_GUEST",
                       os.path.join(os.environ["SOURCE_CITY_BUILD"], "tests", "riscv", "guest", "tile_guest.elf"))


def config(**options):
    lines = [f"tile machine {{\n\tartifact {ARTIFACTS['riscv']}\n\tat 40 40\n\tsize 1020 680"]
    lines += [f"\toption {key} \"{value}\"" for key, value in options.items()]
    return "\n".join(lines) + "\n}\n"


class Console:
    """What the guest says, line by line. Each number has to come once, in its order."""

    def __init__(self, city, tile="machine"):
        self.city = city
        self.tile = tile
        # The server of a console that has just been opened may not listen yet.
        self.process = city.until(self._open, what=f"{tile} has no console")
        self.count = None

    def _open(self):
        process = self.city.popen("cityctl", "console", self.tile, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = Lines(process.stdout)
        self.first = self.lines.next()
        return process if self.first is not None else None

    def next(self):
        line, self.first = (self.first, None) if self.first is not None else (self.lines.next(), None)
        if line is None:
            raise CityError(f"the guest says nothing; the log:\n{self.city.said()[-3000:]}")
        line = line.rstrip("\r")
        if "LOST" in line:
            raise CityError(f"the guest: {line}")
        if line == "hello":
            self.count = 0
        number = re.fullmatch(r"n (\d+)", line)
        if number:
            if self.count is not None:
                check_equal(int(number[1]), self.count + 1, "the next number")
            self.count = int(number[1])
        return line

    def numbers(self, count):
        """So many of them."""
        while count > 0:
            count -= self.next().startswith("n ")

    def until(self, wanted):
        while self.next() != wanted:
            pass

    def type(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()


def setup(city, cell="setup", tile="machine"):
    return city.ctl("vat", tile, cell)[0]["cells"][0]["values"][0]


def failed(city, tile):
    return city.until(lambda: setup(city, tile=tile)["phase"] == 3 and setup(city, tile=tile)["why"],
                      what=f"{tile} does not say what is wrong")


def pause(city, wanted):
    city.ctl("run", "focus", "machine")
    city.type("-M", "ctrl", "-M", "shift", "-k", "p", "-m", "shift", "-m", "ctrl")
    city.until(lambda: setup(city, "pace")["paused"] == wanted, what="it was not paused, or does not go on")


def handovers():
    """From one processor to the other and back, in the middle of its work; and back again after that."""
    with City(config(elf=GUEST, memory="64M")) as city:
        city.wait_tile("machine")
        console = Console(city)
        console.until("hello")
        console.numbers(3)
        # What it did until now, once more, with handovers on the way: nothing is kept outside of its cells.
        said = city.run("cityctl", "test", "machine", limit=REPLAY_LIMIT).stdout.decode()
        check("ok: machine passes" in said, said)
        for name in ("riscv-fast", "riscv", "riscv-fast", "riscv", "riscv-fast"):
            record = city.ctl("swap", "machine", "--artifact", ARTIFACTS[name], "--settled")[-1]
            check(record["event"] != "failed", f"the handover to {name}: {record}")
            console.numbers(3)
        city.ctl("rollback", "machine", limit=LIMIT)
        console.numbers(3)
        console.type("x")
        console.until("key x")
        steps = setup(city, "board")["steps"]
        check(steps > 100000, f"only {steps} steps")
        # The picture of a machine that runs changes nothing of it either.
        check_equal(setup(city, "board")["ended"], False, "a machine that runs")
        # It goes on where nobody sees it.
        city.ctl("run", "focus", "machine")
        city.ctl("run", "minimize")
        console.numbers(5)


def disk():
    """After the city has ended the machine goes on where it was saved."""
    city = City(config(elf=GUEST, memory="64M"))
    with city:
        city.wait_tile("machine")
        console = Console(city)
        console.numbers(3)
        pause(city, True)
        saved = {cell: setup(city, cell) for cell in ("board", "harts", "uart")}
        city.ctl("checkpoint", "machine")
        city.own_folder = False
        city.stop()
        with City(config(elf=GUEST, memory="64M"), folder=city.folder) as again:
            again.wait_tile("machine")
            for cell, value in saved.items():
                check_equal(setup(again, cell), value, f"the {cell}")
            pause(again, False)
            Console(again).numbers(3)
        city.own_folder = True


def idle():
    """A guest that waits for ever costs nothing, and wakes for a key."""
    clock = f"tile clock {{\n\tartifact {os.path.join(TILES, 'clock.so')}\n\tat 40 760\n\tsize 300 200\n}}\n"
    with City(config(elf=GUEST, memory="64M") + clock, height=1000) as city:
        city.wait_tile("machine")
        city.wait_tile("clock")
        console = Console(city)
        console.numbers(2)
        console.type("h")
        console.until("halted")
        # The picture of it is taken once more, then nothing.
        city.until(lambda: setup(city, "pace")["idle"] and setup(city, "shown")["next_ns"] == 2**64 - 1,
                   what="it does not come to rest")
        updates = city.ctl("vat", "machine", "pace")[0]["updates"]
        seconds = setup(city, "count", "clock")["seconds"]
        city.until(lambda: setup(city, "count", "clock")["seconds"] > seconds + 2, what="the clock stands")
        check_equal(city.ctl("vat", "machine", "pace")[0]["updates"], updates, "updates of a machine that waits")
        console.type("x")
        console.until("key x")
        console.numbers(2)


def ends():
    """Its own restart, a guest that runs wild, a restart by hand."""
    clock = f"tile clock {{\n\tartifact {os.path.join(TILES, 'clock.so')}\n\tat 40 760\n\tsize 300 200\n}}\n"
    with City(config(elf=GUEST, memory="64M", harts="2") + clock, height=1000) as city:
        city.wait_tile("machine")
        city.wait_tile("clock")
        console = Console(city)
        console.numbers(2)
        console.type("r")
        console.until("hello")
        console.until("n 1")
        check_equal(setup(city, "board")["resets"], 1, "restarts")
        console.type("w")
        console.until("wild")
        seconds = setup(city, "count", "clock")["seconds"]
        steps = setup(city, "board")["steps"]
        city.until(lambda: setup(city, "count", "clock")["seconds"] > seconds + 1,
                   what="the clock stands beside a guest that runs wild")
        city.until(lambda: setup(city, "board")["steps"] > steps + 1000000, what="the guest stands")
        # It answers, and can be handed over.
        record = city.ctl("swap", "machine", "--artifact", ARTIFACTS["riscv-fast"])[-1]
        check(record["event"] != "failed", f"the handover: {record}")
        pause(city, True)
        steps = setup(city, "board")["steps"]
        city.type("-M", "ctrl", "-M", "shift", "-k", "s", "-m", "shift", "-m", "ctrl")
        city.until(lambda: setup(city, "board")["steps"] == steps + 1, what="it was not stepped")
        city.type("-M", "ctrl", "-M", "shift", "-k", "r", "-k", "p", "-m", "shift", "-m", "ctrl")
        console.until("hello")
        console.until("n 1")


WRONG = (
    ({}, "there is nothing to run: option elf FILE"),
    ({"elf": "/nowhere/guest"}, "option elf: /nowhere/guest: No such file or directory"),
    ({"elf": "guest"}, "has to begin with /"),
    ({"elf": GUEST, "memory": "many"}, "\"many\" is no size; it is written 64M or 1G"),
    ({"elf": GUEST, "memory": "1K"}, "out of bounds"),
    ({"elf": GUEST, "harts": "9"}, "\"9\" is not 1 to 4"),
    ({"kernel": GUEST}, "needs a firmware"),
    ({"elf": GUEST, "network": "everything"}, "\"everything\" is neither user nor off"),
    ({"elf": "/bin/true"}, "option elf: "),
    ({"elf": "/etc/passwd"}, "option elf: not an ELF file; with option flat yes"),
    ({"elf": "/tmp"}, "option elf: /tmp: not an ordinary file"),
    ({"firmware": GUEST, "initrd": GUEST, "memory": "1M", "kernel": "/dev/null"}, "not an ordinary file"),
)


SIDE, STATE_DOT = (0x19, 0x1e, 0x25), (12, 20)


def by_hand():
    """Stopped while it waits for a timer, and stepped: the wait is left out, and nothing else."""
    with City(config(elf=GUEST, memory="64M")) as city:
        city.wait_tile("machine")
        console = Console(city)
        console.numbers(3)
        city.ctl("run", "focus", "machine")
        for wanted in (True, False, True):
            pause(city, wanted)
        steps, origin = setup(city, "board")["steps"], setup(city, "pace")["origin"]
        step = ("-M", "ctrl", "-M", "shift", "-k", "s", "-m", "shift", "-m", "ctrl")
        for i in range(1, 40):
            city.type(*step)
            city.until(lambda: setup(city, "board")["steps"] == steps + i, what=f"step {i} was not made")
            if i > 5 and setup(city, "pace")["origin"] != origin:
                break
        check(setup(city, "pace")["origin"] < origin, "it never waited, or its time stands")
        pause(city, False)
        console.numbers(5)


def small():
    """What there is no room for is left out, not cut off."""
    def tile(name, x, y, width, height):
        return (f"tile {name} {{\n\tartifact {ARTIFACTS['riscv']}\n\tat {x} {y}\n\tsize {width} {height}\n"
                f"\toption elf {GUEST}\n\toption memory 64M\n}}\n")
    sizes = {"low": (10, 40, 870, 420), "lower": (10, 500, 870, 250), "narrow": (900, 40, 200, 140),
             "narrower": (900, 220, 120, 90)}
    text = "".join(tile(name, *size) for name, size in sizes.items())
    with City(text, width=1280, height=800) as city:
        for name, (_, _, width, height) in sizes.items():
            city.wait_tile(name)
            city.until(lambda tile=name: setup(city, "shown", tile=tile)["steps"] > 0, what=f"{name} shows nothing")
            x, y, shown_width, shown_height = city.box(name)
            check_equal((shown_width, shown_height), (width, height), f"the size of {name} on the screen")
            # Left of what it does there is nothing, and right of that the mark of it.
            city.until(lambda at=(x, y): city.pixels((at[0] + STATE_DOT[0], at[1] + 16, 1, 1))[0][0] != SIDE,
                       what=f"{name} does not say what it does")
            margin = {pixel for row in city.pixels((x + 1, y + 1, 10, 30)) for pixel in row}
            check_equal(margin, {SIDE}, f"left of what {name} does")
            if width >= 860:
                below = {pixel for row in city.pixels((x + width - 360, y + height - 8, 350, 8)) for pixel in row}
                check_equal(below, {SIDE}, f"below what {name} shows of the machine")


def mistakes():
    """What cannot be run says why, in one line, and the tile is there."""
    text = "".join(config(**options).replace("tile machine", f"tile wrong-{i}")
                   for i, (options, _) in enumerate(WRONG))
    with City(text) as city:
        for i, (_, expected) in enumerate(WRONG):
            city.wait_tile(f"wrong-{i}")
            why = failed(city, f"wrong-{i}")
            check(expected in why and "\n" not in why, f"wrong-{i} says {why!r}")
        # Mended by another version of the options it would go on; it can be tried again meanwhile.
        check_equal(len(city.ctl("tiles")), len(WRONG), "tiles")


def flat():
    """An image without headers, if it is said to be one."""
    with tempfile.NamedTemporaryFile() as image:
        # It powers the machine off: li t0, 0x100000; li t1, 0x5555; sw t1, 0(t0); j .
        image.write(struct.pack("<5I", 0x001002b7, 0x00005337, 0x5553031b, 0x0062a023, 0x0000006f))
        image.flush()
        with City(config(elf=image.name, flat="yes", memory="1M")) as city:
            city.wait_tile("machine")
            city.until(lambda: setup(city, "board")["ended"], what="it does not end")
            check_equal((setup(city)["phase"], setup(city, "board")["exit_code"]), (2, 0), "how it ended")


def no_network():
    """What nobody can serve is said once; the machine runs without it."""
    if not os.path.exists(os.path.join(PREFIX, "bin", "source-city-net")):
        raise Skip("source-city-net was not built")
    with City(config(elf=GUEST, memory="64M", network="user", forward="tcp:1:1 nonsense")) as city:
        city.wait_tile("machine")
        Console(city).numbers(3)
        city.until(lambda: "there is no network: source-city-net ended with 2" in city.said(), what="nobody says why")
        check("--forward nonsense: it begins with tcp: or udp:" in city.said(), city.said())
        check_equal(setup(city, "net")["link"], False, "the link")
        record = city.ctl("swap", "machine", "--artifact", ARTIFACTS["riscv-fast"])[-1]
        check(record["event"] != "failed", f"the handover: {record}")
        Console(city).numbers(3)
        check_equal((setup(city, "network")["starts"], city.said().count("there is no network")), (1, 1), "starts, lines")


def network_anew():
    """A machine that starts anew has its card, also where the version before had one and its state is not kept."""
    if not os.path.exists(os.path.join(PREFIX, "bin", "source-city-net")):
        raise Skip("source-city-net was not built")
    with City(config(elf=GUEST, memory="64M", network="user")) as city:
        city.wait_tile("machine")

        def linked(starts):
            return setup(city, "net")["link"] and setup(city, "network")["starts"] == starts
        city.until(lambda: linked(1), what="no link")
        record = city.ctl("swap", "machine", "--artifact", ARTIFACTS["riscv-fast"], "--state", "reset", "--settled")[-1]
        check(record["event"] != "failed", f"the handover: {record}")
        city.until(lambda: linked(1), what="no link after its state was reset")
        Console(city).numbers(2)
        city.ctl("run", "focus", "machine")
        city.type("-M", "ctrl", "-M", "shift", "-k", "r", "-m", "shift", "-m", "ctrl")
        city.until(lambda: linked(2), what="no link after a restart")
        check("no network" not in city.said(), city.said())
        mine = [pid for pid in children(city.keeper.pid) if name_of(pid) == "source-city-net"]
        check_equal(len(mine), 1, "programs")


def sources():
    """What is installed for the forge is all that it needs."""
    known = {"tile.h", "transport.h", "vat.h"}
    for name in ARTIFACTS:
        folder = os.path.join(SOURCES, name)
        there = set(os.listdir(folder))
        check(len(there) > 40, f"{len(there)} files in {folder}")
        for path in glob.glob(os.path.join(folder, "*")):
            with open(path) as file:
                for header in re.findall(r'^#include "([^"]+)"', file.read(), re.MULTILINE):
                    check(header in there | known, f"{path} includes {header}, which is not there")


run([handovers, disk, idle, ends, by_hand, small, mistakes, flat, no_network, network_anew, sources])

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the keeper of test_requests.py runs in place of source-city-tile: it speaks source-city-tile-v1 well up to some
moment that chance chooses, and then nonsense as well, on its connection and on its wire to the keeper.

STRAY_FOLDER: where `well` says that all is to go well from now on, `hasty` that versions are ready before they have the
snapshot that they asked for, and where `count` gets what was sent.
STRAY_SEED: of the dice, beside the number that the keeper gives the process."""

import array
import mmap
import os
import select
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, os.environ["STRAY_TESTS"])

from nonsense import Broken, Peer, core_xml, interfaces, keeper_types, own_xml, seeded  # noqa: E402

FOLDER = os.environ["STRAY_FOLDER"]
TYPES = keeper_types()
HEAD = struct.Struct("=IIQQQ16s16siiHHHHHHI64s")  # struct keeper_message up to its text
WIRE_VERSION = 2
STAGES = ["bind", "described", "ready", "attached", "yielded", "checked", "late", "never"]
WORDS = ["ledger", "proof", "terminal", "", "https://example.org/", "file:///etc/passwd", "shell", "x" * 63, "x" * 64]
SELDOM = {
    ("wl_display", "get_registry"): 0.05,
    ("wl_display", "sync"): 0.2,
    # A crash loop is no news; what comes before it is.
    ("source_city_tile_v1", "destroy"): 0.03,
    ("source_city_tile_v1", "failed"): 0.2,
    ("source_city_tile_v1", "ready"): 0.2,
    ("source_city_tile_v1", "rejoin"): 0.1,
    ("source_city_tile_v1", "describe"): 0.1,
    ("source_city_tile_v1", "prebuild"): 0.3,
    ("source_city_tile_v1", "open_uri"): 0.5,
    ("source_city_tile_manager_v1", "get_tile"): 0.1,
    ("wl_shm", "create_pool"): 0.3,
    ("wl_registry", "bind"): 0.1,
}


class Stray:
    def __init__(self):
        self.keeper = socket.socket(fileno=int(os.environ["SOURCE_CITY_KEEPER_FD"]))
        self.peer = None
        self.instance = 0
        self.sent = 0
        self.attached = False
        self.events = []
        self.tile = self.surface = self.buffer = None

    # --- the keeper

    def hear_keeper(self):
        """False when it has gone."""
        try:
            data, ancillary, _, _ = self.keeper.recvmsg(16384, socket.CMSG_SPACE(16))
        except OSError:
            return False
        if not data:
            return False
        fds = array.array("i")
        for _, _, payload in ancillary:
            fds.frombytes(payload[:len(payload) // 4 * 4])
        fields = HEAD.unpack_from(data)
        if fields[1] == TYPES["ASSUME"] and len(fds) >= 3:
            self.instance = fields[3]
            self.uuid = fields[5]
            self.dice = seeded(os.environ.get("STRAY_SEED", "1"), self.instance)
            self.well = os.path.exists(os.path.join(FOLDER, "well"))
            self.hasty = os.path.exists(os.path.join(FOLDER, "hasty"))
            self.wild_from = "never" if self.well else self.dice.choice(STAGES)
            self.wild = False
            self.connect(fds.pop(0), False)
        elif fields[1] == TYPES["RECONNECT"] and len(fds) >= 1:
            if self.peer:
                self.peer.sock.close()
            self.connect(fds.pop(0), True)
        for fd in fds:
            os.close(fd)
        return True

    def bother_keeper(self):
        dice = self.dice
        text = b"".join(dice.choice([b"", b"a", b"/nonexistent", b"A=b", dice.randbytes(30).replace(b"\0", b"x")]) + b"\0"
                        for _ in range(dice.randrange(5)))
        kind = dice.choice([dice.randrange(0, len(TYPES) + 3), TYPES["STREAM_PUT"], TYPES["STREAM_CLAIM"]])
        if kind == TYPES["PTY_OPEN"] and dice.random() < 0.9:
            return  # each is a process
        name = dice.choice([b"shell", b"", b".undo", b"host.recording", b"n" * 64, dice.randbytes(20)])
        uuid = dice.choice([self.uuid, dice.randbytes(16)])
        data = HEAD.pack(WIRE_VERSION, kind, dice.randrange(5), dice.randrange(9), dice.getrandbits(40), uuid,
                         dice.randbytes(16), dice.randrange(-1, 99), dice.randrange(-1, 99), dice.randrange(4),
                         dice.randrange(3), 80, 24, 0, 0, len(text), name) + text
        odd = dice.random()
        if odd < 0.05:
            data = data[:dice.randrange(len(data))]
        elif odd < 0.1:
            data = dice.randbytes(dice.choice([1, 100, 9000]))
        fds = [self.peer.odd_file() for _ in range(dice.choice([0, 1, 1, 4]))]
        try:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            self.keeper.sendmsg([data], rights, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            self.sent += 1
        except OSError:
            pass
        for fd in fds:
            os.close(fd)

    # --- the compositor

    def connect(self, fd, again):
        self.peer = peer = Peer(socket.socket(fileno=fd), KNOWN, self.dice, WORDS, self.some_file, SELDOM)
        registry = peer.call(1, "get_registry")
        peer.round_trip()
        compositor = peer.bind(registry, "wl_compositor", 4)
        shm = peer.bind(registry, "wl_shm", 1)
        manager = peer.bind(registry, "source_city_tile_manager_v1")
        self.at("bind")
        self.surface = peer.call(compositor, "create_surface")
        self.tile = peer.call(manager, "get_tile", self.surface)
        self.buffer, self.size = None, (0, 0)
        self.shm = shm
        waits = self.describe()
        self.at("described")
        if again:
            standing = self.dice.choice([0, 0, 0, 1, 2]) if self.wild_from != "never" else 0
            peer.call(self.tile, "rejoin", standing, 0, self.dice.choice([1, 1, 2, 7]))
            self.draw()
        elif waits:
            return
        else:
            peer.call(self.tile, "ready")
        self.at("ready")

    def describe(self):
        call, dice = self.peer.call, self.dice
        call(self.tile, "describe", "ledger", "ledger", "A stray one", 2, 120, 80)
        call(self.tile, "describe_schema", 1, dice.randrange(3))
        for _ in range(dice.choice([0, 0, 1, 3])):
            call(self.tile, "describe_change", "cell", dice.choice([0, 1, 2, 3, 5]))
        for i in range(dice.choice([0, 0, 1, 70])):
            call(self.tile, "describe_port", f"port-{i}", "samples", dice.randrange(2), i)
        call(self.tile, "describe_time", dice.randrange(3), 0, dice.choice([0, 1000000]), dice.choice([0, 0, 30]))
        if dice.random() < 0.2 or self.hasty:
            call(self.tile, "prebuild", 0, dice.choice([4096, 1 << 20, 0xffffffff]))
            return not self.hasty and (self.well or dice.random() < 0.8)
        return False

    def some_file(self):
        fd = os.memfd_create("stray")
        os.ftruncate(fd, 120 * 80 * 4)
        return fd

    def draw(self):
        call, (width, height) = self.peer.call, self.size
        if not width or not height or width * height > 1 << 22:
            width, height = 120, 80
        fd = os.memfd_create("stray")
        os.ftruncate(fd, width * height * 4)
        with mmap.mmap(fd, width * height * 4) as pixels:
            pixels[:64] = b"\x40\x80\xc0\xff" * 16
        pool = call(self.shm, "create_pool", fd, width * height * 4)
        buffer = call(pool, "create_buffer", 0, width, height, width * 4, 1)
        call(pool, "destroy")
        call(self.surface, "attach", buffer, 0, 0)
        call(self.surface, "damage", 0, 0, width, height)
        call(self.surface, "commit")

    def at(self, stage):
        """Something has been reached."""
        self.wild |= stage == self.wild_from
        if self.wild:
            self.burst()

    def burst(self):
        for _ in range(self.dice.choice([1, 3, 10, 40])):
            if self.dice.random() < 0.1:
                self.bother_keeper()
            else:
                self.peer.nonsense()

    def handle(self, target, interface, event, values):
        if interface == "source_city_tile_v1":
            self.events.append((event, values))

    def answer(self, event, values):
        dice, call = self.dice, self.peer.call
        if self.wild and dice.random() < 0.1:
            return  # and wait for the limit
        if event == "configure":
            self.size = values[1], values[2]
            call(self.tile, "ack_configure", values[0])
            if self.attached:
                self.draw()
        elif event == "attach":
            now = time.monotonic_ns()
            call(self.tile, "continuity", 0, 1000, dice.randrange(9), 0, 100, 0, 100)
            call(self.tile, "attached", values[0], now >> 32, now, 0, 4096, 0, 0)
            self.attached = True
            self.draw()
            self.at("attached")
        elif event == "resume":
            self.draw()
        elif event == "migrate":
            if self.wild and dice.random() < 0.1:
                call(self.tile, "refused", values[0], "not now")
            else:
                call(self.tile, "yielded", values[0], 0, 1, 0, 1)
            self.at("yielded")
        elif event == "check":
            call(self.tile, "checked", values[0], int(not self.wild or dice.random() < 0.9), "")
            self.at("checked")
        elif event == "snapshot" and not self.attached:
            call(self.tile, "ready")
            self.at("ready")
        elif event == "prepare":
            call(self.tile, "prepared")
        elif event == "track":
            call(self.tile, "tracking", 1)
        elif event == "retire":
            self.at("late")
            raise Broken("retired")

    def run(self):
        while True:
            ready = select.select([self.keeper] + ([self.peer.sock] if self.peer else []), [], [],
                                  0.05 if self.peer and self.wild else None)[0]
            try:
                if self.keeper in ready and not self.hear_keeper():
                    return
                if self.peer:
                    self.go_on(not ready)
            except Broken as end:
                if str(end) == "retired" or self.dice.random() < 0.7:
                    return
                # As one whose connection broke: it waits for the next compositor, or for its end.
                self.sent += self.peer.sent
                self.peer.sock.close()
                self.peer = None

    def go_on(self, idle):
        self.peer.read(self.handle)
        for event, values in self.events:
            self.answer(event, values)
        self.events = []
        if self.wild and idle:
            self.burst()

    def tell(self):
        count = self.sent + (self.peer.sent if self.peer else 0)
        with open(os.path.join(FOLDER, "count"), "a") as file:
            file.write(f"{count}\n")


KNOWN = interfaces(core_xml(), own_xml("source-city-tile-v1"))
stray = Stray()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
try:
    stray.run()
finally:
    stray.tell()

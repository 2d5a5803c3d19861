# SPDX-License-Identifier: MIT
"""Boots the machine, starts the city on its screen, and uses it as its user would. Prints TAP.

usage: drive.py IMAGES SCRATCH [--with city|sway] [--png DIR] [--keep]
"""

import argparse
import os
import sys
import time
import traceback

from machine import Machine, MachineError

MARK = "/tmp/typed-by-hand"


class Tap:
    def __init__(self):
        self.number = 0
        self.failed = 0

    def ok(self, what, true, detail=""):
        self.number += 1
        print(f"{'ok' if true else 'not ok'} {self.number} - {what}", flush=True)
        if not true:
            self.failed += 1
        for line in detail.splitlines() if detail and not true else []:
            print(f"# {line}", flush=True)
        return true

    def note(self, what):
        print(f"# {what}", flush=True)

    def end(self):
        print(f"1..{self.number}", flush=True)
        return 1 if self.failed else 0


class Session:
    """What differs between the compositors that can be put on the machine's screen."""

    log = "/tmp/session.log"

    def __init__(self, machine):
        self.machine = machine

    def socket(self):
        return self.machine.wait_for(
            "cd $XDG_RUNTIME_DIR && ls | grep -x 'wayland-[0-9]*' | head -n 1 | grep .", 180).strip()


class Sway(Session):
    def start(self):
        config = b"output * bg #204060 solid_color\nexec foot\n"
        self.machine.write("/home/city/sway.conf", config)
        self.machine.start_program("sway --config /home/city/sway.conf", self.log)
        self.socket()
        self.machine.wait_for("pgrep -x foot", 180)


class City(Session):
    def start(self):
        self.machine.start_program("source-city", self.log)
        self.socket()
        self.machine.wait_for("cityctl tiles", 180)


SESSIONS = {"city": City, "sway": Sway}


def type_until(machine, text, check, timeout=120):
    """The terminal may not listen yet: type the line again until it was done."""
    deadline = time.monotonic() + timeout
    while True:
        machine.type(text + "\n")
        for _ in range(20):
            if machine.run(check)[0] == 0:
                return True
            time.sleep(0.5)
        if time.monotonic() > deadline:
            return False


def drive(machine, options, tap):
    start = time.monotonic()
    accel, release = machine.boot()
    tap.ok("the machine boots", True)
    tap.note(f"Linux {release} on {accel}, {time.monotonic() - start:.0f} s")
    machine.wait_for("test -e /dev/dri/card0 && test -e /run/seatd.sock", 60)

    session = SESSIONS[options.session](machine)
    start = time.monotonic()
    session.start()
    tap.note(f"{options.session} answers after {time.monotonic() - start:.0f} s")
    tap.ok("typing on the keyboard reaches the shell in the terminal",
           type_until(machine, f"echo $PPID $$ >{MARK}", f"test -s {MARK}"),
           machine.run(f"tail -n 30 {session.log}")[1])
    shot = os.path.join(options.png, "vm-before.png")
    machine.screendump(shot)
    tap.ok("the screen shows more than one colour", colours(shot) > 8)
    return session


def colours(path):
    """How many different bytes the PNG's pixels hold: a blank screen has few."""
    import struct
    import zlib
    with open(path, "rb") as file:
        data = file.read()
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += size + 12
    return len(set(zlib.decompress(packed)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("images")
    parser.add_argument("scratch")
    parser.add_argument("--with", dest="session", choices=sorted(SESSIONS), default="city")
    parser.add_argument("--png", default=None)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    options.png = options.png or options.scratch

    tap = Tap()
    machine = Machine(options.images, os.path.join(options.scratch, "city.ext4"), options.scratch,
                      vnc=7 if options.keep else None)
    session = None
    try:
        session = drive(machine, options, tap)
        if options.keep:
            print("# look with a VNC viewer at 127.0.0.1:5907; Ctrl-C ends", flush=True)
            machine.process.wait()
    except KeyboardInterrupt:
        pass
    except MachineError as error:
        tap.ok("the machine goes on", False, str(error))
        if machine.process:
            try:
                tap.note(machine.run(f"tail -n 40 {Session.log}")[1].replace("\n", "\n# "))
            except (MachineError, OSError):
                pass
        traceback.print_exc(file=sys.stderr)
    finally:
        machine.off()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

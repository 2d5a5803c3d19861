# SPDX-License-Identifier: MIT
"""Boots the machine, starts the city on its screen, and uses it as its user would. Prints TAP.

usage: drive.py IMAGES SCRATCH [--with city|sway] [--png DIR] [--keep]
"""

import argparse
import json
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
            "cd $XDG_RUNTIME_DIR && ls | grep -x 'wayland-[0-9]*' | head -n 1 | grep .").strip()


class Sway(Session):
    def start(self):
        config = b"output * bg #204060 solid_color\nexec foot\n"
        self.machine.write("/home/city/sway.conf", config)
        self.machine.start_program("sway --config /home/city/sway.conf", self.log)
        self.socket()
        self.machine.wait_for("pgrep -x foot")

    def handover(self, tap, options):
        tap.ok("handover # skip sway has none", True)

    def end(self, tap):
        self.machine.run("pkill -x sway")


class City(Session):
    source = "/home/city/terminal"
    # An emulated machine is some thirty times slower, and shares the cores with other tests.
    patience = ("SOURCE_CITY_LIMITS=melt=15000,spawn=120000,warm=240000,migrate=60000,attach=60000,"
                "frame=60000,check=60000,retire=60000,late=60000,missed=0 "
                "SOURCE_CITY_BUILD_SECONDS=600")

    # Small, as every pixel of the melt is computed by the emulated processor.
    config = b"tile terminal {\n\tat 40 80\n\tsize 480 320\n}\n"

    def start(self):
        self.machine.run("mkdir -p ~/.config/source-city")
        self.machine.write("/home/city/.config/source-city/config", self.config)
        self.machine.start_program(f"env {self.patience} SOURCE_CITY_LOG=debug source-city", self.log)
        self.ctl = f"cityctl --socket {self.socket()}"
        self.machine.wait_for(f"{self.ctl} tiles --json | grep '\"name\": *\"terminal\"' |"
                              f" grep '\"live\"'")
        self.machine.run(f"{self.ctl} run focus terminal")

    def handover(self, tap, options):
        """The terminal's own source is changed while a program prints in it."""
        machine = self.machine
        machine.write("/tmp/program.sh", PROGRAM)
        machine.type("sh /tmp/program.sh\n")
        machine.wait_for("test -s /tmp/count")
        before = picture(machine, options, "vm-running")
        pid = machine.read("/tmp/pid").decode().strip()

        status, output = machine.run(
            f"cp -r /mnt/prefix/share/source-city/tiles/terminal {self.source} && "
            f"sed -i 's/{OLD}/{NEW}/' {self.source}/theme.c && grep -q {NEW} {self.source}/theme.c")
        if not tap.ok("the terminal's source can be changed", status == 0, output):
            return
        start = time.monotonic()
        machine.start_program(f"{self.ctl} swap terminal --source {self.source} --settled --json",
                              "/tmp/swap.log")
        melting = self.melting(options)
        output = machine.wait_for(f"grep '{ENDED}' /tmp/swap.log")
        record = json.loads(output.strip().splitlines()[-1])
        tap.note(f"handover after {time.monotonic() - start:.0f} s: " + json.dumps(
            {name: record.get(name) for name in ("result", "step", "reason", "strategy", "pause_us",
                                                 "build_us", "frames_shown", "frames_dropped")}))
        if not tap.ok("the new version is live", record.get("result") == "live", output):
            return
        machine.wait_for(f"test $(cat /tmp/count) -gt {int(machine.read('/tmp/count')) + 5}")
        tap.ok("the program in it ran on",
               machine.read("/tmp/pid").decode().strip() == pid and
               machine.run(f"kill -0 {pid} && ! test -e /tmp/hangup")[0] == 0)
        after = picture(machine, options, "vm-after")
        tap.ok("the old background is on the screen before, the new one after",
               share(before, OLD) > 0.05 > share(before, NEW) and
               share(after, NEW) > 0.05 > share(after, OLD),
               f"before {share(before, OLD):.3f} {share(before, NEW):.3f} "
               f"after {share(after, OLD):.3f} {share(after, NEW):.3f}")
        between = [f"{share(frame, OLD):.3f} {share(frame, NEW):.3f}" for frame in melting
                   if share(frame, OLD) < 0.9 * share(before, OLD)
                   and share(frame, NEW) < 0.9 * share(after, NEW)]
        tap.note(f"{len(melting)} screen dumps of the melt, between the two: {between}")
        tap.ok("it melts", record.get("strategy") == "melt" and between, output)
        said = machine.run(f"grep -a '\\(warn\\|debug\\|error\\) effects' {self.log}")[1]
        tap.note(said.strip().replace("\n", "\n# "))
        tap.ok("the melt is drawn into dmabufs, not read back",
               ", dmabufs" in said and "warn effects" not in said, said)

    def melting(self, options):
        """What the screen shows while it melts."""
        frames = []
        self.machine.wait_for(f"grep '\"melt\"\\|{ENDED}' /tmp/swap.log", 1200)
        while self.machine.run(f"grep '\"probation\"\\|{ENDED}' /tmp/swap.log")[0]:
            frames.append(picture(self.machine, options, f"vm-melt-{len(frames)}"))
        return frames

    def end(self, tap):
        machine = self.machine
        machine.run(f"{self.ctl} quit")
        machine.wait_for("! pgrep source-city")
        left = machine.run("ls $XDG_RUNTIME_DIR; ls /dev/shm")[1].split()
        tap.ok("it ends and leaves nothing behind", not left, " ".join(left))


SESSIONS = {"city": City, "sway": Sway}

OLD, NEW = "0x11151c", "0x7a1433"
# What cityctl says at the end: the record of a handover, or that there was none, as of a build that failed.
ENDED = '"result"\\|"failed"'
PROGRAM = b"""trap 'echo >/tmp/hangup; exit 1' HUP
echo $$ >/tmp/pid
n=0
while :; do
	n=$((n + 1))
	echo "$n this program runs on"
	echo $n >/tmp/count.new && mv /tmp/count.new /tmp/count
	sleep 0.2
done
"""


def type_until(machine, text, check, timeout=600):
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


def picture(machine, options, name):
    """A PNG to look at; the same as rows of RGB to count in."""
    path = os.path.join(options.png, name)
    machine.screendump(path + ".png")
    machine.screendump(path + ".ppm", "ppm")
    with open(path + ".ppm", "rb") as file:
        data = file.read().split(b"\n", 3)[3]
    os.unlink(path + ".ppm")
    return data


def share(pixels, colour):
    """How much of the screen has that colour."""
    wanted = bytes.fromhex(colour[2:])
    return sum(pixels[i:i + 3] == wanted for i in range(0, len(pixels), 3)) / (len(pixels) / 3)


def effects(machine, tap):
    """The effects engine's own test between dmabufs, on the screen's device."""
    status, output = machine.run("test -x /mnt/vm/test-effects-dmabuf && "
                                 "/mnt/vm/test-effects-dmabuf /mnt/prefix/share/source-city/shaders drm", timeout=300)
    for line in output.splitlines():
        if line.startswith(("ok ", "not ok ")):
            tap.ok("effects: " + line.split(" - ", 1)[-1], line.startswith("ok "))
        elif line.startswith("#"):
            tap.note(line[1:].strip())
    tap.ok("effects: the test ran", status == 0, output[-2000:])


def drive(machine, options, tap):
    start = time.monotonic()
    accel, release = machine.boot()
    tap.ok("the machine boots", True)
    tap.note(f"Linux {release} on {accel}, {time.monotonic() - start:.0f} s")
    machine.wait_for("test -e /dev/dri/card0 && test -e /run/seatd.sock")

    if options.session == "city":
        effects(machine, tap)
    session = SESSIONS[options.session](machine)
    start = time.monotonic()
    session.start()
    tap.note(f"{options.session} answers after {time.monotonic() - start:.0f} s")
    if not tap.ok("typing on the keyboard reaches the shell in the terminal",
                  type_until(machine, f"echo $PPID $$ >{MARK}", f"test -s {MARK}"),
                  machine.run(f"tail -n 30 {session.log}")[1]):
        machine.screendump(os.path.join(options.png, "vm-before.png"))
        return
    pixels = picture(machine, options, "vm-before")
    tap.ok("the screen shows it", len(set(pixels[i:i + 3] for i in range(0, len(pixels), 3))) > 8)
    session.handover(tap, options)
    if not options.keep:
        session.end(tap)


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
    try:
        drive(machine, options, tap)
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

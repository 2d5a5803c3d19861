#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An unmodified Linux on the machine: to a shell, in which it is typed; a disk that it reads and
writes; and boots with many handovers between the implementations that end as the one without, to
the last bit of the machine.

With --full also with few handovers, which let each implementation run for long, interactively with a
handover about every 10 ms, on the plain implementation from power on to the end, and with several harts.
"""

import functools
import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tap import Skip, check, check_equal, run  # noqa: E402

PROMPT = b"city# "
WRITTEN = b"written by the guest"
COMMANDS = [b"sha256sum /dev/vda", b"echo %s >/dev/vda" % WRITTEN, b"sync", b"poweroff -f"]
DISK = random.Random(4).randbytes(64 * 1024)
REPORT = re.compile(rb"hash (\w+) console (\w+) steps (\d+) instret (\d+) handovers (\d+)")
FIRMWARE = "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin"


class Boot:
    """A folder with a disk, and what starts the machine with it."""

    def __init__(self, *options):
        guest = os.environ.get("SOURCE_CITY_GUEST")
        if not guest or not os.path.isdir(guest):
            raise Skip("no Linux was fetched")
        if not os.path.exists(FIRMWARE):
            raise Skip("no OpenSBI is installed")
        self.folder = tempfile.mkdtemp(prefix="riscv-linux-")
        self.disk = self.write("disk", DISK)
        self.command = ["riscv-run", "--kernel", f"{guest}/Image", "--initrd", f"{guest}/initramfs",
                        "--memory", "128M", "--disk", self.disk, *options]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def write(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def check_disk(self, console):
        wanted = hashlib.sha256(DISK).hexdigest().encode() + b"  /dev/vda"
        check(wanted in console, f"the guest's sha256sum is wrong: {tail(console)}")
        with open(self.disk, "rb") as file:
            check_equal(file.read(), WRITTEN + b"\n" + DISK[len(WRITTEN) + 1:], "what is on the disk")


def tail(text):
    return text[-2000:].decode(errors="replace")


def deterministic(*options):
    """Boots by instructions alone: what was on the console, the report, the number of handovers."""
    with Boot("--deterministic", "--hash", "--await", PROMPT.decode(), *options) as boot:
        typed = boot.write("typed", b"\n".join([*COMMANDS, b""]))
        done = subprocess.run([*boot.command, "--console", typed], stdin=subprocess.DEVNULL,
                              capture_output=True)
        report = REPORT.search(done.stderr)
        check(done.returncode == 0 and report,
              f"status {done.returncode}: {tail(done.stderr)} {tail(done.stdout)}")
        boot.check_disk(done.stdout)
        return done.stdout, report.groups()[:4], int(report.group(5))


@functools.cache
def unswapped():
    return deterministic()


def same_with(count):
    console, report, _ = unswapped()
    every = int(report[2]) // (count + 1)
    swapped_console, swapped_report, handovers = deterministic("--swap-every", str(every))
    check(handovers >= count, f"{handovers} handovers of {count}")
    check_equal(swapped_console, console, "the console")
    check_equal(swapped_report, report, "hash, console, steps and instret")


def interactive(*options, commands=()):
    """Types when the prompt is there, as somebody at a terminal does."""
    with Boot(*options) as boot:
        console = b""
        with subprocess.Popen(boot.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as machine:
            for command in (*commands, *COMMANDS):
                start = len(console)
                while PROMPT not in console[start:]:
                    more = os.read(machine.stdout.fileno(), 4096)
                    check(more, f"the machine ended: {tail(console)}")
                    console += more
                machine.stdin.write(command + b"\n")
                machine.stdin.flush()
            console += machine.stdout.read()
        check_equal(machine.returncode, 0, "the status")
        boot.check_disk(console)
        return console


def test_shell():
    console, _, handovers = unswapped()
    check_equal(handovers, 0, "handovers")
    check(b"Linux version" in console and b"reboot: Power down" in console, tail(console))


def test_shell_in_time():
    """With a network, where that was built."""
    if not shutil.which("source-city-net"):
        interactive()
        return
    console = interactive("--network", "--swap-every", "20000000", commands=[b"ip addr show eth0", b"ping -c 1 10.0.2.2"])
    check(b"inet 10.0.2.15/24" in console and b"1 packets received" in console, tail(console))


def test_10_handovers():
    same_with(10)


def test_10000_handovers():
    same_with(10000)


def test_plain():
    check_equal(deterministic("--implementation", "plain"), unswapped(), "on plain alone")


def test_without_native_code():
    check_equal(deterministic("--implementation", "fast-nojit"), unswapped(), "threaded alone")


def test_shell_with_a_handover_every_10_ms():
    interactive("--swap-every", "1000000")


def test_harts():
    console, report, _ = deterministic("--harts", "4")
    check(b"4 CPUs" in console, tail(console))
    every = int(report[2]) // 1000
    swapped_console, swapped_report, _ = deterministic("--harts", "4", "--swap-every", str(every))
    check_equal(swapped_console, console, "the console")
    check_equal(swapped_report, report, "hash, console, steps and instret")


if __name__ == "__main__":
    TESTS = [test_shell, test_shell_in_time, test_10000_handovers]
    if "--full" in sys.argv:
        sys.argv.remove("--full")
        TESTS += [test_10_handovers, test_plain, test_without_native_code, test_shell_with_a_handover_every_10_ms, test_harts]
    run(TESTS)

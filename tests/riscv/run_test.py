#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""riscv-run as its users have it: how guests end, what they print and read, what is refused with one
line. The guests are written in assembler here."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from disk import SmallDisk, in_namespace  # noqa: E402
from tap import Skip, check, check_equal, run  # noqa: E402

LIMIT = 60  # seconds: for a machine that is busy

GCC = "riscv64-unknown-elf-gcc"
FLAGS = ["-march=rv64gc", "-mabi=lp64d", "-nostdlib", "-static",
         "-Wl,-n,--no-relax,--no-warn-rwx-segments", "-Wl,-Ttext=0x80000000", "-x", "assembler"]
ENGINES = [["--implementation", "plain"], ["--implementation", "fast"],
           ["--implementation", "fast-nojit"], ["--swap-every", "1"]]
UART = 0x10000000
FINISHER = 0x100000
HTIF = """
	.section .tohost, "aw", @progbits
	.balign 64
	.globl tohost, fromhost
tohost: .dword 0
	.balign 64
fromhost: .dword 0
"""
EXIT = """
	la t0, tohost
	li t1, ({code} << 1) | 1
	sd t1, 0(t0)
	j .
""" + HTIF
# Calls the host with a0 and a1.
SEMIHOST = """
	.balign 16
	.option push
	.option norvc
	slli x0, x0, 0x1f
	ebreak
	srai x0, x0, 7
	.option pop
"""

OWN_DISKS = in_namespace()  # begins anew where they can be had
folder = tempfile.mkdtemp(prefix="riscv-run-")


def program(name, text):
    if not shutil.which(GCC):
        raise Skip(f"no {GCC} here")
    path = os.path.join(folder, name)
    subprocess.run([GCC, *FLAGS, "-o", path, "-"], input=f".globl _start\n_start:\n{text}\n",
                   check=True, text=True)
    return path


def machine(*options, typed=b""):
    return subprocess.run(["riscv-run", *options], input=typed, capture_output=True, timeout=LIMIT)


def check_ends(done, status, printed=None):
    check_equal(done.returncode, status, f"status ({done.stderr[:300]})")
    if printed is not None:
        check_equal(done.stdout, printed, "what was printed")


def check_refused(text, *options):
    done = machine(*options)
    check_equal(done.returncode, 125, f"status of {options}")
    check(re.fullmatch(rb"riscv-run: [^\n]*\n", done.stderr), f"not one line: {done.stderr}")
    check(text.encode() in done.stderr, f"{text!r} is not in {done.stderr}")


def test_exit_codes():
    for code, status in [(0, 0), (1, 1), (77, 77), (254, 254), (255, 255), (1000, 255)]:
        guest = program("exit", EXIT.format(code=code))
        for engine in ENGINES:
            check_ends(machine(*engine, guest), status, b"")


def test_options_may_follow():
    guest = program("exit", EXIT.format(code=3))
    check_ends(machine(guest, "--max-instructions", "1000", "--memory", "1M"), 3)
    check_ends(machine(guest, "--max-instructions=2"), 124)


def test_htif_prints():
    guest = program("print", """
	la s0, tohost
	la s1, text
	li s2, 0x0101000000000000
1:	lbu t0, 0(s1)
	beqz t0, 2f
	or t0, t0, s2
	sd t0, 0(s0)
	addi s1, s1, 1
	j 1b
2:	la t0, call
	sd t0, 0(s0)
3:	la t0, fromhost
	ld t0, 0(t0)
	beqz t0, 3b
	la t0, call
	ld s3, 0(t0)
	slli s3, s3, 1
	ori s3, s3, 1
	sd s3, 0(s0)
	j .
text:	.asciz "by characters\\n"
	.balign 8
call:	.dword 64, 1, more, 14
more:	.ascii "by a system ca"
""" + HTIF)
    for engine in ENGINES:
        check_ends(machine(*engine, guest), 14, b"by characters\nby a system ca")


def test_semihosting():
    guest = program("semihost", f"""
	li a0, 4
	la a1, text
{SEMIHOST}
	li a0, 0x20
	la a1, block
{SEMIHOST}
	j .
text:	.asciz "hello\\n"
	.balign 8
block:	.dword 0x20026, 42
""")
    for engine in ENGINES:
        check_ends(machine(*engine, guest), 42, b"hello\n")


def test_large_writes_do_not_depend_on_the_host():
    """More at once than there is room: each call sends as much, whatever was fetched before."""
    guest = program("large", f"""
	li s0, 20
1:	li a0, 5
	la a1, block
{SEMIHOST}
	add s1, s1, a0
	addi s0, s0, -1
	bnez s0, 1b
	la t0, answer
	sd s1, 0(t0)
	li a0, 0x20
	la a1, exit
{SEMIHOST}
	j .
	.balign 8
block:	.dword 1, text, 3000
exit:	.dword 0x20026, 0
answer:	.dword 0
text:	.fill 3000, 1, 'x'
""")
    reports = set()
    for engine in [*ENGINES, ["--swap-every", "7"]]:
        done = machine(*engine, "--deterministic", "--hash", guest)
        check_ends(done, 0, b"x" * 20 * 1024)
        reports.add(re.sub(rb"handovers.*", b"", done.stderr))
    check_equal(len(reports), 1, "different runs")


def test_strings_are_sent_whole():
    """However long; the call changes no register but a0, and nobody sees where it was cut."""
    guest = program("string", f"""
	la s0, text
	li s1, 10000
	li t0, 'y'
1:	sb t0, 0(s0)
	addi s0, s0, 1
	addi s1, s1, -1
	bnez s1, 1b
	li a0, 4
	la a1, text
{SEMIHOST}
	la t0, text
	bne a1, t0, 2f
	li a0, 4
	la a1, newline
{SEMIHOST}
	li a0, 0x20
	la a1, exit
{SEMIHOST}
2:	j .
	.balign 8
exit:	.dword 0x20026, 0
newline: .asciz "\\n"
text:	.space 10001
""")
    reports = set()
    for engine in [*ENGINES, ["--swap-every", "7"]]:
        done = machine(*engine, "--deterministic", "--hash", guest)
        check_ends(done, 0, b"y" * 10000 + b"\n")
        reports.add(re.sub(rb"handovers.*", b"", done.stderr))
    check_equal(len(reports), 1, "different runs")


def test_string_without_an_end():
    """It ends where memory does."""
    guest = program("endless", f"""
	li a1, 0x800f0000
	li t0, 'z'
	li t1, 0x80100000
	mv t2, a1
1:	sb t0, 0(t2)
	addi t2, t2, 1
	bne t2, t1, 1b
	li a0, 4
{SEMIHOST}
	li a0, 0x20
	la a1, exit
{SEMIHOST}
	j .
	.balign 8
exit:	.dword 0x20026, 5
""")
    check_ends(machine("--memory", "1M", guest), 5, b"z" * 0x10000)


def test_finisher():
    for value, status in [(0x5555, 0), (0x00093333, 9), (0x01003333, 255)]:
        guest = program("finish", f"li t0, {FINISHER}\nli t1, {value}\nsw t1, 0(t0)\nj .")
        for engine in ENGINES:
            check_ends(machine(*engine, guest), status)


def test_flat():
    guest = program("flat", f"li t0, {FINISHER}\nli t1, 0x00043333\nsw t1, 0(t0)\nj .")
    subprocess.run([GCC.replace("gcc", "objcopy"), "-O", "binary", guest, guest + ".bin"], check=True)
    check_ends(machine("--flat", guest + ".bin"), 4)


def test_reset_loads_again():
    """The program finds its memory as it was in the file, and comes to the same end each time."""
    guest = program("reset", f"""
	li s0, {UART}
	la s1, count
	ld t0, 0(s1)
	addi t1, t0, 'a'
	sb t1, 0(s0)
	addi t0, t0, 1
	sd t0, 0(s1)
	li t0, {FINISHER}
	li t1, 0x7777
	sw t1, 0(t0)
	j .
	.balign 8
count:	.dword 0
""")
    done = machine(guest, "--max-instructions", "100")
    check_equal(done.returncode, 124, "status")
    check(len(done.stdout) >= 3 and set(done.stdout) == set(b"a"), f"printed {done.stdout}")


ECHO = f"""
	li s0, {UART}
1:	lbu t0, 5(s0)
	andi t0, t0, 1
	beqz t0, 1b
	lbu t0, 0(s0)
	sb t0, 0(s0)
	li t1, 'q'
	bne t0, t1, 1b
""" + EXIT.format(code=5)


def test_reads_what_is_typed():
    text = b"typed text \xff\x01x" + b"0123456789" * 500
    guest = program("echo", ECHO)
    check_ends(machine(guest, typed=text + b"q"), 5, text + b"q")
    typed = os.path.join(folder, "typed")
    with open(typed, "wb") as file:
        file.write(text + b"q")
    for engine in ENGINES[1:]:
        done = machine(*engine, "--deterministic", "--console", typed, guest)
        check_ends(done, 5, text + b"q")


def test_awaits():
    """Lines go one by one, each after the prompt."""
    guest = program("prompt", f"""
	li s0, {UART}
0:	li t0, '>'
	sb t0, 0(s0)
""" + ECHO.replace("bne t0, t1, 1b", "beq t0, t1, 2f\nli t1, 10\nbeq t0, t1, 0b\nj 1b\n2:"))
    typed = os.path.join(folder, "lines")
    with open(typed, "wb") as file:
        file.write(b"one\ntwo\nq\n")
    check_ends(machine("--await", ">", "--console", typed, "--deterministic", guest), 5,
               b">one\n>two\n>q")


def test_terminal():
    """Raw while the guest runs, as before afterwards; Ctrl-A x ends it."""
    guest = program("echo", ECHO)
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    with subprocess.Popen(["riscv-run", guest], stdin=theirs, stdout=theirs) as process:
        os.write(ours, b"x")
        got = b""
        while b"x" not in got:
            got += os.read(ours, 100)
        # The guest's echo may be the terminal's own, of before it was raw: ask until it is.
        while termios.tcgetattr(theirs)[3] & termios.ECHO:
            os.sched_yield()
        os.write(ours, b"\x03\x01\x01")
        while b"\x03\x01" not in got:
            got += os.read(ours, 100)
        os.write(ours, b"\x01x")
        check_equal(process.wait(), 0, "status")
    check_equal(termios.tcgetattr(theirs)[3], before[3], "the terminal's modes")


def test_signal_ends():
    guest = program("echo", ECHO)
    with subprocess.Popen(["riscv-run", guest], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b"a")
        process.stdin.flush()
        check_equal(process.stdout.read(1), b"a", "the echo")
        process.send_signal(signal.SIGTERM)
        check_equal(process.wait(), 128 + signal.SIGTERM, "status")


def disk_guest(write=False):
    """Asks, and then has its sector 8 read, or written; ends with the last byte of it and its status."""
    text = f"""
	li s0, 0x10001000
	li t0, 3
	sw t0, 0x70(s0)
	li t1, 1
	sw t1, 0x24(s0)
	sw t1, 0x20(s0)
	li t0, 11
	sw t0, 0x70(s0)
	sw x0, 0x30(s0)
	li t0, 4
	sw t0, 0x38(s0)
	la t0, desc
	sw t0, 0x80(s0)
	la t1, header
	sd t1, 0(t0)
	la t1, data
	sd t1, 16(t0)
	la t1, status
	sd t1, 32(t0)
	la t0, avail
	sw t0, 0x90(s0)
	la t0, used
	sw t0, 0xa0(s0)
	li t0, 1
	sw t0, 0x44(s0)
	li t0, 15
	sw t0, 0x70(s0)
	li s1, {UART}
	li t0, '>'
	sb t0, 0(s1)
1:	lbu t0, 5(s1)
	andi t0, t0, 1
	beqz t0, 1b
	sw x0, 0x50(s0)
	la t0, status
	lbu t0, 0(t0)
	la t1, data
	lbu t1, 511(t1)
	add t1, t1, t0
	slli t1, t1, 1
	ori t1, t1, 1
	la t0, tohost
	sd t1, 0(t0)
	j .
	.balign 16
desc:	.dword 0
	.word 16
	.half 1, 1
	.dword 0
	.word 512
	.half 3, 2
	.dword 0
	.word 1
	.half 2, 0
	.balign 16
avail:	.half 0, 1, 0, 0, 0, 0, 0, 0
	.balign 16
used:	.fill 64, 1, 0
header:	.word 0, 0
	.dword 8
status:	.byte 99
	.balign 16
data:	.fill 512, 1, 0
"""
    if write:
        text = text.replace("header:\t.word 0, 0", "header:\t.word 1, 0").replace(".half 3, 2", ".half 1, 2")
    return program("write" if write else "disk", text + HTIF)


def test_disk_becomes_shorter():
    """The guest asks for a sector when it is told to, of a file that is whole, and of one that is not any more."""
    guest = disk_guest()
    path = os.path.join(folder, "image")
    for engine in ENGINES[:3]:
        for size, status in ((8192, 42), (4096, 125)):
            with open(path, "wb") as file:
                file.write(bytes([42]) * 8192)
            with subprocess.Popen(["riscv-run", *engine, "--hash", "--disk", path, guest], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
                check_equal(process.stdout.read(1), b">", "its question")
                os.truncate(path, size)
                said = process.communicate(b"x")[1]
                check_equal(process.returncode, status, f"status ({said})")
            if status == 125:
                check(re.fullmatch(rb"riscv-run: [^\n]*image: it became shorter [^\n]*\n", said), f"it said {said}")


def test_disk_without_room():
    """A file with holes, and no room on its file system for what the guest writes there."""
    if not OWN_DISKS:
        raise Skip("no mount namespace can be had here")
    small = SmallDisk(os.path.join(folder, "small"))
    try:
        path = os.path.join(small.path, "image")
        with open(path, "wb") as file:
            file.truncate(1 << 20)
        small.fill()
        done = machine("--disk", path, disk_guest(write=True), typed=b"x")
        check_equal(done.returncode, 125, f"status ({done.stderr})")
        check(re.fullmatch(rb"riscv-run: [^\n]*image: [^\n]*finds no room[^\n]*\n", done.stderr), done.stderr)
    finally:
        small.end()


def test_one_machine_a_disk():
    """Two that write on one disk would spoil it."""
    path, guest = os.path.join(folder, "shared"), disk_guest()
    with open(path, "wb") as file:
        file.write(bytes([42]) * 8192)
    with subprocess.Popen(["riscv-run", "--disk", path, guest], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        try:
            check_equal(first.stdout.read(1), b">", "its question")
            check_refused("shared: another machine has it as its disk", "--disk", path, guest)
            first.communicate(b"x")
            check_equal(first.returncode, 42, "status of the first")
        finally:
            first.kill()
    check_ends(machine("--disk", path, guest, typed=b"x"), 42)


FOREVER = f"""
	li s0, {UART}
	li t0, 'y'
1:	sb t0, 0(s0)
	j 1b
"""


def test_ends_while_nobody_reads():
    guest = program("forever", FOREVER)
    back, to = os.pipe()
    with subprocess.Popen(["riscv-run", guest], stdin=subprocess.DEVNULL, stdout=to) as process:
        end = time.monotonic() + LIMIT
        while select.select([], [to], [], 0)[1]:
            check(time.monotonic() < end, "the pipe never fills")
            os.sched_yield()
        process.send_signal(signal.SIGTERM)
        try:
            check_equal(process.wait(LIMIT), 128 + signal.SIGTERM, "status")
        finally:
            process.kill()
    os.close(back)
    os.close(to)


def test_nobody_hears():
    """What cannot be written ends it, also what is traced."""
    guest = program("forever", FOREVER)
    with open("/dev/full", "w") as full:
        done = subprocess.run(["riscv-run", guest], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, timeout=LIMIT)
        check_equal((done.returncode, done.stderr), (125, b"riscv-run: stdout: No space left on device\n"), "a full disk")
        done = subprocess.run(["riscv-run", "--trace", guest], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=full, timeout=LIMIT)
        check_equal(done.returncode, 125, "status of a trace on a full disk")
        done = subprocess.run(["riscv-run", "--help"], stdout=full, stderr=subprocess.PIPE, timeout=LIMIT)
        check_equal((done.returncode, done.stderr), (125, b"riscv-run: stdout: No space left on device\n"), "--help")


def test_closed_files():
    """Where stdin or stdout is closed no other file is taken for it: the disk is open while the machine writes."""
    path, disk, guest = os.path.join(folder, "typed"), os.path.join(folder, "whole"), program("echo", ECHO)
    for name, data in ((path, b"abcq"), (disk, bytes(8192))):
        with open(name, "wb") as file:
            file.write(data)
    done = subprocess.run(["sh", "-c", 'exec riscv-run --disk "$1" --console "$2" "$3" >&-', "sh", disk, path, guest],
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=LIMIT)
    check_equal((done.returncode, done.stderr), (125, b"riscv-run: stdout: Bad file descriptor\n"), "without stdout")
    with open(disk, "rb") as file:
        check_equal(file.read(), bytes(8192), "the disk")
    done = subprocess.run(["sh", "-c", 'exec riscv-run --disk "$1" --console "$2" "$3" <&-', "sh", disk, path, guest],
                          capture_output=True, timeout=LIMIT)
    check_equal((done.returncode, done.stdout), (5, b"abcq"), "without stdin")


def test_waits_for_the_timer():
    guest = program("timer", """
	li t0, 0x0200bff8
	ld t1, 0(t0)
	li t2, 20000
	add t1, t1, t2
	li t0, 0x02004000
	sd t1, 0(t0)
	li t0, 0x80
	csrw mie, t0
	wfi
	csrr t0, mip
	andi t0, t0, 0x80
	bnez t0, 1f
	j .
1:
""" + EXIT.format(code=6))
    for engine in ENGINES:
        check_ends(machine(*engine, guest), 6)
        check_ends(machine(*engine, "--deterministic", "--max-instructions", "1000", guest), 6)


def test_waits_for_ever():
    check_refused("nothing will wake them", "--deterministic", program("wait", "csrw mie, x0\n1: wfi\nj 1b"))


def test_harts():
    guest = program("harts", """
	la t1, flag
	beqz a0, 1f
	sd a0, 0(t1)
	j .
1:	ld t0, 0(t1)
	beqz t0, 1b
	li t1, 3
	bne t0, t1, 1b
""" + EXIT.format(code=8) + ".data\n.balign 8\nflag: .dword 0\n")
    check_ends(machine("--harts", "4", "--max-instructions", "1000000", guest), 8)
    check_ends(machine("--harts", "3", "--max-instructions", "100000", guest), 124)


def test_trace():
    guest = program("trace", "li a0, 7\nadd a1, a0, a0\n" + EXIT.format(code=0))
    done = machine("--trace", guest)
    check_ends(done, 0)
    lines = done.stderr.decode().splitlines()
    check_equal(lines[0].split()[:2], ["0", "0000000080000000"], "the first line")
    check(re.search(r" 451d +c.li\s+a0,7$", lines[0]), lines[0])
    check(any(re.search(r" add\s+a1,a0,a0$", line) for line in lines[:3]), str(lines[:3]))
    check_refused("only the plain", "--trace", "--implementation", "fast", guest)


def test_refuses_files():
    guest = program("exit", EXIT.format(code=0))
    with open(guest, "rb") as file:
        right = file.read()

    def variant(name, data):
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    check_refused("No such file", "/nonexistent/guest")
    check_refused("not a file", folder)
    check_refused("empty", variant("empty", b""), "--flat")
    check_refused("not an ELF file", variant("none", b""))
    check_refused("not an ELF file", variant("text", b"A text.\n" * 99))
    huge = variant("huge", b"\x7fELF")
    os.truncate(huge, 1 << 40)
    check_refused("it has 1048576 MiB; at most 4096", huge)
    check_refused("link it to where RAM is", variant("low", right.replace(b"\0\0\0\x80\0\0\0\0", b"\0\0\0\x40\0\0\0\0")))
    check_refused("truncated", variant("cut", right[:70]))
    check_refused("truncated", variant("tail", right[:-10]))
    check_refused("machine 62", variant("amd64", right[:18] + b"\x3e\0" + right[20:]))
    check_refused("class 1", variant("class", right[:4] + b"\x01" + right[5:]))
    check_refused("does not fit", "--flat", variant("flat", bytes(2 << 20)), "--memory", "1M")
    check_refused("and the device tree (from 0x800f0000) overlap", "--flat",
                  variant("flat", bytes((1 << 20) - 0x8000)), "--memory", "1M")
    check_refused("whole sectors", guest, "--disk", variant("disk", bytes(513)))
    check_refused("No such file", guest, "--disk", "/nonexistent/disk")
    check_refused("No such file", guest, "--console", "/nonexistent/text")
    check_refused("Is a directory", guest, "--console", "/")
    fifo = os.path.join(folder, "fifo")
    os.mkfifo(fifo)
    check_refused("not a file", fifo)
    check_refused("not a file of whole sectors", guest, "--disk", fifo)


def test_refuses_options():
    guest = program("exit", EXIT.format(code=0))
    check_refused("needs a file")
    check_refused("no such option", "--nonsense", guest)
    check_refused("only one program", guest, guest)
    check_refused("--harts 5", "--harts", "5", guest)
    check_refused("--harts 0", "--harts", "0", guest)
    check_refused("--memory 12Q", "--memory", "12Q", guest)
    check_refused("--memory -1", "--memory", "-1", guest)
    check_refused("--memory 99999999999999999999G", "--memory", "99999999999999999999G", guest)
    check_refused("--max-instructions x", "--max-instructions", "x", guest)
    check_refused("--swap-every 0", "--swap-every", "0", guest)
    check_refused("slow", "--implementation", "slow", guest)
    check_refused("either", "--kernel", guest, guest)
    check_refused("--initrd", "--firmware", guest, "--initrd", guest)
    check_refused("--await", "--await", "", guest)
    for option in ["--help", "--version"]:
        done = machine(option)
        check(done.returncode == 0 and b"riscv-run" in done.stdout and not done.stderr, option)


def test_network():
    guest = program("network", EXIT.format(code=0))
    check_refused("--network: what comes by it", "--network", "--deterministic", guest)
    check_refused("--forward: without --network", "--forward", "tcp:1:1", guest)
    check_refused("--forward 1: 64 of them", "--network", *["--forward", "1"] * 65, guest)
    if not shutil.which("source-city-net"):
        raise Skip("source-city-net was not built")
    # The card is where the device tree says, and asks for its driver.
    done = machine("--network", program("card", f"""
	li t0, 0x10002000
	lw t1, 8(t0)
	slli t1, t1, 1
	ori t1, t1, 1
	la t0, tohost
	sd t1, 0(t0)
	j .
{HTIF}"""))
    check_ends(done, 1)
    # A mistake is said by who reads it, and ends the machine before it begins.
    done = machine("--network", "--forward", "nonsense", guest)
    check(done.returncode == 125 and b"--forward nonsense: it begins with tcp:" in done.stderr, done)


def test_wild_guest():
    """Jumps, stores and loads everywhere: it ends when it is told to, and nothing else does."""
    guest = program("wild", """
	la t0, trap
	csrw mtvec, t0
	li s0, 0x9e3779b97f4a7c15
	li s1, 1
trap:	mul s1, s1, s0
	addi s1, s1, 77
	srli t0, s1, 20
	srli t1, s1, 31
	slli t1, t1, 31
	xor t1, t1, t0
	sd s1, 0(t0)
	sd s1, 0(t1)
	ld t2, 3(t0)
	jr t0
""")
    for engine in ENGINES[:3]:
        check_ends(machine(*engine, "--max-instructions", "200000", guest), 124)


if __name__ == "__main__":
    try:
        run([test for name, test in list(globals().items()) if name.startswith("test_")])
    finally:
        shutil.rmtree(folder)

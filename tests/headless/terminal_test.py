#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The terminal as a person and as a program sees it: keys as bytes, the pointer, pastes, selections,
answers, sizes, pictures; and that a handover changes nothing of it."""

import os
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from city import BUILD_LIMIT, Builds, City, CityError, Lines  # noqa: E402
from tap import check, check_equal, run  # noqa: E402

BUILD = os.environ["SOURCE_CITY_BUILD"]
HAND = os.environ.get("SOURCE_CITY_TEST_HAND", os.path.join(BUILD, "tests", "headless", "hand"))
BUILDS = Builds()
INSTALLED = os.path.join(BUILD, "prefix", "share", "source-city", "tiles", "terminal")

# Runs in the terminal: raw, prints what comes through a FIFO, records what is typed or answered.
PROBE = r"""
import os, select, sys, termios, time, tty
folder = sys.argv[1]
old = termios.tcgetattr(0)
tty.setraw(0)
to_screen = os.open(folder + "/to_screen", os.O_RDWR)
got = os.open(folder + "/got", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
open(folder + "/ready", "w").close()
while not os.path.exists(folder + "/leave"):
    if os.path.exists(folder + "/pause"):
        open(folder + "/paused", "w").close()
    while os.path.exists(folder + "/pause"):
        time.sleep(0.01)
    for fd in select.select([0, to_screen], [], [], 0.2)[0]:
        if fd == 0:
            os.write(got, os.read(0, 65536))
        else:
            data = os.read(to_screen, 65536)
            while data:
                data = data[os.write(1, data):]
termios.tcsetattr(0, termios.TCSADRAIN, old)
open(folder + "/left", "w").close()
"""


class Terminal:
    """A city with a terminal, a hand, and what runs in it."""

    def __init__(self, env=None):
        self.env = {**BUILDS.environment, **(env or {})}

    def __enter__(self):
        self.city = City(env=self.env)
        self.city.__enter__()
        self.city.wait_tile("terminal")
        self.folder = os.path.join(self.city.folder, "test")
        os.makedirs(self.folder)
        self.city.ctl("run", "focus", "terminal")
        self.hand_process = None
        self.sources = []
        return self

    def __exit__(self, *exc):
        if exc[0] is not None:
            for line in self.city.said().splitlines()[-40:]:
                print(f"# {line}")
        if self.hand_process:
            self.hand_process.stdin.close()
            self.hand_process.wait()
        self.city.__exit__(*exc)

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        try:
            with open(self.path(name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def wait_file(self, name):
        self.city.until(lambda: os.path.exists(self.path(name)), what=f"{name} was not written")
        return self.read(name)

    def enter(self, text):
        self.city.type(text, "-k", "Return")

    # --- the shell's answers ---

    def shell(self, command):
        """What a command typed at the shell prints."""
        for name in ("out", "out.new"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        self.enter(f"{command} > {self.path('out.new')}; mv {self.path('out.new')} {self.path('out')}")
        return self.wait_file("out").decode()

    # --- a program that has the terminal to itself ---

    def start_probe(self):
        with open(self.path("probe.py"), "w") as file:
            file.write(PROBE)
        for name in ("ready", "leave", "left", "got", "to_screen"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        os.mkfifo(self.path("to_screen"))
        self.enter(f"python3 {self.path('probe.py')} {self.folder}")
        self.wait_file("ready")
        self.screen_fd = os.open(self.path("to_screen"), os.O_WRONLY)
        self.seen = 0
        self.ask(b"\033[5n", rb"\033\[0n")
        return self

    def stop_probe(self):
        os.close(self.screen_fd)
        open(self.path("leave"), "w").close()
        self.wait_file("left")

    def send(self, data):
        while data:
            data = data[os.write(self.screen_fd, data):]

    def got(self):
        return self.read("got")[self.seen:]

    def forget(self):
        self.seen = len(self.read("got"))

    def wait_got(self, pattern, limit=60):
        """Waits until a pattern has come since the last call; the match."""
        try:
            match = self.city.until(lambda: re.search(pattern, self.got(), re.S), limit)
        except CityError as error:
            raise CityError(f"{pattern} did not come but {self.got()[:200]}") from error
        self.forget()
        return match

    def ask(self, query, pattern):
        """What the terminal answers. All that was printed before has then been taken in."""
        self.forget()
        self.send(query)
        return self.wait_got(pattern)

    def settle(self):
        self.ask(b"\033[5n", rb"\033\[0n")

    def show(self, data):
        self.send(data)
        self.settle()

    def checksum(self, row, col, length):
        return self.ask(b"\033[1;1;%d;%d;%d;%d*y" % (row, col, row, col + length - 1),
                        rb"\033P1!~([0-9A-F]{4})\033\\")[1].decode()

    def text_at(self, row, col, text):
        """Whether that ASCII text, in the usual colours, is there."""
        wanted = -sum(text.encode()) & 0xffff
        return self.checksum(row, col, len(text)) == f"{wanted:04X}"

    # --- the pointer ---

    def hand(self, *lines):
        if self.hand_process is None:
            self.hand_process = subprocess.Popen([HAND], stdin=subprocess.PIPE,
                                                 stdout=subprocess.PIPE,
                                                 env=self.city.environment())
            self.answers = Lines(self.hand_process.stdout)
        for line in lines:
            self.hand_process.stdin.write(line.encode() + b"\n")
            self.hand_process.stdin.flush()
            check_equal(self.answers.next(), "ok", line)

    def measure(self):
        match = self.ask(b"\033[16t", rb"\033\[6;(\d+);(\d+)t")
        self.cell = (int(match[2]), int(match[1]))
        self.box = self.city.box("terminal")

    def place(self, row, col):
        """Screen coordinates of a cell's middle; rows and columns count from 1."""
        return (f"{self.box[0] + 6 + (col - 0.5) * self.cell[0]} "
                f"{self.box[1] + 6 + (row - 0.5) * self.cell[1]}")

    def clipboard(self, *options):
        return self.city.run("wl-paste", "-n", *options, check=False).stdout.decode()

    # --- handovers ---

    def make_sources(self):
        for mark in ("one", "two"):
            target = self.path("terminal-" + mark)
            shutil.copytree(INSTALLED, target)
            with open(os.path.join(target, "theme.c"), "a") as file:
                # A string, as a comment alone would make the very same artifact.
                file.write(f"/* {mark} */\nconst char *theme_mark(void);\n"
                           f"const char *theme_mark(void)\n{{\n\treturn \"{mark}\";\n}}\n")
            self.sources.append(target)

    def swap(self):
        if not self.sources:
            self.make_sources()
        source = self.sources.pop(0)
        self.sources.append(source)
        with BUILDS.one():
            answer = self.city.ctl("swap", "terminal", "--source", source, "--settled",
                                   limit=BUILD_LIMIT)
        records = [a for a in answer if "result" in a]
        check(records and records[-1]["result"] == "live", f"the swap failed: {answer}")

    def picture(self, other_than=None):
        """The tile's pixels, once several pictures in a row are the same, and differ from one
        taken before: the terminal draws when the machine lets it, and nothing tells when."""
        x, y, width, height = self.city.box("terminal")
        take = lambda: self.city.run("grim", "-t", "ppm", "-g", f"{x},{y} {width}x{height}",
                                     "-").stdout
        row = [take()]

        def still():
            now = take()
            row[:] = row + [now] if now == row[0] else [now]
            return len(row) >= 4 and now != other_than
        self.city.until(still, what="the picture does not come to rest")
        return row[0]


def vat_value(city, field):
    """A value of the cell "view", from the region alone."""
    cells = city.run("cityctl", "vat", "terminal").stdout.decode()
    match = re.search(rf"\b{field}\s+\w+ = (\d+)", cells)
    return int(match[1]) if match else None


def differing(a, b):
    return sum(1 for i in range(0, min(len(a), len(b)), 3) if a[i:i + 3] != b[i:i + 3])


PAGE = ("\033[H\033[2J\033[31mred\033[m \033[1;3;9mstyles\033[m \033[4:3;58:2::255:0:0mcurly\033[m\r\n"
        "\033[48;2;40;80;120mtrue colour\033[m 漢字 😀 e\u0301 👩\u200d👧\r\n"
        "╭──┬━━┳══╗ ░▒▓█▁▂▃ ⣿⡇ \ue0b0\r\n"
        "\033]8;;https://example.org/\033\\a link\033]8;;\033\\ \033[7minverse\033[m\r\n").encode()


# --- keys ---

def test_legacy_keys():
    with Terminal() as t:
        t.start_probe()
        for args, wanted in (
                (["a"], b"a"),
                (["ä"], "ä".encode()),
                (["-k", "Return"], b"\r"),
                (["-k", "BackSpace"], b"\x7f"),
                (["-k", "Tab"], b"\t"),
                (["-M", "shift", "-k", "Tab", "-m", "shift"], b"\033[Z"),
                (["-k", "Up"], b"\033[A"),
                (["-M", "ctrl", "-k", "Right", "-m", "ctrl"], b"\033[1;5C"),
                (["-k", "F1"], b"\033OP"),
                (["-k", "F5"], b"\033[15~"),
                (["-k", "Delete"], b"\033[3~"),
                (["-k", "Prior"], b"\033[5~"),
                (["-M", "ctrl", "-k", "c", "-m", "ctrl"], b"\x03"),
                (["-M", "alt", "-k", "x", "-m", "alt"], b"\033x")):
            t.forget()
            t.city.type(*args)
            t.wait_got(rb"\A" + re.escape(wanted) + rb"\Z")
        t.show(b"\033[?1h")
        t.forget()
        t.city.type("-k", "Up", "-k", "Home")
        t.wait_got(rb"\A\033OA\033OH\Z")


def test_kitty_keys():
    with Terminal() as t:
        t.start_probe()
        t.show(b"\033[>1u")
        check_equal(t.ask(b"\033[?u", rb"\033\[\?(\d+)u")[1], b"1", "the flags")
        for args, wanted in (
                (["a"], rb"a"),
                (["-k", "Escape"], rb"\033\[27u"),
                (["-M", "ctrl", "-k", "i", "-m", "ctrl"], rb"\033\[105;5u"),
                (["-k", "Return"], rb"\r")):
            t.forget()
            t.city.type(*args)
            t.wait_got(rb"\A" + wanted + rb"\Z")
        t.show(b"\033[=11u")
        t.forget()
        t.city.type("a")
        t.wait_got(rb"\033\[97u\033\[97;1:3u|\033\[97;1u\033\[97;1:3u|\033\[97;1:1u\033\[97;1:3u")
        # The terminal keeps its own keys to itself, presses and releases.
        t.city.type("-M", "ctrl", "-M", "shift", "-k", "c", "-m", "shift", "-m", "ctrl", "q")
        t.city.until(lambda: b"113;1:3u" in t.got(), what="q did not come")
        check(b"\033[99" not in t.got(), f"the program was told of a shortcut: {t.got()!r}")
        t.show(b"\033[<u")
        t.forget()
        t.city.type("-k", "Escape")
        t.wait_got(rb"\A\033\Z")


# --- pointer, selections, clipboard ---

def test_selection_and_clipboard():
    with Terminal() as t:
        t.start_probe()
        t.measure()
        t.show("\033[H\033[2Jone two-three.txt four\r\nsecond line 漢字 end\r\n".encode())
        t.hand("move " + t.place(1, 0.7), "press left", "move " + t.place(2, 6.7),
               "release left")
        t.city.until(lambda: t.clipboard("--primary") == "one two-three.txt four\nsecond",
                     what="dragging did not set the primary selection")
        t.hand("move " + t.place(1, 7), *["press left", "release left"] * 2)
        t.city.until(lambda: t.clipboard("--primary") == "two-three.txt",
                     what="a double click did not take the word")
        t.hand("move " + t.place(2, 14), *["press left", "release left"] * 3)
        t.city.until(lambda: t.clipboard("--primary") == "second line 漢字 end",
                     what="a triple click did not take the line")
        t.city.type("-M", "ctrl", "-M", "shift", "-k", "c", "-m", "shift", "-m", "ctrl")
        t.city.until(lambda: t.clipboard() == "second line 漢字 end",
                     what="Ctrl+Shift+C did not set the clipboard")
        t.forget()
        t.hand("press middle", "release middle")
        t.wait_got("\\Asecond line 漢字 end\\Z".encode())


def test_word_over_a_line_break():
    with Terminal() as t:
        t.start_probe()
        t.measure()
        cols = int(t.ask(b"\033[18t", rb"\033\[8;\d+;(\d+)t")[1])
        url = b"https://example.org/" + b"x" * cols
        t.show(b"\033[H\033[2Jsee " + url + b" there\r\n")
        t.hand("move " + t.place(2, 3), *["press left", "release left"] * 2)
        t.city.until(lambda: t.clipboard("--primary") == url.decode(),
                     what="the URL was not selected whole")


def test_osc_52():
    with Terminal() as t:
        t.start_probe()
        t.show(b"\033]52;c;aGVsbG8gY2l0eQ==\033\\")
        t.city.until(lambda: t.clipboard() == "hello city", what="OSC 52 did not set the clipboard")
        t.forget()
        t.send(b"\033]52;c;?\033\\\033[5n")
        t.city.until(lambda: b"\033[0n" in t.got(), what="no answer")
        check_equal(t.got(), b"\033[0n", "what a program learns of the clipboard")


def test_mouse_reports():
    with Terminal() as t:
        t.start_probe()
        t.measure()
        t.show(b"\033[H\033[2J\033[?1002;1006h")
        t.forget()
        t.hand("move " + t.place(3, 5), "press left", "move " + t.place(4, 8), "release left")
        t.wait_got(rb"\A\033\[<0;5;3M\033\[<32;8;4M\033\[<0;8;4m\Z")
        t.hand("scroll 1")
        t.wait_got(rb"\A\033\[<65;8;4M\Z")
        t.hand("scroll -2")
        t.wait_got(rb"\A\033\[<64;8;4M\033\[<64;8;4M\Z")
        t.show(b"\033[?1006l")
        t.forget()
        t.hand("press right", "release right")
        t.wait_got(rb"\A\033\[M\x22\x28\x24\033\[M\x23\x28\x24\Z")
        # Without a mouse, the wheel is arrows on the alternate screen.
        t.show(b"\033[?1002l\033[?1049h\033[?1007h")
        t.forget()
        t.hand("scroll 1")
        t.wait_got(rb"\A(\033\[B){3}\Z")


def test_paste():
    with Terminal() as t:
        t.start_probe()
        key = ("-M", "ctrl", "-M", "shift", "-k", "v", "-m", "shift", "-m", "ctrl")
        t.city.run("wl-copy", input=b"a\r\nb\nc\033[31m", stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
        t.forget()
        t.city.type(*key)
        t.wait_got(rb"\Aa\rb\rc\[31m\Z")
        t.show(b"\033[?2004h")
        t.forget()
        t.city.type(*key)
        t.wait_got(rb"\A\033\[200~a\rb\rc\[31m\033\[201~\Z")
        text = b"".join(b"%08d line of a large paste\r\n" % i for i in range(200000))
        check(len(text) > 5_000_000, "the paste is too small")
        t.city.run("wl-copy", input=text, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        t.forget()
        t.city.type(*key)
        t.city.until(lambda: t.got().endswith(b"\033[201~"), 120, "the large paste did not end")
        check(t.got() == b"\033[200~" + text.replace(b"\r\n", b"\r") + b"\033[201~",
              "the large paste differs")
        t.settle()


def test_hyperlink_opens():
    folder = os.path.join(BUILD, "tests", "headless", "bin")
    os.makedirs(folder, exist_ok=True)
    opener = os.path.join(folder, "xdg-open")
    with open(opener, "w") as file:
        file.write("#!/bin/sh\nprintf %s \"$1\" > \"$XDG_RUNTIME_DIR/opened.new\"\n"
                   "mv \"$XDG_RUNTIME_DIR/opened.new\" \"$XDG_RUNTIME_DIR/opened\"\n")
    os.chmod(opener, 0o755)
    with Terminal(env={"PATH": folder + ":" + os.environ["PATH"]}) as t:
        t.start_probe()
        t.measure()
        t.show(b"\033[H\033[2J\033]8;;https://example.org/a?b=c\033\\a link\033]8;;\033\\\r\n")
        t.hand("move " + t.place(1, 3), "modifiers 4", "press left", "release left", "modifiers 0")
        opened = os.path.join(t.city.folder, "run", "opened")
        t.city.until(lambda: os.path.exists(opened), what="the link was not opened")
        with open(opened) as file:
            check_equal(file.read(), "https://example.org/a?b=c", "what was opened")


# --- the screen ---

def test_checksums():
    with Terminal() as t:
        t.start_probe()
        t.show(b"\033[H\033[2Jcity")
        check(t.text_at(1, 1, "city"), "the checksum of what is there")
        check(not t.text_at(1, 1, "town"), "the checksum of what is not there")


def test_alternate_screen():
    with Terminal() as t:
        t.start_probe()
        t.show(b"\033[H\033[2Jmain")
        before = t.picture()
        t.show(b"\033[?1049h\033[H\033[2Jother")
        check(t.text_at(1, 1, "other"), "the alternate screen")
        other = t.picture(other_than=before)
        t.show(b"\033[?1049l")
        check(t.text_at(1, 1, "main"), "the main screen is back")
        check(t.picture(other_than=other) == before, "the main screen is not shown as it was")


def test_size_and_reflow():
    with Terminal() as t:
        rows, cols = map(int, t.shell("stty size").split())
        t.start_probe()
        text = b"0123456789" * (cols // 10) + b"END"
        t.show(b"\033[H\033[2J" + text)
        before = t.picture()
        t.city.type(*["-M", "ctrl", "-k", "plus", "-k", "plus", "-k", "plus", "-m", "ctrl"])

        def size():
            match = t.ask(b"\033[18t", rb"\033\[8;(\d+);(\d+)t")
            return int(match[1]), int(match[2])
        t.city.until(lambda: size()[1] < cols, what="larger text makes no smaller grid")
        larger = t.picture(other_than=before)
        small = size()[1]
        check(t.text_at(1 + len(text) // small, len(text) % small - 2, "END"), "the end moved wrong")
        t.city.type("-M", "ctrl", "-k", "0", "-m", "ctrl")
        t.city.until(lambda: size() == (rows, cols), what="the grid is not as before")
        check(t.picture(other_than=larger) == before, "the picture after two resizes differs")
        t.stop_probe()
        t.city.run("wlr-randr", "--output", "HEADLESS-1", "--scale", "1.5")
        t.city.until(lambda: abs(int(t.shell("stty size").split()[0]) - rows) <= 2,
                     what="the grid at another scale is of another size")


def test_title():
    with Terminal() as t:
        t.start_probe()
        t.show("\033]2;The title ☺\033\\".encode())
        t.city.until(lambda: t.city.tile("terminal")["title"] == "The title ☺",
                     what="cityctl does not show the title")
        t.swap()
        check_equal(t.city.tile("terminal")["title"], "The title ☺", "after a handover")


def test_shell_ends_and_another_begins():
    with Terminal() as t:
        pid = t.shell("echo $$")
        t.enter("printf '\\033[?1049h\\033[?1002h\\033[>1u\\033[2J'; exit 3")
        t.city.until(lambda: not os.path.exists(f"/proc/{pid.strip()}"), what="the shell did not end")
        still = t.picture()
        t.city.type("x")
        check(t.picture() == still, "a key does something although there is no shell")
        t.city.type("-k", "Return")
        other = t.city.until(lambda: t.shell("echo $$"), what="there is no other shell")
        check(other != pid, "it is the same shell")
        t.start_probe()
        check_equal(t.ask(b"\033[?u", rb"\033\[\?(\d+)u")[1], b"0", "kitty flags left behind")
        check_equal(t.ask(b"\033[?1002$p", rb"1002;(\d)")[1], b"2", "the mouse mode left behind")
        check_equal(t.ask(b"\033[?1049$p", rb"1049;(\d)")[1], b"2", "the alternate screen")


def test_synchronised_updates():
    with Terminal() as t:
        t.start_probe()
        t.show(b"\033[H\033[2J\033[?25lbefore")
        before = t.picture()
        # What a program that never pauses shows is always a whole picture: all one colour.
        frames = b"".join(b"\033[?2026h\033[H" + b"".join(
            b"\033[%d;1H\033[4%dm\033[2K" % (row, n % 6 + 1) for row in range(1, 40)) +
            b"\033[m\033[?2026l" for n in range(100))
        with open(t.path("frames"), "wb") as file:
            file.write(frames)
        x, y, width, height = t.city.box("terminal")
        strip = (x + 40, y + 20, 1, height - 60)
        writer = t.city.popen("sh", "-c", f"while :; do cat {t.path('frames')}; done > "
                              f"{t.path('to_screen')}")
        colours = set()
        pictures = {"whole": 0, "torn": 0}

        def seen_many():
            column = {row[0] for row in t.city.pixels(strip)}
            pictures["whole" if len(column) == 1 else "torn"] += 1
            colours.update(column)
            # A program that gets no time in the middle of an update is not waited for for ever: some may be torn.
            return len(colours) >= 4 and pictures["whole"] >= max(8, pictures["torn"] * 4)
        try:
            t.city.until(seen_many, what="too little is shown while the program goes on")
        finally:
            print(f"# pictures: {pictures}, colours: {len(colours)}", flush=True)
        writer.kill()
        writer.wait()
        t.show(b"\030\033[m\033[?2026l")
        # One that is forgotten ends by itself.
        t.show(b"\033[H\033[2Jbefore")
        t.city.until(lambda: t.picture() == before, what="the screen is not as before")
        t.show(b"\033[?2026h\033[H\033[2Jafter")
        t.city.until(lambda: t.picture() != before, what="a forgotten update is never shown")
        check_equal(t.ask(b"\033[?2026$p", rb"2026;(\d)")[1], b"2", "the mode")


def test_scrollback():
    with Terminal() as t:
        t.start_probe()
        t.show(b"\033[H\033[2J\033[3J" + b"".join(b"line %d\r\n" % i for i in range(200)))
        before = t.picture()
        t.city.type("-M", "shift", "-k", "Prior", "-m", "shift")
        back = t.picture(other_than=before)
        t.show(b"more\r\n" * 100)
        # The text stays; only the bar at the edge moves.
        now = t.picture(other_than=back)
        width = int(back.split(b"\n")[1].split()[0])
        data = len(b"\n".join(back.split(b"\n", 3)[:3])) + 1
        columns = {(i - data) // 3 % width for i in range(data, len(back)) if back[i] != now[i]}
        check(columns and min(columns) >= width - 6, f"columns that changed: {sorted(columns)[:9]}")
        t.city.type("-M", "shift", "-k", "Next", "-m", "shift")
        t.city.type("x")
        t.city.until(lambda: t.picture() not in (back, now), what="typing does not go to the end")


# --- handovers ---

def test_handover_changes_nothing():
    with Terminal() as t:
        t.start_probe()
        t.measure()
        t.swap()

        def same(what):
            before = t.picture(other_than=last[0])
            t.swap()
            last[0] = t.picture()
            check(before == last[0], f"{what}: {differing(before, last[0])} pixels differ")

        last = [t.picture()]
        t.show(PAGE)
        same("a page of everything")
        t.hand("move " + t.place(1, 2), "press left", "move " + t.place(3, 9), "release left")
        same("a selection")
        t.city.type("-M", "shift", "-k", "Insert", "-m", "shift")
        t.show(b"\033[?1049h\033[?1003;1006h\033[6 q\033[5;5Hprogram\033[?5h")
        same("a program on the alternate screen, reversed, with a bar as cursor")
        t.show(b"\033[?5l\033[?1003l\033[?1049l\033[2 q")
        t.show(b"".join(b"\033[3%dmline %d\r\n" % (i % 8, i) for i in range(100)))
        bottom = t.picture(other_than=last[0])
        t.city.type("-M", "shift", "-k", "Prior", "-m", "shift")
        last[0] = bottom
        same("a view back into the history")
        t.city.type("-M", "ctrl", "-k", "plus", "-m", "ctrl")
        same("larger text")
        t.city.type("-M", "ctrl", "-k", "0", "-m", "ctrl")
        t.show(b"\033[H\033[2J")
        # In the middle of a sequence and of a character.
        t.send(b"\033[3")
        t.swap()
        t.send(b"1mred \xe6\xbc")
        t.swap()
        t.show(b"\xa2\033[m")
        halved = t.picture(other_than=last[0])
        t.show("\033[H\033[2J\033[31mred 漢\033[m".encode())
        check(t.picture() == halved, "a sequence cut by handovers")


def test_paste_goes_on_over_a_handover():
    with Terminal() as t:
        t.start_probe()
        t.swap()
        t.swap()
        text = b"".join(b"%08d pasted\n" % i for i in range(400000))
        t.city.run("wl-copy", input=text, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        t.forget()
        # A program that does not read for a while: the rest waits in the terminal.
        open(t.path("pause"), "w").close()
        t.wait_file("paused")
        t.city.type("-M", "ctrl", "-M", "shift", "-k", "v", "-m", "shift", "-m", "ctrl")
        t.city.until(lambda: vat_value(t.city, "paste_size") == len(text),
                     what="the paste did not reach the terminal")
        t.swap()
        check(vat_value(t.city, "paste_at") < len(text), "the paste was over before")
        os.unlink(t.path("pause"))
        t.city.until(lambda: len(t.got()) >= len(text), 60, "the paste did not end")
        check(t.got() == text.replace(b"\n", b"\r"), "the paste differs")


def test_copied_text_outlives_the_version():
    with Terminal() as t:
        t.start_probe()
        t.measure()
        t.show("\033[H\033[2Jkeep this line\r\n".encode())
        t.hand("move " + t.place(1, 2), *["press left", "release left"] * 3)
        t.city.until(lambda: t.clipboard("--primary") == "keep this line",
                     what="a triple click did not take the line")
        t.city.type("-M", "ctrl", "-M", "shift", "-k", "c", "-m", "shift", "-m", "ctrl")
        t.city.until(lambda: t.clipboard() == "keep this line",
                     what="Ctrl+Shift+C did not set the clipboard")
        pid = t.city.tile("terminal")["pid"]
        t.swap()
        t.city.until(lambda: not os.path.exists(f"/proc/{pid}"),
                     what="the version that offered the text does not end")
        check_equal(t.clipboard(), "keep this line", "the clipboard after a handover")
        check_equal(t.clipboard("--primary"), "keep this line", "the selection after a handover")
        t.forget()
        t.city.type("-M", "ctrl", "-M", "shift", "-k", "v", "-m", "shift", "-m", "ctrl")
        t.wait_got(b"\\Akeep this line\\Z")
        # A text of somebody else's takes its place.
        t.city.run("wl-copy", input=b"other", stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
        t.city.until(lambda: t.clipboard() == "other", what="wl-copy did not set the clipboard")


if __name__ == "__main__":
    run([
        test_legacy_keys,
        test_kitty_keys,
        test_selection_and_clipboard,
        test_word_over_a_line_break,
        test_osc_52,
        test_mouse_reports,
        test_paste,
        test_hyperlink_opens,
        test_checksums,
        test_alternate_screen,
        test_size_and_reflow,
        test_title,
        test_shell_ends_and_another_begins,
        test_synchronised_updates,
        test_scrollback,
        test_handover_changes_nothing,
        test_paste_goes_on_over_a_handover,
        test_copied_text_outlives_the_version,
    ], jobs=3)

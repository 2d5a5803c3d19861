# SPDX-License-Identifier: MIT
"""A city of one's own: private folders, no screen, everything real. Used by the tour, the
benchmarks and the headless tests. Everything that is started is ended again."""

import atexit
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time

LIMIT = 60.0  # seconds for anything that should take far less
BUILD_LIMIT = 300.0  # the first build of a tile's copy compiles all its files
# Seconds between two questions; most start a program, which takes the time from what is waited for.
PAUSE = 0.02
PAUSE_MAX = 0.15


class CityError(Exception):
    pass


class Missing(CityError):
    """There is no such thing in the city, or not at the moment."""


# What a question may end with while that which it asks about is being moved, made or ended: a file that goes between
# its listing and its opening, a process that ends, half of a text, a list that is still empty, git in between.
IN_MOTION = (FileNotFoundError, NotADirectoryError, ProcessLookupError, LookupError, StopIteration, ValueError,
             subprocess.CalledProcessError, Missing)


def installed(name):
    path = shutil.which(name)
    if path is None:
        raise CityError(f"{name} is not on the PATH: run this through ./dev exec")
    return path


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(n) for n in file.read().split()]


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def process_state(pid):
    """The letter of ps; empty when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Lines:
    """Lines of a pipe as they come, with a limit on the wait."""

    def __init__(self, pipe):
        self.fd = pipe.fileno()
        self.pipe = pipe
        self.rest = b""
        self.ended = False

    def next(self, limit=LIMIT):
        end = time.monotonic() + limit
        while b"\n" not in self.rest and not self.ended:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                return None
            data = os.read(self.fd, 65536)
            if not data:
                self.ended = True
            self.rest += data
        if b"\n" not in self.rest:
            return None
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode("utf-8", "replace")


# Deadlines of a handover, and the frames that it may miss, on a machine that is busy with something else:
# none of them is what a test is about, unless it sets its own.
PATIENT = ",".join(f"{name}=60000" for name in
                   ("spawn", "warm", "migrate", "attach", "frame", "check", "retire", "late", "return",
                    "missed", "hang"))


# Where the cities of all tests keep what can be made again: what their forges compile of the tiles that every city
# has, and the shaders. What lies there is found by its contents. Without it each city begins with nothing.
SHARED_CACHE = os.environ.get("SOURCE_CITY_TEST_CACHE")


class Builds:
    """A cache that the forges of several cities share: what one has compiled the others find. The first build
    goes alone, for the others would compile the same beside it."""

    def __init__(self):
        cache = SHARED_CACHE
        if not cache:
            folder = tempfile.TemporaryDirectory(prefix="city-cache-")
            atexit.register(folder.cleanup)
            cache = folder.name
        self.environment = {"XDG_CACHE_HOME": cache}
        self.lock = threading.Lock()
        self.began = False

    @contextlib.contextmanager
    def one(self):
        with self.lock:
            if not self.began:
                yield
                self.began = True
                return
        yield


class City:
    """with City(config=...) as city: ...; city.log_path holds what it said."""

    patience = LIMIT  # for whatever has no other limit; where tiles are built that is more

    def __init__(self, config="", width=1280, height=720, args=(), env=None, folder=None,
                 program="source-city"):
        self.folder = folder or tempfile.mkdtemp(prefix="city-")
        self.own_folder = folder is None
        self.config = config
        self.size = (width, height)
        self.args = list(args)
        self.program = program
        self.extra_env = env or {}
        self.keeper = None
        self.display = None
        self.log_path = os.path.join(self.folder, "log")
        self.helpers = []

    def environment(self):
        env = dict(os.environ)
        for name in ("WAYLAND_DISPLAY", "WAYLAND_SOCKET", "DISPLAY", "SOURCE_CITY_KEEPER_FD"):
            env.pop(name, None)
        for name in ("home", "run", "state", "data", "cache", "config"):
            path = os.path.join(self.folder, name)
            os.makedirs(path, mode=0o700, exist_ok=True)
        env.update(
            XDG_RUNTIME_DIR=os.path.join(self.folder, "run"),
            XDG_STATE_HOME=os.path.join(self.folder, "state"),
            XDG_DATA_HOME=os.path.join(self.folder, "data"),
            XDG_CACHE_HOME=SHARED_CACHE or os.path.join(self.folder, "cache"),
            XDG_CONFIG_HOME=os.path.join(self.folder, "config"),
            WLR_BACKENDS="headless",
            WLR_LIBINPUT_NO_DEVICES="1",
            LIBGL_ALWAYS_SOFTWARE="1",
            SOURCE_CITY_LIMITS=PATIENT,
            # A shell that nobody has configured, whose history is not the user's.
            SHELL="/bin/bash",
            HOME=os.path.join(self.folder, "home"),
        )
        if not os.path.isdir("/dev/dri"):
            env["WLR_RENDERER"] = "pixman"
        env.update(self.extra_env)
        if self.display:
            env["WAYLAND_DISPLAY"] = self.display
        return env

    def start(self):
        env = self.environment()
        folder = os.path.join(env["XDG_CONFIG_HOME"], "source-city")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config"), "w") as file:
            file.write(self.config)
            if "keyboard {" not in self.config:
                # A busy machine holds typed keys down for longer than a hand does.
                file.write("\nkeyboard {\n\trepeat 0 1000\n}\n")
            file.write(f"\nheadless {{\n\tsize {self.size[0]}x{self.size[1]}\n}}\n")
        self.log = open(self.log_path, "ab")
        self.keeper = subprocess.Popen(
            [installed(self.program), *self.args],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.PIPE, env=env)
        lines = Lines(self.keeper.stderr)
        while True:
            line = lines.next()
            if line is None:
                status = self.keeper.poll()
                self.stop()
                raise CityError(f"the city did not come up (status {status}); it said:\n{self.said()}")
            self.log.write(line.encode() + b"\n")
            self.log.flush()
            if "] info city: up on " in line:
                self.display = line.rsplit(" ", 1)[1]
                break
        # From here on the log goes to the file by itself.
        self.pump = subprocess.Popen(["cat"], stdin=self.keeper.stderr, stdout=self.log)
        if lines.rest:
            self.log.write(lines.rest)
            self.log.flush()
        return self

    def said(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def stop(self):
        status = None
        for helper in self.helpers:
            if helper.poll() is None:
                helper.terminate()
                helper.wait()
        if self.keeper is not None:
            if self.keeper.poll() is None:
                self.keeper.terminate()
            try:
                status = self.keeper.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.keeper.kill()
                status = self.keeper.wait()
            self.keeper.stderr.close()
            self.keeper = None
        if getattr(self, "pump", None):
            self.pump.wait()
            self.pump = None
        if getattr(self, "log", None):
            self.log.close()
            self.log = None
        return status

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()
        ended_well = exc[0] is None or (exc[0] is SystemExit and not exc[1].code)
        if self.own_folder and ended_well:
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- things to do in it ---

    def run(self, *command, check=True, limit=None, **options):
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        done = subprocess.run(command, env=self.environment(), timeout=self.patience if limit is None else limit,
                              **options)
        if check and done.returncode != 0:
            text = (done.stderr or done.stdout or b"")[-4000:].decode("utf-8", "replace")
            raise CityError(f"{' '.join(command)} gave {done.returncode}: {text.strip()}")
        return done

    def popen(self, *command, **options):
        helper = subprocess.Popen(command, env=self.environment(), **options)
        self.helpers.append(helper)
        return helper

    def ctl(self, *args, check=True, limit=None):
        """cityctl with --json; a list of the objects that it printed."""
        done = self.run("cityctl", *args, "--json", check=check, limit=limit)
        return [json.loads(line) for line in done.stdout.decode().splitlines() if line.strip()]

    def tile(self, name):
        for tile in self.ctl("tiles"):
            if tile["name"] == name:
                return tile
        raise Missing(f"there is no tile {name}")

    def wait_tile(self, name, state="live", limit=None):
        return self.until(lambda: self._tile_in(name, state), limit, f"{name} is not {state}")

    def _tile_in(self, name, state):
        for tile in self.ctl("tiles"):
            if tile["name"] == name and tile["state"] == state:
                return tile
        return None

    def until(self, condition, limit=None, what="it did not happen"):
        """For what has no event to wait for: asks again and again, with a generous limit. A question that meets
        something in motion has no answer yet. A program that cannot be asked is another thing: the city's
        programs may not fail, unless the test says so (check=False)."""
        limit = self.patience if limit is None else limit
        end = time.monotonic() + limit
        pause = PAUSE
        while True:
            reason = None
            try:
                result = condition()
                if result:
                    return result
            except IN_MOTION as error:
                reason = error
            if time.monotonic() > end:
                last = f", and last there was {reason!r}" if reason else ""
                raise CityError(f"{what} after {limit} s{last}; the log:\n{self.said()[-4000:]}") from reason
            time.sleep(pause)
            pause = min(pause * 1.3, PAUSE_MAX)

    def type(self, *args):
        """Keys from wtype: text, or its options."""
        self.run("wtype", *args)

    def picture(self, path, box=None):
        geometry = ["-g", f"{box[0]},{box[1]} {box[2]}x{box[3]}"] if box else []
        self.run("grim", *geometry, path)
        return path

    def pixels(self, box):
        """The pixels of a box of the screen: rows of (r, g, b)."""
        x, y, width, height = box
        ppm = self.run("grim", "-t", "ppm", "-g", f"{x},{y} {width}x{height}", "-").stdout
        fields, data = ppm.split(b"\n", 3)[:3], ppm.split(b"\n", 3)[3]
        if fields[0] != b"P6":
            raise CityError("grim gave no PPM")
        w, h = (int(n) for n in fields[1].split())
        return [[tuple(data[(y * w + x) * 3:(y * w + x) * 3 + 3]) for x in range(w)] for y in range(h)]

    def box(self, tile):
        """Where a tile is on the first output: x, y, width, height in output pixels."""
        state = self.ctl("state")[0]
        camera = state["outputs"][0]["camera"]
        for view in state["views"]:
            if view.get("tile") == tile:
                zoom = camera["zoom"]
                return (round((view["cx"] - camera["cx"]) * zoom),
                        round((view["cy"] - camera["cy"]) * zoom),
                        round(view["width"] * zoom), round(view["height"] * zoom))
        raise Missing(f"{tile} is not on the map")

    def edge(self, tile):
        """The colour just inside a tile's corner, as it is on the screen."""
        x, y, _, _ = self.box(tile)
        return self.pixels((x + 2, y + 2, 1, 1))[0][0]

    def kill(self, pid, number=signal.SIGKILL):
        os.kill(pid, number)

    # --- the compositor's death ---

    def compositor(self):
        found = [p for p in children(self.keeper.pid) if name_of(p) == "source-city-com"]
        return found[0] if found else 0

    def back(self, dead):
        """Another compositor answers."""
        self.until(lambda: self.compositor() not in (0, dead), what="no other compositor")
        self.until(lambda: self.run("cityctl", "tiles", check=False).returncode == 0,
                   what="the compositor does not answer")

    def die(self, number=signal.SIGKILL):
        dead = self.compositor()
        self.kill(dead, number)
        self.back(dead)

    def leave_dead(self, *others):
        """The compositor and others die, and nothing comes back until revive(dead)."""
        dead = self.compositor()
        self.kill(self.keeper.pid, signal.SIGSTOP)
        self.until(lambda: process_state(self.keeper.pid) == "T")
        for pid in (dead, *others):
            self.kill(pid)
            self.until(lambda: process_state(pid) in ("Z", ""))
        return dead

    def revive(self, dead):
        self.kill(self.keeper.pid, signal.SIGCONT)
        self.back(dead)

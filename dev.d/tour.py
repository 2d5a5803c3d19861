#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tour: a city without a screen, in which a terminal is rewritten under a running program.

Writes before.png, melt.png, after.png and the city's log, a JSON line for the handover, and a last line that says
what happened. Exit 0 only if all of it held. With --stay the city goes on and is served over VNC."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "tests", "lib"))

from city import City, CityError, Lines, installed  # noqa: E402

VNC_PORTS = range(5900, 5932)  # the first free one
MELT_PICTURES = 60  # at most
MELT_MS = 2500
BUILD_LIMIT = 180.0  # seconds for the compiler, however busy the machine is

# A program that prints without pause, tells who it is, and would tell if it were hung up.
PROGRAM = """
trap 'echo hangup > "$1/hangup"; exit 1' HUP
trap 'printf "\\033[m"; exit 130' INT
echo $$ > "$1/pid"
n=0
while :; do
	n=$((n + 1))
	printf '\\033[38;5;%dm%9d  this program has been running all the while\\033[m\\n' $((n / 40 % 200 + 20)) $n
	[ $((n % 500)) -eq 0 ] && echo $n > "$1/count.new" && mv "$1/count.new" "$1/count"
done
"""
OLD = "theme_background = 0x11151c"
NEW = "theme_background = 0x241433"
NEW_COLOR = (0x24, 0x14, 0x33)
OLD_COLOR = (0x11, 0x15, 0x1c)


class Tour:
    def __init__(self, city, out):
        self.city = city
        self.out = out
        self.folder = os.path.join(city.folder, "tour")
        os.makedirs(self.folder)

    def read(self, name):
        try:
            with open(os.path.join(self.folder, name)) as file:
                return file.read().strip()
        except FileNotFoundError:
            return ""

    def start_program(self):
        script = os.path.join(self.folder, "program.sh")
        with open(script, "w") as file:
            file.write(PROGRAM)
        self.city.ctl("run", "focus", "terminal")
        self.city.type(f"sh {script} {self.folder}", "-k", "Return")
        self.city.until(lambda: self.read("count"), what="the program in the terminal did not run")
        return int(self.read("pid"))

    def edit(self):
        source = os.path.join(self.folder, "terminal")
        installed_source = os.path.join(os.environ["SOURCE_CITY_BUILD"], "prefix", "share",
                                        "source-city", "tiles", "terminal")
        shutil.copytree(installed_source, source)
        theme = os.path.join(source, "theme.c")
        with open(theme) as file:
            text = file.read()
        if OLD not in text:
            raise CityError(f"{theme} does not hold \"{OLD}\"")
        with open(theme, "w") as file:
            file.write(text.replace(OLD, NEW))
        return source

    def picture(self, name):
        return self.city.picture(os.path.join(self.out, name))

    def melt_pictures(self):
        """One after the other until nothing of the old version is left; the one nearest to half-way
        is kept."""
        best, best_rest, whole = None, 1.0, None
        for _ in range(MELT_PICTURES):
            ppm = self.city.run("grim", "-t", "ppm", "-").stdout
            old, new = ppm.count(bytes(OLD_COLOR)), ppm.count(bytes(NEW_COLOR))
            whole = whole or max(old, 1)
            share = (whole - old + new) / (2 * whole)
            if 0.05 < share < 0.95 and abs(share - 0.5) < best_rest:
                best, best_rest = ppm, abs(share - 0.5)
            if old < whole / 1000 and new > whole / 2:
                break
        if best:
            with open(os.path.join(self.out, "melt.png"), "wb") as file:
                self.city.run("pnmtopng", input=best, stdout=file)

    def swap(self, source):
        """Hand over; pictures while it melts; the record."""
        swap = self.city.popen("cityctl", "swap", "terminal", "--source", source, "--settled",
                               "--json", stdout=subprocess.PIPE)
        lines = Lines(swap.stdout)
        record = None
        melting = threading.Thread()
        melting.start()
        while True:
            line = lines.next(BUILD_LIMIT)
            if line is None:
                break
            event = json.loads(line)
            if event.get("step") == "melt" and "result" not in event:
                melting = threading.Thread(target=self.melt_pictures)
                melting.start()
            if "result" in event:
                record = event
        melting.join()
        swap.wait()
        if record is None:
            raise CityError("the handover left no record")
        print(json.dumps(record), flush=True)
        if record["result"] != "live":
            raise CityError(f"the handover failed at {record['step']}: {record['reason']}")
        if record["pause_us"] is None:
            raise CityError("the old version was gone before the new one came")
        return record


def tour(city, out):
    tour = Tour(city, out)
    city.wait_tile("terminal")
    pid = tour.start_program()
    first = city.edge("terminal")
    if first != OLD_COLOR:
        raise CityError(f"the terminal's edge is {first} before, not {OLD_COLOR}")
    tour.picture("before.png")
    before = int(tour.read("count"))
    record = tour.swap(tour.edit())
    city.until(lambda: int(tour.read("count") or 0) > before + 1000,
               what="the program stopped printing")
    last = city.edge("terminal")
    if last != NEW_COLOR:
        raise CityError(f"the terminal's edge is {last} after, not {NEW_COLOR}")
    tour.picture("after.png")
    if not os.path.exists(os.path.join(out, "melt.png")):
        raise CityError("no picture shows the melt")
    if tour.read("hangup") or int(tour.read("pid")) != pid:
        raise CityError("the program was hung up")
    os.kill(pid, 0)
    return pid, record


def free_port():
    for port in VNC_PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise CityError(f"no port from {VNC_PORTS[0]} to {VNC_PORTS[-1]} is free to serve VNC on")


def stay(city):
    """Serve it on loopback until interrupted."""
    port = free_port()
    city.popen("wayvnc", "127.0.0.1", str(port), stdout=subprocess.DEVNULL,
               stderr=subprocess.DEVNULL)
    env = f"XDG_RUNTIME_DIR={city.folder}/run WAYLAND_DISPLAY={city.display}"
    print(f"""
The city goes on, in folders of its own, which go with it. Ctrl+C ends it.
  look at it:           vncviewer 127.0.0.1::{port}
  a picture of it:      {env} ./dev exec grim city.png
  command it:           {env} ./dev exec cityctl tiles
  rewrite its terminal: edit and save {city.folder}/tour/terminal/theme.c""", flush=True)
    try:
        city.keeper.wait()
    except KeyboardInterrupt:
        pass


def main():
    out = os.path.join(os.environ["SOURCE_CITY_BUILD"], "tour")
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    # A melt that lasts long enough to be photographed.
    env = {"SOURCE_CITY_LIMITS": f"melt={MELT_MS}"}
    if "--stay" in sys.argv:
        # Somebody is going to live in it.
        env.update({name: os.environ[name] for name in ("HOME", "SHELL") if name in os.environ})
    city = City(env=env)
    try:
        with city:
            try:
                pid, record = tour(city, out)
            finally:
                shutil.copy(city.log_path, os.path.join(out, "city.log"))
            print(f"tour: the terminal was rewritten in {record['pause_us'] / 1000:.2f} ms while "
                  f"process {pid} printed in it; {record['frames_dropped']} frames dropped; "
                  f"pictures in {out}", flush=True)
            if "--stay" in sys.argv:
                stay(city)
    except CityError as error:
        print(f"tour: FAILED: {error}; what the city said is in {out}/city.log", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

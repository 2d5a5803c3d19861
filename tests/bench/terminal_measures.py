# SPDX-License-Identifier: MIT
"""The measures of the terminal, and of what is edited in it: no byte of a PTY is lost, how fast it shows text and keys,
and how soon its edited source is live."""

import json
import os
import shutil
import subprocess
import tempfile
import time

from city import City, CityError, LIMIT, Lines
from measuring import (LIMITS, bench_tile, build_path, children, measure, peer_of, percentile, runs_the_city, swap,
                       tile_config)

PTY_HANDOVERS = 100


# --- the PTY ---

FNV_BASIS, FNV_PRIME, WORD = 0xcbf29ce484222325, 0x100000001b3, (1 << 64) - 1


def sink_cells(city):
    for cell in city.ctl("vat", "sink")[0]["cells"]:
        if cell["name"] == "sink":
            return cell["values"][0]
    raise CityError("the sink tile has no cell")


def programs_of(city):
    """The processes that the keeper runs for tiles."""
    return [pid for pid in children(city.keeper.pid) if not runs_the_city(pid)]


def drain(command, handovers):
    """Run the command in a sink tile, handing over all the time; what arrived, and what happened."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        hangup = os.path.join(folder, "hangup")
        config = tile_config("sink", bench_tile("sink", 1), (40, 40), (240, 160),
                             command=f"HANGUP_FILE={hangup} exec {command}")
        done, programs = 0, set()
        with City(config, env=LIMITS) as city:
            city.wait_tile("sink")
            while not (cells := sink_cells(city))["ended"]:
                programs.update(programs_of(city))
                if done < handovers:
                    swap(city, "sink", bench_tile("sink", 2 - done % 2), "--strategy", "instant")
                    done += 1
                else:
                    time.sleep(0.2)
        if len(programs) != 1:
            raise CityError(f"{command} was seen as {len(programs)} processes")
        if cells["status"] != 0:
            raise CityError(f"{command} ended with {cells['status']} after {done} handovers")
        if os.path.exists(hangup):
            raise CityError(f"{command} got SIGHUP")
        return cells["bytes"], cells["hash"], done


def pty_bytes_lost():
    fullscreen = build_path("tests", "bench", "bench-fullscreen")
    commands = {
        "yes": "sh -c 'yes | head -c 300000000'",
        # As often as it takes to last for all handovers.
        "seq": "sh -c 'for i in 1 2 3 4 5 6 7 8; do seq 1 10000000; done'",
        "fullscreen": f"{fullscreen} 300000",
    }
    for name, command in commands.items():
        expected, expected_hash, _ = drain(command, 0)
        got, got_hash, done = drain(command, PTY_HANDOVERS)
        lost = abs(expected - got) or (0 if got_hash == expected_hash else 1)
        yield {"name": f"pty.bytes_lost.{name}", "unit": "bytes", "p50": lost, "p99": lost,
               "max": lost, "n": done, "beside": {"bytes": got}}


# --- from a key to the screen ---

KEYS = 300
FOOT = ["foot", "-o", "initial-window-size-pixels=800x500", "-T", "typing", "cat"]


def type_keys(env):
    done = subprocess.run([build_path("tests", "headless", "bench-typing"), "keys", str(KEYS)], env=env,
                          stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def typing():
    config = tile_config("terminal", build_path("prefix", "lib", "source-city", "tiles", "terminal.so"),
                         (40, 40), (800, 500), command="cat")
    with City(config) as city:
        city.wait_tile("terminal")
        city.ctl("run", "focus", "terminal")
        tile = type_keys(city.environment())
    with City("") as city:
        foot = city.popen(*FOOT)
        city.until(lambda: any(v["focused"] for v in city.ctl("state")[0]["views"]
                               if v["title"] == "typing"), what="no foot")
        city.ctl("run", "focus", "typing")
        guest = type_keys(city.environment())
        foot.terminate()
        foot.wait()
    beside = {}
    with peer_of(["sway", "-c", "{config}"], "for_window [title=typing] floating enable\n") as (sway, env):
        if sway:
            foot = subprocess.Popen(FOOT, env=env, stderr=subprocess.DEVNULL)
            socket = sway_socket(env)
            wait_for(lambda: '"typing"' in subprocess.run(
                ["swaymsg", "-s", socket, "-t", "get_tree"], env=env, stdout=subprocess.PIPE,
                text=True).stdout, "no foot in sway")
            peer = type_keys(env)
            beside = {"foot in sway p50": peer["p50"], "foot in sway p99": peer["p99"]}
            foot.terminate()
            foot.wait()
    yield {**tile, "name": "typing.tile", "beside": beside}
    yield {**guest, "name": "typing.foot", "beside": beside}


def wait_for(done, what):
    end = time.monotonic() + LIMIT
    while not done():
        if time.monotonic() > end:
            raise CityError(what)
        time.sleep(0.05)


def sway_socket(env):
    folder = env["XDG_RUNTIME_DIR"]
    return next(os.path.join(folder, n) for n in os.listdir(folder) if n.startswith("sway-ipc."))


# --- live ---

def copy_source(folder, tile):
    source = os.path.join(build_path("prefix", "share", "source-city", "tiles"), tile)
    target = os.path.join(folder, tile)
    shutil.copytree(source, target)
    return target


def tile_compile(folder, output, *files):
    prefix = build_path("prefix")
    with open(os.path.join(prefix, "share", "source-city", "tile-flags")) as file:
        flags = file.read().split()
    sources = [os.path.join(folder, f) for f in sorted(os.listdir(folder)) if f.endswith(".c")]
    if files:
        sources = [os.path.join(folder, f) for f in files]
        flags = [f for f in flags if not f.startswith(("-Wl", "-l", "-shared", "-nostart"))] + ["-c"]
    begin = time.monotonic()
    subprocess.run(["cc", "-I" + os.path.join(prefix, "include", "source-city"), "-o", output,
                    *sources, *flags], check=True)
    return (time.monotonic() - begin) * 1000


def live_terminal():
    rounds = 20
    folder = tempfile.mkdtemp(prefix="bench-")
    samples, one_file, whole = [], [], []
    try:
        source = copy_source(folder, "terminal")
        theme = os.path.join(source, "theme.c")
        with open(theme) as file:
            text = file.read()
        with City() as city:
            city.wait_tile("terminal")
            watch = city.popen("cityctl", "watch", "terminal", "--source", source, "--json",
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            lines = Lines(watch.stdout)
            # The first build compiles all files, the others what was edited.
            city.ctl("swap", "terminal", "--source", source, "--settled", limit=300)
            for i in range(rounds):
                edited = text.replace("theme_background = 0x11151c",
                                      f"theme_background = 0x11{(0x20 + i):02x}1c")
                if edited == text:
                    raise CityError("the terminal's theme is not as expected")
                begin = time.clock_gettime(time.CLOCK_MONOTONIC)
                with open(theme + ".new", "w") as file:
                    file.write(edited)
                os.replace(theme + ".new", theme)
                committed = wait_commit(lines)
                samples.append((committed - begin) * 1000)
                wait_record(lines)
        for i in range(5):
            one_file.append(tile_compile(source, os.path.join(folder, "one.o"), "theme.c"))
            whole.append(tile_compile(source, os.path.join(folder, "all.so")))
        yield measure("live.terminal", "ms", samples, {
            "cc of the changed file": percentile(one_file, 0.5),
            "cc of all files, one by one": percentile(whole, 0.5)})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def live_move():
    """From the drop of a tile on another district, or the command, to its first frame from there."""
    folder = tempfile.mkdtemp(prefix="bench-")
    samples, whole = [], []
    try:
        with City() as city:
            city.wait_tile("terminal")
            city.ctl("move", "terminal", "work", limit=300)  # compiles all files
            for i in range(10):
                begin = time.clock_gettime(time.CLOCK_MONOTONIC)
                move = city.popen("cityctl", "move", "terminal", ("home", "work")[i % 2], "--json",
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                lines = Lines(move.stdout)
                samples.append((wait_commit(lines) - begin) * 1000)
                wait_record(lines)
                move.wait()
        source = copy_source(folder, "terminal")
        for i in range(5):
            whole.append(tile_compile(source, os.path.join(folder, "all.so")))
        yield measure("live.move", "ms", samples, {
            "cc of all files, one by one": percentile(whole, 0.5)})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_commit(lines):
    while True:
        line = lines.next()
        if line is None:
            raise CityError("the edited terminal did not go live")
        event = json.loads(line)
        if event.get("step") == "commit" and "time_ns" in event:
            return event["time_ns"] / 1e9
        if event.get("event") == "failed":
            raise CityError(f"the edited terminal failed: {event}")


def wait_record(lines):
    while True:
        line = lines.next()
        if line is None:
            raise CityError("the handover did not end")
        if "result" in json.loads(line):
            return


# --- throughput ---

def make_texts(folder, size=100_000_000):
    plain, coloured = os.path.join(folder, "plain"), os.path.join(folder, "coloured")
    line = b"the quick brown fox jumps over the lazy dog, and the city goes on living beside it\n"
    with open(plain, "wb") as file:
        file.write((line * (size // len(line) + 1))[:size])
    piece = b"".join(b"\033[38;5;%dm%s\033[48;5;%dm%s\033[m\r\n" % (
        16 + i % 216, line[:30], 16 + (i * 7) % 216, line[30:60]) for i in range(1000))
    with open(coloured, "wb") as file:
        file.write((piece * (size // len(piece) + 1))[:size])
    return {"text": plain, "coloured": coloured}


def term_throughput():
    folder = tempfile.mkdtemp(prefix="bench-")
    try:
        for kind, path in make_texts(folder).items():
            size = os.path.getsize(path) / 1e6
            ours, theirs = [], []
            with City() as city:
                city.wait_tile("terminal")
                for i in range(3):
                    ours.append(size / timed_cat(city, folder, path, foot=False))
                    theirs.append(size / timed_cat(city, folder, path, foot=True))
            yield measure(f"term.throughput.{kind}", "MB/s", ours,
                          {"foot": percentile(theirs, 0.5)})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def timed_cat(city, folder, path, foot):
    """Seconds for cat, as the program in the terminal sees it."""
    result = os.path.join(folder, "result")
    if os.path.exists(result):
        os.unlink(result)
    script = os.path.join(folder, "script.sh")
    with open(script, "w") as file:
        file.write(f"begin=$(date +%s%N)\ncat {path}\nend=$(date +%s%N)\n"
                   f"echo $((end - begin)) > {result}.new\nmv {result}.new {result}\n")
    if foot:
        city.run("foot", "sh", script, limit=300)
    else:
        city.ctl("run", "focus", "terminal")
        city.type(f"sh {script}", "-k", "Return")
    city.until(lambda: os.path.exists(result), 300, "cat did not end")
    with open(result) as file:
        return int(file.read()) / 1e9


ALL = {
    "pty.bytes_lost": pty_bytes_lost,
    "live.terminal": live_terminal,
    "live.move": live_move,
    "typing.": typing,
    "term.throughput": term_throughput,
}

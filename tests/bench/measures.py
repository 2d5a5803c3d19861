# SPDX-License-Identifier: MIT
"""The measures that need a running city. Each function yields measures; ALL names them."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

import sound_measures
from city import City, CityError, LIMIT, Lines, installed

HANDOVERS = {"4k": 200, "1m": 200, "64m": 200, "1g": 200}
HANDOVERS_WATCHED = 1000  # of the smallest state; the frames of all of them count
HANDOVERS_AT_A_TIME = 20  # of these; then as many frames of the same tile without any
RISCV_HANDOVERS = 100
ROLLBACKS = 50
MIGRATIONS = 60
# Probation is not what is measured, and would take most of the time.
LIMITS = {"SOURCE_CITY_LIMITS": "probation=100,frames=6"}
LONG_PROBATION = {"SOURCE_CITY_LIMITS": "probation=600000,frames=6"}
PTY_HANDOVERS = 100
IDLE_SECONDS = 10


def build_path(*parts):
    return os.path.join(os.environ["SOURCE_CITY_BUILD"], *parts)


def percentile(samples, share):
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def measure(name, unit, samples, beside=None):
    return {
        "name": name, "unit": unit,
        "p50": percentile(samples, 0.5), "p99": percentile(samples, 0.99),
        "max": max(samples), "n": len(samples), "beside": beside or {},
    }


def floors():
    done = subprocess.run([build_path("tests", "bench", "bench-floor")], stdout=subprocess.PIPE,
                          text=True, check=True)
    return {m["name"]: m["p50"] for m in map(json.loads, done.stdout.splitlines())}


def bench_tile(name, variant):
    return build_path("tests", "bench", f"{name}-{variant}.so")


def swap(city, tile, artifact, *options):
    """One handover, waited for to its end; its record."""
    answer = city.ctl("swap", tile, "--artifact", artifact, "--settled", *options)
    records = [a for a in answer if "result" in a]
    if not records or records[-1]["result"] != "live":
        raise CityError(f"a handover of {tile} failed: {answer[-1:]}")
    return records[-1]


def tile_config(name, artifact, place, size, **options):
    lines = [f"tile {name} {{", f"\tartifact {artifact}", f"\tat {place[0]} {place[1]}",
             f"\tsize {size[0]} {size[1]}"]
    for key, value in options.items():
        lines.append(f'\toption {key} "{value}"')
    return "\n".join(lines + ["}", ""])


# --- handovers ---

def erlang():
    """The same in Erlang: milliseconds are not enough for it, so all of it is in µs. {} where there is none."""
    if not shutil.which("escript"):
        return {}
    here = os.path.dirname(os.path.abspath(__file__))
    done = subprocess.run(["escript", os.path.join(here, "erlang.escript"), here], stdout=subprocess.PIPE,
                          text=True, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {m["name"].removeprefix("erlang."): {"Erlang p50": m["p50"], "Erlang p99": m["p99"]} for m in found}


class Handovers:
    """Of a tile that writes its state all the time: what it took, and what became of the frames."""

    def __init__(self, city, name):
        self.city, self.name = city, name
        self.pauses, self.dropped, self.shown = [], 0, 0
        city.wait_tile("state")

    def do(self, count):
        for _ in range(count):
            artifact = bench_tile(self.name, 2 - len(self.pauses) % 2)
            record = swap(self.city, "state", artifact, "--strategy", "melt")
            self.pauses.append(record["pause_us"])
            self.dropped += record["frames_dropped"]
            self.shown += record["frames_shown"]


def state_config(name):
    return tile_config("state", bench_tile(name, 1), (40, 40), (240, 160))


def pauses_of(size, count):
    """Pauses of handovers of so much state."""
    name = f"state-{size}"
    with City(state_config(name), env=LIMITS) as city:
        handovers = Handovers(city, name)
        handovers.do(count)
    return handovers.pauses


def frames_of(city):
    """Frames shown and missed so far."""
    output = city.ctl("state")[0]["outputs"][0]
    return output["frames"], output["missed"]


def frames_without(city, count):
    """At least so many frames of the tile while nothing else happens: shown, and missed."""
    time.sleep(1)  # what the last handover leaves to be written is written
    begin = end = frames_of(city)
    while end[0] - begin[0] < count:
        time.sleep(0.4)  # a handover asks for something about as often
        end = frames_of(city)
    return end[0] - begin[0], end[1] - begin[1]


def handover_frames():
    """Handovers of the smallest state, and between them frames without any."""
    name = "state-4k"
    shown = missed = 0
    with City(state_config(name), env={**LIMITS, "SOURCE_CITY_PACE": "1"}) as city:
        handovers = Handovers(city, name)
        while len(handovers.pauses) < HANDOVERS_WATCHED:
            handovers.do(HANDOVERS_AT_A_TIME)
            more = frames_without(city, handovers.shown - shown)
            shown, missed = shown + more[0], missed + more[1]
    yield {"name": "handover.frames_dropped", "unit": "frames", "p50": handovers.dropped,
           "p99": handovers.dropped, "max": handovers.dropped, "n": HANDOVERS_WATCHED,
           "beside": {"frames shown": handovers.shown, "dropped without a handover": missed,
                      "of frames": shown}}


def handover_pauses():
    beside, found = erlang(), floors()
    for size, count in HANDOVERS.items():
        yield measure(f"handover.pause.{size}", "µs", pauses_of(size, count),
                      {**found, **beside.get(f"same.{size}", {})})
        found = {}


def handover_riscv():
    """A machine of 1 GiB, of which the guest has touched every page and goes on writing, from one processor to
    the other and back: the pause, and how long the guest stands still, from the last instruction on the one to the
    first on the other."""
    artifacts = [build_path("prefix", "lib", "source-city", "tiles", f"{name}.so") for name in ("riscv", "riscv-fast")]
    guest = build_path("tests", "riscv", "guest", "tile_guest.elf")
    text = tile_config("machine", artifacts[0], (40, 40), (1036, 680), elf=guest, memory="1G")
    with City(text, env={**LIMITS, "SOURCE_CITY_LOG": "debug"}) as city:
        city.wait_tile("machine")

        def console():
            process = city.popen("cityctl", "console", "machine", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            lines = Lines(process.stdout)
            return (process, lines) if lines.next() is not None else None

        process, lines = city.until(console, what="the machine has no console")
        for key, answer in ((b"f", "filled"), (b"w", "wild")):
            process.stdin.write(key)
            process.stdin.flush()
            while answer not in (lines.next() or answer):
                pass
        pauses = [swap(city, "machine", artifacts[(i + 1) % 2], "--strategy", "melt")["pause_us"]
                  for i in range(RISCV_HANDOVERS)]
        state = city.ctl("vat", "machine", "board")[0]
        said = city.said()
    yield measure("handover.pause.riscv", "µs", pauses, {"MiB of state": round(state["used"] / 2**20)})
    # The start has attached, too.
    before = [int(us) for us in re.findall(r"its last update ended (\d+) us before it yielded", said)]
    after = [int(us) for us in re.findall(r"its first update began (\d+) us after attach", said)][-len(before):]
    if not len(before) == len(after) == len(pauses):
        raise CityError(f"of {len(pauses)} handovers {len(before)} and {len(after)} have said when the guest ran")
    yield measure("handover.pause.riscv.guest", "µs", [sum(parts) for parts in zip(before, pauses, after)])


# --- what a probation holds, and going back from it ---

def shared_memory(city):
    """Bytes of shared memory that the city holds, but for pictures, and for recordings, whose room is fixed."""
    found = {}
    for pid in [city.keeper.pid] + children(city.keeper.pid):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{fd}"
            try:
                name, status = os.readlink(path), os.stat(path)
            except OSError:
                continue
            if name.startswith("/memfd:") and "buffer" not in name and "source-city-memory" not in name:
                found[status.st_ino] = status.st_blocks * 512
    return sum(found.values()) / 1e6


def in_probation(city, artifact):
    """A handover that is in its probation, and has written what it writes; what waits for its end."""
    was = updates_of(city)
    helper = city.popen("cityctl", "swap", "state", "--artifact", artifact, "--settled", "--json",
                        "--strategy", "instant", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    lines = Lines(helper.stdout)
    while (line := lines.next()) is not None:
        if json.loads(line).get("step") == "probation":
            break
    else:
        raise CityError("a handover did not come to its probation")
    city.until(lambda: updates_of(city) > was + 2, what="the new version does nothing")
    return helper


def updates_of(city):
    return city.ctl("vat", "state", "words")[0]["updates"]


def rollback():
    config = tile_config("state", bench_tile("touch-1g", 1), (40, 40), (240, 160))
    samples, probation, after = [], [], []
    with City(config, env=LONG_PROBATION) as city:
        city.wait_tile("state")
        # The first start is on trial, too, until the next version comes.
        for i in range(ROLLBACKS + 1):
            helper = in_probation(city, bench_tile("touch-1g", 2))
            during = shared_memory(city)
            city.ctl("rollback", "state")
            helper.wait()
            city.wait_tile("state")
            record = city.ctl("history", "state", "--last", "1")[-1]
            if record["result"] != "rolled-back":
                raise CityError(f"it was not rolled back: {record}")
            samples.append(record["rollback_us"] / 1000)
            rest = shared_memory(city)
            after.append(rest)
            probation.append(during - rest)
    yield measure("rollback.1m_of_1g", "ms", samples)
    yield measure("handover.memory.probation", "MB", probation, {"what the new version wrote": 1.05})
    yield measure("handover.memory.after", "MB", [value - after[0] for value in after[1:]],
                  {"the region": after[0]})


def migrate_pauses(name):
    """Pauses of handovers between two schemas of a million elements, which the tile goes on changing; and
    the share of the elements that had to be converted again in the pause."""
    config = tile_config("shift", bench_tile(name, 1), (40, 40), (240, 160))
    pauses = []
    with City(config, env=LIMITS) as city:
        city.wait_tile("shift")
        for i in range(MIGRATIONS):
            record = swap(city, "shift", bench_tile(name, 2 - i % 2), "--strategy", "instant")
            pauses.append(record["pause_us"] / 1000)
        again = re.findall(r"(\d+) bytes of cells were built ahead, (\d+) of them", city.said())
    if len(again) != MIGRATIONS:
        raise CityError(f"only {len(again)} of {MIGRATIONS} migrations were built ahead")
    return pauses, percentile([100 * int(late) / int(built) for built, late in again], 0.5)


def handover_migrate():
    pauses, again = migrate_pauses("shift")
    scattered, scattered_again = migrate_pauses("scatter")
    peer = {name: value / 1000 for name, value in erlang().get("migrate", {}).items()}
    yield measure("handover.pause.migrate", "ms", pauses, {"% converted in the pause": round(again, 2), **peer})
    yield measure("handover.pause.migrate.scattered", "ms", scattered,
                  {"% converted in the pause": round(scattered_again, 2)})


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


# --- idle ---

def context_switches(pid):
    """How often the threads of a process were woken."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/status") as file:
                for line in file:
                    if "ctxt_switches" in line:
                        total += int(line.split()[1])
        except FileNotFoundError:
            pass
    return total


def pss_mb(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    raise CityError(f"no PSS of {pid}")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(n) for n in file.read().split()]


def program_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def runs_the_city(pid):
    return program_of(pid).startswith("source-city") or not program_of(pid)


def idle_wakeups():
    with City() as city:
        city.wait_tile("terminal")
        city.wait_tile("clock")
        city.ctl("run", "pan", "100000", "100000")  # nothing of the city is on the screen
        pids = [city.keeper.pid] + children(city.keeper.pid)
        settle(pids)
        before = {pid: context_switches(pid) for pid in pids}
        time.sleep(IDLE_SECONDS)  # the length of the measure, not a wait for something
        woken = {program_of(pid): context_switches(pid) - before[pid] for pid in pids}
        total = sum(woken.values())
        yield {"name": "idle.wakeups", "unit": "in 10 s", "p50": total, "p99": total, "max": total,
               "n": len(pids), "beside": {k: v for k, v in woken.items() if v}}


def settle(pids, limit=LIMIT):
    """Until nothing was woken for a second."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        before = [context_switches(pid) for pid in pids]
        time.sleep(1)
        if before == [context_switches(pid) for pid in pids]:
            return


@contextlib.contextmanager
def peer_of(command, config=""):
    """A compositor of others, headless: its process and an environment to reach it; (None, None) where
    there is none. {config} in its command names a file with that text."""
    folder = tempfile.mkdtemp(prefix="bench-")
    env = dict(os.environ, XDG_RUNTIME_DIR=folder, XDG_CONFIG_HOME=folder, WLR_BACKENDS="headless",
               WLR_RENDERER="pixman", WLR_LIBINPUT_NO_DEVICES="1")
    env.pop("WAYLAND_DISPLAY", None)
    path = os.path.join(folder, "config")
    with open(path, "w") as file:
        file.write(config)
    peer = None
    try:
        if not shutil.which(command[0]):
            yield None, None
            return
        peer = subprocess.Popen([word.format(config=path) for word in command], env=env,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + LIMIT
        sockets = []
        while not sockets:
            if time.monotonic() > end or peer.poll() is not None:
                raise CityError(f"{command[0]} does not start")
            time.sleep(0.05)
            sockets = [n for n in os.listdir(folder) if re.fullmatch(r"wayland-[0-9]+", n)]
        env["WAYLAND_DISPLAY"] = sockets[0]
        yield peer, env
    finally:
        if peer:
            peer.terminate()
            peer.wait()
        shutil.rmtree(folder, ignore_errors=True)


def peer_pss(*command):
    """PSS of a compositor of others, idle."""
    with peer_of(command) as (peer, _):
        if not peer:
            return None
        settle([peer.pid])
        return pss_mb(peer.pid)


def idle_pss():
    peers = {name: peer_pss(*command) for name, command in {
        "sway": ["sway", "-c", "/dev/null"], "labwc": ["labwc"]}.items()}
    beside = {name: value for name, value in peers.items() if value is not None}
    with City() as city:
        city.wait_tile("terminal")
        city.wait_tile("clock")
        names = {city.tile(name)["pid"]: name for name in ("terminal", "clock")}
        pids = [city.keeper.pid] + children(city.keeper.pid)
        settle(pids)
        for pid in pids:
            name = names.get(pid, program_of(pid))
            if not name.startswith("source-city") and pid not in names:
                continue  # the shell is the user's
            name = {"source-city": "keeper", "source-city-com": "compositor",
                    "source-city-til": "spare", "source-city-for": "forge"}.get(name, name)
            value = pss_mb(pid)
            yield {"name": f"idle.pss.{name}", "unit": "MB", "p50": value, "p99": value,
                   "max": value, "n": 1, "beside": beside if name == "compositor" else {}}


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


# --- the compositor dies ---

DEATHS = 21
DEATHS_OF_A_CITY = 3  # one more in a row would be a breakdown


def restart_compositor():
    samples = []
    while len(samples) < DEATHS:
        with City() as city:
            city.wait_tile("terminal")
            city.wait_tile("clock")
            for _ in range(DEATHS_OF_A_CITY):
                dead = compositor_of(city)
                killed = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
                city.kill(dead)
                returned = city.until(lambda: returned_ns(city, dead), what="no tiles again")
                samples.append((returned - killed) / 1e6)
    yield measure("restart.compositor", "ms", samples)


def compositor_of(city):
    found = [pid for pid in children(city.keeper.pid) if program_of(pid) == "source-city-com"]
    return found[0] if found else None


def returned_ns(city, dead):
    """When all tiles were presented, as the compositor that came after says."""
    if compositor_of(city) in (None, dead):
        return None
    state = city.ctl("state", check=False)
    return state[0].get("returned_ns") if state else None


# --- the map ---

MODULES = 100_000
PANS = 300
PAN_ZOOMS = {"city": 1 / 32, "districts": 0.1}
FRAME_SECONDS = 0.04  # the length of the measure of one
NEW_ZOOMS = (1 / 32, 0.1, 0.05, 0.2, 0.07, 0.14)
FRAMES_KEPT = 600  # that the compositor keeps the costs of


def make_modules(folder, count):
    """Source files of sizes as they have, in folders of 50, 20 of which are in one."""
    seed = 1
    for i in range(count):
        path = os.path.join(folder, f"part-{i // 1000:03d}", f"area-{i // 50:05d}")
        if i % 50 == 0:
            os.makedirs(path)
        seed = (seed * 1664525 + 1013904223) & 0xffffffff
        with open(os.path.join(path, f"module-{i:06d}.c"), "w") as file:
            file.write("\n" * int(20 * 2.718 ** ((seed >> 16) / 65536 * 4.2)))


def cpu_ms(pid):
    """Of the main thread, which draws."""
    with open(f"/proc/{pid}/task/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e6


def map_pan():
    """What a frame costs while a map of 100,000 modules is panned at 1080p, and while it gets one new zoom
    after the other."""
    folder = tempfile.mkdtemp(prefix="city-source-")
    try:
        make_modules(folder, MODULES)
        config = f"animations off\nsources {folder}\n"
        with City(config, width=1920, height=1080, env={"WLR_RENDERER": "pixman"}) as city:
            begin = time.monotonic()
            name = os.path.basename(folder)

            def surveyed():
                return next((q for q in city.ctl("map")[0]["quarters"] if q["name"] == name), None)

            quarter = city.until(surveyed, limit=300, what="the source was not counted")
            yield measure("map.survey.100k", "s", [time.monotonic() - begin])
            pid = compositor_of(city)
            for word, zoom in PAN_ZOOMS.items():
                settle([pid])
                city.ctl("run", "camera", str(quarter["cx"]), str(quarter["cy"]), str(zoom))
                time.sleep(1)
                samples = []
                for i in range(PANS):
                    before = cpu_ms(pid)
                    city.run("cityctl", "run", "pan", "33" if i < PANS / 2 else "-33", "9")
                    time.sleep(FRAME_SECONDS)
                    samples.append(cpu_ms(pid) - before)
                yield measure(f"map.pan.{word}", "ms", samples)
            zooms, begin = 0, drawing(city)["total"]
            while drawing(city)["total"] - begin < FRAMES_KEPT:
                zoom = NEW_ZOOMS[zooms % len(NEW_ZOOMS)]
                city.ctl("run", "camera", str(quarter["cx"]), str(quarter["cy"]), str(zoom))
                time.sleep(0.3)
                zooms += 1
            drawn = drawing(city)
            yield {"name": "map.zoom.100k", "unit": "ms", "p50": drawn["cpu_p50_us"] / 1e3,
                   "p99": drawn["cpu_p99_us"] / 1e3, "max": drawn["cpu_max_us"] / 1e3, "n": drawn["frames"],
                   "beside": {"frames for a zoom": (drawn["total"] - begin) / zooms,
                              "on the clock p99": drawn["p99_us"] / 1e3}}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# --- many tiles, and the map in motion ---

CROWD = 1000  # live tiles
CROWD_SEEN = 30
CROWD_PERIODS = 8
CROWD_SECONDS = 2
SCREEN = (1920, 1080)
MOTION_TILES = 20
MOTION_SECONDS = 11  # more than the frames that are kept


def crowd_config(variant, seen, count, columns, size):
    """So many tiles, of which `seen` are on the screen at zoom 1 and the others far from it."""
    artifact = bench_tile("crowd", variant)
    texts = []
    for i in range(count):
        if i < seen:
            place = (20 + i % columns * (size[0] + 20), 40 + i // columns * (size[1] + 40))
        else:
            place = (6000 + i % 40 * (size[0] + 20), i // 40 * (size[1] + 40))
        texts.append(tile_config(f"crowd-{i:04d}", artifact, place, size))
    return "".join(texts)


def live_tiles(city):
    return sum(tile["state"] == "live" for tile in city.ctl("tiles"))


def wait_crowd(city, count, limit=300):
    """How long it took."""
    begin = time.monotonic()
    while live_tiles(city) < count:
        if time.monotonic() - begin > limit:
            raise CityError(f"only {live_tiles(city)} of {count} tiles are live after {limit} s")
        time.sleep(0.5)
    return time.monotonic() - begin


def drawing(city):
    return city.ctl("state")[0]["outputs"][0]["drawing"]


def crowd_frames(count):
    """With so many live tiles, 30 of them in sight and changing: what frames cost, samples of the main
    thread's time for each frame with all that belongs to it, and how long it took until all were live."""
    config = "animations off\n" + crowd_config(1, CROWD_SEEN, count, 6, (290, 160))
    with City(config, width=SCREEN[0], height=SCREEN[1], env={"WLR_RENDERER": "pixman"}) as city:
        took = wait_crowd(city, count)
        city.ctl("run", "camera", "0", "0", "1")
        time.sleep(2)
        pid = compositor_of(city)
        samples = []
        for _ in range(CROWD_PERIODS):
            first, begin = drawing(city)["total"], time.monotonic()
            cpu, cpu_begin = cpu_ms(pid), time.monotonic()
            time.sleep(CROWD_SECONDS)
            cpu, seconds = cpu_ms(pid) - cpu, time.monotonic() - cpu_begin
            rate = (drawing(city)["total"] - first) / (time.monotonic() - begin)
            samples.append(cpu / (rate * seconds))
        return drawing(city), samples, took


def map_crowd():
    alone, alone_all, _ = crowd_frames(CROWD_SEEN)
    many, many_all, took = crowd_frames(CROWD)
    name = f"{CROWD_SEEN} tiles alone"
    yield {"name": f"map.crowd.{CROWD}.frame", "unit": "ms", "p50": many["cpu_p50_us"] / 1e3,
           "p99": many["cpu_p99_us"] / 1e3, "max": many["cpu_max_us"] / 1e3, "n": many["frames"],
           "beside": {f"{name} p50": alone["cpu_p50_us"] / 1e3, f"{name} p99": alone["cpu_p99_us"] / 1e3,
                      "times": many["cpu_p50_us"] / alone["cpu_p50_us"],
                      "on the clock p99": many["p99_us"] / 1e3}}
    yield measure(f"map.crowd.{CROWD}.thread", "ms", many_all, {
        f"{name} p50": percentile(alone_all, 0.5),
        "times": percentile(many_all, 0.5) / percentile(alone_all, 0.5)})
    yield measure(f"map.crowd.{CROWD}.start", "s", [took])


def move_about(city, seconds):
    """Pans and zooms all the time, about where it began, at zooms that show live contents."""
    moves = (("pan", "700", "200"), ("zoom", "out"), ("pan", "-500", "300"), ("zoom", "in"),
             ("pan", "-200", "-500"), ("zoom", "in"), ("zoom", "out"))
    end = time.monotonic() + seconds
    i = 0
    while time.monotonic() < end:
        city.run("cityctl", "run", *moves[i % len(moves)])
        time.sleep(0.25)  # each takes longer: one goes over into the next
        i += 1


def map_motion():
    """Frames while the camera moves over 20 tiles that all change, and that do not; wake-ups after it."""
    for variant, name in ((1, "map.motion"), (2, "map.motion.still")):
        config = crowd_config(variant, MOTION_TILES, MOTION_TILES, 5, (350, 220))
        with City(config, width=SCREEN[0], height=SCREEN[1], env={"WLR_RENDERER": "pixman"}) as city:
            wait_crowd(city, MOTION_TILES)
            pids = [city.keeper.pid] + children(city.keeper.pid)
            city.ctl("run", "camera", "0", "0", "1")
            time.sleep(2)
            move_about(city, MOTION_SECONDS)
            drawn = drawing(city)
            yield {"name": name, "unit": "ms", "p50": drawn["p50_us"] / 1e3, "p99": drawn["p99_us"] / 1e3,
                   "max": drawn["max_us"] / 1e3, "n": drawn["frames"], "beside": {
                       "% of the screen damaged": 100 * drawn["damaged"],
                       "of the thread p50": drawn["cpu_p50_us"] / 1e3,
                       "of the thread p99": drawn["cpu_p99_us"] / 1e3}}
            if variant == 2:
                city.ctl("run", "camera", "0", "0", "1")  # all of them in sight
                settle(pids)
                before = {pid: context_switches(pid) for pid in pids}
                time.sleep(IDLE_SECONDS)
                woken = {f"{program_of(pid)} {pid}": context_switches(pid) - before[pid] for pid in pids}
                total = sum(woken.values())
                yield {"name": "map.motion.idle", "unit": "in 10 s", "p50": total, "p99": total,
                       "max": total, "n": len(pids), "beside": {k: v for k, v in woken.items() if v}}


ALL = {
    "map.crowd": map_crowd,
    "map.motion": map_motion,
    "map.pan": map_pan,
    "map.zoom": map_pan,
    "map.survey": map_pan,
    "handover.pause.migrate": handover_migrate,
    "handover.memory": rollback,
    "rollback.": rollback,
    "handover.pause.riscv": handover_riscv,
    "handover.pause": handover_pauses,
    "handover.frames_dropped": handover_frames,
    "pty.bytes_lost": pty_bytes_lost,
    "restart.compositor": restart_compositor,
    "idle.wakeups": idle_wakeups,
    "idle.pss": idle_pss,
    "live.terminal": live_terminal,
    "live.move": live_move,
    "typing.": typing,
    "term.throughput": term_throughput,
    **sound_measures.ALL,
}

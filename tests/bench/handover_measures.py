# SPDX-License-Identifier: MIT
"""The measures of handovers: their pauses and frames, what a probation holds, and going back from it."""

import json
import os
import re
import shutil
import subprocess
import time

from city import City, CityError, Lines
from measuring import LIMITS, bench_tile, build_path, children, measure, percentile, swap, tile_config

HANDOVERS = {"4k": 200, "1m": 200, "64m": 200, "1g": 200}
HANDOVERS_WATCHED = 1000  # of the smallest state; the frames of all of them count
HANDOVERS_AT_A_TIME = 20  # of these; then as many frames of the same tile without any
RISCV_HANDOVERS = 200
ROLLBACKS = 50
MIGRATIONS = 60
LONG_PROBATION = {"SOURCE_CITY_LIMITS": "probation=600000,frames=6"}


def floors():
    done = subprocess.run([build_path("tests", "bench", "bench-floor")], stdout=subprocess.PIPE,
                          text=True, check=True)
    return {m["name"]: m["p50"] for m in map(json.loads, done.stdout.splitlines())}


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


ALL = {
    "handover.pause.migrate": handover_migrate,
    "handover.memory": rollback,
    "rollback.": rollback,
    "handover.pause.riscv": handover_riscv,
    "handover.pause": handover_pauses,
    "handover.frames_dropped": handover_frames,
}

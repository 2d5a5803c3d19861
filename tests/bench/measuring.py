# SPDX-License-Identifier: MIT
"""What the measures share: figures of samples, tiles to measure, and what processes take."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time

from city import CityError, LIMIT

# Probation is not what is measured, and would take most of the time.
LIMITS = {"SOURCE_CITY_LIMITS": "probation=100,frames=6"}
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


def compositor_of(city):
    found = [pid for pid in children(city.keeper.pid) if program_of(pid) == "source-city-com"]
    return found[0] if found else None


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

# SPDX-License-Identifier: MIT
"""The measures of the map: many modules, many tiles, and the camera in motion."""

import os
import shutil
import tempfile
import time

from city import City, CityError
from measuring import (IDLE_SECONDS, bench_tile, children, compositor_of, context_switches, measure, percentile,
                       program_of, settle, tile_config)


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
}

# SPDX-License-Identifier: MIT
"""The measures of a city that nobody uses, and of one whose compositor dies."""

import time

from city import City
from measuring import (IDLE_SECONDS, children, compositor_of, context_switches, measure, peer_of, program_of, pss_mb,
                       settle)


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


def returned_ns(city, dead):
    """When all tiles were presented, as the compositor that came after says."""
    if compositor_of(city) in (None, dead):
        return None
    state = city.ctl("state", check=False)
    return state[0].get("returned_ns") if state else None


ALL = {
    "restart.compositor": restart_compositor,
    "idle.wakeups": idle_wakeups,
    "idle.pss": idle_pss,
}

# SPDX-License-Identifier: MIT
"""A city with one ledger tile, and what the tests ask of it."""

import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from city import PATIENT, City, CityError, Lines, children, installed, name_of  # noqa: E402,F401

TILES = os.environ.get("SOURCE_CITY_TEST_TILES") or os.path.join(
    os.environ["SOURCE_CITY_BUILD"], "tests", "handover")
# A busy machine must not make a healthy version look hung: only what is to be caught is short.
GENEROUS = {"warm": 60000, "attach": 30000, "frame": 30000, "check": 30000, "migrate": 10000,
            "retire": 500, "late": 500, "melt": 100, "probation": 300, "frames": 5}
CAUGHT_MS = 1500


def limits_for(**changed):
    return ",".join(f"{name}={value}" for name, value in {**GENEROUS, **changed}.items())


LIMITS = limits_for()
# Which limit catches a version that hangs in an operation.
CATCHES = {"warm": "warm", "attach": "attach", "draw": "frame", "check": "check",
           "update": "check", "quiesce": "migrate"}


def limits_of(op, kind):
    limits = {}
    if kind == "hang" and op in CATCHES:
        limits[CATCHES[op]] = CAUGHT_MS
    if op == "update" and kind in ("crash", "stray", "exit", "hang", "wrong"):
        limits["probation"] = 4000  # so late may it come to that update
    return limits_for(**limits)


def tile_path(name):
    return os.path.join(TILES, name + ".so")


class LedgerCity(City):
    """Whatever a test looks at: no program of the city may have been caught by a sanitizer."""

    def __exit__(self, *exc):
        self.stop()
        said = self.said() if os.path.exists(self.log_path) else ""
        for word in ("Sanitizer", "runtime error:", "Assertion"):
            if word in said:
                at = said.index(word)
                raise CityError(f"{word} in the log:\n{said[max(at - 2000, 0):at + 6000]}")
        super().__exit__(*exc)


def with_programs(**scripts):
    """Where a city that has other programs than those that are installed may live, and what City needs to run it:
    forge="#!/bin/sh ..." stands in for source-city-forge."""
    folder = tempfile.mkdtemp(prefix="city-")
    programs = os.path.join(folder, "bin")
    os.mkdir(programs)
    keeper = os.path.join(programs, "source-city")
    shutil.copy(installed("source-city"), keeper)  # it looks for the others beside itself
    for name in ("compositor", "tile", "forge", *(name for name in scripts if name == "audio")):
        path = os.path.join(programs, f"source-city-{name}")
        if name not in scripts:
            os.symlink(installed(f"source-city-{name}"), path)
            continue
        with open(path, "w") as file:
            file.write(scripts[name])
        os.chmod(path, 0o755)
    share = os.path.join(os.path.dirname(installed("source-city")), "..", "share", "source-city")
    return folder, keeper, {"SOURCE_CITY_DATADIR": share}


# Is there, and builds nothing.
NO_FORGE = "#!/bin/sh\nexec cat <&$SOURCE_CITY_KEEPER_FD >/dev/null\n"


def ledger_city(limits=LIMITS, artifact="ledger-1", more="", env=None):
    config = (f"tile ledger {{\n\tartifact {tile_path(artifact)}\n\tkind ledger\n\tat 100 100\n"
              f"\tsize 300 200\n}}\n{more}")
    env = {"SOURCE_CITY_LIMITS": f"{PATIENT},{limits}", **(env or {})}
    return LedgerCity(config=config, env=env)


def settled(city, name="ledger"):
    """Live, and no handover is under way."""
    return city.until(lambda: _settled(city, name), what=f"{name} did not settle")


def _settled(city, name):
    state = city.ctl("state")[-1]
    for tile in state["tiles"]:
        if tile["name"] == name and tile["state"] == "live" and tile["step"] == "":
            return tile
    return None


def swap(city, name, *options, tile="ledger"):
    """(exit status, record or None, error line) of one handover, waited for to its end."""
    path = name if "/" in name else tile_path(name)
    done = city.run("cityctl", "swap", tile, "--artifact", path, "--settled", "--json", *options,
                    check=False, limit=60)
    record = None
    for line in done.stdout.decode().splitlines():
        value = json.loads(line)
        if "result" in value and "steps" in value:
            record = value
    return done.returncode, record, done.stdout.decode() + done.stderr.decode()


def tile_pids(keeper):
    return [pid for pid in children(keeper) if name_of(pid) == "source-city-til"]


def adds_up(fields):
    """Whether the sum is what that many updates add up to; see ledger.c."""
    wanted = sum(i * 2654435761 % 1000 for i in range(fields["updates"]))
    return fields["sum"] == wanted and fields["ruined"] == 0


def books(city, tile="ledger"):
    """The fields of the ledger cell. It may be read in the middle of an update: then again."""
    for _ in range(20):
        fields = read_books(city, tile)
        if adds_up(fields):
            break
    return fields


def read_books(city, tile):
    """From the region alone."""
    text = city.run("cityctl", "vat", tile, "--json").stdout.decode()
    region = json.loads(text.splitlines()[-1])
    fields = next(c for c in region["cells"] if c["name"] == "ledger")["values"][0]
    return fields

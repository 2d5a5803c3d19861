#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The disk is full, really: not a byte of the folders for state, artifacts, builds and the log can be written, or of
the one for sockets. Nothing is lost by that, it is said where it is seen, and it is over when there is room again."""

import json
import os
import subprocess

from ledger import LIMITS, PATIENT, LedgerCity, adds_up, books, settled, swap, tile_path
from city import BUILD_LIMIT, CityError, installed
from disk import SmallDisk, in_namespace
from tap import Skip, check, check_equal, run

FULL = "No space left on device"
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tiles", "clock")


class FullCity(LedgerCity):
    """What it writes is on a disk of its own; `runtime` has one as well."""

    def __init__(self, full=False, runtime_full=False, files=False):
        config = (f"checkpoint off\ntile ledger {{\n\tartifact {tile_path('ledger-1')}\n\tkind ledger\n\tat 100 100\n"
                  f"\tsize 300 200\n}}\n")
        super().__init__(config=config, env={"SOURCE_CITY_LIMITS": f"{PATIENT},{LIMITS}"})
        self.disk = SmallDisk(os.path.join(self.folder, "disk"))
        self.runtime = SmallDisk(os.path.join(self.folder, "run"))
        for name in ("state", "data", "cache"):
            self.extra_env[f"XDG_{name.upper()}_HOME"] = os.path.join(self.disk.path, name)
        if full:
            self.disk.fill(files)
        if runtime_full:
            self.runtime.fill(files)

    def __exit__(self, *exc):
        try:
            super().__exit__(*exc)
        finally:
            self.runtime.end()
            self.disk.end()

    def notice(self):
        return self.tile("ledger")["notice"]

    def goes_on(self, before):
        tile = settled(self)
        check_equal(tile["pid"], before["pid"], "the version that ran")
        updates = books(self)["updates"]
        self.until(lambda: books(self)["updates"] > updates, what="the tile stands still")
        check(adds_up(books(self)), f"the books do not add up: {books(self)}")


def checkpoint(city):
    return city.run("cityctl", "checkpoint", "ledger", check=False)


def file_of(city):
    return os.path.join(city.disk.path, "state", "source-city", "regions", city.tile("ledger")["uuid"] + ".vat")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def history(city):
    path = os.path.join(city.disk.path, "state", "source-city", "history")
    folder = os.path.dirname(path)
    for name in os.listdir(folder):
        if name.startswith("history"):
            path = os.path.join(folder, name)
    return [json.loads(line) for line in read(path).decode().splitlines()]


def test_disk():
    with FullCity() as city:
        settled(city)
        for name in ("ledger-2", "ledger-1"):
            check_equal(swap(city, name)[0], 0, "a handover")
        check_equal(checkpoint(city).returncode, 0, "a checkpoint")
        before, saved = settled(city), read(file_of(city))
        city.disk.fill()

        # What is not there yet cannot be kept: refused, and the old version runs on.
        status, _, said = swap(city, "ledger-3")
        check(status == 1 and FULL in said and city.disk.path in said, f"the reason: {said}")
        city.goes_on(before)
        # A build has nowhere to go to.
        done = city.run("cityctl", "swap", "ledger", "--source", SOURCE, check=False, limit=BUILD_LIMIT)
        check(done.returncode != 0 and FULL.encode() in done.stdout + done.stderr, f"{done.stdout + done.stderr}")
        check(FULL in city.notice(), f"the notice of a build: {city.notice()}")
        city.goes_on(before)
        # A checkpoint fails, and the one before stays.
        done = checkpoint(city)
        check(done.returncode == 1 and FULL.encode() in done.stderr, f"{done.stderr}")
        check_equal(read(file_of(city)), saved, "the file of before")
        city.until(lambda: "not saved" in city.notice(), what="the tile does not say it")
        check(FULL in city.notice() and "no checkpoint" in city.said(), f"notice and log: {city.notice()}")
        # What is there goes on: handovers too.
        check_equal(swap(city, "ledger-2")[0], 0, "a handover to what is kept already")
        check("not saved" in city.notice(), f"it is still so: {city.notice()}")
        # Another compositor, and another keeper, know it as well.
        city.ctl("run", "restart", check=False)
        city.until(lambda: city.run("cityctl", "tiles", check=False).returncode == 0)
        city.until(lambda: "not saved" in city.notice(), what="the next compositor does not know it")
        city.run("cityctl", "keeper", "--replace")
        check("not saved" in city.notice(), f"it is still so: {city.notice()}")
        settled(city)

        city.disk.free()
        check_equal(checkpoint(city).returncode, 0, "a checkpoint when there is room")
        city.until(lambda: city.notice() == "", what=f"the notice does not go: {city.notice()}")
        check_equal(swap(city, "ledger-3")[0], 0, "a handover when there is room")
        check_equal(history(city)[-1]["result"], "live", "the last record on disk")
        updates = books(city)["updates"]
        check_equal(city.stop(), 0, "the end")
        city.display = None
        city.start()
        settled(city)
        check(books(city)["updates"] >= updates and adds_up(books(city)), "the state is back")


def test_disk_full_from_start_to_end():
    with FullCity(full=True, files=True) as city:
        before = settled(city)
        done = checkpoint(city)
        check(done.returncode == 1 and FULL.encode() in done.stderr, f"{done.stderr}")
        city.until(lambda: "not saved" in city.notice() and FULL in city.notice(), what="the tile does not say it")
        city.goes_on(before)
        city.disk.free()
        check_equal(checkpoint(city).returncode, 0, "a checkpoint when there is room")
        city.until(lambda: city.notice() == "", what="the notice does not go")
        check_equal(swap(city, "ledger-2")[0], 0, "a handover when there is room")
        # What cannot be saved at the end is said, and the end does not wait for it for ever.
        check_equal(checkpoint(city).returncode, 0, "a checkpoint")
        saved, path, said = read(file_of(city)), file_of(city), len(city.said())
        city.disk.fill()
        city.stop()
        check("no checkpoint" in city.said()[said:] and FULL in city.said()[said:], "the log does not say it")
        check_equal(read(path), saved, "the file of before")
        city.disk.free()
        city.display = None
        city.start()
        settled(city)
        check(adds_up(books(city)), "what was saved is back")


def test_runtime_folder():
    with FullCity() as city:
        settled(city)
        city.runtime.fill(files=True)
        check_equal(swap(city, "ledger-2")[0], 0, "a handover")
        check_equal(checkpoint(city).returncode, 0, "a checkpoint")
        city.run("cityctl", "keeper", "--replace")
        city.ctl("run", "restart", check=False)
        city.until(lambda: city.run("cityctl", "tiles", check=False).returncode == 0)
        check_equal(swap(city, "ledger-1")[0], 0, "a handover")
        check(adds_up(books(city)), "the books add up")


def test_runtime_folder_full_from_the_start():
    """There can be no city without its socket: said in one line with the path."""
    city = FullCity(runtime_full=True, files=True)
    try:
        city.start()
        raise AssertionError("it has started")
    except CityError as error:
        lines = [line for line in str(error).splitlines() if FULL in line]
        check(len(lines) == 1 and city.runtime.path in lines[0] and "[keeper] error" in lines[0], str(error))
    finally:
        city.__exit__(None, None, None)


def test_log():
    """The log cannot be written: everything goes on."""
    with FullCity() as city:
        city.stop()
        log = os.path.join(city.disk.path, "log")
        with open(log, "ab") as file:
            city.keeper = subprocess.Popen([installed("source-city")], stdin=subprocess.DEVNULL, stdout=file,
                                           stderr=file, env=city.environment())
        city.keeper.stderr = open(os.devnull)  # which City closes
        city.display = "wayland-1"
        city.until(lambda: city.run("cityctl", "tiles", check=False).returncode == 0, what="it did not come up")
        settled(city)
        check_equal(swap(city, "ledger-2")[0], 0, "a handover")
        city.disk.fill()
        size = os.path.getsize(log)
        for name in ("ledger-1", "ledger-2", "ledger-1", "ledger-2"):
            check_equal(swap(city, name)[0], 0, "a handover")
        check(os.path.getsize(log) - size < 4096, "the disk was not full")
        city.run("cityctl", "keeper", "--replace")
        city.disk.free()
        check_equal(swap(city, "ledger-1")[0], 0, "a handover")
        check(b"live" in read(log)[size:], "the log does not go on")


def no_room():
    raise Skip("no mount namespace can be had here")


if __name__ == "__main__":
    tests = [value for name, value in list(globals().items()) if name.startswith("test_")]
    if not in_namespace():
        for test in tests:
            no_room.__name__ = test.__name__
        tests = [no_room]
    run(tests)

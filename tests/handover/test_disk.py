#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The city ends in every way there is, and comes back with its tiles: their state, their places, and
what cannot be used said and kept."""

import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from ledger import adds_up, books, ledger_city, settled  # noqa: E402
from city import children, process_state  # noqa: E402
from tap import check, check_equal, run  # noqa: E402


def everybody(pid):
    found = [pid]
    try:
        for child in children(pid):
            found += everybody(child)
    except OSError:
        pass
    return found


def kill_everything(city):
    """All at once: nobody gets to do anything about it."""
    pids = everybody(city.keeper.pid)
    for pid in pids:
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            pass
    for pid in set(pids + everybody(city.keeper.pid)):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    city.keeper.wait()
    city.until(lambda: all(process_state(pid) in ("Z", "") for pid in pids), what="not everybody is gone")
    city.stop()


def start_again(city):
    city.display = None
    city.start()
    settled(city)


def regions(city):
    return os.path.join(city.folder, "state", "source-city", "regions")


def file_of(city):
    return os.path.join(regions(city), city.tile("ledger")["uuid"] + ".vat")


def books_of_file(city, path):
    text = city.run("cityctl", "vat", "--file", path, "--json").stdout.decode()
    region = json.loads(text.splitlines()[-1])
    return next(c for c in region["cells"] if c["name"] == "ledger")["values"][0]


def checkpoint(city):
    saved = city.ctl("checkpoint", "ledger")[-1]
    check_equal(saved["event"], "saved", "the answer")
    check_equal(saved["bytes"], os.path.getsize(saved["file"]), "the size of the file")
    return saved


def test_of_one_moment():
    """Whenever it is taken from a tile that never rests, it adds up; in the tile this is not so
    while an update runs."""
    with ledger_city() as city:
        settled(city)
        last = 0
        for _ in range(12):
            saved = checkpoint(city)
            check_equal(saved["file"], file_of(city), "the path")
            fields = books_of_file(city, saved["file"])
            check(adds_up(fields), f"the file does not add up: {fields}")
            check(fields["updates"] > last, f"{fields['updates']} updates after {last}")
            last = fields["updates"]
        check(adds_up(books(city)), "the tile does not add up")


def test_everything_is_killed():
    with ledger_city(more="checkpoint off\n") as city:
        settled(city)
        before = city.tile("ledger")
        checkpoint(city)
        known = books_of_file(city, file_of(city))["updates"]
        kill_everything(city)
        start_again(city)
        after = city.tile("ledger")
        for key in ("uuid", "cx", "cy", "width", "height"):
            check_equal(after[key], before[key], key)
        fields = books(city)
        check(adds_up(fields) and fields["updates"] >= known,
              f"{fields} came back of {known} updates")
        check("its state is back" in city.said(), "the log does not say so")


def test_killed_while_it_saves():
    """Somewhere in a checkpoint, the one process that writes it among the dead."""
    with ledger_city(more="checkpoint 1\n") as city:
        settled(city)
        for round_number in range(3):
            checkpoint(city)
            known = books_of_file(city, file_of(city))["updates"]
            asking = [city.popen("cityctl", "checkpoint", "ledger", stdout=-3, stderr=-3)
                      for _ in range(1 + 2 * round_number)]
            kill_everything(city)
            for one in asking:
                one.wait()
            city.helpers.clear()
            start_again(city)
            fields = books(city)
            check(adds_up(fields) and fields["updates"] >= known,
                  f"round {round_number}: {fields} came back of {known} updates")
            check_equal([f for f in os.listdir(regions(city)) if "damaged" in f], [], "damaged files")


def test_logout():
    """The end in good order: nothing of the last moment is missing."""
    with ledger_city(more="checkpoint off\n") as city:
        settled(city)
        last = books(city)["updates"]
        check_equal(city.stop(), 0, "the end of the city")
        start_again(city)
        fields = books(city)
        check(adds_up(fields) and fields["updates"] >= last, f"{fields} came back of {last} updates")


def test_damaged():
    with ledger_city(more="checkpoint off\n") as city:
        settled(city)
        checkpoint(city)
        path = file_of(city)
        kill_everything(city)
        with open(path, "r+b") as file:
            file.seek(9000)
            byte = file.read(1)
            file.seek(9000)
            file.write(bytes([byte[0] ^ 4]))
            file.seek(0)
            whole = file.read()
        start_again(city)
        with open(path + ".damaged-1", "rb") as file:
            check(file.read() == whole, "the damaged file is not as it was")
        notice = city.tile("ledger")["notice"]
        check(path + ".damaged-1" in notice, f"the tile says: {notice}")
        lines = [line for line in city.said().splitlines() if path + ".damaged-1" in line]
        check_equal(len([line for line in lines if "[keeper] error ledger:" in line]), 1, "lines in the log")
        check(adds_up(books(city)), "the fresh tile does not add up")
        checkpoint(city)


def test_closed_is_gone():
    with ledger_city(more="checkpoint off\n") as city:
        settled(city)
        checkpoint(city)
        path = file_of(city)
        city.ctl("close", "ledger")
        city.until(lambda: not os.path.exists(path), what="the file is still there")


def test_terminal_comes_back():
    """What it showed is there; its shell is gone, and there is a new one."""
    with ledger_city(more="checkpoint off\ntile terminal {\n\toption command "
                          "\"echo here; exec sleep 1000\"\n}\n") as city:
        settled(city)
        city.wait_tile("terminal")

        def lines():
            text = city.run("cityctl", "vat", "terminal", "--json").stdout.decode()
            cells = json.loads(text.splitlines()[-1])["cells"]
            return next(c for c in cells if c["name"] == "vt.state")["values"][0]["row"]
        city.until(lambda: lines() > 0, what="the shell did not say anything")
        before = lines()
        city.ctl("checkpoint", "terminal")
        kill_everything(city)
        start_again(city)
        city.wait_tile("terminal")
        # What was there, the line that says so, and what the new one says.
        city.until(lambda: lines() >= before + 2, what="the new shell did not say anything")


run([test_of_one_moment, test_everything_is_killed, test_killed_while_it_saves, test_logout,
     test_damaged, test_closed_is_gone, test_terminal_comes_back])

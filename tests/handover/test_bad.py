#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Artifacts that are none, and requests that make no sense: one clear line, exit status 1, and the city
runs on."""

import os

from ledger import books, ledger_city, settled, swap, tile_path
from city import BUILD_LIMIT
from tap import check, check_equal, run

city = None


def refused(path, *words):
    before = settled(city)
    status, record, said = swap(city, path)
    check_equal(status, 1, said)
    lines = [line for line in said.splitlines() if line.startswith("cityctl:")]
    check_equal(len(lines), 1, f"one line: {said}")
    check(any(word in lines[0] for word in words), f"{lines[0]!r} names one of {words}")
    after = settled(city)
    check_equal(after["pid"], before["pid"], "the old version runs on")
    check_equal(books(city)["ruined"], 0, "books")


def made(name, data):
    path = os.path.join(city.folder, name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def good():
    with open(tile_path("ledger-2"), "rb") as file:
        return file.read()


def test_not_elf():
    refused(made("text.so", b"this is no program\n" * 10), "ELF")


def test_empty():
    refused(made("empty.so", b""), "bytes", "empty")


def test_truncated():
    data = good()
    refused(made("half.so", data[:len(data) // 2]), "trunc", "short", "outside", "end", "beyond",
            "ELF")


def test_other_machine():
    data = bytearray(good())
    data[18:20] = (243).to_bytes(2, "little")  # RISC-V
    refused(made("riscv.so", bytes(data)), "machine")


def test_wrong_abi():
    refused("bad-abi", "ABI")


def test_no_descriptor():
    refused("no-descriptor", "source_city_tile", "descriptor")


def test_unresolved_import():
    refused("bad-import", "no_such_function_anywhere")


def test_other_role():
    refused("bad-role", "role")


def test_not_a_file():
    status, record, said = swap(city, "/nowhere/at/all.so")
    check_equal(status, 1, said)
    check(len([x for x in said.splitlines() if x.startswith("cityctl:")]) == 1, said)


def test_unknown_tile():
    done = city.run("cityctl", "swap", "nobody", "--artifact", tile_path("ledger-2"), check=False)
    check_equal(done.returncode, 1, "exit status")
    check_equal(len(done.stderr.splitlines()), 1, done.stderr)


def test_splice_point_without_transport():
    status, record, said = swap(city, "ledger-2", "--at", "@bar")
    check_equal(status, 1, said)
    check("transport" in said, said)


def test_missing_source():
    done = city.run("cityctl", "swap", "ledger", "--source", "/nowhere/at/all", check=False)
    check_equal(done.returncode, 1, "exit status")


def test_source_that_does_not_compile():
    folder = os.path.join(city.folder, "broken")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "broken.c"), "w") as file:
        file.write('#include "tile.h"\nint main(void) { return nothing; }\n')
    before = settled(city)
    done = city.run("cityctl", "swap", "ledger", "--source", folder, check=False, limit=BUILD_LIMIT)
    check_equal(done.returncode, 1, "exit status")
    check(b"broken.c" in done.stderr, done.stderr)
    tile = settled(city)
    check_equal(tile["pid"], before["pid"], "the old version runs on")
    check("broken.c" in tile["notice"], f"the tile shows it: {tile['notice']!r}")


def test_still_good():
    status, record, said = swap(city, "ledger-2")
    check_equal(status, 0, said)


def test_bad_from_the_start():
    """A tile whose first artifact is none is dead; the city is there, and a swap brings it up."""
    with ledger_city(artifact="no-descriptor") as other:
        tile = other.wait_tile("ledger", "dead")
        check("cityctl" in tile["notice"], tile["notice"])
        check_equal(swap(other, "ledger-2")[0], 0, "swap")
        settled(other)


def test_missing_from_the_start():
    with ledger_city(artifact="no-such-file") as other:
        tile = other.wait_tile("ledger", "dead")
        check("nothing to run" in tile["notice"], tile["notice"])
        check_equal(swap(other, "ledger-2")[0], 0, "swap")
        settled(other)


if __name__ == "__main__":
    with ledger_city() as city:
        run([value for name, value in list(globals().items()) if name.startswith("test_")])

# SPDX-License-Identifier: MIT
"""A city with a metronome in place of its audio process (metronome.c), and what the tests ask of it."""

import json
import os
import shutil
import subprocess

from ledger import LIMITS, PATIENT, TILES, LedgerCity, settled, tile_path, with_programs

BAR = 4 * 96
PHRASE = "@phrase(1000)"  # longer than any test; a bar is a second at the tempo that is used here


class MusicCity(LedgerCity):
    def __init__(self, config, pace=1, limits=LIMITS):
        folder, keeper, env = with_programs(
            audio=f"#!/bin/sh\nexec {os.path.join(TILES, 'metronome')}\n")
        self.found_path = os.path.join(folder, "found")
        env = {**env, "SOURCE_CITY_LIMITS": f"{PATIENT},{limits}", "METRONOME_LOG": self.found_path,
               "METRONOME_PACE": str(pace)}
        super().__init__(config=config, env=env, folder=folder, program=keeper)

    def __exit__(self, *exc):
        super().__exit__(*exc)
        if exc[0] is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def found(self, what):
        """Lines of the metronome: (frame, value)."""
        with open(self.found_path) as file:
            lines = [line.split() for line in file]
        return [(int(line[1]), float(line[2])) for line in lines if line[0] == what]


def music_city(more="", **options):
    return MusicCity(f"tile ledger {{\n\tartifact {tile_path('ledger-1')}\n\tkind ledger\n\tat 100 100\n"
                     f"\tsize 300 200\n}}\n{more}", **options)


def tone_city(names=("tone",), splice="", **options):
    point = f'\tsplice "{splice}"\n' if splice else ""
    return MusicCity("".join(
        f"tile {name} {{\n\tartifact {tile_path('tone-1')}\n\tkind tone\n\tat {100 + 100 * i} 100\n"
        f"\tsize 60 40\n{point}}}\n" for i, name in enumerate(names)), **options)


def transport(city, *words):
    return city.run("cityctl", "transport", *words)


def begin(city, name, *options, tile="ledger"):
    return city.popen("cityctl", "swap", tile, "--artifact", tile_path(name), "--settled", "--json", *options,
                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def waits(city, tile="ledger"):
    return city.until(lambda: "waits for" in city.tile(tile)["notice"] and city.tile(tile),
                      what="nothing waits")


def ended(helper):
    out, err = helper.communicate(timeout=60)
    values = [json.loads(line) for line in out.decode().splitlines()]
    return helper.returncode, [v for v in values if "result" in v], err.decode()


def plays(city, tile="ledger"):
    settled(city, tile)
    transport(city, "tempo", "240")
    transport(city, "play")
    city.until(lambda: city.ctl("transport")[-1]["tick"] > 0, what="the transport does not play")


def steps(record):
    return [step["step"] for step in record["steps"]]

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lets the forge of a city compile the tiles that every city has, into the cache that the tests' cities share
(SOURCE_CITY_TEST_CACHE), so that not each of them compiles them beside its test."""

import os
import shutil
import sys
import tempfile

from city import BUILD_LIMIT, SHARED_CACHE, City, installed

TILES = ["terminal", "clock"]


def main():
    if not SHARED_CACHE:
        sys.exit("fill_cache.py: SOURCE_CITY_TEST_CACHE names no folder")
    sources = os.path.join(os.path.dirname(installed("source-city")), "..", "share", "source-city", "tiles")
    with tempfile.TemporaryDirectory(prefix="city-fill-") as folder:
        config = ""
        for name in TILES:
            shutil.copytree(os.path.join(sources, name), os.path.join(folder, name))
            config += f'tile new-{name} {{\n\tsource "{folder}/{name}"\n}}\n'
        with City(config) as city:
            for name in TILES:
                city.wait_tile(f"new-{name}", limit=BUILD_LIMIT)


if __name__ == "__main__":
    main()

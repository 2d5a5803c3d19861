#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Many tiles at once: all of them start, a few at a time, and all are in order."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from city import City  # noqa: E402
from tap import check, check_equal, run  # noqa: E402

CROWD = 40
STARTS = 8  # as in compositor/tile.c


def crowd(count, lines=""):
    """Tiles of one artifact, four of them on the screen."""
    artifact = os.path.join(os.environ["SOURCE_CITY_BUILD"], "prefix", "lib", "source-city", "tiles", "clock.so")
    texts = []
    for i in range(count):
        x, y = (100 + i * 200, 100) if i >= count - 4 else (9000 + i % 10 * 200, i // 10 * 200)
        texts.append(f"tile many-{i:03d} {{\n\tartifact {artifact}\n\tat {x} {y}\n\tsize 120 120\n{lines}}}\n")
    return "".join(texts)


def test_starts_a_few_at_a_time():
    with City("animations off\n" + crowd(CROWD)) as city:
        most = 0

        def all_live():
            nonlocal most
            tiles = city.ctl("state")[0]["tiles"]
            most = max(most, sum(t["state"] == "starting" and bool(t["versions"]) for t in tiles))
            return len(tiles) == CROWD and all(t["state"] == "live" for t in tiles)

        city.until(all_live, limit=240, what="not all tiles are live")
        check(0 < most <= STARTS, f"{most} tiles started at a time")
        said = [line for line in city.said().splitlines() if "] warn " in line or "] error " in line]
        check_equal(said, [], "what went wrong")


if __name__ == "__main__":
    run([test_starts_a_few_at_a_time])

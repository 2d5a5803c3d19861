# SPDX-License-Identifier: MIT
"""What the state of a proof tile must be, to the bit; see tiles/proof.c."""

import json
import os

BULK, WORDS, RUNS = 16384, 16, 60
MASK = (1 << 64) - 1


def mix(x):
    x ^= x >> 30
    x = x * 0xbf58476d1ce4e5b9 & MASK
    x ^= x >> 27
    x = x * 0x94d049bb133111eb & MASK
    return x ^ (x >> 31)


def words_of(update, version):
    for i in range(WORDS):
        x = mix((update * 1000003 + version * 7919 + i) & MASK)
        yield x % BULK, x


class Wrong(Exception):
    """The state is none that there ever was."""


class State:
    """A copy of a proof tile's state, as it was at one moment or in the middle of one update."""

    def __init__(self, city, tile="proof"):
        path = os.path.join(city.folder, "saved")
        city.run("cityctl", "vat", tile, "--save", path)
        text = city.run("cityctl", "vat", "--file", path, "--json", "--all").stdout
        self.region = json.loads(text)
        cells = {cell["name"]: cell["values"] for cell in self.region["cells"]}
        proof = cells["proof"][0]
        self.updates, self.runs_count = proof["updates"], proof["runs_count"]
        self.announced, self.announced_by = proof["announced"], proof["announced_by"]
        self.typed, self.typed_hash = proof["typed"], proof["typed_hash"]
        self.runs = list(zip(proof["run_version"], proof["run_from"]))
        self.words = [word["value"] for word in cells["bulk"]]
        self.extra = {word.get("extra", 7) for word in cells["bulk"]}

    def run(self, number):
        return self.runs[number % RUNS]


class Model:
    """All that was ever found right, and how it goes on from there."""

    def __init__(self):
        self.words = [0] * BULK
        self.updates = 0
        self.runs = []

    def follow(self, state):
        """Checks the state to the bit; the versions that attached since the last call. Raises Wrong."""
        known = len(self.runs)
        if state.runs_count < known or state.updates < self.updates:
            raise Wrong(f"it went back: {state.updates} updates by {state.runs_count} runs after "
                        f"{self.updates} by {known}")
        if state.runs_count - known > RUNS - 1:
            raise Wrong(f"{state.runs_count - known} versions attached at once")
        first = max(0, known - (RUNS - (state.runs_count - known)))
        for number in range(first, known):
            if state.run(number) != self.runs[number]:
                raise Wrong(f"run {number} is another: {state.run(number)}")
        runs = self.runs + [state.run(number) for number in range(known, state.runs_count)]
        words = list(self.words)
        for number in range(max(known - 1, 0), len(runs)):
            version, begin = runs[number]
            end = runs[number + 1][1] if number + 1 < len(runs) else state.updates
            if not begin <= end <= state.updates:
                raise Wrong(f"run {number} lasts from update {begin} to {end}")
            for update in range(max(begin, self.updates), end):
                for place, value in words_of(update, version):
                    words[place] = value
        self._compare(state, words)
        if state.extra - {7}:
            raise Wrong(f"fields that are new hold {sorted(state.extra)[:4]}")
        new = [version for version, _ in runs[known:]]
        self.words, self.updates, self.runs = words, state.updates, runs
        return new

    @staticmethod
    def _compare(state, words):
        under_way = {}
        if state.announced == state.updates + 1:
            under_way = dict(words_of(state.updates, state.announced_by))
        wrong = [i for i in range(BULK) if state.words[i] != words[i]
                 and under_way.get(i) != state.words[i]]
        if wrong:
            raise Wrong(f"{len(wrong)} words are not those of {state.updates} updates, the first at {wrong[0]}")


def follow(model, city, tile="proof", tries=20):
    """As Model.follow, of what the tile has now. A copy may be torn by an update: then again."""
    for attempt in range(tries):
        state = State(city, tile)
        try:
            return model.follow(state), state
        except Wrong:
            if attempt == tries - 1:
                raise

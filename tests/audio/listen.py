#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Handovers while music plays, with a real sound server, each sample heard: a player whose code is replaced all the
time, and beside it, in the same graph, players of the same music that nobody touches. What the one plays must be what
the others play. See judge.c for what is looked at in each frame.

usage: listen.py [N [PART...]]      N handovers, 1000 without; parts: those of PARTS below

- `equal`: N handovers with equal code, with every strategy and splice point in turn, the second half of them while
  other programs take all the processors (a sample: at once, and without those). The recording is that of the player beside it, sample for sample.
- `manager`: N/5 handovers of the manager of sound (where there is one), the same.
- `different`: N/5 handovers between two versions that the forge has built, of which one is louder. Outside of the
  fades the recording is, sample for sample, what the one version plays without any handover, or what the other does;
  in a fade it lies between them, and goes on from each sample to the next by no more than the larger step of the two
  at that place, and what a straight fade adds. And the largest step in all fades is no larger than the largest of
  the two versions in steady play, in the same time.
- `clips`: N/5 clips, saved one after the other at several tempi: the first sample of each at the sample of its bar line.
- `found`: a frame that is left out, one that is there twice, one that is silent, in all channels and in those that
  are judged, are found by the same judge, where they are.
- `clock`: N/10 handovers with cycles that begin when they are due by the clock, and wait for nobody. What is late is
  counted, and told; with no frame late the recording must be as above."""

import array
import os
import shutil
import subprocess
import sys

from studio import BAR, FADE, Judge, Studio, another, faults_of, installed_tile, synth_path
import tap
from city import BUILD_LIMIT
from sound import available
from tap import check, check_equal

STRATEGIES = ["instant", "melt", "crossfade", "freeze-and-fade", "auto"]
SPLICES = ["!", "@beat", "!", "@bar", "!", "!", "@phrase(2)"]  # an odd number of them: all meet all strategies
TEMPI = [240, 133.7, 999.983, 77.77, 360, 61.803]
SPLICED = 1  # enum clip_done
# In what comes last and is kept nowhere: otherwise a version would go on with what the other had turned down.
VERSIONS = (("float y = limit(x);", "float y = 0.6f * limit(x);"),)
SMALL = 100  # below that it is a sample, in which nothing is compiled


def tell(text):
    print(f"# {text}", flush=True)


class Load:
    """As many programs as there are processors, and twice as many more, that do nothing but count."""

    def __enter__(self):
        self.programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
                         for _ in range(3 * len(os.sched_getaffinity(0)))]

    def __exit__(self, *_):
        for program in self.programs:
            program.kill()
            program.wait()


def way(number, count):
    strategy = STRATEGIES[number % len(STRATEGIES)] if count >= SMALL else "instant"
    return "--strategy", strategy, "--at", SPLICES[number % len(SPLICES)]


def hand_over_all(studio, versions, count, tile="one"):
    """The second half under load; a sample has none."""
    calm = count - count // 2 if count >= SMALL else count
    for number in range(calm):
        studio.hand_over(tile, versions[number % 2], *way(number, count))
    if calm < count:
        with Load():
            for number in range(calm, count):
                studio.hand_over(tile, versions[number % 2], *way(number, count))


def check_equal_music(verdict, what):
    tell(f"{what}: {verdict}")
    check_equal(faults_of(verdict), {}, what)
    check_equal(verdict["fades"], 0, f"{what}: frames that are not those of the player that nobody touches")
    check(verdict["frames"] > 0, f"{what}: nobody sounded")


def pair(**options):
    synth = synth_path()
    return Studio({"one": synth, "two": synth}, ("one", "two", "two"), **options)


def equal(count):
    with pair() as studio:
        versions = (another(synth_path(), studio.folder), synth_path())
        studio.record()
        studio.play()
        policy = os.sched_getscheduler(studio.tile("one")["pid"]) & ~os.SCHED_RESET_ON_FORK
        check_equal(policy, os.SCHED_OTHER, "who is waited for has no right of way")
        hand_over_all(studio, versions, count)
        late = studio.late()
        check_equal_music(studio.verdict(), f"{count} handovers with equal code")
        check_equal(set(late.values()), {0}, f"late frames: {late}")


def manager(count):
    path = installed_tile("audio")
    if not os.path.exists(path):
        raise tap.Skip("there is no manager of sound")
    with pair(silent={"manager": path}) as studio:
        versions = (another(path, studio.folder), path)
        studio.record()
        studio.play()
        hand_over_all(studio, versions, count, "manager")
        late = studio.late()
        check_equal_music(studio.verdict(), f"{count} handovers of the manager")
        check_equal(set(late.values()), {0}, f"late frames: {late}")


def forge_builds(studio):
    """The artifacts of the two versions."""
    sources = os.path.join(os.path.dirname(synth_path()), "..", "..", "..", "share", "source-city", "tiles", "synth")
    artifacts = []
    for number, edits in enumerate(((), VERSIONS)):
        folder = os.path.join(studio.folder, f"version-{number}", "synth")
        shutil.copytree(sources, folder)
        path = os.path.join(folder, "effect.c")
        with open(path) as file:
            text = file.read()
        for old, new in edits:
            check(old in text, f"there is no {old} in effect.c")
            text = text.replace(old, new)
        with open(path, "w") as file:
            file.write(text)
        said = studio.ctl("swap", "one", "--source", folder, "--settled", limit=BUILD_LIMIT)
        record = [line for line in said if "result" in line and "steps" in line][-1]
        artifacts.append(os.path.join(studio.environment()["XDG_DATA_HOME"], "source-city", "store", record["to"] + ".so"))
    return artifacts


def different(count):
    synth = synth_path()
    with Studio({"one": synth, "two": synth, "three": synth}, ("one", "two", "three"), longest=8 * FADE) as studio:
        first, second = forge_builds(studio)
        studio.hand_over("one", first)
        studio.hand_over("two", first)
        studio.hand_over("three", second)
        studio.record()
        studio.play()
        hand_over_all(studio, (second, first), count)
        late = studio.late()
        verdict = studio.verdict()
        tell(f"{count} handovers with different code: {verdict}")
        check_equal(faults_of(verdict), {}, "what is heard")
        check_equal(set(late.values()), {0}, f"late frames: {late}")
        check(verdict["fades"] >= count, f"only {verdict['fades']} fades were heard")
        check(verdict["fade_step"] <= verdict["steady_step"],
              f"a step of {verdict['fade_step']} in a fade, the largest in steady play is {verdict['steady_step']}")


# A note that is there with its first sample, for hardly anything is filtered, and soon over, to the last bit. (Through
# the filter of its own the first sample may be less than what counts as sound.)
CLICK = """splice @bar
track click
sound pluck cutoff=18000 reverb=0 echo=0 chorus=0 decay={decay} release=0.02
once
step 1/16
c
"""
OVER = 60000  # frames


def frame_of(origin, tick):
    """As vat_part_frame."""
    tempo = round(origin["tempo"] * 1000)
    return origin["origin_frame"] + -(-(tick - origin["origin_tick"]) * origin["rate"] * 60000 // (tempo * 96))


def begun(studio, done):
    """What the player says of its last splice, when it was none of these."""
    cells = studio.ctl("vat", "one", "clip")[-1]["cells"]
    told = next(cell for cell in cells if cell["name"] == "clip")["values"][0]
    return told["done_count"] not in done and told["done"] == SPLICED and told


def asked_tempo(studio, tempo):
    told = studio.ctl("transport")[-1]
    return told["tempo"] == tempo and told


def clips(count):
    with pair(clips={"one": "", "two": ""}) as studio:
        studio.record()
        studio.play(TEMPI[0])
        origins = [studio.until(lambda: asked_tempo(studio, TEMPI[0]), what="the tempo")]
        wanted, done = [], {begun(studio, ())["done_count"]}
        for number in range(count):
            tempo = TEMPI[number * len(TEMPI) // count]
            if origins[-1]["tempo"] != tempo:
                studio.ctl("transport", "tempo", str(tempo))
                origins.append(studio.until(lambda: asked_tempo(studio, tempo), what="another tempo"))
            studio.write_clip("one", CLICK.format(decay=0.05 + number % 2 / 100))
            told = studio.until(lambda: begun(studio, done), what=f"clip {number} does not begin")
            done.add(told["done_count"])
            check_equal(told["done_tick"] % BAR, 0, f"ticks behind a bar line, of clip {number}")
            origin = next(o for o in reversed(origins) if o["origin_tick"] <= told["done_tick"])
            wanted.append(frame_of(origin, told["done_tick"]))
            studio.recorder.until(studio.recorder.until(1) + OVER)
        verdict = studio.verdict()
        errors = [heard - at for heard, at in zip(studio.onsets, wanted)]
        tell(f"{count} clips: {len(studio.onsets)} were heard, frames from the bar line to the first sample: "
             f"{sorted(set(errors))}; {verdict}")
        check_equal(len(studio.onsets), len(wanted), f"clips that were heard: {studio.onsets}, wanted: {wanted}")
        check_equal(set(errors), {0}, f"frames from the bar line to the first sample: {errors}")
        check_equal({name: verdict[name] for name in ("missing", "doubled", "garbled") if verdict[name]}, {}, "frames")


def found(count):
    """What is taken from a good recording is missed."""
    with pair(keep=True) as studio:
        studio.record()
        studio.play()
        studio.hand_over("one", another(synth_path(), studio.folder))
        studio.recorder.until(studio.recorder.until(1) + 20000)
        path = studio.recorder.path
        check_equal_music(studio.verdict(), "the recording")
        samples = studio.recorder.frames()
        total = len(samples) // 8
        first = total - 10000  # where all sound
        low, high = (round(samples[8 * first + i] * (1 << 20)) for i in (6, 7))
        at = (high << 20) + low

        def judged(changed):
            other = path + ".changed"
            with open(other, "wb") as file:
                changed.tofile(file)
            return Judge(other).hear()

        def without(channels):
            """One sample of these channels is left out."""
            changed = array.array("f", samples)
            for c in channels:
                column = samples[c::8]
                changed[c::8] = column[:first] + column[first + 1:] + column[-1:]
            return judged(changed)

        def twice(channels):
            changed = array.array("f", samples)
            for c in channels:
                column = samples[c::8]
                changed[c::8] = column[:first] + column[first - 1:first] + column[first:-1]
            return judged(changed)

        def silent(channels):
            changed = array.array("f", samples)
            for c in channels:
                changed[8 * first + c] = 0
            return judged(changed)
        everything = range(8)
        for what, verdict, kind, times in (
                ("a frame that is left out", judged(samples[:8 * first] + samples[8 * first + 8:]), "missing", 1),
                ("a frame that is there twice", judged(samples[:8 * first] + samples[8 * first - 8:]), "doubled", 1),
                ("a silent frame", silent(everything), "garbled", 1),
                ("a sample that is left out", without((0, 1)), "wrong", None),
                ("a sample that is there twice", twice((0, 1)), "wrong", None),
                ("a silent sample", silent((0, 1)), "silent", 1)):
            check_equal(verdict.get(f"{kind}_first"), at, f"{what}: {verdict}")
            check(times is None or verdict[kind] == times, f"{what}: {verdict}")


def clock(count):
    with pair(keep=True, options=("--clock",)) as studio:
        versions = (another(synth_path(), studio.folder), synth_path())
        studio.record()
        studio.play()
        for number in range(count):
            studio.hand_over("one", versions[number % 2], *way(number, SMALL))
        late = studio.late()
        verdict = studio.verdict()
        tell(f"{count} handovers by the clock, late frames: {late}: {verdict}")
        if not any(late.values()):
            check_equal_music(verdict, "nothing was late")


PARTS = {"equal": (equal, 1), "manager": (manager, 5), "different": (different, 5), "clips": (clips, 5), "found": (found, 1),
         "clock": (clock, 10)}
IN_SAMPLE = ("equal", "clips", "found")


def main():
    words = sys.argv[1:]
    del sys.argv[1:]
    count = int(words.pop(0)) if words and words[0].isdigit() else 1000
    wrong = [word for word in words if word not in PARTS]
    if wrong or count < 1:
        sys.exit(f"usage: listen.py [N [PART...]]; parts: {', '.join(PARTS)}")
    names = words or (PARTS if count >= SMALL else IN_SAMPLE)

    def test(name):
        function, share = PARTS[name]

        def listened():
            function(max(count // share, min(count, 3)))
        listened.__name__ = name
        return listened
    tap.run([test(name) for name in names])


if __name__ == "__main__":
    if not available():
        print("1..0 # SKIP pipewire or wireplumber is missing")
        sys.exit(0)
    main()

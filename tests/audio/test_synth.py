#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The synth in a city with a real sound server: a clip that is saved brings its tempo and its meter at its very bar
line, and the synth's own source is changed while notes ring. Arguments: the recorder, the artifact, then names of tests."""

import array
import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import sound  # noqa: E402
import tap  # noqa: E402
from city import BUILD_LIMIT, City, installed  # noqa: E402
from sound import Sound  # noqa: E402
from tap import check, check_equal  # noqa: E402

RECORDER, SYNTH = sys.argv[1:3]
del sys.argv[1:3]

SHARE = os.path.join(os.path.dirname(installed("source-city")), "..", "share", "source-city", "tiles", "synth")
# Each note is a sound of its own, between which there is silence; every one the same.
SHORT = "track a\nsound mallet echo=0 reverb=0 attack=0 release=0.005 decay=0.02\ngate 10\n"
# Bars of a second, one as the other.
LONG = "tempo 240\ntrack a\nsound organ echo=0 reverb=0\nc:4\ntrack b\nsound sub\noctave 2\nc:2 g:2\n"


def save(path, text):
    """As most editors do it."""
    with open(path + "~", "w") as file:
        file.write(text)
    os.rename(path + "~", path)


def replace(path, before, after):
    with open(path) as file:
        text = file.read()
    check(before in text, f"{path} has no {before}")
    save(path, text.replace(before, after, 1))


class Studio:
    """A city with a synth that plays, and what is heard of it. pace: microseconds between cycles of 256 frames, as
    time also goes on while compilers run."""

    def __init__(self, clip, tile, pace):
        self.folder = tempfile.TemporaryDirectory(prefix="city-studio-")
        self.sound = Sound()
        self.clip = os.path.join(self.folder.name, "a.clip")
        save(self.clip, clip)
        self.recorder = self.sound.recorder(RECORDER)
        self.recorder.say(f"pace {pace}")
        self.city = City(f'tile synth {{\n\tat 100 100\n\tsize 500 300\n\toption clip "{self.clip}"\n'
                         f"{tile}}}\n",
                         env={"PIPEWIRE_RUNTIME_DIR": self.sound.folder})

    def __enter__(self):
        self.city.__enter__()
        return self

    def __exit__(self, *exc):
        self.city.__exit__(*exc)
        self.sound.close()
        self.folder.cleanup()

    def play(self, limit=sound.LIMIT):
        """From its first beat on all is heard."""
        self.city.wait_tile("synth", limit=limit)
        self.city.until(lambda: self.city.ctl("audio")[-1]["rings"][0]["cycles"], what="nobody listens")
        self.city.run("cityctl", "transport", "play")

    def splices(self):
        """(tick, frame) of each clip that came in, as the log says."""
        lines = [line.split("tick ")[1].split(",") for line in self.city.said().splitlines() if "clip since" in line]
        return [(int(tick), int(rest[0].split()[-1])) for tick, *rest in lines]

    def history(self):
        done = self.city.run("cityctl", "history", "synth", "--json").stdout.decode()
        return [json.loads(line) for line in done.splitlines()]

    def more(self, frames):
        """Records so many from now on."""
        return self.recorder.until(self.recorder.until(1) + frames)

    def heard(self, first, count):
        """Of the left channel."""
        samples = array.array("f")
        with open(self.recorder.path, "rb") as file:
            file.seek(8 * first)
            samples.frombytes(file.read(8 * count))
        check_equal(len(samples), 2 * count, f"what is recorded from {first} on")
        return samples[0::2]


def onsets(samples, quiet=2000):
    """Where something is heard after that much silence."""
    found, silent = [], quiet
    for i, sample in enumerate(samples):
        if abs(sample) > 2e-5:
            if silent >= quiet:
                found.append(i)
            silent = 0
        else:
            silent += 1
    return found


def test_tempo_at_its_bar():
    """Beats are where they should be, to the sample, across two clips with tempi and meters of their own; one that is
    taken back leaves nothing."""
    with Studio(SHORT + "c c c c", f"\tartifact {SYNTH}\n", 2000) as studio:
        studio.play()
        studio.recorder.until(100000)
        for number, (head, notes) in enumerate((("tempo 90\nmeter 3/4\n", "c d e"),
                                                ("tempo 200\nmeter 5/4\n", "c d e f g")), 2):
            save(studio.clip, head + SHORT + notes)
            studio.city.until(lambda n=number: len(studio.splices()) == n, what="the clip does not come in")
        studio.more(5 * 14400)
        save(studio.clip, "tempo 60\nmeter 7/4\nsplice @phrase(900)\n" + SHORT + "c")
        studio.more(20000)
        save(studio.clip, "tempo 200\nmeter 5/4\n" + SHORT + "c e g e c")
        studio.city.until(lambda: len(studio.splices()) == 4, what="the clip does not come in")
        end = studio.more(10 * 14400)
        heard = onsets(studio.heard(0, end - 2000))
        places = studio.splices()
        ticks = [tick for tick, frame in places]
        check_equal((ticks[1] % 384, (ticks[2] - ticks[1]) % 288, (ticks[3] - ticks[2]) % 480), (0, 0, 0), "bar lines")
        wanted, frame = [], 0
        for (tick, _), (until, _), beat in zip(places, places[1:] + [(1 << 40, 0)], (24000, 32000, 14400, 14400)):
            while tick < until and len(wanted) < len(heard):
                wanted.append(frame)
                tick += 96
                frame += beat
        check_equal([at - heard[0] for at in heard], wanted, "beats")
        check_equal([frame - places[0][1] for _, frame in places],
                    [wanted[(tick - ticks[0]) // 96] for tick in ticks], "what the log says")


def largest_step(samples):
    return max(abs(b - a) for a, b in zip(samples, samples[1:]))


def longest_silence(samples):
    longest = now = 0
    for sample in samples:
        now = now + 1 if sample == 0 else 0
        longest = max(longest, now)
    return longest


def test_source_that_changes():
    """Its own source, while notes ring: what sounds different, what keeps more, what cannot be compiled, what
    crashes. No click at any of them, and no silence."""
    with tempfile.TemporaryDirectory(prefix="city-synth-") as folder:
        source = os.path.join(folder, "synth")
        shutil.copytree(SHARE, source)
        with Studio(LONG, f'\tartifact {SYNTH}\n\tsource "{source}"\n', 5000) as studio:
            studio.play()
            studio.recorder.until(200000)
            first = studio.splices()[0][1]

            def change(path, before, after, result):
                count = len(studio.history())
                replace(os.path.join(source, path), before, after)
                record = studio.city.until(lambda: (h := studio.history())[count:] and h[-1]["result"] == result and h[-1],
                                           limit=BUILD_LIMIT, what=f"{path} does not get {result}")
                check_equal((record["splice_met"], record["splice_error"]), ("@bar", 0), f"{path}: where")
                studio.more(60000)
                seam = record["splice_frame"] - first
                before, now = studio.heard(seam - 100000, 98000), studio.heard(seam - 2000, 60000)
                check_equal(longest_silence(now) < 32, True, f"{path}: it is silent")
                step, usual = largest_step(now[:6000]), max(largest_step(before), largest_step(now[6000:]))
                check(step <= 1.1 * usual, f"{path}: a step of {step}, otherwise {usual}")
                return record, before, now
            # More to keep for each voice, and more of them.
            replace(os.path.join(source, "voice.h"), "#define SYNTH_GROUPS 12", "#define SYNTH_GROUPS 16")
            change("voice.h", "F(96, F32, float, last_right, 1)",
                   "F(96, F32, float, last_right, 1) F(97, F32, float, more, 2)", "live")
            # Half as loud: those that ring are, too.
            record, before, now = change("effect.c", "#define HEADROOM 0.8f", "#define HEADROOM 0.4f", "live")
            check_equal(record["state"], "inherit", "the state")
            loud = [sum(x * x for x in part) ** 0.5 for part in (before[-48000:], now[10000:58000])]
            check(0.45 < loud[1] / loud[0] < 0.55, f"how loud it was and is: {loud}")
            replace(os.path.join(source, "effect.c"), "#define HEADROOM", "#define HEADROOM oops")
            studio.city.until(lambda: "not built" in studio.city.tile("synth")["notice"], limit=BUILD_LIMIT,
                              what="the error is not shown")
            replace(os.path.join(source, "effect.c"), "#define HEADROOM oops", "#define HEADROOM")
            change("synth_play.c", "\tplayer->synth.rate = ", "\t*(volatile int *)8 = 1;\n\tplayer->synth.rate = ",
                   "rolled-back")
            check_equal(studio.city.tile("synth")["state"], "live", "the one that plays")


if __name__ == "__main__":
    if not sound.available():
        print("1..0 # SKIP pipewire or wireplumber is missing")
        sys.exit(0)
    tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])

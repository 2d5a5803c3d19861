#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Handovers of tiles that sound: each sample is the right one, and the first of the new version is where it was asked
for. A metronome stands in for the audio process, and looks at every sample; see metronome.c."""

from ledger import settled, swap, tile_path
from music import BAR, PHRASE, begin, ended, plays, tone_city, transport, waits
from tap import check, check_equal, run


def test_sound():
    """Each sample is the right one, and the first of the new version is where it was asked for."""
    with tone_city() as city:
        plays(city, "tone")
        asked = []
        # What says nothing of it waits for a bar.
        for name, options, multiple, met in (
                ("tone-2", (), BAR, "@bar"), ("tone-1", ("--at", "@beat"), 96, "@beat"),
                ("tone-2", ("--at", "!"), 1, "!"), ("tone-1", ("--at", "@bar", "--strategy", "crossfade"), BAR, "@bar"),
                ("tone-2", ("--at", "@phrase(2)"), 2 * BAR, "@phrase(2)")):
            status, record, said = swap(city, name, *options, tile="tone")
            check_equal(status, 0, said)
            check_equal((record["splice_met"], record["splice_error"], record["sound_skipped"]), (met, 0, 0), record)
            check_equal(record["splice_tick"] % multiple, 0, f"{options}: tick {record['splice_tick']}")
            asked.append(record["splice_frame"])
            city.until(lambda: len(city.found("turn")) >= len(asked), what="nobody heard it")
        heard = [frame for frame, value in city.found("turn")]
        check_equal(len(heard), len(asked), f"turns: {heard}, asked for: {asked}")
        for at, frame in zip(heard, asked):
            # The first frames of the fade may be too near to what was for a float.
            check(0 <= at - frame <= 1, f"heard at {at}, asked for {frame}")
        check_equal((city.found("wrong"), city.found("late")), ([], []), "samples")


def test_sound_faster_than_time():
    """No clock says when: the same with frames that pass 20 times as fast."""
    with tone_city(pace=20) as city:
        plays(city, "tone")
        for i in range(6):
            status, record, said = swap(city, f"tone-{2 - i % 2}", "--at", "@bar", tile="tone")
            check_equal(status, 0, said)
            check_equal((record["splice_error"], record["splice_tick"] % BAR), (0, 0), record)
        city.until(lambda: len(city.found("turn")) >= 6, what="nobody heard it")
        check_equal((len(city.found("turn")), city.found("wrong"), city.found("late")), (6, [], []), "samples")


def test_sound_that_is_taken_back():
    """A newer request, one that fails, a jump: the old version plays on as if nothing had been."""
    with tone_city() as city:
        plays(city, "tone")
        first = begin(city, "tone-2", "--at", PHRASE, tile="tone")
        waits(city, "tone")
        second = begin(city, "tone-2", "--at", "@phrase(900)", tile="tone")
        check_equal(ended(first)[1][-1]["result"], "superseded", "the first")
        waits(city, "tone")
        transport(city, "tempo", "300")
        transport(city, "locate", "897")
        status, records, said = ended(second)
        check_equal(status, 0, said)
        check_equal((records[-1]["splice_tick"], records[-1]["splice_error"]), (900 * BAR, 0), records[-1])
        third = begin(city, "tone-1", "--at", PHRASE, tile="tone")
        waits(city, "tone")
        transport(city, "stop")
        check_equal(ended(third)[1][-1]["result"], "failed", "the third")
        # What is rendered already is still played.
        city.until(lambda: len({city.ctl("transport")[-1]["tick"] for _ in range(3)}) == 1,
                   what="the transport does not stop")
        # It stands still: the next one does not wait, as it is only usual to wait for a bar.
        status, record, said = swap(city, "tone-1", tile="tone")
        check_equal((status, record["splice_met"], record["splice_error"]), (0, "frame", 0), said)
        city.until(lambda: len(city.found("turn")) >= 2, what="nobody heard it")
        check_equal((len(city.found("turn")), city.found("wrong"), city.found("late")), (2, [], []), "samples")


def test_sound_together():
    """Two that sound and their bar: one frame for both."""
    with tone_city(names=("one", "two")) as city:
        plays(city, "one")
        settled(city, "two")
        done = city.run("cityctl", "swap", *[f"{name}={tile_path('tone-2')}" for name in ("one", "two")],
                        "--settled", "--json", "--at", "@bar", check=False, limit=60)
        check_equal(done.returncode, 0, done.stderr)
        city.until(lambda: len(city.found("turn")) >= 2, what="nobody heard it")
        heard = [frame for frame, value in city.found("turn")]
        check_equal((len(heard), heard[0]), (2, heard[1]), "turns")
        check_equal((city.found("wrong"), city.found("late")), ([], []), "samples")


if __name__ == "__main__":
    run([value for name, value in list(globals().items()) if name.startswith("test_")])

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Handovers in time with the city's music: splice points, what changes while one waits, several tiles at once."""

import json
import os
import re
import subprocess

from ledger import (NO_FORGE, LedgerCity, books, children, name_of, settled, swap, tile_path, tile_pids,
                    with_programs)
from music import BAR, PHRASE, MusicCity, begin, ended, music_city, plays, steps, transport, waits
from tap import check, check_equal, run


def audio_process(city):
    return next(pid for pid in children(city.keeper.pid) if name_of(pid) == "metronome")


def no_audio():
    folder, keeper, env = with_programs(forge=NO_FORGE)
    return {"program": keeper, "env": env}


def test_stands_still():
    """There is nothing to wait for: said before anything is done."""
    with music_city() as city:
        before = settled(city)
        for point, why in (("@bar", "stands still"), ("@marker(nowhere)", "nowhere"), ("@brr", "@bar"),
                           ("@phrase(0)", "@phrase")):
            status, record, said = swap(city, "ledger-2", "--at", point)
            check_equal(status, 1, said)
            check(why in said, f"{point}: {said}")
            check_equal(record, None, "a record")
        check_equal(settled(city)["pid"], before["pid"], "the old version")
        status, record, said = swap(city, "ledger-2", "--at", "!")
        check_equal(status, 0, said)
        check_equal((record["splice_asked"], record["splice_met"]), ("!", "!"), "splice")
        check_equal(record["splice_frame"], None, "a frame of what has no sound")
        check("wait" not in steps(record), f"it waited: {steps(record)}")


def test_met():
    with music_city() as city:
        plays(city)
        transport(city, "mark", "there", "6.1")
        was = books(city)
        for name, point, multiple, offset in (
                ("ledger-2", "@beat", 96, 0), ("ledger-1", "@bar", BAR, 0), ("ledger-2", "@phrase(2)", 2 * BAR, 0),
                ("ledger-1", "@loop", BAR, 0)):
            status, record, said = swap(city, name, "--at", point)
            check_equal(status, 0, said)
            check_equal((record["splice_asked"], record["splice_met"]), (point, point), "splice")
            check_equal(record["splice_tick"] % multiple, offset, f"{point}: tick {record['splice_tick']}")
            check(record["splice_error"] >= 0, f"before its time: {record['splice_error']}")
            check("wait" in steps(record), steps(record))
        # At 240 beats a minute and 48,000 frames a second a tick has 125 of them.
        transport(city, "locate", "0")
        helper = begin(city, "ledger-2", "--at", "@marker(there)")
        status, records, said = ended(helper)
        check_equal(status, 0, said)
        check_equal(records[-1]["splice_tick"], 6 * BAR + 96, "tick of the marker")
        check_equal(books(city)["attaches"], was["attaches"] + 5, "handovers")


def test_prepared_again():
    """A version that has waited is told once more, when its turn comes, to prepare for what has changed since."""
    os.environ["WAYLAND_DEBUG"] = "server"
    try:
        with music_city() as city:
            plays(city)
            transport(city, "mark", "there", "1000.1")
            helper = begin(city, "ledger-2", "--at", "@marker(there)")
            waits(city)
            # Some of what it does meanwhile is answered: it has waited for longer than a moment.
            books(city)
            before = prepared(city)
            transport(city, "locate", "999.3")
            status, records, said = ended(helper)
            check_equal((status, records[-1]["splice_met"]), (0, "@marker(there)"), said)
            check_equal(before, ["prepare", "prepared"], "before its turn came")
            told = prepared(city)[len(before):]
            check_equal(told[:2], ["prepare", "migrate"], "when it came")
            check_equal((told.count("prepared"), told.count("attach")), (1, 1), f"answers of {told}")
    finally:
        del os.environ["WAYLAND_DEBUG"]


def prepared(city):
    """What the compositor and the versions of tiles have said of a handover, but for the tile's start."""
    said = re.findall(r"source_city_tile_v1[#@]\d+\.(prepare|prepared|migrate|attach)\(", city.said())
    check_equal(said[:1], ["attach"], "the tile's start")
    return said[1:]


def test_while_it_waits():
    with music_city() as city:
        plays(city)
        before = settled(city)
        # The newest wins.
        first = begin(city, "ledger-2", "--at", PHRASE)
        waits(city)
        second = begin(city, "ledger-2", "--at", "@phrase(500)")
        status, records, said = ended(first)
        check_equal((status, records[-1]["result"]), (1, "superseded"), said)
        waits(city)
        check_equal(city.tile("ledger")["pid"], before["pid"], "the old version")
        check_equal(swap(city, "ledger-2", "--at", "!")[0], 0, "at once")
        status, records, said = ended(second)
        check_equal((status, records[-1]["result"]), (1, "superseded"), said)
        check_equal(settled(city)["notice"], "", "the notice")

        # A change of the tempo and a jump move it; it is not lost.
        helper = begin(city, "ledger-1", "--at", PHRASE)
        waits(city)
        transport(city, "tempo", "1000")
        transport(city, "locate", "988")  # three seconds before: the change has to be seen
        status, records, said = ended(helper)
        check_equal(status, 0, said)
        check_equal(records[-1]["splice_tick"], 1000 * BAR, "tick")

        # It stands still: nothing comes any more.
        transport(city, "tempo", "240")
        helper = begin(city, "ledger-2", "--at", PHRASE)
        waits(city)
        pid = city.tile("ledger")["pid"]
        transport(city, "stop")
        status, records, said = ended(helper)
        check_equal((status, records[-1]["result"], records[-1]["step"]), (1, "failed", "wait"), said)
        check("stands still" in said, said)
        check_equal(settled(city)["pid"], pid, "the old version")

        # A marker that is passed, or gone.
        for words in (("locate", "80"), ("unmark", "far")):
            transport(city, "locate", "0")
            transport(city, "mark", "far", "70")
            transport(city, "play")
            city.until(lambda: city.ctl("transport")[-1]["playing"])
            helper = begin(city, "ledger-2", "--at", "@marker(far)")
            waits(city)
            transport(city, *words)
            status, records, said = ended(helper)
            check_equal((status, records[-1]["result"], records[-1]["step"]), (1, "failed", "wait"), said)
            check("far" in said, said)
            check_equal(settled(city)["pid"], pid, "the old version")


def test_deaths_while_it_waits():
    """Of the old version: nobody waits for the music then. Of the new one: the old one never notices."""
    with music_city() as city:
        plays(city)
        before = settled(city)
        helper = begin(city, "ledger-2", "--at", PHRASE)
        waits(city)
        city.kill(before["pid"])
        status, records, said = ended(helper)
        check_equal(status, 0, said)
        after = settled(city)
        check_equal(after["artifact"], records[-1]["to"], "artifact")
        check_equal(books(city)["ruined"], 0, "books")

        helper = begin(city, "ledger-1", "--at", PHRASE)
        waits(city)
        for pid in tile_pids(city.keeper.pid):  # the spare one, too
            if pid != after["pid"]:
                city.kill(pid)
        status, records, said = ended(helper)
        check_equal((status, records[-1]["result"], records[-1]["step"]), (1, "failed", "wait"), said)
        check_equal(settled(city)["pid"], after["pid"], "the old version")

        # Of the compositor, and of the audio process.
        helper = begin(city, "ledger-1", "--at", PHRASE)
        waits(city)
        city.die()
        helper.communicate(timeout=60)
        check_equal(settled(city)["pid"], after["pid"], "the old version")
        check_equal(city.ctl("history")[-1]["step"], "wait", "the record")
        helper = begin(city, "ledger-1", "--at", PHRASE)
        waits(city)
        city.kill(audio_process(city))
        waits(city)
        city.until(lambda: city.ctl("audio")[-1]["available"], what="nobody looks at the audio process")
        check_equal(swap(city, "ledger-1", "--at", "@beat")[0], 0, "it goes on")


def test_together():
    """Where all of them can; or not at all."""
    config = "".join(
        f"tile {name} {{\n\tartifact {tile_path('ledger-1')}\n\tkind ledger\n\tat {20 + i * 220} 40\n"
        f"\tsize 200 120\n\tsplice {point}\n}}\n"
        for i, (name, point) in enumerate((("one", "@beat"), ("two", '"@phrase(3)"'), ("three", '"@phrase(2)"'))))
    with MusicCity(config) as city:
        for name in ("one", "two", "three"):
            settled(city, name)

        def swap_all(artifact, *options):
            done = city.run("cityctl", "swap", *[f"{name}={tile_path(artifact)}" for name in ("one", "two", "three")],
                            "--settled", "--json", *options, check=False, limit=60)
            values = [json.loads(line) for line in done.stdout.decode().splitlines()]
            return done.returncode, [v for v in values if "result" in v], done.stderr.decode()

        # What the configuration says gives way while nothing plays; what is asked for does not.
        status, records, said = swap_all("ledger-2")
        check_equal(status, 0, said)
        check_equal({record["splice_met"] for record in records}, {"frame"}, "splices")
        check_equal(swap_all("ledger-1", "--at", "@bar")[0], 1, "in time with what does not play")
        transport(city, "tempo", "960")
        transport(city, "play")
        city.until(lambda: city.ctl("transport")[-1]["playing"])
        status, records, said = swap_all("ledger-1")
        check_equal(status, 0, said)
        check_equal(len(records), 3, "records")
        check_equal(len({record["splice_frame"] for record in records}), 1, f"frames: {records}")
        check_equal(records[0]["splice_tick"] % (6 * BAR), 0, "a bar of both phrases")
        check_equal(sorted(record["splice_met"] for record in records), ["@beat", "@phrase(2)", "@phrase(3)"],
                    "what was met")
        status, records, said = swap_all("ledger-2", "--at", "@bar")
        check_equal(status, 0, said)
        check_equal({record["splice_met"] for record in records}, {"@bar"}, "what was met")


def test_audio_process():
    """What it says goes to cityctl, and what is asked for to it."""
    with music_city() as city:
        settled(city)
        told = city.until(lambda: (a := city.ctl("audio")[-1])["nodes"] and a, what="nothing is known of sound")
        check_equal((told["available"], told["server"]["connected"], told["server"]["reason"]),
                    (True, False, "a metronome is no server"), "server")
        node = told["nodes"][0]
        check_equal((node["name"], node["kind"], node["volume"], node["default"]), ("bell", "output", 0.5, True),
                    "node")
        check_equal(city.run("cityctl", "audio", "volume", "bell", "70%").returncode, 0, "volume")
        refused = city.run("cityctl", "audio", "mute", "bell", check=False)
        check_equal((refused.returncode, refused.stderr.decode().strip()),
                    (1, "cityctl: a metronome cannot do that"), "mute")
        events = city.popen("cityctl", "events", "--json", stdout=subprocess.PIPE)
        lines = (json.loads(line) for line in events.stdout)
        next(line for line in lines if line["event"] == "ready")
        for words, key, value in ((("tempo", "97.5"), "tempo", 97.5), (("meter", "3"), "beats_a_bar", 3),
                                  (("phrase", "8"), "bars_a_phrase", 8), (("play",), "playing", True),
                                  (("mark", "verse", "2.1"), "marker_count", 1), (("stop",), "playing", False)):
            transport(city, *words)
            check_equal(city.ctl("transport")[-1][key], value, key)
            check_equal(next(line for line in lines if line["event"] == "transport")[key], value, f"event: {key}")
        check_equal(city.ctl("transport")[-1]["markers"][0]["tick"], 7 * 96, "marker")
        gone = city.run("cityctl", "transport", "unmark", "chorus", check=False)
        check_equal(gone.returncode, 1, "a marker that is not there")


def test_without_audio_process():
    with LedgerCity(**no_audio()) as city:
        city.until(lambda: "there is no sound" in city.said(), what="it does not say so")
        told = city.ctl("audio")[-1]
        check_equal((told["available"], told["nodes"]), (False, []), "audio")
        status = city.run("cityctl", "transport", "play", check=False)
        check_equal(status.returncode, 1, "play")
        check("source-city-audio" in status.stderr.decode(), status.stderr)


def test_config():
    """A splice point that is none is an error with its place; the rest of the configuration counts."""
    with music_city(more='tile other {\n\tsplice "@bra"\n}\n') as city:
        settled(city)
        check("@bra" in city.said() and "@bar" in city.said(), "the error says what is possible")


if __name__ == "__main__":
    run([value for name, value in list(globals().items()) if name.startswith("test_")])

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A city that plays, with a real sound server: its audio process is killed while something waits for it, and nobody
looks at its instrument. See studio.py for what is played."""

import json
import os
import subprocess

from studio import BAR, LIMITS, MUSIC, RECORDER, another, synth_path
from ledger import LedgerCity, children, name_of, settled
from music import transport
from sound import Sound, again, available
from tap import check, check_equal, run


class Player(LedgerCity):
    """One synth, and a device that sounds nowhere, with cycles that nobody waits for."""

    def __init__(self):
        self.sound = Sound()
        super().__init__(env={"SOURCE_CITY_LIMITS": LIMITS, "PIPEWIRE_RUNTIME_DIR": self.sound.folder})
        self.clip = os.path.join(self.folder, "synth.clip")
        self.save(MUSIC)
        self.config += (f"tile synth {{\n\tartifact {synth_path()}\n\tat 20 20\n\tsize 300 200\n"
                        f"\toption clip \"{self.clip}\"\n}}\n")

    def save(self, text):
        with open(self.clip + "~", "w") as file:
            file.write(text)
        os.rename(self.clip + "~", self.clip)

    def __enter__(self):
        try:
            super().__enter__()
            settled(self, "synth")
            self.sound.recorder(RECORDER, "--clock")
            transport(self, "tempo", "240")
            transport(self, "play")
            self.until(lambda: self.at()["playing"], what="it does not play")
            self.sounds()
            return self
        except BaseException:
            self.sound.close()
            raise

    def __exit__(self, *exc):
        try:
            super().__exit__(*exc)
        finally:
            self.sound.close()

    def at(self):
        return self.ctl("transport")[-1]

    def ring(self):
        return next((ring for ring in self.ctl("audio")[-1]["rings"] if ring["tile"] == "synth"), None)

    def sounds(self, frames=9600):
        """So many frames more reach the device."""
        ring = self.until(lambda: self.ring(), what="its ring")
        end = ring["frames"] + frames
        self.until(lambda: (self.ring() or ring)["frames"] > end and self.at()["sound"], what="silence")

    def kill_audio(self):
        """Returns when another one is there."""
        def found():
            return next((pid for pid in children(self.keeper.pid) if name_of(pid).startswith("source-city-aud")), None)
        dead = found()
        self.kill(dead)
        self.until(lambda: found() not in (None, dead), what="there is no other audio process")
        self.until(lambda: self.ctl("audio")[-1]["available"], what="nobody looks at the other audio process")

    def hand_over(self, artifact, *options):
        return self.popen("cityctl", "swap", "synth", "--artifact", artifact, "--settled", "--json", *options,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def until_it_waits(self, handover):
        self.until(lambda: "waits for" in self.tile("synth")["notice"] or handover.poll() is not None,
                   what="nothing waits")

    def record(self, handover):
        out, err = handover.communicate(timeout=120)
        records = [json.loads(line) for line in out.decode().splitlines()]
        check_equal(handover.returncode, 0, err.decode())
        return [record for record in records if "steps" in record][-1]

    def region(self):
        return json.loads(self.run("cityctl", "vat", "synth", "--json").stdout.decode())

    def cell(self, name):
        return next(cell for cell in self.region()["cells"] if cell["name"] == name)["values"][0]


def test_death_while_a_handover_waits():
    """It comes at its point; music and sound go on."""
    with Player() as city:
        artifact = another(synth_path(), city.folder)
        handover = city.hand_over(artifact, "--at", "@phrase(5)")
        city.until_it_waits(handover)
        city.kill_audio()
        record = city.record(handover)
        check_equal((record["result"], record["splice_met"], record["splice_error"]), ("live", "@phrase(5)", 0), record)
        check_equal(record["splice_tick"] % (5 * BAR), 0, "its tick")
        check_equal((city.at()["tempo"], city.at()["playing"]), (240, True), "the transport")
        city.sounds()


def test_death_in_a_crossfade():
    """What is rendered ahead for it, and what is in the middle of it, is no worse for that."""
    with Player() as city:
        versions = (another(synth_path(), city.folder), synth_path())
        for number, place in enumerate(("ahead", "within")):
            handover = city.hand_over(versions[number], "--strategy", "crossfade", "--at", "@bar")
            city.until_it_waits(handover)
            if place == "within":
                city.until(lambda: "waits for" not in city.tile("synth")["notice"], what="it waits for ever")
            city.kill_audio()
            record = city.record(handover)
            check_equal((record["result"], record["splice_met"], record["splice_error"]), ("live", "@bar", 0), record)
            city.sounds()


def test_death_while_a_clip_waits():
    """The tempo that it brings comes with it, and what is asked for by hand does not wait for that."""
    with Player() as city:
        transport(city, "locate", "80")
        city.until(lambda: city.at()["bar"] >= 80, what="it does not go there")
        city.save("tempo 180\nsplice @phrase(8)\n" + MUSIC)

        city.until(lambda: city.cell("clip")["ahead"][0] == 180000, what="nobody asks for its tempo")
        city.kill_audio()
        transport(city, "tempo", "200")
        city.until(lambda: city.at()["tempo"] == 200, what="the tempo by hand")
        check(city.at()["bar"] < 88, f"the tempo by hand came at {city.at()['bar']}")
        city.until(lambda: city.at()["tempo"] == 180, what="the tempo of the clip")
        begin = city.at()["origin_tick"]
        check_equal(begin % (8 * BAR), 0, "where its tempo begins")
        city.until(lambda: any("clip since" in line and f"tick {begin}," in line
                               for line in city.said().splitlines()), what="the clip")
        city.sounds()


def test_nobody_looks():
    """A synth that plays and is not to be seen renders, and does nothing else."""
    with Player() as city:
        def updates():
            return city.region()["updates"]
        seen = updates()
        city.until(lambda: updates() > seen + 10, what="it does not move")
        city.run("cityctl", "camera", "100000", "100000")
        city.sounds()  # what is on its way comes yet
        before = updates()
        city.sounds(96000)
        check_equal(updates(), before, "updates in two seconds in which nobody looked")
        city.run("cityctl", "camera", "170", "120")
        city.until(lambda: updates() > before + 10, what="it does not move again")


if __name__ == "__main__":
    if not available():
        print("1..0 # SKIP pipewire or wireplumber is missing")
        raise SystemExit(0)
    run([again(value) for name, value in list(globals().items()) if name.startswith("test_")])

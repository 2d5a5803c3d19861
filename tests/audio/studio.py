# SPDX-License-Identifier: MIT
"""A city with instruments, an eight-channel recorder that is their only listener and drives the sound server's graph,
and a judge who hears what it records while it does (judge.c)."""

import json
import os
import shutil
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "handover")]

from ledger import PATIENT, LedgerCity, settled, tile_path  # noqa: E402
from city import installed  # noqa: E402
from sound import Sound  # noqa: E402
from tap import check_equal  # noqa: E402

BUILT = os.environ.get("SOURCE_CITY_TEST_AUDIO") or os.path.join(os.environ["SOURCE_CITY_BUILD"], "tests", "audio")
RECORDER, JUDGE = (os.path.join(BUILT, name) for name in ("recorder", "judge"))
FADE = 960  # frames from the old version to the new one
FAULTS = ("missing", "doubled", "garbled", "wrong", "silent", "steep")
LIMITS = f"{PATIENT},melt=40,probation=20,frames=1,missed=0"
TEMPO = 240
BAR = 4 * 96  # ticks

# Everything that the synth can do to a note, no moment of silence, and chance.
MUSIC = """key d minor
track pad
sound pad
step 1/1
octave 3
<Dm9 Bbmaj7 Gm7 A7>
track lead
sound pluck
step 1/8
1 3? 5 <8 7 6> [3 4]? 5 2? 1
track keys
sound keys
step 1/4
<f a c5>? d e a
track bass
sound acid
step 1/16
octave 2
1 . 1 5? . 7, 1 _ 1 . 3 5 . 8 5? 3
track bd
step 1/16
x... x... x..x x.o.
track hh
step 1/16
..x. x.x. ..x. o.x.
"""


def installed_tile(name):
    return os.path.join(os.path.dirname(installed("source-city")), "..", "lib", "source-city", "tiles", name + ".so")


def synth_path():
    return installed_tile("synth")


class Judge:
    """Reads a recording to its end, and says what it is worth."""

    def __init__(self, path, longest=FADE):
        self.onsets = []
        self.process = subprocess.Popen([JUDGE, path, str(FADE), str(longest)], stdout=subprocess.PIPE)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            if line.startswith(b"onset "):
                self.onsets.append(int(line.split()[1]))
            else:
                self.verdict = json.loads(line)

    def hear(self):
        self.thread.join()
        check_equal(self.process.wait(), 0, "the judge")
        return self.verdict


def faults_of(verdict):
    return {name: verdict[name] for name in FAULTS if verdict[name]}


class Studio(LedgerCity):
    """tiles: name -> artifact, of all that play clips. players: what is judged, and the two beside it; each the name of
    a tile. options: of the recorder. silent: name -> artifact, of other tiles. keep: the recording is a file, and is
    judged when it is complete."""

    def __init__(self, tiles, players, options=(), clips=None, longest=FADE, keep=False, silent=None):
        self.sound = Sound(by_hand=True)
        self.players, self.options, self.longest, self.keep = players, options, longest, keep
        self.clips = clips or {}
        super().__init__(env={"SOURCE_CITY_LIMITS": LIMITS, "PIPEWIRE_RUNTIME_DIR": self.sound.folder})
        for i, (name, artifact) in enumerate(tiles.items()):
            clip = self.clip_path(name)
            self.write_clip(name, self.clips.get(name, MUSIC))
            self.config += (f"tile {name} {{\n\tartifact {artifact}\n\tat {20 + 320 * i} 20\n\tsize 300 200\n"
                            f"\toption clip \"{clip}\"\n}}\n")
        for i, (name, artifact) in enumerate((silent or {}).items()):
            self.config += f"tile {name} {{\n\tartifact {artifact}\n\tat {100 + 320 * i} 300\n\tsize 300 200\n}}\n"
        self.config += f"tile frame {{\n\tartifact {tile_path('tone-frame')}\n\tat 20 300\n\tsize 60 40\n}}\n"
        self.tiles = [*tiles, *(silent or {}), "frame"]
        self.judge = self.recorder = None
        self.count = 0  # of handovers

    def clip_path(self, name):
        return os.path.join(self.folder, name + ".clip")

    def write_clip(self, name, text):
        """As an editor saves it."""
        path = self.clip_path(name)
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def __enter__(self):
        try:
            super().__enter__()
            for name in self.tiles:
                settled(self, name)
            return self
        except BaseException:
            self.sound.close()
            raise

    def __exit__(self, *exc):
        try:
            super().__exit__(*exc)
        finally:
            self.sound.close()
            if self.judge:
                self.judge.process.kill()

    def record(self):
        """Everybody is linked with the recorder before anything sounds."""
        path = os.path.join(self.sound.folder, "recorder-0.f32")
        if not self.keep:
            os.mkfifo(path)
            self.judge = Judge(path, self.longest)
        self.recorder = self.sound.recorder(RECORDER, "--channels", "8", *self.options)
        pairs = []
        for i, name in enumerate([*self.players, "frame"]):
            port = "main" if name == "frame" else "out"
            for j, side in enumerate(("FL", "FR")):
                pairs.append((f"source-city.{name}.{port}:output_{side}", f"recorder:playback_AUX{2 * i + j}"))
        self.sound.link(pairs)
        self.recorder.say("patient")
        self.recorder.expect("patient")

    def play(self, tempo=TEMPO):
        self.ctl("transport", "tempo", str(tempo))
        self.ctl("transport", "play")
        return self.until(self.transport, what="the transport does not play")

    def transport(self):
        told = self.ctl("transport")[-1]
        return told["playing"] and told["tick"] > 0 and told

    def hand_over(self, tile, artifact, *options):
        """To its end; its record."""
        self.count += 1
        said = self.ctl("swap", tile, "--artifact", artifact, "--settled", *options, limit=300)
        record = [line for line in said if "result" in line and "steps" in line][-1]
        check_equal(record["result"], "live", f"handover {self.count} of {tile}: {record}")
        return record

    def ring(self, tile):
        return next(ring for ring in self.ctl("audio")[-1]["rings"] if ring["tile"] == tile)

    def late(self):
        """Frames that were not there in time, of all tiles, as the audio process counts them."""
        return {ring["tile"]: ring["late"] for ring in self.ctl("audio")[-1]["rings"]}

    def verdict(self):
        """The recording ends."""
        path = self.recorder.path
        self.recorder.cycles(1)  # with the end of one
        self.recorder.close()
        judge = self.judge or Judge(path, self.longest)
        verdict = judge.hear()
        self.onsets = judge.onsets
        return verdict


def another(path, folder):
    """The same code, to the last byte, as another artifact."""
    copy = os.path.join(folder, "another-" + os.path.basename(path))
    shutil.copyfile(path, copy)
    with open(copy, "ab") as file:
        file.write(b"\n")
    return copy

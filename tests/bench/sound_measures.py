# SPDX-License-Identifier: MIT
"""The measures of sound: with a sound server of their own, and cycles that begin when they are due by the clock."""

import json
import os
import random
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "audio"))
os.environ.setdefault("SOURCE_CITY_TEST_TILES", os.path.join(os.environ["SOURCE_CITY_BUILD"], "tests", "handover"))

sys.path.insert(0, os.path.join(HERE, "..", "lib"))

from city import CityError, Lines  # noqa: E402
from measuring import build_path, measure  # noqa: E402
from sound import SoundError, available  # noqa: E402

KEYS = 100
KEYS_COLD = 3
KEY_QUANTA = (64, 256)
KEY_Z, KEY_TAB = 44, 15  # linux/input-event-codes.h
TABS_TO_SUB = 8  # the one sound of the keys that is over soon, to the last bit
CALLBACK_QUANTUM, CALLBACK_SECONDS = 64, 30


def need_server():
    if not available():
        raise CityError("pipewire and wireplumber are needed")


class Hand:
    def __init__(self, city):
        self.process = city.popen(build_path("tests", "headless", "hand"), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        self.lines = Lines(self.process.stdout)

    def key(self, what, code):
        """When it was sent."""
        self.process.stdin.write(f"{what} {code}\n".encode())
        self.process.stdin.flush()
        answer = (self.lines.next() or "").split()
        if answer[:1] != ["ok"]:
            raise CityError(f"no {what} {code}: {answer}")
        return int(answer[1])


def key_times(quantum):
    """Quanta from a key of the keyboard to the first frame that sounds, in the recorder; and what was late."""
    from studio import RECORDER, Studio, synth_path
    with Studio({"keys": synth_path()}, (), clips={"keys": ""}) as city:
        recorder = city.sound.recorder(RECORDER, "--channels", "2", "--clock", "--onsets", "--quantum", str(quantum))
        city.sound.link([(f"source-city.keys.out:output_{side}", f"recorder:playback_AUX{i}")
                         for i, side in enumerate(("FL", "FR"))])
        city.ctl("run", "focus", "keys")
        hand = Hand(city)
        for _ in range(TABS_TO_SUB):
            hand.key("down", KEY_TAB)
            hand.key("up", KEY_TAB)
        samples = []
        quantum_ns = quantum * 1e9 / 48000
        for _ in range(KEYS + KEYS_COLD):
            time.sleep(1 + random.random() / 20)  # it has ended to the last bit; and any moment of a quantum
            sent = hand.key("down", KEY_Z)
            heard = recorder.expect("onset")[0]
            hand.key("up", KEY_Z)
            samples.append((heard - sent) / quantum_ns)
        return samples[KEYS_COLD:], city.ring("keys")


def key():
    need_server()
    for quantum in KEY_QUANTA:
        try:
            samples, ring = key_times(quantum)
        except SoundError as error:
            raise CityError(str(error)) from error
        ms = [sample * quantum / 48 for sample in samples]
        yield measure(f"sound.key.{quantum}", "quanta", samples, {
            "rendered ahead": ring["wanted"] / quantum, "ms p50": sorted(ms)[len(ms) // 2], "late frames": ring["late"]})


def callback():
    """What the sound server waits for the audio process with each stream, while two instruments play."""
    from studio import RECORDER, Studio, synth_path
    need_server()
    try:
        with Studio({"one": synth_path(), "two": synth_path()}, ()) as city:
            empty = city.popen(build_path("tests", "audio", "empty-stream"), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
            city.sound.recorder(RECORDER, "--channels", "6", "--clock", "--quantum", str(CALLBACK_QUANTUM))
            nodes = ("source-city.one.out", "source-city.two.out", "empty")
            city.sound.link([(f"{node}:output_{side}", f"recorder:playback_AUX{2 * i + j}")
                             for i, node in enumerate(nodes) for j, side in enumerate(("FL", "FR"))])
            city.play(120)
            time.sleep(CALLBACK_SECONDS)
            rings = [city.ring(tile) for tile in ("one", "two")]
            floor = json.loads(empty.communicate(b"", timeout=60)[0])
    except SoundError as error:
        raise CityError(str(error)) from error
    share = CALLBACK_QUANTUM * 1e6 / 48000 / 100  # us of a per cent
    worst = max(rings, key=lambda ring: ring["callback_p999_us"])
    beside = {"p99.9 us": worst["callback_p999_us"], "an empty stream, %": floor["p999_ns"] / 1000 / share,
              "mean us": worst["callback_mean_us"], "its mean us": floor["mean_ns"] / 1000,
              "late frames": sum(ring["late"] for ring in rings)}
    p999 = worst["callback_p999_us"] / share
    yield {"name": f"sound.callback.{CALLBACK_QUANTUM}", "unit": "% p99.9", "p50": p999, "p99": p999,
           "max": worst["callback_max_us"] / share, "n": worst["cycles"], "beside": beside}


ALL = {"sound.callback": callback, "sound.key": key}

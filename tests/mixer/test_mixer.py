#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The audio manager in a city with a real sound server: what it shows is what is there, what is done in it is done
there, and it can be replaced while programs play. Arguments: the recorder, then names of tests."""

import json
import os
import struct
import subprocess
import sys
import wave

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "handover")]
import sound  # noqa: E402
import tap  # noqa: E402
from ledger import LIMITS, PATIENT, LedgerCity, Lines, children, installed, name_of, settled, tile_path  # noqa: E402
from sound import Sound  # noqa: E402
from tap import check, check_equal  # noqa: E402

RECORDER = sys.argv[1]
del sys.argv[1]

HEADER, BAR = 40, 1500  # of the tile: pixels above the cards; the end of a fader
ARTIFACT = os.path.join(os.path.dirname(installed("source-city")), "..", "lib", "source-city", "tiles", "audio.so")


class Mixer(LedgerCity):
    """A city with the manager in it, whose sound server is that of `server`."""

    def __init__(self, server, more=""):
        self.server = server
        config = f"tile audio {{\n\tkind audio\n\tat 0 0\n\tsize 760 520\n\tartifact {ARTIFACT}\n}}\n{more}"
        super().__init__(config=config, env={"PIPEWIRE_RUNTIME_DIR": server.folder,
                                             "SOURCE_CITY_LIMITS": f"{PATIENT},{LIMITS}"})

    def __enter__(self):
        super().__enter__()
        self.wait_tile("audio")
        return self

    def cell(self, name):
        region = json.loads(self.run("cityctl", "vat", "audio", "--all", "--json").stdout.decode().splitlines()[-1])
        return next(cell for cell in region["cells"] if cell["name"] == name)["values"]

    def nodes(self):
        """What the tile knows, by name."""
        return {node["name"]: node for node in self.cell("nodes") if node["id"]}

    def linked(self, one, other):
        """As the tile sees it, and as the audio process does."""
        ids = {name: node["id"] for name, node in self.nodes().items()}
        pair = (ids.get(one), ids.get(other))
        return (any((link["from"], link["to"]) == pair for link in self.cell("links") if link["id"]),
                any((link["from"], link["to"]) == pair for link in self.ctl("audio")[-1]["links"]))

    def until_node(self, name, wanted=lambda node: True, what="there"):
        return self.until(lambda: (node := self.nodes().get(name)) and wanted(node) and node,
                          what=f"{name} is not {what}")

    def until_linked(self, one, other, wanted=True):
        self.until(lambda: self.linked(one, other) == (wanted, wanted),
                   what=f"{one} is {'not ' if wanted else ''}linked with {other}")

    def take(self):
        """The keyboard, and a hand."""
        self.ctl("run", "zoom", "1")
        self.ctl("run", "focus", "audio")
        seen = []

        def rests():
            seen.append(self.box("audio"))
            return len(seen) > 5 and len(set(seen[-5:])) == 1
        self.until(rests, what="the camera does not come to rest")
        self.place = seen[-1]
        check_equal(self.place[2:], (760, 520), "the size on the screen")
        helper = self.popen(os.environ["SOURCE_CITY_TEST_HAND"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.fingers, self.answers = helper, Lines(helper.stdout)

    def hand(self, *lines):
        for line in lines:
            self.fingers.stdin.write(line.encode() + b"\n")
            self.fingers.stdin.flush()
            check_equal(self.answers.next(), "ok", line)

    def at(self, node, x, y):
        """Where the hand is to go for a place on a node's card."""
        return f"move {round(self.place[0] + node['x'] + x)} {round(self.place[1] + HEADER + node['y'] + y)}"


class Program:
    """One that plays for longer than any test."""

    def __init__(self, server, name):
        path = os.path.join(server.folder, "tone.wav")
        with wave.open(path, "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(48000)
            file.writeframes(b"".join(struct.pack("<hh", 4000 + i % 2000, -8000 - i % 3000) for i in range(48000)) * 400)
        properties = json.dumps({"application.name": name, "media.name": "A tone", "node.name": name})
        self.process = subprocess.Popen(["pw-cat", "-p", "-P", properties, path], env=server.env,
                                        stdin=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def volume_there(server, name):
    """As the sound server's own tool says it."""
    number = server.node(name)["id"]
    said = subprocess.run(["wpctl", "get-volume", str(number)], env=server.env, capture_output=True, timeout=60)
    words = said.stdout.decode().split()
    return float(words[1]), "[MUTED]" in words


def test_what_is_done():
    """By mouse and by keyboard, here and elsewhere; and the tile's state is in its cells."""
    with Sound() as server:
        server.make_device("speakers", "Speakers")
        server.make_device("headset", "Headset")
        with Program(server, "Player"), Mixer(server) as city:
            city.until_node("Speakers")
            city.until_node("Headset")
            player = city.until_node("Player", lambda n: n["target"] and n["level"][0] > 0, "heard")
            check_equal((player["media"], player["volume"]), ("A tone", 1000), "what is known of it")
            city.take()

            # The fader, drawn: a fifth of it is 30 %.
            width = player["width"] - 42 - 54
            city.hand(city.at(player, 42 + width * 1000 / BAR, 55), "press left",
                      city.at(player, 42 + width * 0.4, 55), city.at(player, 42 + width * 0.2, 55), "release left")
            city.until(lambda: abs(volume_there(server, "Player")[0] - 0.3) < 0.01, what="the fader does nothing")
            city.until_node("Player", lambda n: abs(n["volume"] - 300) < 10 and not n["want"], "quieter")
            # The wheel over it, a key, and somebody else.
            city.hand("scroll -1")
            city.until(lambda: abs(volume_there(server, "Player")[0] - 0.35) < 0.01, what="the wheel does nothing")
            city.type("-k", "minus")
            city.until(lambda: abs(volume_there(server, "Player")[0] - 0.3) < 0.01, what="the key does nothing")
            subprocess.run(["wpctl", "set-volume", str(server.node("Player")["id"]), "0.8"], env=server.env, check=True)
            city.until_node("Player", lambda n: abs(n["volume"] - 800) < 5, "as loud as somebody else wants")
            city.type("m")
            city.until(lambda: volume_there(server, "Player")[1], what="it is not muted")
            city.until_node("Player", lambda n: n["flags"] & 1, "seen to be muted")
            city.hand(city.at(player, 20, 55), "press left", "release left")
            city.until(lambda: not volume_there(server, "Player")[1], what="it is muted")

            # Moved with the mouse; linked with it, too; the links broken by key, and with the mouse.
            first, second = ("Speakers", "Headset") if city.linked("Player", "Speakers")[0] else ("Headset", "Speakers")
            there = city.nodes()[second]
            city.hand(city.at(player, 100, 15), "press left", city.at(player, 150, 20), city.at(there, 50, 20),
                      "release left")
            city.until_linked("Player", second)
            city.until_linked("Player", first, False)
            there = city.nodes()[first]
            city.hand(city.at(player, player["width"], player["height"] / 2), "press left", city.at(there, -20, 20),
                      city.at(there, 50, 20), "release left")
            city.until_linked("Player", first)
            city.until_linked("Player", second)
            city.type("l")
            goal = city.nodes()[second]["id"]
            for _ in range(4):
                if city.cell("face")[0]["chosen"] != goal:
                    city.type("-k", "Down")
            city.type("-k", "Return")
            city.until_linked("Player", second, False)
            there = city.nodes()[first]
            middle = ((player["x"] + player["width"] + there["x"]) / 2 - player["x"],
                      (player["height"] / 2 + there["y"] + there["height"] / 2 - player["y"]) / 2)
            city.hand(city.at(player, *middle), "press left", "release left")
            city.until(lambda: city.cell("face")[0]["chosen_link"], what="no link is chosen")
            city.hand("press left", "release left")
            city.until_linked("Player", first, False)

            # Which output is the default one; what cannot be is said.
            for name in (first, second):
                city.hand(city.at(city.nodes()[name], 50, 20), "press left", "release left")
                city.until(lambda: city.cell("face")[0]["chosen"] == city.nodes()[name]["id"], what="not chosen")
                city.type("d")
                city.until_node(name, lambda n: n["flags"] & 2, "the default one")
            city.type("-k", "Home", "-k", "d")
            city.until(lambda: "default" in city.cell("face")[0]["line"], what="it is not said")
            # The transport's button is one of the cards.
            city.type("-k", "Home", "-M", "shift", "-k", "Tab", "-m", "shift", "-k", "Return")
            city.until(lambda: city.ctl("transport")[-1]["playing"], what="it does not play")
            city.until(lambda: city.cell("face")[0]["beat"] > 1, what="no beat is seen")
            done = city.run("cityctl", "test", "audio", check=False, limit=300)
            check_equal(done.returncode, 0, done.stdout.decode() + done.stderr.decode())


@sound.again
def test_replaced_while_it_plays():
    """Of a tile's sound every frame is there, however often the manager is another."""
    tone = f"tile tone {{\n\tartifact {tile_path('tone-1')}\n\tkind tone\n\tat 900 0\n\tsize 60 40\n}}\n"
    with Sound() as server, Mixer(server, tone) as city:
        settled(city, "tone")
        recorder = server.recorder(RECORDER)
        recorder.say("pace 1000")
        node = city.until_node("tone", lambda n: n["target"], "linked")
        frames = recorder.until(20000)
        check_equal((node["tile"], node["flags"] & 8), ("tone", 8), "whose it is")
        city.until(lambda: any(ring["tile"] == "tone" and ring["quantum"] == 256 for ring in city.cell("rings")),
                   what="nothing is known of its ring")
        turn = city.cell("wire")[0]["turn"]
        for _ in range(5):
            city.ctl("swap", "audio", "--artifact", ARTIFACT, "--settled")
            wire = city.cell("wire")[0]
            check_equal((wire["open"], wire["told"], wire["turn"]), (1, 1, turn), "the connection")
            frames = recorder.until(frames + 5000)
        check(city.until_node("tone")["level"][0] > 0, "it is not measured any more")
        recorder.close()
        samples = recorder.frames()
        heard = [round(left * 0x100000) if right == 1 else None for left, right in zip(samples[0::2], samples[1::2])]
        heard = heard[1024:frames]  # it was faded in
        wrong = next((i for i, index in enumerate(heard) if index is None or
                      index != (heard[0] + i) % 0x100000), None)
        check_equal(wrong, None, f"frame that is not the next one, of {len(heard)}")


def test_no_server():
    """Said in one line; and when one comes it is seen."""
    with Sound(server=False) as server, Mixer(server) as city:
        city.until(lambda: city.cell("wire")[0]["told"], what="nothing is told")
        wire = city.cell("wire")[0]
        check_equal((wire["server"], city.nodes()), (0, {}), "what is there")
        check("no sound server" in wire["reason"], wire["reason"])
        server.start()
        server.make_device("speakers", "Speakers")
        city.until_node("Speakers")
        city.until(lambda: city.cell("wire")[0]["rate"] == 48000, what="no rate")
        # Another audio process, another connection; nothing is lost of what is there.
        audio = next(pid for pid in children(city.keeper.pid) if name_of(pid) == "source-city-aud")
        os.kill(audio, 9)
        city.until(lambda: city.cell("wire")[0]["turn"] > wire["turn"] and city.cell("wire")[0]["open"],
                   what="it does not connect again")
        city.until_node("Speakers")
        # And when it is the tile that dies, in the middle of whatever it read.
        turn = city.cell("wire")[0]["turn"]
        city.kill(city.tile("audio")["pid"])
        city.until(lambda: city.cell("wire")[0]["turn"] > turn and city.cell("wire")[0]["open"],
                   what="its next process does not connect")
        city.until_node("Speakers")
        server.stop()
        city.until(lambda: not city.nodes() and not city.cell("wire")[0]["server"], what="it goes on")


if __name__ == "__main__":
    if not sound.available():
        print("1..0 # SKIP pipewire or wireplumber is missing")
        sys.exit(0)
    tap.run([value for name, value in list(globals().items()) if name.startswith("test_")])

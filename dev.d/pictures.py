#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pictures of the city as a user sees it: from afar, in the street and in a room; few tiles and many; dark and
light. They are for looking at, not for comparing: what a change of the look does is seen best in all of them.

./dev pictures FOLDER [NAME...]: those whose name holds one of the names, and all without."""

import argparse
import os
import shutil
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "tests", "lib"))

from city import BUILD_LIMIT, City, CityError, Lines  # noqa: E402
from sound import Sound  # noqa: E402

ACROSS = 300  # city units from one small tile to the next
BELOW = 350
WINDOW = "cd / && ls --color=always usr/include | head -60 | column -c 70"
# What is listed in a terminal, so that there is something to see in it.
LISTING = "ls -l --color bin lib/source-city/tiles share/source-city/shaders"
CLIPS = os.path.join(os.environ["SOURCE_CITY_BUILD"], "prefix", "share", "source-city", "clips")
SHELL = """cd "$SOURCE_CITY_BUILD/prefix"
PS1='city:\\W\\$ '
"""


def tile(name, kind, at, size):
    return f"tile {name} {{\n\tkind {kind}\n\tat {at[0]} {at[1]}\n\tsize {size[0]} {size[1]}\n}}\n"


def few_tiles():
    """What the README shows."""
    return (tile("terminal", "terminal", (0, 600), (820, 600)) + tile("notes", "terminal", (848, 600), (620, 600)) +
            tile("clock", "clock", (1496, 600), (300, 300)) + tile("clock-2", "clock", (1496, 926), (300, 274)))


def synth_tile():
    """A synth that plays."""
    return ("tile synth {\n\tkind synth\n\tat 0 0\n\tsize 860 480\n\toption play yes\n"
            "\toption clip " + os.path.join(CLIPS, "night-drive.clip") + "\n}\n")


def mixer_tile():
    """The mixer, and beside it a synth that plays."""
    return tile("mixer", "audio", (0, 0), (760, 480)) + synth_tile().replace("at 0 0", "at 0 600")


def tiles(count):
    """A terminal with smaller ones beside it, in rows that are twice as long as there are rows."""
    text = tile("terminal", "terminal", (0, 0), (820, 600))
    text += tile("clock", "clock", (848, 0), (300, 300))
    rows = max(1, round((count / 2.4) ** 0.5))
    for i in range(count - 2):
        at = 1176 + i // rows * ACROSS, i % rows * BELOW
        text += tile(f"clock-{i + 2}", "clock", at, (270, 300))
    return text


class Scene(City):
    def __init__(self, out, count=3, style="dark", scale=1, **options):
        self.sound = None
        if count == 2:
            self.sound = Sound()
            options["env"] = {"PIPEWIRE_RUNTIME_DIR": self.sound.folder}
        config = f"keyboard {{\n\trepeat 1 5000\n}}\ntheme {{\n\tstyle {style}\n}}\noutput * {{\n\tscale {scale}\n}}\n"
        wanted = {1: synth_tile, 2: mixer_tile, 4: few_tiles}.get(count, lambda: tiles(count))
        super().__init__(config=config + wanted(), **options)
        self.out = out
        self.count = count

    def __enter__(self):
        os.makedirs(os.path.join(self.folder, "home"))
        with open(os.path.join(self.folder, "home", ".bashrc"), "w") as file:
            file.write(SHELL)
        super().__enter__()
        self.until(lambda: sum(t["state"] == "live" for t in self.ctl("tiles")) >= self.count, 300,
                   "not all tiles are live")
        self.until(lambda: self.ctl("map")[0]["quarters"], what="no source was found")
        return self

    def __exit__(self, *exc):
        super().__exit__(*exc)
        if self.sound:
            self.sound.close()

    def fill(self):
        """Something to see in the terminal, and two windows of ordinary programs."""
        self.ctl("run", "focus", "terminal")
        self.type(LISTING, "-k", "Return")
        for text in (WINDOW, "tail -40 /etc/services"):
            before = len(self.ctl("state")[0]["views"])
            self.popen("foot", "-W", "66x20", "sh", "-c", f"{text}; sleep 600",
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.until(lambda: len(self.ctl("state")[0]["views"]) > before, what="no window came")
        self.ctl("run", "focus", "terminal")

    def at(self, *words):
        self.ctl("run", *words)
        return self

    def take(self, name):
        self.picture(os.path.join(self.out, name + ".png"))
        print(name, flush=True)

    def draw(self, name, *words, colors):
        """All of the city, or a part, whatever the screen shows; in so few colours that it is small."""
        path = os.path.join(self.out, name + ".png")
        self.run("cityctl", "picture", path, *words)
        self.run("sh", "-c", f'pngtopnm "$0" | pnmquant -quiet {colors} | '
                 'pnmtopng -quiet -compression 9 >"$0.new" && mv "$0.new" "$0"', path)
        print(name, flush=True)


def scenes():
    """Name: what makes it, and of how many tiles."""
    for style in ("dark", "light"):
        for count in (3, 30, 300):
            def few(scene):
                if scene.count <= 30:
                    scene.fill()
                scene.at("zoom", "city").take(f"city-{scene.name}")
                scene.at("zoom", "all").take(f"all-{scene.name}")
                scene.at("camera", "0", "-60", "0.5").at("minimap").take(f"street-{scene.name}")
                scene.at("minimap").at("zoom", "room").take(f"room-{scene.name}")
            yield f"{count}-{style}", few, {"count": count, "style": style}
        yield f"readme-{style}", readme, {"count": 4, "style": style}
        yield f"synth-{style}", music, {"count": 1, "style": style}
        yield f"audio-{style}", mixer, {"count": 2, "style": style}
        yield f"changes-{style}", changes, {"count": 4, "style": style}
    for scale in (1.5, 2):
        def large(scene):
            scene.fill()
            scene.at("zoom", "city").take(f"city-{scene.name}")
            scene.at("camera", "0", "-60", "0.4").take(f"street-{scene.name}")
            scene.at("zoom", "room").take(f"room-{scene.name}")
        yield f"scale-{scale}", large, {"scale": scale, "width": 1920, "height": 1080}


def broken(scene, tile):
    """A copy of its source, with which it does not build; what was in the file."""
    source = os.path.join(scene.folder, tile)
    shutil.copytree(scene.tile(tile)["source"], source)
    path = os.path.join(source, "clock.c")
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text + "\nthis is no C\n")
    scene.ctl("swap", tile, "--source", source, check=False, limit=BUILD_LIMIT)
    return source, text


def readme(scene):
    """What the README shows: everything from afar in dark, and a part of it from nearer by in light."""
    scene.at("camera", "2000", "600", "0.8").fill()
    scene.at("focus", "notes")
    scene.type("head -34 share/source-city/tiles/clock/clock.c", "-k", "Return")
    broken(scene, "clock-2")
    if scene.name.endswith("dark"):
        scene.draw("city", "--size", "1080x675", colors=256)
    else:
        scene.draw("street", "--region", "-100,20,2080x1300", "--size", "1600x1000", colors=256)


def music(scene):
    """The synth, in a bar in which everything plays."""
    scene.until(lambda: scene.ctl("transport")[0]["bar"] >= 13, 300, "the music does not go on")
    scene.draw("synth", "--region", "-8,-32,876x520", "--size", "876x520", colors=128)


def mixer(scene):
    """Devices, programs that play and record, and a tile; one of them quieter."""
    sound = scene.sound
    for name, title, kind in (("speakers", "Speakers", "Audio/Sink"), ("headset", "Headset", "Audio/Sink"),
                              ("microphone", "Microphone", "Audio/Source/Virtual")):
        sound.make_device(name, title, kind)
    scene.popen("sh", "-c", "exec pw-cat -p --raw --rate 48000 --channels 2 --format s16 "
                "-P '{ application.name = \"Player\" media.name = \"Some music\" node.name = player }' - "
                "</dev/urandom")
    scene.popen("pw-cat", "-r", "-P", '{ application.name = "Recorder" media.name = "A memo" }',
                os.path.join(scene.folder, "memo.wav"))
    scene.until(lambda: sum(node["running"] for node in scene.ctl("audio")[0]["nodes"]) >= 5, 60, "nothing sounds")
    scene.run("cityctl", "audio", "volume", "Player", "40%")
    scene.at("zoom", "1").at("focus", "mixer")
    scene.until(lambda: scene.ctl("transport")[0]["bar"] >= 9, 300, "the music does not go on")
    scene.draw("audio" if scene.name.endswith("dark") else "audio-light",
               "--region", "-8,-32,776x520", "--size", "776x520", colors=128)


def changes(scene):
    """A tile whose source does not build, one that has just been handed over, and one that is dragged."""
    source, text = broken(scene, "clock")
    path = os.path.join(source, "clock.c")
    scene.at("zoom", "room").at("focus", "clock").take(f"notice-{scene.name}")
    with open(path, "w") as file:
        file.write(text + "\n/* another one */\n")
    for name, zoom in (("clock", 0.5), ("clock-2", 0.17)):
        scene.at("camera", "-200", "400", str(zoom))
        scene.ctl("swap", name, "--source", source, limit=BUILD_LIMIT)
        scene.take(f"pulse-{zoom}-{scene.name}")
    scene.at("camera", "0", "500", "0.5")
    hand = scene.popen(os.path.join(os.environ["SOURCE_CITY_BUILD"], "tests", "headless", "hand"),
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    lines = Lines(hand.stdout)
    for line in ("move 800 250", "modifiers 64", "press left", "move 800 180", "move 790 140"):
        hand.stdin.write(line.encode() + b"\n")
        hand.stdin.flush()
        lines.next()
    scene.take(f"drag-{scene.name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    every = list(scenes())
    for name, make, options in every:
        if args.names and not any(word in name for word in args.names):
            continue
        try:
            with Scene(args.folder, **options) as scene:
                scene.name = name
                make(scene)
        except CityError as error:
            print(f"pictures: FAILED: {name}: {error}", flush=True)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

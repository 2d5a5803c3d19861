#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What stands in the city: quarters of source, buildings in the place of tiles, and what is kept of them."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from city import City  # noqa: E402
from tap import check, check_equal, run  # noqa: E402

CONFIG = """animations off
theme {
	style %s
}
tile clock {
	at 100 100
	size 400 300
}
"""
LINE_AREA = 64


def idle_colors():
    """What a building that costs nothing is painted with, as the theme has it."""
    theme = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "compositor", "theme.c")
    with open(theme) as file:
        found = re.findall(r"\[CITY_STYLE_(\w+)\].*?\.cost = \{0x([0-9a-f]{6})ff", file.read(), re.S)
    return {style.lower(): tuple(bytes.fromhex(color)) for style, color in found}


IDLE = idle_colors()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def meet(a, b):
    return (a["cx"] < b["cx"] + b["width"] and b["cx"] < a["cx"] + a["width"] and
            a["cy"] < b["cy"] + b["height"] and b["cy"] < a["cy"] + a["height"])


def make_source(folder):
    """Source with all that may lie about there."""
    write(f"{folder}/main.c", "int x;\n" * 900)
    write(f"{folder}/below/deep/helper.c", "int y;\n" * 300)
    write(f"{folder}/odd name \t\x01%\n.c", "int z;\n" * 200)
    write(f"{folder}/.hidden.c", "int h;\n" * 200)
    with open(os.fsencode(folder) + b"/latin-\xe9.c", "w") as file:
        file.write("int w;\n" * 100)
    os.symlink("..", f"{folder}/below/loop")
    os.symlink("/", f"{folder}/root")
    os.mkfifo(f"{folder}/pipe")


class Mapped(City):
    def __init__(self, style="dark", **options):
        super().__init__(config=CONFIG % style, **options)
        self.source = os.path.join(self.folder, "data", "source-city", "city", "project")
        if not os.path.exists(self.source):
            make_source(self.source)
        self.layout = os.path.join(self.folder, "state", "source-city", "layout")

    def map(self):
        return self.ctl("map")[0]

    def quarter(self, name):
        return next((q for q in self.map()["quarters"] if q["name"] == name), None)

    def wait_quarter(self, name="project", ready=lambda quarter: True):
        def there():
            quarter = self.quarter(name)
            return quarter if quarter and ready(quarter) else None
        return self.until(there, what=f"there is no quarter {name}")

    def lot(self, name="clock"):
        return next((lot for lot in self.map()["lots"] if lot["name"] == name), None)

    def look_at(self, box, zoom):
        """The middle of a box in the middle of the screen."""
        x = box["cx"] + box["width"] / 2 - self.size[0] / 2 / zoom
        y = box["cy"] + box["height"] / 2 - self.size[1] / 2 / zoom
        self.ctl("run", "camera", f"{x:.3f}", f"{y:.3f}", str(zoom))

    def pixel_in(self, box, zoom):
        """Just above the middle of its lower edge, where no text is."""
        camera = self.ctl("state")[0]["camera"]
        x = (box["cx"] + box["width"] / 2 - camera["cx"]) * zoom
        y = (box["cy"] + box["height"] - camera["cy"]) * zoom - 5
        return self.pixels((int(x), int(y), 1, 1))[0][0]

    def until_pixel(self, box, zoom, wanted, what):
        try:
            self.until(lambda: self.pixel_in(box, zoom) == wanted, what=what)
        except Exception:
            raise AssertionError(f"{what}: {self.pixel_in(box, zoom)}, not {wanted}")


def test_source_stands_in_quarters():
    with Mapped() as city:
        quarter = city.wait_quarter()
        lines = {module["path"]: module["lines"] for module in quarter["modules"]}
        check({"main.c", "below/deep/helper.c"} <= set(lines), f"modules: {lines}")
        check_equal(sorted(lines.values()), [100, 200, 300, 900], "what was counted")
        check_equal([f["path"] for f in quarter["folders"]], ["below", "below/deep"], "folders")
        check_equal(quarter["lines"], 1500, "the lines of the quarter")
        for module in quarter["modules"]:
            area = module["width"] * module["height"] / (module["lines"] * LINE_AREA)
            check(0.8 < area <= 1.001, f"{module} is {area} of what it should be")
        own = city.wait_quarter("source-city")
        paths = {module["path"] for module in own["modules"]}
        check({"compositor/view.c", "vat/keeper/main.c", "forge/main.c"} <= paths, "the city's own source")

        # The tile's own folder is its building, and in no quarter.
        city.wait_tile("clock")
        lot = city.until(lambda: city.lot() if city.lot()["lines"] > 0 else None, what="no lines of the clock")
        check_equal(lot["kind"], "tile", "its kind")
        area = lot["building"]["width"] * lot["building"]["height"]
        check(abs(area - lot["lines"] * LINE_AREA) < 1, f"its building {area} for {lot['lines']} lines")
        check(city.quarter("home") is None, "the clock's source stands in a quarter too")

        # Pixels: from afar there are buildings, in the room the tile itself.
        main = next(m for m in quarter["modules"] if m["path"] == "main.c")
        city.look_at(main, 0.1)
        city.until_pixel(main, 0.1, IDLE["dark"], "a module from afar")
        city.look_at(main, 1)
        city.until_pixel(main, 1, IDLE["dark"], "a module near by")
        live = city.lot()
        city.look_at(live, 1)
        near = city.edge("clock")
        city.look_at(live, 0.1)
        city.until(lambda: city.pixel_in(live["building"], 0.1) != near, what="no building for the clock")
        city.until(lambda: city.lot()["cost"] is not None, what="its cost is not measured")

        # A window leaves blocks of tiles and quarters free, wherever one looks.
        guest = os.environ["SOURCE_CITY_TEST_GUEST"]
        taken = [q for q in city.map()["quarters"]] + [city.ctl("state")[0]["districts"][0]]
        for at in taken:
            city.look_at(at, 1)
            before = {view["id"] for view in city.ctl("state")[0]["views"]}
            city.popen(guest, "test", "a window", "300", "200", "ff336699", stdin=subprocess.PIPE)
            view = city.until(lambda: next((v for v in city.ctl("state")[0]["views"]
                                            if v["id"] not in before and v["shown"]), None),
                              what="no window came")
            check(not any(meet(view, other) for other in taken), f"{view} stands on one of {taken}")

        # In light.
        path = os.path.join(city.folder, "config", "source-city", "config")
        with open(path) as file:
            text = file.read()
        write(path, text.replace("style dark", "style light"))
        city.ctl("run", "reload")
        city.look_at(main, 0.1)
        city.until_pixel(main, 0.1, IDLE["light"], "a module in light")

        # What has come since is surveyed, shown and kept.
        write(f"{city.source}/later.c", "int l;\n" * 700)
        city.ctl("run", "reload")
        later = city.until(lambda: next((m for m in city.quarter("project")["modules"] if m["path"] == "later.c"),
                                        None), what="what has come since is not on the map")
        city.look_at(later, 0.1)
        city.until_pixel(later, 0.1, IDLE["light"], "a module that has come since")

        def kept():
            with open(city.layout, "rb") as file:
                return file.read()

        city.until(lambda: b"later.c" in kept(), what="what has come since is not kept")

        # Another folder of the same name, with as much in it: the same blocks, but not the same place.
        for where in "one", "two":
            source = os.path.join(city.folder, where, "twin")
            write(f"{source}/same.c", "int s;\n" * 50)
            write(path, f"{text}sources {source}\n")
            city.ctl("run", "reload")
            city.wait_quarter("twin", lambda quarter: quarter["path"] == source)


def test_marks_and_handovers_are_shown():
    with Mapped() as city:
        city.wait_tile("clock")
        source = os.path.join(city.folder, "clock")
        shutil.copytree(city.tile("clock")["source"], source)
        text = open(f"{source}/clock.c").read()
        write(f"{source}/clock.c", text + "\nthis is no C\n")
        city.ctl("swap", "clock", "--source", source, check=False, limit=300)
        city.until(lambda: city.lot()["mark"] == "build", what="no mark of the failed build")
        check_equal(city.lot()["handed_over_ns"], 0, "a handover before there was one")
        write(f"{source}/clock.c", text + "\n/* another one */\n")
        city.ctl("swap", "clock", "--source", source, "--settled", limit=300)
        lot = city.until(lambda: city.lot() if city.lot()["mark"] == "" else None, what="the mark stays")
        check(lot["handed_over_ns"] > 0 and lot["pas"] is not None, f"the handover is not told: {lot}")


def checksum(data):
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return value


def test_places_are_kept_and_bad_files_set_aside():
    folder = tempfile.mkdtemp(prefix="city-")
    with Mapped(folder=folder) as city:
        city.wait_quarter()
        done = city.ctl("run", "quarter", "nowhere", "1", "2", check=False)
        check("no quarter is called" in json.dumps(done), f"a quarter that is not there: {done}")
        city.ctl("run", "quarter", "project", "-7000", "1234.5")
        check(city.quarter("project")["hand"], "it was not put there by hand")
        before = city.quarter("project")["modules"]
        layout = city.layout
    with Mapped(folder=folder) as city:
        quarter = city.wait_quarter()
        check_equal((quarter["cx"], quarter["cy"], quarter["hand"]), (-7000, 1234.5, True), "its place")
        check_equal(quarter["modules"], before, "what is in it")
        check("cannot be used" not in city.said(), "a good file was set aside")
    good = open(layout, "rb").read()

    # Damaged in the middle.
    bad = bytearray(good)
    bad[len(bad) // 2] ^= 4
    with open(layout, "wb") as file:
        file.write(bad)
    with Mapped(folder=folder) as city:
        quarter = city.wait_quarter()
        check(not quarter["hand"], "something was taken from a damaged file")
        check("it is damaged; it is kept as" in city.said(), "nothing was said of the damage")
    check_equal(open(layout + ".aside-1", "rb").read(), bytes(bad), "the file that was set aside")

    # Whole, but of another city.
    body = good[:good.rindex(b"end ")].replace(b"\ncity /", b"\ncity /elsewhere/", 1)
    with open(layout, "wb") as file:
        file.write(body + b"end %016x\n" % checksum(body))
    with Mapped(folder=folder) as city:
        check(not city.wait_quarter()["hand"], "something was taken from another city's file")
        check("it tells of another city; it is kept as" in city.said(), "nothing was said of the other city")
    check(os.path.exists(layout + ".aside-2"), "the other city's file is gone")
    shutil.rmtree(folder)


if __name__ == "__main__":
    run([test_source_stands_in_quarters, test_marks_and_handovers_are_shown,
         test_places_are_kept_and_bad_files_set_aside])

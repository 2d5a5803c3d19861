# SPDX-License-Identifier: MIT
"""A city in which somebody works, and what the tests of a compositor's death ask of it."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from city import City, Lines  # noqa: E402

BUILT = os.path.join(os.environ["SOURCE_CITY_BUILD"], "tests", "headless")


class Desk(City):
    """A city whose programs leave files in `folder`/test."""

    def __enter__(self):
        super().__enter__()
        os.makedirs(self.path(""))
        return self

    def __exit__(self, *exc):
        if exc[0] is not None:
            for line in self.said().splitlines()[-60:]:
                print(f"# {line}")
        super().__exit__(*exc)

    def path(self, name):
        return os.path.join(self.folder, "test", name)

    def wait_file(self, name):
        def read():
            with open(self.path(name)) as file:
                return file.read().strip()
        return self.until(read, what=f"{name} was not written")

    def enter(self, text):
        self.type(text, "-k", "Return")

    def views(self):
        """From the topmost down, without what changes by itself."""
        found = []
        for view in self.ctl("state")[0]["views"]:
            found.append({key: view[key] for key in (
                "tile", "app_id", "title", "cx", "cy", "width", "height", "minimized", "fullscreen", "maximized",
                "focused", "snapped")})
        return found

    def camera(self):
        return self.ctl("state")[0]["camera"]


class Program:
    """One of the programs beside this file, told by lines what to do."""

    def __init__(self, city, name, *args):
        path = os.environ.get(f"SOURCE_CITY_TEST_{name.upper()}", os.path.join(BUILT, name))
        self.process = city.popen(path, *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lines = Lines(self.process.stdout)

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.lines.next()
        if answer != "ok":
            raise AssertionError(f"\"{line}\" was answered with {answer}")

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()

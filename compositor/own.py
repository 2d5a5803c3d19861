#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""own.py ROOT OUTPUT DEPFILE FOLDER...: a table in C of the source files below these folders and
their lines; see survey.h. The depfile names all of them, so that the table follows their changes."""

import os
import sys

ENDINGS = (".c", ".h", ".xml", ".glsl", ".frag", ".vert", ".py", ".sh")


def find(root, folder):
    for path, folders, names in os.walk(os.path.join(root, folder)):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "build")))
        for name in names:
            if name.endswith(ENDINGS) and os.path.isfile(os.path.join(path, name)):
                yield os.path.relpath(os.path.join(path, name), root)


def main():
    root, output, depfile, *folders = sys.argv[1:]
    paths = sorted({path for folder in folders for path in find(root, folder)},
                   key=lambda path: [os.fsencode(part) for part in path.split("/")])
    lines = ['/* Made by compositor/own.py. */', '#include "compositor/survey.h"', '',
             'const struct city_own_module city_own_modules[] = {']
    for path in paths:
        with open(os.path.join(root, path), "rb") as file:
            lines.append('\t{"%s", %d},' % (path, file.read().count(b"\n")))
    lines += ['};', 'const size_t city_own_module_count = '
              'sizeof(city_own_modules) / sizeof(city_own_modules[0]);', '']
    text = "\n".join(lines)
    try:
        with open(output) as file:
            same = file.read() == text
    except FileNotFoundError:
        same = False
    if not same:
        with open(output, "w") as file:
            file.write(text)
    with open(depfile, "w") as file:
        file.write(output + ": " + " \\\n ".join(os.path.join(root, p).replace(" ", "\\ ") for p in paths) + "\n")


main()

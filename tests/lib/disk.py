# SPDX-License-Identifier: MIT
"""A small disk of one's own, to be filled up. It is a tmpfs in a mount namespace that only this test sees."""

import contextlib
import os
import subprocess
import sys

MARK = "SOURCE_CITY_OWN_NAMESPACE"


def unshare():
    return ["unshare", "--mount", "--propagation", "private", *([] if os.geteuid() == 0 else
                                                                ["--user", "--map-root-user"])]


def in_namespace():
    """Starts this program again where it may mount; False where that cannot be had."""
    if MARK in os.environ:
        return True
    try:
        tried = subprocess.run([*unshare(), "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True)
    except FileNotFoundError:
        return False
    if tried.returncode != 0:
        return False
    sys.stdout.flush()
    os.execvpe("unshare", [*unshare(), sys.executable, *sys.argv], {**os.environ, MARK: "1"})


class SmallDisk:
    def __init__(self, path, size="8M", inodes=2000):
        self.path = path
        os.makedirs(path, mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes={inodes},mode=700", "none", path],
                       check=True)

    def fill(self, files=False):
        """To the last byte; with `files` also to the last file."""
        with open(os.path.join(self.path, "full"), "ab", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass
        try:
            os.mkdir(os.path.join(self.path, "full.d"))
            for number in range(1 << 20 if files else 0):
                os.mknod(os.path.join(self.path, "full.d", str(number)))
        except OSError:
            pass

    def free(self):
        try:
            os.unlink(os.path.join(self.path, "full"))
            for name in os.listdir(os.path.join(self.path, "full.d")):
                os.unlink(os.path.join(self.path, "full.d", name))
            os.rmdir(os.path.join(self.path, "full.d"))
        except FileNotFoundError:
            pass

    def end(self):
        subprocess.run(["umount", "--lazy", self.path], check=False)
        with contextlib.suppress(OSError):
            os.removedirs(self.path)  # and the folder that it was in, if that held nothing else

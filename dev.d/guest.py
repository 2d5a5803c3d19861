# SPDX-License-Identifier: MIT
"""Puts together what the RISC-V machine boots, out of unpacked packages.

usage: guest.py UNPACKED INIT DHCP DESTINATION

DESTINATION gets `Image` (the kernel) and `initramfs` (busybox, the modules of the disk and the network
card, INIT, and DHCP, which the DHCP client runs). The archive is the same for the same files: no times, no owners.
"""

import glob
import lzma
import os
import stat
import sys

MODULES = ["virtio_mmio", "virtio_blk", "failover", "net_failover", "virtio_net"]
FOLDERS = ["bin", "dev", "etc", "lib", "lib/modules", "mnt", "proc", "sys", "tmp"]
CONSOLE = (5, 1)
IMAGE_MAGIC = (0x38, b"RSC\x05")


def fail(text):
    sys.exit(f"guest.py: {text}")


def only(pattern):
    found = glob.glob(pattern, recursive=True)
    if len(found) != 1:
        fail(f"{len(found)} files are {pattern}, not one")
    return found[0]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


class Archive:
    """A cpio archive of the kind that the kernel reads ("newc")."""

    def __init__(self):
        self.data = bytearray()
        self.inode = 0

    def add(self, name, mode, data=b"", device=(0, 0)):
        self.inode += 1
        label = name.encode() + b"\0"
        fields = [self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(label), 0]
        self.data += b"070701" + b"".join(b"%08x" % field for field in fields) + label
        self.pad()
        self.data += data
        self.pad()

    def pad(self):
        self.data += bytes(-len(self.data) % 4)

    def finish(self):
        self.add("TRAILER!!!", 0)
        self.data += bytes(-len(self.data) % 512)
        return bytes(self.data)


def main(unpacked, init, dhcp, destination):
    kernel = read(only(f"{unpacked}/**/vmlinuz*"))
    at, magic = IMAGE_MAGIC
    if kernel[at:at + len(magic)] != magic:
        fail("the package's kernel is not a plain Image")
    archive = Archive()
    for folder in FOLDERS:
        archive.add(folder, stat.S_IFDIR | 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=CONSOLE)
    archive.add("init", stat.S_IFREG | 0o755, read(init))
    archive.add("lib/dhcp", stat.S_IFREG | 0o755, read(dhcp))
    archive.add("bin/busybox", stat.S_IFREG | 0o755, read(only(f"{unpacked}/**/bin/busybox")))
    for module in MODULES:
        packed = read(only(f"{unpacked}/**/{module}.ko.xz"))
        archive.add(f"lib/modules/{module}.ko", stat.S_IFREG | 0o644, lzma.decompress(packed))
    write(os.path.join(destination, "Image"), kernel)
    write(os.path.join(destination, "initramfs"), archive.finish())


if __name__ == "__main__":
    if len(sys.argv) != 5:
        fail("usage: guest.py UNPACKED INIT DHCP DESTINATION")
    main(*sys.argv[1:])

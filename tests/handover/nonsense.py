# SPDX-License-Identifier: MIT
"""A Wayland client that knows the protocols from their XML, can speak them well, and can also speak well-formed
nonsense: any request, of any object, with any arguments, and now and then a message that is not even well formed."""

import array
import fcntl
import os
import random
import re
import select
import socket
import struct
import subprocess
import xml.etree.ElementTree

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
LIMIT = 60.0
NUMBERS = [0, 1, 2, 3, 5, 64, 127, 4096, 16385, 0x7fffffff, 0x80000000, 0xffffffff]
FDS = ["/dev/null", "/dev/zero", "/dev/full", "/proc/self/maps", "/", "/proc/self/mem"]
DISPLAY = 1
SERVER_IDS = 0xff000000


def core_xml():
    found = subprocess.run(["pkg-config", "--variable=pkgdatadir", "wayland-scanner"], capture_output=True, text=True)
    return os.path.join(found.stdout.strip() or "/usr/share/wayland", "wayland.xml")


def own_xml(name):
    return os.path.join(ROOT, "protocols", name + ".xml")


class Message:
    def __init__(self, element):
        self.name = element.get("name")
        self.destructor = element.get("type") == "destructor"
        self.arguments = [(a.get("type"), a.get("interface"), a.get("name")) for a in element.findall("arg")]


class Interface:
    def __init__(self, element):
        self.name, self.version = element.get("name"), int(element.get("version"))
        self.requests = [Message(e) for e in element.findall("request")]
        self.events = [Message(e) for e in element.findall("event")]
        self.opcodes = {request.name: i for i, request in enumerate(self.requests)}


def interfaces(*paths):
    return {element.get("name"): Interface(element) for path in paths
            for element in xml.etree.ElementTree.parse(path).getroot().findall("interface")}


def keeper_types():
    """The numbers of enum keeper_message_type."""
    with open(os.path.join(ROOT, "vat", "keeper", "wire.h")) as file:
        text = re.search(r"enum keeper_message_type \{(.*?)\};", file.read(), re.S).group(1)
    names = re.findall(r"^\tKEEPER_([A-Z_]+)\b(?: = 1)?,$", text, re.M)
    return {name: number for number, name in enumerate(names, 1)}


def pack_string(data):
    data += b"\0"
    return struct.pack("=I", len(data)) + data + b"\0" * (-len(data) % 4)


class Broken(Exception):
    """The other side has closed, or said that this is an error."""


class Peer:
    """One connection. `words` are strings that mean something, `files` makes descriptors to give away, and
    `seldom` maps (interface, request) to how likely it is beside any other request; 0: never."""

    def __init__(self, sock, known, dice, words=(), files=None, seldom=None):
        sock.setblocking(False)
        self.sock, self.known, self.dice = sock, known, dice
        self.words, self.files = list(words) or ["x"], files or self.plain_file
        self.seldom = seldom or {}
        self.objects = {DISPLAY: "wl_display"}
        self.versions = {DISPLAY: 1}
        self.globals = {}
        self.last_id = 1
        self.serials = [1]
        self.data, self.fds = b"", []
        self.error = None
        self.cut = False  # a message said that it was longer than it is: what comes next is taken for its rest
        self.sent = 0

    # --- in

    def read(self, handle=None):
        """What has come; handle(object, interface, event, values) is called for each event."""
        while True:
            try:
                data, ancillary, _, _ = self.sock.recvmsg(65536, socket.CMSG_SPACE(28 * 4))
            except BlockingIOError:
                break
            except OSError as error:
                raise Broken(str(error)) from error
            for level, kind, payload in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    self.fds += array.array("i", payload[:len(payload) // 4 * 4])
            if not data:
                raise Broken(self.error or "it has closed")
            self.data += data
        while len(self.data) >= 8:
            target, word = struct.unpack_from("=II", self.data)
            size = word >> 16
            if len(self.data) < size:
                break
            body, self.data = self.data[8:size], self.data[size:]
            self._event(target, word & 0xffff, body, handle)

    def _event(self, target, opcode, body, handle):
        name = self.objects.get(target)
        if name not in self.known:
            return
        event = self.known[name].events[opcode]
        values, at = [], 0
        for kind, interface, _ in event.arguments:
            if kind == "fd":
                values.append(self.fds.pop(0) if self.fds else -1)
            elif kind in ("string", "array"):
                length = struct.unpack_from("=I", body, at)[0]
                value = body[at + 4:at + 4 + length]
                values.append(value[:-1].decode("utf-8", "replace") if kind == "string" else value)
                at += 4 + length + -length % 4
            else:
                value = struct.unpack_from("=I", body, at)[0]
                at += 4
                values.append(value)
                if kind == "new_id" and interface:
                    self.objects[value], self.versions[value] = interface, self.versions.get(target, 1)
        for (kind, _, label), value in zip(event.arguments, values):
            if label == "serial":
                self.serials = [*self.serials[-7:], value]
        if (name, event.name) == ("wl_registry", "global"):
            self.globals[values[1]] = (values[0], values[2])
        elif (name, event.name) == ("wl_display", "delete_id"):
            self.objects.pop(values[0], None)
        elif (name, event.name) == ("wl_display", "error"):
            self.error = values[2]
        if handle:
            handle(target, name, event.name, values)
        for (kind, _, _), value in zip(event.arguments, values):
            if kind == "fd" and value >= 0:
                os.close(value)

    # --- out

    def send(self, data, fds=(), keep=False):
        """Reads while the other side does not; Broken when it does neither for long."""
        try:
            while data:
                try:
                    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
                    data = data[self.sock.sendmsg([data], rights):]
                    fds = fds if keep else self._close(fds)
                    keep = False
                except BlockingIOError:
                    if not any(select.select([self.sock], [self.sock], [], LIMIT)[:2]):
                        raise TimeoutError("the compositor neither reads nor writes") from None
                    self.read()
            self.sent += 1
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            raise Broken(self.error or str(error)) from error
        finally:
            self._close(() if keep else fds)

    @staticmethod
    def _close(fds):
        for fd in fds:
            os.close(fd)
        return ()

    def new_id(self, interface, version=1):
        self.last_id += 1
        self.objects[self.last_id], self.versions[self.last_id] = interface, version
        return self.last_id

    def call(self, target, request, *values):
        """A request in good order; the new object if it makes one."""
        name = self.objects.get(target)
        if name not in self.known or request not in self.known[name].opcodes:
            raise Broken("its nonsense has destroyed what it now needs")
        opcode = self.known[name].opcodes[request]
        body, fds, made, values = b"", [], None, list(values)
        for kind, interface, _ in self.known[name].requests[opcode].arguments:
            if kind == "new_id" and not interface:
                interface, version = values.pop(0), values.pop(0)
                made = self.new_id(interface, version)
                body += pack_string(interface.encode()) + struct.pack("=II", version, made)
            elif kind == "new_id":
                made = self.new_id(interface, self.versions[target])
                body += struct.pack("=I", made)
            elif kind == "fd":
                fds.append(values.pop(0))
            elif kind == "string":
                body += pack_string(values.pop(0).encode())
            else:
                body += struct.pack("=I", values.pop(0) & 0xffffffff)
        self.send(struct.pack("=IHH", target, opcode, len(body) + 8) + body, fds)
        return made

    def bind(self, registry, interface, version=None):
        number, offered = self.globals[interface]
        return self.call(registry, "bind", number, interface, min(version or offered, offered))

    def wait(self, condition, handle=None):
        while not condition():
            if not select.select([self.sock], [], [], LIMIT)[0]:
                raise TimeoutError("the compositor says nothing")
            self.read(handle)

    def round_trip(self):
        """All that was sent is handled. Broken if that was too much for it."""
        callback = self.call(DISPLAY, "sync")
        self.objects[callback] = "wl_callback"
        self.wait(lambda: callback not in self.objects)

    # --- nonsense

    def plain_file(self):
        return os.open(self.dice.choice(FDS), os.O_RDONLY)

    def odd_file(self):
        """A descriptor that is not what anybody expects."""
        kind = self.dice.randrange(5)
        if kind == 0:
            ends = os.pipe()
            os.close(ends[self.dice.randrange(2)])
            return ends[0] if self._is_open(ends[0]) else ends[1]
        if kind == 1:
            fd = os.memfd_create("nonsense")
            os.ftruncate(fd, self.dice.choice([0, 1, 4096, 1 << 20, 1 << 27, 1 << 40]))
            return fd
        if kind == 2:
            return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).detach()
        if kind == 3:
            fd = os.memfd_create("nonsense", os.MFD_ALLOW_SEALING)
            os.write(fd, self.dice.randbytes(self.dice.choice([1, 64, 8192])))
            fcntl.fcntl(fd, 1033, 15)  # F_ADD_SEALS, all of them
            return fd
        return self.plain_file()

    @staticmethod
    def _is_open(fd):
        try:
            os.fstat(fd)
            return True
        except OSError:
            return False

    def number(self):
        dice = self.dice
        return dice.choice([dice.choice(NUMBERS), dice.choice(self.serials), dice.randrange(8), dice.getrandbits(32)])

    def text(self):
        dice = self.dice
        if dice.random() < 0.6:
            return dice.choice(self.words).encode()
        size = dice.choice([0, 1, 3, 20, 64, 300, 1100, 3900])
        return bytes(dice.choice(b"abc019/.%s\n\x1b\xc3\xa9\xff !@'\"{") for _ in range(size))

    def argument(self, kind, interface, version):
        dice = self.dice
        if kind == "new_id" and not interface:
            name = dice.choice([*self.globals, "wl_nothing"])
            return (pack_string(name.encode()) +
                    struct.pack("=II", dice.choice([1, 1, 2, 3, 99]), self.new_id(name)))
        if kind == "new_id":
            return struct.pack("=I", self.new_id(interface, version) if dice.random() < 0.99 else self.number())
        if kind == "string":
            return pack_string(self.text()) if dice.random() < 0.995 else struct.pack("=I", 0)
        if kind == "array":
            size = dice.choice([0, 1, 8, 200])
            return struct.pack("=I", size) + dice.randbytes(size) + b"\0" * (-size % 4)
        if kind == "object":
            fitting = [n for n, name in self.objects.items() if name == interface]
            if fitting and dice.random() < 0.97:
                return struct.pack("=I", dice.choice(fitting))
            return struct.pack("=I", dice.choice([0, *self.objects]))
        return struct.pack("=I", self.number())

    def likely(self, target, request):
        name = self.objects[target]
        return self.seldom.get((name, request.name), 0.1 if request.destructor else 1.0)

    def nonsense(self):
        """Sends one message."""
        dice = self.dice
        while True:
            target = dice.choice(list(self.objects))
            interface = self.known.get(self.objects[target])
            if interface is None or not interface.requests:
                continue
            opcode = dice.randrange(len(interface.requests))
            request = interface.requests[opcode]
            if dice.random() < self.likely(target, request):
                break
        body, fds = b"", []
        for kind, wanted, _ in request.arguments:
            if kind == "fd":
                fds.append(self.odd_file() if dice.random() < 0.3 else self.files())
            else:
                body += self.argument(kind, wanted, self.versions.get(target, 1))
        if request.destructor and target < SERVER_IDS:
            # Its number is free again when the other side says so.
            self.objects[target] = "gone"
        size = len(body) + 8
        odd = dice.random()
        if odd < 0.002:
            opcode += dice.choice([1, 20, 200])
        elif odd < 0.004:
            target = dice.choice([0, target + 1000, SERVER_IDS + 50, 0xffffffff])
        elif odd < 0.006:
            size = dice.choice([0, 4, 7, size + 4, size - 4, 4096, 65535]) & 0xffff
            self.cut = True
        elif odd < 0.008 and fds:
            os.close(fds.pop())
        self.send(struct.pack("=IHH", target, opcode, size) + body, fds)


def seeded(*parts):
    return random.Random("/".join(str(part) for part in parts))

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""source-city-net, by a machine that is this program: Ethernet frames on its stdin and stdout, or on a
terminal; what it answers to ARP, DHCP and TCP, and what it makes of frames that are none."""

import ctypes
import errno
import os
import pty
import random
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tap import Skip, check, check_equal, run  # noqa: E402

LIMIT = 60  # seconds: for a machine that is busy
PROGRAM = sys.argv.pop(1)
TAKEN = sys.argv.pop(1)  # what a libslirp does that was taken over: taken.c; empty where it cannot be loaded
MAC = bytes.fromhex("020000000015")
GUEST = socket.inet_aton("10.0.2.15")
HOST = socket.inet_aton("10.0.2.2")
ARP, IPV4 = 0x0806, 0x0800
SYN, PSH, ACK, FIN, RST = 2, 8, 16, 1, 4


def encode(data):
    """Written here once more: both ends of the line by the same code would agree on anything."""
    out = bytearray()
    parts = data.split(b"\0")
    for i, part in enumerate(parts):
        last = i + 1 == len(parts)
        while len(part) >= 254:
            out += b"\xff" + part[:254]
            part = part[254:]
            if last and not part:
                break
        else:
            out += bytes([len(part) + 1]) + part
    return bytes(out) + b"\0"


def decode(packet):
    out, at = bytearray(), 0
    while at < len(packet):
        run_length = packet[at]
        check(0 < run_length <= len(packet) - at, f"no packet: {packet!r}")
        out += packet[at + 1:at + run_length]
        at += run_length
        if run_length < 255 and at < len(packet):
            out.append(0)
    return bytes(out)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Ended(Exception):
    pass


class Net:
    def __init__(self, *options, terminal=False, preload=None):
        env = dict(os.environ, LD_PRELOAD=preload) if preload else None
        if terminal:
            ours, theirs = pty.openpty()
            self.process = subprocess.Popen([PROGRAM, "--terminal", *options], stdin=theirs, stdout=theirs,
                                            stderr=theirs, start_new_session=True, env=env)
            os.close(theirs)
            self.to, self.back = ours, os.dup(ours)
        else:
            self.process = subprocess.Popen([PROGRAM, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE, env=env)
            self.to, self.back = self.process.stdin.fileno(), self.process.stdout.fileno()
        self.bytes = b""
        self.mac = None
        self.timer = threading.Timer(LIMIT, self.process.kill)
        self.timer.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.timer.cancel()
        self.process.kill()
        self.process.wait()

    def raw(self, data):
        while data:
            data = data[os.write(self.to, data):]

    def put(self, frame):
        self.raw(encode(frame))

    def packet(self):
        """The next one; Ended where there is none any more."""
        while b"\0" not in self.bytes:
            try:
                more = os.read(self.back, 65536)
            except OSError:
                more = b""
            if not more:
                raise Ended(f"it ended; it said {self.bytes!r}")
            self.bytes += more
        packet, self.bytes = self.bytes.split(b"\0", 1)
        return packet

    def listens(self):
        check_equal(decode(self.packet()), b"", "what it says first")
        return self

    def frame(self, wanted):
        """The next for which wanted() is something."""
        while True:
            found = wanted(decode(self.packet()))
            if found:
                return found

    def find_host(self):
        self.put(b"\xff" * 6 + MAC + struct.pack("!HHHBBH", ARP, 1, IPV4, 6, 4, 1) + MAC + GUEST + bytes(6) + HOST)
        self.mac = self.frame(lambda frame: frame[22:28] if frame[12:14] == struct.pack("!H", ARP)
                              and frame[20:22] == b"\0\2" and frame[28:32] == HOST else None)
        return self

    def put_ip(self, protocol, payload, source=GUEST, to=HOST, mac=None):
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0) + source + to
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        self.put((mac or self.mac) + MAC + struct.pack("!H", IPV4) + header + payload)

    def ip(self, protocol, wanted):
        def one(frame):
            if frame[12:14] != struct.pack("!H", IPV4) or frame[23] != protocol:
                return None
            check_equal(checksum(frame[14:34]), 0, "the sum of an IP header")
            return wanted(frame[34:14 + struct.unpack("!H", frame[16:18])[0]])
        return self.frame(one)

    def dhcp(self, kind, *more):
        options = b"\x63\x82\x53\x63" + bytes([53, 1, kind]) + b"".join(more) + b"\xff"
        body = struct.pack("!BBBBIHH", 1, 1, 6, 0, 0x1234567, 0, 0x8000) + bytes(16) + MAC + bytes(10 + 192) + options
        udp = struct.pack("!HHHH", 68, 67, 8 + len(body), 0) + body
        self.put_ip(17, udp, bytes(4), b"\xff" * 4, b"\xff" * 6)
        return self.ip(17, lambda answer: answer[8:] if answer[:4] == struct.pack("!HH", 67, 68) else None)

    def ping(self, size=56):
        echo = struct.pack("!BBHHH", 8, 0, 0, 7, 9) + bytes(i & 255 for i in range(size))
        echo = echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:]
        self.put_ip(1, echo)
        answer = self.ip(1, lambda answer: answer)
        check(answer[0] == 0 and answer[4:] == echo[4:], f"the answer to a ping: {answer!r}")


    def udp(self, port, data, to=HOST):
        """What comes back."""
        self.put_ip(17, struct.pack("!HHHH", 50000, port, 8 + len(data), 0) + data, to=to)
        return self.ip(17, lambda answer: answer[8:] if answer[:4] == struct.pack("!HH", port, 50000) else None)


class Tcp:
    """A connection, of the smallest machine that can have one."""

    def __init__(self, net, port, to=None, own=40000):
        self.net, self.port, self.own, self.seq, self.ack = net, port, own, 1000, 0
        if to is None:
            self.send(SYN)
            self.seq += 1
            flags, _ = self.receive()
            check_equal(flags, SYN | ACK, "the answer to a SYN")
            self.ack += 1
            self.send(ACK)

    def send(self, flags, data=b""):
        part = struct.pack("!HHIIBBHHH", self.own, self.port, self.seq & 0xffffffff, self.ack & 0xffffffff, 5 << 4,
                           flags, 60000, 0, 0) + data
        pseudo = GUEST + HOST + struct.pack("!BBH", 0, 6, len(part))
        part = part[:16] + struct.pack("!H", checksum(pseudo + part)) + part[18:]
        self.net.put_ip(6, part)

    def receive(self):
        """What is next in its order: flags and data."""
        def one(part):
            source, to, seq, _, offset, flags = struct.unpack("!HHIIBB", part[:14])
            if (source, to) != (self.port, self.own) or (self.ack and seq != self.ack):
                return None
            self.ack = seq
            return flags, part[offset >> 4 << 2:]
        return self.net.ip(6, one)

    def write(self, data):
        for at in range(0, len(data), 1400):
            self.send(ACK | PSH, data[at:at + 1400])
            self.seq += len(data[at:at + 1400])

    def read(self, size):
        data = b""
        while len(data) < size:
            flags, part = self.receive()
            check(not flags & RST, f"the connection was broken after {len(data)} bytes")
            if part:
                data += part
                self.ack += len(part)
                self.send(ACK)
        return data


class Server(threading.Thread):
    """Says back what it is told, on the loopback."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        connection = self.socket.accept()[0]
        while data := connection.recv(65536):
            connection.sendall(data)


def test_packets_of_all_kinds():
    for data in (b"", b"\0", b"\0\0", b"a" * 254, b"a" * 255, b"a" * 254 + b"\0", b"\0" + b"b" * 254, b"c" * 1500,
                 bytes(1500), bytes(range(256)) * 5):
        check_equal(decode(encode(data)[:-1]), data, "what comes back")
    with Net().listens().find_host() as net:
        for size in (0, 1, 226, 227, 480, 481, 1472):
            net.ping(size)


def test_dhcp():
    with Net().listens() as net:
        offer = net.dhcp(1)
        check_equal(offer[16:20], GUEST, "the address that is offered")
        ack = net.dhcp(3, bytes([50, 4]) + GUEST, bytes([54, 4]) + offer[20:24])
        check_equal(ack[16:20], GUEST, "the address that is given")
        check(bytes([3, 4]) + HOST in ack, "no router")
        check(bytes([6, 4]) + socket.inet_aton("10.0.2.3") in ack, "no DNS server")


def connects(net):
    server = Server()
    connection = Tcp(net, server.port)
    data = random.Random(5).randbytes(20000)
    connection.write(data)
    check_equal(connection.read(len(data)), data, "what the server said")


def test_tcp():
    with Net().listens().find_host() as net:
        connects(net)


def test_udp():
    with Net().listens().find_host() as net, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer():
            data, sender = server.recvfrom(2000)
            server.sendto(data[::-1], sender)
        threading.Thread(target=answer, daemon=True).start()
        check_equal(net.udp(server.getsockname()[1], b"there and back"), b"there and back"[::-1], "the answer")


def read(path):
    with open(path) as file:
        return file.read()


def status(net, key):
    return next(line.split()[1] for line in read(f"/proc/{net.process.pid}/status").splitlines() if line.startswith(key + ":"))


def confined():
    """Skips where the program cannot be."""
    if not TAKEN:
        raise Skip("sanitizers do what the sandbox refuses")
    if "seccomp" not in read("/proc/self/status").lower():
        raise Skip("this kernel has no seccomp")


def test_is_confined():
    confined()
    with Net().listens() as net:
        check_equal((status(net, "Seccomp"), status(net, "NoNewPrivs")), ("2", "1"), "seccomp's mode, no new privileges")


def has_landlock():
    """By asking for the version of its interface."""
    return ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1) > 0


TAKE = b"\xff" * 6 + MAC + b"\x88\xb6" + b"now"
REFUSED = b"source-city-net: its sandbox refused the system call openat: "
DONE = ("memory", "resolv", "inet")


def takes_over(net):
    """All that a libslirp tries that is no longer itself."""
    net.put(TAKE)
    said = net.frame(lambda frame: frame if frame.startswith(b"taken:") else None).decode()
    deeds = dict(word.split("=") for word in said.split()[1:])
    check(len(deeds) > 12, said)
    for deed, result in deeds.items():
        if deed == "other":
            expected = errno.EACCES if has_landlock() else 0
        else:
            expected = 0 if deed in DONE else errno.EPERM
        if deed == "resolv" and not os.path.exists("/etc/resolv.conf"):
            expected = errno.ENOENT
        check_equal(int(result), expected, f"what came of {deed} ({said})")
    check(not os.path.exists("/tmp/source-city-net-was-here"), "it has made a file")


def test_taken_over():
    """What it tries is refused and said once, and the network is there all the same."""
    confined()
    with Net(preload=TAKEN).listens().find_host() as net:
        takes_over(net)
        said = net.process.stderr.readline()
        check(said.startswith(REFUSED), said)
        takes_over(net)
        net.ping()
        connects(net)
        net.process.stdin.close()
        check_equal((net.process.wait(), net.process.stderr.read()), (0, b""), "its end, what else it said")
    with Net(terminal=True, preload=TAKEN).listens().find_host() as net:
        takes_over(net)
        text = net.frame(lambda frame: frame if frame[12:14] == b"\x88\xb5" else None)
        check(text[14:].startswith(REFUSED), text)
        net.ping()


def test_terminal():
    with Net(terminal=True).listens().find_host() as net:
        connects(net)
        net.ping(1472)
        os.close(net.to)
        os.close(net.back)
        check_equal(net.process.wait(), 0, "its status when the terminal is gone")


def test_forward():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Net("--forward", f"tcp:127.0.0.1:{port}:80") as net:
            # A port that is taken is said, and leaves the rest.
            check_equal(net.process.stderr.readline().decode().split(":")[:2], ["source-city-net", " --forward"], "it says")
            net.listens().find_host()
    with Net("--forward", f"tcp:{port}:80").listens().find_host() as net:
        net.ping()
        with socket.create_connection(("127.0.0.1", port)) as outside:
            syn = net.ip(6, lambda part: part if part[13] == SYN else None)
            source, to, seq = struct.unpack("!HHI", syn[:8])
            check_equal(to, 80, "the machine's port")
            connection = Tcp(net, source, to=to, own=80)
            connection.ack = seq + 1
            connection.send(SYN | ACK)
            connection.seq += 1
            outside.sendall(b"to the machine")
            check_equal(connection.read(14), b"to the machine", "what came")
            connection.write(b"and back")
            check_equal(outside.recv(8), b"and back", "what went")
        # On the loopback, and nowhere else.
        for path in ("/proc/net/tcp", "/proc/net/tcp6"):
            with open(path) as sockets:
                for line in sockets:
                    fields = line.split()
                    if fields[1].endswith(f":{port:04X}") and fields[3] == "0A":
                        check_equal(fields[1].split(":")[0], "0100007F", f"it listens, says {path}")


def test_what_is_no_frame():
    noise = random.Random(6)
    with Net().listens().find_host() as net:
        net.raw(b"\0\0\0\0" + encode(b"") + encode(b"x") + encode(bytes(13)) + b"\x05ab\0")
        net.put(bytes(1519))
        net.put(bytes(60000))
        net.raw(b"\x02" * 100000 + b"\0")
        net.ping()
        for _ in range(300):
            net.put(noise.randbytes(noise.randrange(14, 1519)))
        # Its headers right, the rest wrong.
        for _ in range(300):
            net.put_ip(noise.choice([1, 2, 6, 17, 99]), noise.randbytes(noise.randrange(0, 1480)))
        net.raw(noise.randbytes(200000).replace(b"\0", b"\1") + b"\0")
        # The machine has lost its place in the middle of a frame.
        net.raw(encode(bytes(range(1, 200)))[:100] + b"\0")
        net.ping()
        net.process.stdin.close()
        check_equal(net.process.wait(), 0, "its status when the machine is gone")
        check_equal(net.process.stderr.read(), b"", "what it said")


def test_a_machine_that_does_not_read():
    """What finds no room is lost; what comes afterwards is whole."""
    with Net().listens().find_host() as net:
        payload = b"a" * 1400
        echo = struct.pack("!BBHHH", 8, 0, checksum(struct.pack("!BBHHH", 8, 0, 0, 1, 1) + payload), 1, 1) + payload
        for _ in range(1500):
            net.put_ip(1, echo)
        count = 0
        while True:
            packet = decode(net.packet())
            count += 1
            if count == 100:
                net.put_ip(1, struct.pack("!BBHHH", 8, 0, checksum(struct.pack("!BBHHH", 8, 0, 0, 2, 2)), 2, 2))
            if packet[38:42] == struct.pack("!HH", 2, 2):
                break
            check_equal(len(packet), 14 + 20 + 8 + 1400, "a frame's size")
        check(count > 600, f"{count} frames found room")


WRONG = (
    (["--nonsense"], "--nonsense: no such option"),
    (["--forward"], "--forward: no such option, or its value is missing"),
    (["--forward", "80:80"], "it begins with tcp: or udp:"),
    (["--forward", "tcp:80"], "two ports of 1 to 65535"),
    (["--forward", "tcp:0:80"], "two ports of 1 to 65535"),
    (["--forward", "udp:80:65536"], "two ports of 1 to 65535"),
    (["--forward", "tcp:80:99999999999999999999"], "two ports of 1 to 65535"),
    (["--forward", "tcp::"], "two ports of 1 to 65535"),
    (["--forward", "tcp:0.0.0.0:80:80"], "only listen on 127.0.0.1"),
    (["--forward", "tcp:127.0.0.1:80:80:80"], "two ports of 1 to 65535"),
    (["--forward", "tcp:1:1"] * 65, "64 of them are the most"),
    (["something"], "something: there are only options"),
    (["--terminal"], "--terminal: stdin: "),
)


def test_arguments():
    for arguments, expected in WRONG:
        done = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
        text = done.stderr.decode()
        said = text.splitlines()[-1] if arguments == ["--terminal"] else text
        check(done.returncode in (1, 2) and expected in said and text.count("\n") == 1,
              f"{arguments} ends with {done.returncode} and says {text!r}")
        check(text.startswith("source-city-net: "), text)
        check_equal(done.stdout, b"", "on stdout")
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, timeout=LIMIT)
    check(done.returncode == 1 and b"stdout: No space left" in done.stderr, done)
    done = subprocess.run([PROGRAM, "--help"], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
    check(done.returncode == 0 and b"--forward" in done.stdout, done)
    # A person at a terminal is told, and keeps it.
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    done = subprocess.run([PROGRAM], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, timeout=LIMIT)
    check(done.returncode == 2 and b"is a terminal" in done.stderr, done)
    check_equal(termios.tcgetattr(theirs), before, "the terminal")
    os.close(ours)
    os.close(theirs)


def test_signals():
    with Net().listens() as net:
        net.process.send_signal(signal.SIGTERM)
        check_equal(net.process.wait(), -signal.SIGTERM, "its end")


run([test_packets_of_all_kinds, test_dhcp, test_tcp, test_udp, test_is_confined, test_taken_over, test_terminal, test_forward, test_what_is_no_frame,
     test_a_machine_that_does_not_read, test_arguments, test_signals])

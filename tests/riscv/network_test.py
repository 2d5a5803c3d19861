#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The RISC-V tile's network: Linux in it fetches a file from a server on this computer's loopback, in
one connection, while its interpreter is handed over again and again, while one that has taken a part
of it is undone, and while it is forked; the program behind the card dies; and the machine comes back without it."""

import hashlib
import json
import os
import random
import socket
import subprocess
import sys
import threading

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(SOURCE, "tests", "lib"))

from city import BUILD_LIMIT, LIMIT, City, CityError, children, name_of  # noqa: E402
from tap import Skip, check, check_equal, run  # noqa: E402

PREFIX = os.path.join(os.environ["SOURCE_CITY_BUILD"], "prefix")
ARTIFACTS = {name: os.path.join(PREFIX, "lib", "source-city", "tiles", name + ".so") for name in ("riscv", "riscv-fast")}
FIRMWARE = "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin"
PROMPT = b"city# "
BOOT_LIMIT = 10 * LIMIT
SWAPS = ("riscv", "riscv-fast", "riscv", "riscv-fast")
PIECE = 1 << 20
PIECES = len(SWAPS) + 2


class Server(threading.Thread):
    """Gives the file, a piece each time that it may, to each connection."""

    def __init__(self):
        super().__init__(daemon=True)
        self.data = random.Random(7).randbytes(PIECE * PIECES)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.may = threading.Semaphore(0)
        self.asked = threading.Event()
        self.connections = 0
        self.start()

    def run(self):
        while True:
            connection = self.socket.accept()[0]
            self.connections += 1
            with connection, connection.makefile("rb") as request:
                while request.readline().strip():
                    pass
                self.asked.set()
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.data))
                for at in range(0, len(self.data), PIECE):
                    self.may.acquire()
                    connection.sendall(self.data[at:at + PIECE])


class Console:
    def __init__(self, city, tile):
        self.city, self.tile, self.said = city, tile, b""
        self.process = city.popen("cityctl", "console", tile, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def shows_prompt(self):
        """Itself, once there is somebody at the other end. It comes into the middle of something."""
        if self.process.poll() is not None:
            return None
        self.type("")
        self.until(PROMPT)
        return self

    def stops(self):
        """As shows_prompt, of a guest in the middle of a command."""
        if self.process.poll() is not None:
            return None
        self.type("\3")
        return self.shows_prompt()

    def until(self, text, limit=LIMIT):
        timer = threading.Timer(limit, self.process.kill)
        timer.start()
        try:
            while text not in self.said:
                more = os.read(self.process.stdout.fileno(), 4096)
                if not more:
                    raise CityError(f"the guest never says {text!r} but {self.said[-2000:]!r}; the log:\n{self.city.said()[-3000:]}")
                self.said += more
        finally:
            timer.cancel()
        before, self.said = self.said.split(text, 1)
        return before

    def type(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, command, limit=LIMIT):
        """What it prints."""
        self.type(command)
        self.until(b"\n")
        return self.until(PROMPT, limit).decode().replace("\r", "")


def cell(city, name, tile="machine"):
    return city.ctl("vat", tile, name)[0]["cells"][0]["values"][0]


def config(**options):
    guest = os.environ.get("SOURCE_CITY_GUEST")
    if not guest or not os.path.isdir(guest):
        raise Skip("no Linux was fetched")
    if not os.path.exists(FIRMWARE):
        raise Skip("no OpenSBI is installed")
    options = {"firmware": FIRMWARE, "kernel": f"{guest}/Image", "initrd": f"{guest}/initramfs", "append": "console=ttyS0",
               **options}
    lines = "".join(f"\toption {key} \"{value}\"\n" for key, value in options.items())
    return f"tile machine {{\n\tkind riscv-fast\n\tat 40 40\n\tsize 1020 680\n{lines}}}\n"


def helpers(city):
    """The programs behind network cards."""
    return [pid for pid in children(city.keeper.pid) if name_of(pid) == "source-city-net"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def swap(city, name, *options):
    record = city.ctl("swap", "machine", "--artifact", ARTIFACTS[name], *options, limit=LIMIT)[-1]
    check(record["event"] != "failed", f"the handover to {name}: {record}")


def fetch(console, server, during):
    """The file comes whole, in one connection, whatever is done meanwhile."""
    connections = server.connections
    server.asked.clear()
    console.type(f"wget -q -O - http://10.0.2.2:{server.port}/file | sha256sum")
    check(server.asked.wait(LIMIT), "the guest asks nobody")
    during()
    console.until(hashlib.sha256(server.data).hexdigest().encode())
    console.until(PROMPT)
    check_equal(server.connections, connections + 1, "connections")


def boots(city, console):
    city.wait_tile("machine")
    console.until(PROMPT, BOOT_LIMIT)
    check("inet 10.0.2.15/24" in console.ask("ip addr show eth0"), "the guest has no address")
    check("nameserver 10.0.2.3" in console.ask("cat /etc/resolv.conf"), "the guest has no name server")


def handed_over(city, console, server):
    def during():
        for name in SWAPS:
            server.may.release()
            swap(city, name)
        for _ in range(PIECES - len(SWAPS)):
            server.may.release()

    there = helpers(city)
    check_equal(len(there), 1, "programs behind the card")
    fetch(console, server, during)
    check_equal(helpers(city), there, "the program behind the card")


def received(city):
    return cell(city, "net")["received"]


def rolled_back(city, console, server):
    """By the death of a version that has taken, and answered, some of what came."""
    def during():
        old = city.tile("machine")["pid"]
        swapping = city.popen("cityctl", "swap", "machine", "--artifact", ARTIFACTS["riscv"], "--settled", "--json",
                              "--strategy", "instant", stdout=subprocess.PIPE)
        for line in swapping.stdout:
            if json.loads(line).get("step") == "probation":
                break
        new = city.tile("machine")["pid"]
        check(new != old, "no other process runs it")
        before = received(city)
        server.may.release()
        city.until(lambda: received(city) > before + 100, what="nothing comes in probation")
        city.kill(new)
        city.until(lambda: city.tile("machine")["pid"] == old, what="the old version does not come back")
        for _ in range(PIECES - 1):
            server.may.release()
        swapping.wait(LIMIT)

    fetch(console, server, during)
    check_equal(city.ctl("history")[-1]["result"], "rolled-back", "the record")


def dies(city, console, server):
    """The program behind the card, not the connection's fault."""
    dead, = helpers(city)
    city.kill(dead)
    city.until(lambda: helpers(city) not in ([], [dead]), what="it is not started again")
    city.until(lambda: cell(city, "net")["link"], what="the link stays down")
    check_equal(city.said().count("the network is down"), 1, "lines of that")
    fetch(console, server, lambda: [server.may.release() for _ in range(PIECES)])


def is_reached(console, port):
    """From outside, through a forward."""
    console.ask("pidof httpd || httpd -h /proc -p 80")
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as connection:
        connection.sendall(b"GET /version HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    check(b"Linux version" in answer, answer)


def forked(city, console, server, port):
    """The twin has a network of its own, without the port that is taken; the original keeps its own, and the
    connection that it has."""
    def during():
        mine, = helpers(city)
        server.may.release()
        city.ctl("fork", "machine", "twin", limit=BUILD_LIMIT)
        city.wait_tile("twin")
        city.until(lambda: cell(city, "net", "twin")["link"], what="the twin's link stays down")
        both = helpers(city)
        check(len(both) == 2 and mine in both, f"programs behind the cards: {both}; before the fork {mine}")
        taken = f"--forward: tcp port {port} of 127.0.0.1 is left out: it is taken"
        city.until(lambda: any("twin" in line and taken in line for line in city.said().splitlines()),
                   what="nobody says that the port is taken")
        # Its guest waits for a connection that it does not have. That is no fault of its network.
        twin = city.until(lambda: Console(city, "twin").stops(), what="the twin does not go on")
        twin.type("ping -c 1 10.0.2.2")
        twin.until(b"1 packets received")
        for _ in range(PIECES - 1):
            server.may.release()

    fetch(console, server, during)
    is_reached(console, port)
    city.ctl("close", "twin")
    city.until(lambda: len(helpers(city)) == 1, what="the program behind the twin's card stays")


def comes_back(city, console, server):
    """From disk, or as a fork: its streams are not there. The guest is the same, its network is new."""
    city.own_folder = False
    city.stop()
    with City(city.config, folder=city.folder, env=city.extra_env) as again:
        again.own_folder = True
        again.wait_tile("machine")
        console = again.until(lambda: Console(again, "machine").shows_prompt(), what="it has no console")
        again.until(lambda: cell(again, "net")["link"], what="the link stays down")
        check_equal(len(helpers(again)), 1, "programs behind the card")
        check_equal(cell(again, "network")["starts"], 3, "times that one was started")
        fetch(console, server, lambda: [server.may.release() for _ in range(PIECES)])


def test_network():
    """One boot for all of it."""
    port, server = free_port(), Server()
    with City(config(network="user", forward=f"tcp:{port}:80"), env={"SOURCE_CITY_LIMITS": "probation=60000"}) as city:
        city.wait_tile("machine")
        console = Console(city, "machine")
        boots(city, console)
        is_reached(console, port)
        handed_over(city, console, server)
        rolled_back(city, console, server)
        forked(city, console, server, port)
        dies(city, console, server)
        comes_back(city, console, server)


run([test_network])

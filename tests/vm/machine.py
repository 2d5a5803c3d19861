# SPDX-License-Identifier: MIT
"""A virtual machine with a screen, a keyboard and a mouse, driven over QMP and through its agent.

The images come from `image.sh`. The system disk is never written: each boot sees it fresh.
"""

import base64
import json
import os
import select
import socket
import subprocess
import time

SHIFTED = dict(zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./"))
QCODES = {
    " ": "spc", "\n": "ret", "\t": "tab", "-": "minus", "=": "equal", "[": "bracket_left",
    "]": "bracket_right", "\\": "backslash", ";": "semicolon", "'": "apostrophe",
    "`": "grave_accent", ",": "comma", ".": "dot", "/": "slash",
}

# Seconds for anything that should take far less: it shares the processors with other tests.
PATIENCE = 600


class MachineError(Exception):
    pass


class Lines:
    """JSON lines over a Unix socket."""

    def __init__(self, path, deadline):
        self.buffer = b""
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(path)
                return
            except OSError:
                self.socket.close()
                if time.monotonic() > deadline:
                    raise MachineError(f"nothing listens on {path}") from None
                time.sleep(0.05)

    def send(self, what):
        self.socket.sendall(json.dumps(what).encode() + b"\n")

    def receive(self, timeout):
        deadline = time.monotonic() + timeout
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise MachineError(f"the machine said nothing for {timeout:.0f} s")
            data = self.socket.recv(65536)
            if not data:
                raise MachineError("the machine went away")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)


class Machine:
    def __init__(self, images, disk, scratch, width=1024, height=768, vnc=None):
        self.images = images
        self.disk = disk
        self.scratch = scratch
        self.width, self.height = width, height
        self.vnc = vnc
        self.process = None

    # power

    def boot(self, timeout=PATIENCE):
        """On KVM where that brings the kernel up, otherwise emulated. Says which."""
        no_kvm = os.path.join(self.images, "no-kvm")
        accels = ["tcg"]
        if os.access("/dev/kvm", os.R_OK | os.W_OK) and not os.path.exists(no_kvm):
            accels.insert(0, "kvm")
        for accel in accels:
            try:
                self.start(accel)
                return accel, self.hello(accel, timeout)
            except MachineError as error:
                self.kill()
                if accel == "kvm":
                    with open(no_kvm, "w", encoding="utf-8") as note:
                        note.write(f"{error}\n")
                    continue
                raise MachineError(f"{error}\n{self.logs()}") from None
        raise MachineError("no way to run a machine")

    def hello(self, accel, timeout):
        """What the agent says first. A KVM that cannot run this kernel stops, or crawls."""
        if accel == "tcg":
            return self.agent.receive(timeout)["hello"]
        for _ in range(30):
            if select.select([self.agent.socket], [], [], 1)[0]:
                return self.agent.receive(10)["hello"]
            if self.qmp("query-status")["status"] != "running":
                break
        raise MachineError("KVM does not bring this kernel up")

    def start(self, accel):
        for name in ("qmp", "agent"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        memory, cores = "1536", str(min(4, os.cpu_count() or 1))
        # Without AVX: emulated, it is slower than what it replaces.
        cpu = "host" if accel == "kvm" else "Nehalem"
        args = [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", "q35",
            "-accel", accel if accel == "kvm" else "tcg,thread=multi,tb-size=256",
            "-cpu", cpu, "-smp", cores, "-m", memory,
            "-kernel", f"{self.images}/vmlinuz", "-initrd", f"{self.images}/initrd",
            "-append", "console=ttyS0 quiet mitigations=off panic=-1 random.trust_cpu=1",
            "-drive", f"file={self.images}/system.ext4,format=raw,if=virtio,snapshot=on",
            "-drive", f"file={self.disk},format=raw,if=virtio,readonly=on",
            "-device", f"virtio-gpu-pci,xres={self.width},yres={self.height}",
            "-device", "virtio-keyboard-pci", "-device", "virtio-mouse-pci",
            "-device", "virtio-rng-pci",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,path={self.path('agent')},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=agent",
            "-serial", f"file:{self.path('console.log')}",
            "-qmp", f"unix:{self.path('qmp')},server=on,wait=off",
            "-display", "none", "-no-reboot",
        ]
        if self.vnc is not None:
            args += ["-vnc", f"127.0.0.1:{self.vnc}"]
        env = dict(os.environ, TMPDIR=self.scratch)
        with open(self.path("qemu.log"), "ab") as log:
            self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, env=env,
                                            stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        self.agent = Lines(self.path("agent"), deadline)
        self.monitor = Lines(self.path("qmp"), deadline)
        self.monitor.receive(20)
        self.qmp("qmp_capabilities")

    def off(self):
        if self.process and self.process.poll() is None:
            try:
                self.agent.send({"do": "end"})
                self.process.wait(30)
            except (OSError, subprocess.TimeoutExpired):
                pass
        self.kill()

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def path(self, name):
        return os.path.join(self.scratch, name)

    def logs(self):
        text = ""
        for name in ("qemu.log", "console.log"):
            try:
                with open(self.path(name), encoding="utf-8", errors="replace") as log:
                    text += log.read()[-2000:]
            except OSError:
                pass
        return text

    # screen, keyboard, mouse

    def qmp(self, command, **arguments):
        self.monitor.send({"execute": command, "arguments": arguments})
        while True:
            answer = self.monitor.receive(60)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise MachineError(f"{command}: {answer['error']['desc']}")

    def screendump(self, path, form="png"):
        self.qmp("screendump", filename=path, format=form)

    def keys(self, *names):
        """One chord: keys("meta_l", "ret")."""
        for down in (True, False):
            order = names if down else reversed(names)
            self.qmp("input-send-event", events=[
                {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": name}}}
                for name in order])
            time.sleep(0.02)

    def type(self, text):
        for char in text:
            if char in SHIFTED:
                self.keys("shift", QCODES.get(SHIFTED[char], SHIFTED[char]))
            elif char.isupper():
                self.keys("shift", char.lower())
            else:
                self.keys(QCODES.get(char, char))

    def mouse(self, dx, dy):
        self.qmp("input-send-event", events=[
            {"type": "rel", "data": {"axis": "x", "value": dx}},
            {"type": "rel", "data": {"axis": "y", "value": dy}}])

    # the agent

    def ask(self, limit=PATIENCE, **what):
        self.agent.send(what)
        answer = self.agent.receive(limit)
        if "error" in answer:
            raise MachineError(f"{what['do']}: {answer['error']}")
        return answer

    def run(self, command, user="city", timeout=PATIENCE):
        """(status, output) of a shell command inside."""
        done = self.ask(timeout + 30, **{"do": "run", "command": command, "timeout": timeout,
                                         "as": user})
        return done["status"], done["output"]

    def start_program(self, command, log, user="city"):
        return self.ask(do="start", command=command, log=log, **{"as": user})["pid"]

    def read(self, path):
        return base64.b64decode(self.ask(do="read", path=path)["data"])

    def write(self, path, data, user="city"):
        self.ask(do="write", path=path, data=base64.b64encode(data).decode(), **{"as": user})

    def wait_for(self, command, timeout=PATIENCE, user="city"):
        """Until the command succeeds; its output."""
        deadline = time.monotonic() + timeout
        while True:
            status, output = self.run(command, user)
            if status == 0:
                return output
            if time.monotonic() > deadline:
                raise MachineError(f"in {timeout} s never true: {command}\n{output}")
            time.sleep(0.3)

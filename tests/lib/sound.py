# SPDX-License-Identifier: MIT
"""A sound server of one's own: PipeWire and WirePlumber in a private runtime folder, without devices and without
D-Bus. And a recorder that is its output and drives its graph (tests/audio/recorder.c), so that recordings are exact."""

import array
import functools
import os
import select
import shutil
import subprocess
import tempfile
import time

LIMIT = 60.0  # seconds for anything that should take far less
HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = os.path.join(HERE, "..", "audio", "pipewire.conf")
# WirePlumber looks for no place where a stream might play to.
BY_HAND = """wireplumber.profiles = {
    by-hand = {
        inherits = [ policy ]
%s    }
}
""" % "".join(f"        hooks.linking.target.find-{what} = disabled\n"
              for what in ("media-role", "defined", "audio-group", "filter", "default", "best"))
# Which is when it would have got its ports.
STEREO = """{ direction: Output, mode: dsp, format: { mediaType: audio, mediaSubtype: raw, format: F32P, rate: 48000,
    channels: 2, position: [ FL, FR ] } }"""


class SoundError(Exception):
    pass


def available():
    return all(shutil.which(name) for name in ("pipewire", "wireplumber", "pw-dump"))


def until(question, what, limit=LIMIT):
    """Ask again and again until the answer is true."""
    end = time.monotonic() + limit
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise SoundError(f"not within {limit:g} s: {what}")
        time.sleep(0.02)


ATTEMPTS = 3


def again(test):
    """WirePlumber makes and takes away links, and the server rebuilds its graph, when they see fit; on a busy machine
    that also falls into the moments that a test looks at. A fault of ours is there each time."""
    @functools.wraps(test)
    def attempts():
        for left in reversed(range(ATTEMPTS)):
            try:
                return test()
            except (AssertionError, SoundError) as error:
                if not left:
                    raise
                print(f"# {test.__name__}: once more, as: {error}", flush=True)
    return attempts


class Talk:
    """A program that is spoken to line by line."""

    def __init__(self, args, env):
        self.process = subprocess.Popen(args, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.rest = b""

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def line(self, limit=LIMIT):
        end = time.monotonic() + limit
        while b"\n" not in self.rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise SoundError(f"{self.process.args[0]} says nothing")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise SoundError(f"{self.process.args[0]} ended with {self.process.wait()}")
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        return self.process.returncode


class Sound:
    """with Sound() as sound: programs started with sound.env find the server. config: more of its configuration.
    by_hand: nothing is linked with anything but by link()."""

    def __init__(self, config="", folder=None, server=True, by_hand=False):
        if not available():
            raise SoundError("pipewire, wireplumber and pw-dump are not all there")
        self.own = None if folder else tempfile.TemporaryDirectory(prefix="city-sound-")
        self.folder = folder or self.own.name
        os.chmod(self.folder, 0o700)
        self.env = dict(os.environ, XDG_RUNTIME_DIR=self.folder, PIPEWIRE_RUNTIME_DIR=self.folder,
                        XDG_STATE_HOME=os.path.join(self.folder, "state"),
                        XDG_CONFIG_HOME=os.path.join(self.folder, "config"))
        self.env.pop("DBUS_SESSION_BUS_ADDRESS", None)
        self.env.pop("PIPEWIRE_REMOTE", None)
        self.config = os.path.join(self.folder, "pipewire.conf")
        with open(CONFIG) as base, open(self.config, "w") as file:
            file.write(base.read() + config)
        self.profile = "by-hand" if by_hand else "policy"
        if by_hand:
            folder = os.path.join(self.folder, "config", "wireplumber", "wireplumber.conf.d")
            os.makedirs(folder)
            with open(os.path.join(folder, "by-hand.conf"), "w") as file:
                file.write(BY_HAND)
        self.log = open(os.path.join(self.folder, "sound.log"), "ab")
        self.server = self.manager = None
        self.recorders = []
        if server:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def start(self):
        def run(*args):
            return subprocess.Popen(args, env=self.env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.server = run("pipewire", "-c", self.config)
        until(lambda: os.path.exists(os.path.join(self.folder, "pipewire-0")), "the socket of PipeWire")
        self.manager = run("wireplumber", "-p", self.profile)
        until(lambda: any(o["type"].endswith("Client") and
                          o["info"]["props"].get("application.name", "").startswith("WirePlumber")
                          for o in self.dump()), "WirePlumber")

    def stop(self):
        for process in (self.manager, self.server):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()

    def close(self):
        for recorder in self.recorders:
            recorder.close()
        self.stop()
        self.log.close()
        if self.own:
            self.own.cleanup()

    def dump(self):
        """Everything that the server knows, as pw-dump says it."""
        import json
        done = subprocess.run(["pw-dump"], env=self.env, capture_output=True, timeout=LIMIT)
        try:
            return json.loads(done.stdout)
        except ValueError:
            return []

    def node(self, name):
        """The node of that node.name, or None."""
        for thing in self.dump():
            if thing["type"].endswith("Interface:Node") and thing["info"]["props"].get("node.name") == name:
                return thing
        return None

    def link(self, pairs):
        """Players, of two channels each, with nodes that listen: NODE:PORT to NODE:PORT, as soon as they are there.
        Returns when sound goes through all of them."""
        def done(*args):
            return subprocess.run(args, env=self.env, stdout=self.log, stderr=self.log, timeout=LIMIT).returncode == 0
        for name in dict.fromkeys(output.split(":")[0] for output, _ in pairs):
            node = until(lambda: self.node(name), f"{name} in the sound server")
            done("pw-cli", "set-param", str(node["id"]), "PortConfig", STEREO)
        for pair in pairs:
            until(lambda: done("pw-link", *pair), f"to link {' with '.join(pair)}")
        names = {end.split(":")[0] for pair in pairs for end in pair}

        def linked():
            things = self.dump()
            return (sum(thing["type"].endswith("Interface:Link") and thing["info"]["state"] == "active"
                        for thing in things) >= len(pairs) and
                    names <= {thing["info"]["props"].get("node.name") for thing in things
                              if thing["type"].endswith("Interface:Node") and thing["info"]["state"] == "running"})
        until(linked, "all links")

    def make_device(self, name, title, kind="Audio/Sink"):
        """Another device, that sounds nowhere or hears nothing."""
        import json
        subprocess.run(["pw-cli", "create-node", "adapter", json.dumps({
            "factory.name": "support.null-audio-sink", "node.name": name, "node.description": title,
            "media.class": kind, "audio.position": "FL,FR", "object.linger": True})],
            env=self.env, check=True, stdout=subprocess.DEVNULL, timeout=LIMIT)
        until(lambda: self.node(name), name)

    def recorder(self, program, *args, name="recorder"):
        recorder = Recorder(self, program, name, args)
        self.recorders.append(recorder)
        return recorder


class Recorder(Talk):
    def __init__(self, sound, program, name, args):
        self.path = os.path.join(sound.folder, f"{name}-{len(sound.recorders)}.f32")
        super().__init__([program, self.path, "--name", name, *args], sound.env)
        self.expect("ready")

    def expect(self, word):
        while True:
            line = self.line().split()
            if line[0] == word:
                return [int(n) for n in line[1:]]

    def until(self, frames):
        """Waits until so many frames are recorded, from the first on in which both channels sound."""
        self.say(f"until {frames}")
        return self.expect("wrote")[0]

    def cycles(self, count):
        """Makes so many cycles and stops."""
        self.say(f"cycles {count}")
        self.expect("made")

    def frames(self):
        """What is recorded: left, right, left, right."""
        samples = array.array("f")
        with open(self.path, "rb") as file:
            data = file.read()
        samples.frombytes(data[:len(data) // 8 * 8])
        return samples

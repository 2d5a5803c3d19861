# SPDX-License-Identifier: MIT
"""Inside the machine: does what the test outside asks, one JSON object a line each way.

{"do": "run", "command": shell text, "as": user, "timeout": s}  ->  {"status": n, "output": text}
{"do": "start", ...}  the same without waiting; output goes to "log"  ->  {"pid": n}
{"do": "read", "path": p}  ->  {"data": base64} or {"error": text}
{"do": "write", "path": p, "data": base64, "as": user}  ->  {}
{"do": "end"}  the machine goes off
"""

import base64
import grp
import json
import os
import pwd
import subprocess

PORT = "/dev/virtio-ports/agent"


def account(name):
    user = pwd.getpwnam(name)
    groups = [g.gr_gid for g in grp.getgrall() if name in g.gr_mem]
    env = {
        "HOME": user.pw_dir, "USER": name, "LOGNAME": name, "SHELL": "/bin/bash",
        "LANG": "C.UTF-8", "PATH": os.environ["PATH"],
        "XDG_RUNTIME_DIR": f"/run/user/{user.pw_uid}", "XDG_SEAT": "seat0",
        "LIBSEAT_BACKEND": "seatd", "WLR_RENDERER_ALLOW_SOFTWARE": "1",
    }
    return dict(user=user.pw_uid, group=user.pw_gid, extra_groups=groups, env=env, cwd=user.pw_dir)


def run(ask):
    try:
        done = subprocess.run(["/bin/bash", "-c", ask["command"]], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=ask.get("timeout", 120), **account(ask.get("as", "city")))
        return {"status": done.returncode, "output": done.stdout.decode(errors="replace")}
    except subprocess.TimeoutExpired as late:
        return {"status": 124, "output": (late.output or b"").decode(errors="replace")}


def start(ask):
    with open(ask["log"], "ab") as log:
        child = subprocess.Popen(["/bin/bash", "-c", "exec " + ask["command"]],
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 start_new_session=True, **account(ask.get("as", "city")))
    return {"pid": child.pid}


def read(ask):
    with open(ask["path"], "rb") as file:
        return {"data": base64.b64encode(file.read()).decode()}


def write(ask):
    user = account(ask.get("as", "city"))
    with open(ask["path"], "wb") as file:
        file.write(base64.b64decode(ask["data"]))
        os.fchown(file.fileno(), user["user"], user["group"])
    return {}


def main():
    port = open(PORT, "r+b", buffering=0)
    asked = os.fdopen(os.dup(port.fileno()), "rb")

    def answer(what):
        data = json.dumps(what).encode() + b"\n"
        while data:
            data = data[port.write(data):]

    answer({"hello": os.uname().release})
    for line in asked:
        ask = json.loads(line)
        if ask["do"] == "end":
            break
        try:
            answer({"run": run, "start": start, "read": read, "write": write}[ask["do"]](ask))
        except (OSError, KeyError) as error:
            answer({"error": str(error)})


main()

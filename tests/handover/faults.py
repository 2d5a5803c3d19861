# SPDX-License-Identifier: MIT
"""What can happen to a process: signals, an exit that it did not choose, no memory, no room, garbage in its
name. All of it from outside; the programs know nothing of it."""

import ctypes
import os
import platform
import resource
import signal
import socket
import struct
import threading

libc = ctypes.CDLL(None, use_errno=True)
PTRACE_POKETEXT, PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_ATTACH, PTRACE_DETACH = 4, 12, 13, 16, 17
PIDFD_GETFD, EXIT_GROUP = 438, 231
# Of struct user_regs_struct.
RAX, RDI, ORIG_RAX, RIP, REGS = 10, 14, 15, 16, 27
GARBAGE = bytes((i * 167 + 13) % 256 for i in range(512))


def ptrace(request, pid, address, data):
    libc.ptrace.restype = ctypes.c_long
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    result = libc.ptrace(request, pid, address, data)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"ptrace {request}: {os.strerror(error)}")
    return result


def make_exit(pid, status=7):
    """The process calls exit_group(status), wherever it is."""
    if platform.machine() != "x86_64":
        os.kill(pid, signal.SIGTERM)
        return
    ptrace(PTRACE_ATTACH, pid, None, None)
    os.waitpid(pid, 0x40000000)  # __WALL
    regs = (ctypes.c_ulonglong * REGS)()
    ptrace(PTRACE_GETREGS, pid, None, ctypes.addressof(regs))
    regs[RAX], regs[RDI], regs[ORIG_RAX] = EXIT_GROUP, status, (1 << 64) - 1
    ptrace(PTRACE_POKETEXT, pid, regs[RIP], 0x050f)  # syscall
    ptrace(PTRACE_SETREGS, pid, None, ctypes.addressof(regs))
    ptrace(PTRACE_DETACH, pid, None, None)


def sockets_of(pid, kind):
    """Duplicates of the sockets of a process."""
    found = []
    process = os.pidfd_open(pid)
    try:
        for name in sorted(os.listdir(f"/proc/{pid}/fd"), key=int):
            try:
                if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                    continue
            except OSError:
                continue
            fd = libc.syscall(PIDFD_GETFD, process, int(name), 0)
            if fd < 0:
                continue
            copy = socket.socket(fileno=fd)
            if copy.family == socket.AF_UNIX and copy.type == kind:
                found.append(copy)
            else:
                copy.close()
    finally:
        os.close(process)
    return found


def say_garbage(pid, kind):
    """In the name of the process, on its connections of that kind within the city."""
    for copy in sockets_of(pid, kind):
        try:
            if not copy.getpeername():
                copy.send(GARBAGE, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:
            pass
        copy.close()


def limit(pid, what, value):
    """Sets a soft limit; returns how to take it back."""
    old = resource.prlimit(pid, what)
    value = value if old[1] == resource.RLIM_INFINITY else min(value, old[1])
    resource.prlimit(pid, what, (value, old[1]))

    def undo():
        try:
            resource.prlimit(pid, what, old)
        except ProcessLookupError:
            pass
    return undo


def memory_of(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def nothing():
    pass


def late(pid, seconds):
    """Stopped for longer than any deadline allows, then it goes on."""
    os.kill(pid, signal.SIGSTOP)
    timer = threading.Timer(seconds, wake, [pid])
    timer.start()
    return timer.join


def wake(pid):
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    return lambda: wake(pid)


def send(number):
    def fault(pid):
        os.kill(pid, number)
        return nothing
    return fault


def leave(pid):
    make_exit(pid)
    return nothing


def no_memory(pid):
    return limit(pid, resource.RLIMIT_AS, memory_of(pid))


def no_room(pid):
    """No file and no shared memory may grow."""
    return limit(pid, resource.RLIMIT_FSIZE, 0)


def garbage(pid):
    with open(f"/proc/{pid}/comm") as file:
        tile = file.read().startswith("source-city-til")
    say_garbage(pid, socket.SOCK_STREAM if tile else socket.SOCK_SEQPACKET)
    return nothing


LATE_SECONDS = 2.0
# Each does something to a process and returns how to end it.
KINDS = {
    "SIGKILL": send(signal.SIGKILL),
    "SIGSEGV": send(signal.SIGSEGV),
    "SIGSTOP": stop,
    "exit": leave,
    "deadline": lambda pid: late(pid, LATE_SECONDS),
    "memory": no_memory,
    "disk": no_room,
    "garbage": garbage,
}

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Several workers, watched from outside.

    workers.py PRISM memif     two workers on a port with one queue serve prism load
    workers.py PRISM stopped   one of two workers is stopped in the middle of whatever it does
    workers.py PRISM rebalance connections go from a busy worker to another when somebody asks

Exits 77 with the reason where it cannot run.
"""
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from bed import KERNELS, OURS, Bed, conduct, entering, missing

THEIRS = "198.18.0.3"
CONNECTIONS = 48  # of the stopped test: some belong to either worker, but for one run in 2^47
ROUNDS = 200      # echoes on each connection of the worker that goes on
ENDED_SECONDS = 90
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17


class Workers(Bed):
    """A server of two workers."""

    def serve_two(self, device, ns=None, kernel="", more=""):
        self.write("www/index.html", "x" * 64)
        self.write("www/big.bin", os.urandom(1 << 20))
        self.server = self.serve(
            f"workers: 2\nports:\n  - name: p0\n    device: {device}\n    addresses: [{OURS}/24]\n"
            f"{kernel}services:\n  - {{type: http, port: 80, root: www}}\n"
            "  - {type: echo, port: 7}\n  - {type: discard, port: 9}\n" + more, ns)

    def load(self, kind, target, *options):
        out = self.run(self.prism, "load", kind, target, "-q", "-j", "-p",
                       f"memif:{self.path('wire')},role=client", "-a", f"{THEIRS}/24", *options)
        report = json.loads(out.stdout) if out.stdout.startswith("{") else {}
        self.check(f"{kind} {' '.join(options)}: no error", out.returncode == 0,
                   f"{report.get('requests')} requests" if out.returncode == 0
                   else (out.stderr + out.stdout)[-300:])

    def settled(self):
        """What must be so once the load is over."""
        begin = time.monotonic()
        while time.monotonic() - begin < ENDED_SECONDS:
            now = self.stats()
            if all(w["conns_half_open"] == 0 for w in now["workers"]):
                break
            # What a full ring dropped of an answer to SYN may outlive who asked: the client's host
            # is still there, and resets what it does not know any more.
            self.load("http", f"http://{OURS}/", "-r", "200000", "-c", "2")
        # prism load ends with its last request; resets that the wire does not take any more leave
        # idle connections to the echo service, which has no timer for them. That none is left where
        # clients close in order is serve.py's to check.
        self.check("no handshake is left", all(w["conns_half_open"] == 0 for w in now["workers"]))
        # The client asked one worker for the address before it spoke to both.
        self.check("nothing waited for an ARP answer too long",
                   now["drops"]["ARP_QUEUE_FULL"] == 0, str(now["drops"]["ARP_QUEUE_FULL"]))
        self.check("either worker accepted connections", all(w["accepted"] for w in now["workers"]),
                   ", ".join(str(w["accepted"]) for w in now["workers"]))
        self.check("what one handed over the other took",
                   now["counters"]["handed_out_pkts"] == now["counters"]["handed_in_pkts"] > 0,
                   f"{now['counters']['handed_out_pkts']} packets")
        self.check("unaccounted is 0", self.accounted())
        # How long a worker is without its core decides this, so it decides nothing here.
        print("      dropped for a full ring:", now["drops"]["WORKER_RING_FULL"])


def memif(t):
    t.serve_two(f"memif:{t.path('wire')}")
    page, big, echo = f"http://{OURS}/", f"http://{OURS}/big.bin", f"{OURS}:7"
    t.load("http", page, "-r", "100000", "-c", "64")
    t.load("http", page, "-r", "4000", "-c", "200", "-n")
    t.load("http", big, "-r", "200", "-c", "8")
    t.load("tcp-echo", echo, "-r", "100000", "-c", "100")
    t.load("tcp-echo", echo, "-r", "16000", "-s", "1400")
    t.load("udp-echo", echo, "-r", "100000")
    t.load("http", page, "-r", "8000", "-c", "250", "-n")
    t.settled()


def moved(t):
    return t.stats()["counters"]["tcp_moved"]


def accepted(t):
    return sum(w["accepted"] for w in t.stats()["workers"])


def asked_under_load(t, ask, want, kind, target):
    before = accepted(t)
    load = t.start(t.prism, "load", kind, target, "-q", "-j", "-c", "16", "-d", "120s", "-p",
                   f"memif:{t.path('wire')},role=client", "-a", f"{THEIRS}/24",
                   stdout=subprocess.PIPE)
    end = time.monotonic() + 30
    while time.monotonic() < end and accepted(t) < before + 16:
        time.sleep(0.1)
    end = time.monotonic() + 6
    while time.monotonic() < end and moved(t) < want:
        t.run(*ask, "now")
        time.sleep(0.3)
    load.send_signal(signal.SIGINT)
    report = json.loads(load.communicate(timeout=60)[0])
    t.check(f"{kind}: no byte was lost", report["errors"] == 0 and report["requests"] > 0,
            f"{report['requests']} requests")


def rebalance(t):
    control = f"control: {{socket: {t.path('control')}}}\n"
    t.serve_two(f"memif:{t.path('wire')}", more=control)
    ask = [t.prism, "rebalance", "-n", t.name]
    t.check("at first it is off", t.run(*ask).stdout.startswith("rebalance is off: 0 orders, 0"))
    for kind, target in ("tcp-echo", f"{OURS}:7"), ("http", f"http://{OURS}/big.bin"):
        want = moved(t) + 3
        loads = 0
        # Where both workers are saturated and have as many connections, none goes: deal anew.
        while loads < 12 and moved(t) < want:
            loads += 1
            asked_under_load(t, ask, want, kind, target)
        t.check(f"{kind}: connections went on request", moved(t) >= want, f"{loads} loads")
    for word, state in ("on", "on"), ("off", "off"):
        t.check(f"it can be put {word}",
                t.run(*ask, word).stdout.startswith(f"rebalance is {state}: "))
    now = json.loads(t.run(*ask, "--json").stdout)
    t.check("what it did is in the numbers",
            # One that was given may end before it leaves.
            now["connections"] >= t.stats()["counters"]["tcp_moved"] > 0 < now["orders"],
            f"{now['orders']} orders, {now['connections']} connections")
    t.check("unaccounted is 0", t.accounted())
    alone = t.write("alone.yaml", f"instance: {t.name}x\nports:\n  - {{name: p0, device: "
                    f"'memif:{t.path('wire2')}', addresses: [{OURS}/24]}}\n"
                    f"services: [{{type: echo, port: 7}}]\n"
                    f"control: {{socket: {t.path('control2')}}}\n")
    t.serving(t.launch(alone))
    told = t.run(t.prism, "rebalance", "-n", f"{t.name}x", "on")
    t.check("one worker refuses, and says why",
            told.returncode == 1 and "there is one worker" in told.stderr, told.stderr)


class Thread:
    """A thread of another process, stopped at whatever instruction it was at."""

    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long

    def __init__(self, tid):
        self.tid = tid

    def ask(self, request):
        if self.libc.ptrace(request, self.tid, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of {self.tid}")

    def stop(self):
        self.ask(PTRACE_SEIZE)
        self.ask(PTRACE_INTERRUPT)
        os.waitpid(self.tid, 0x40000000)  # __WALL

    def go_on(self):
        self.ask(PTRACE_DETACH)


def second_worker(pid):
    """The thread that has turned most beside the first: the monitor hardly runs, EAL's own not."""
    times = {}
    for tid in map(int, os.listdir(f"/proc/{pid}/task")):
        with open(f"/proc/{pid}/task/{tid}/stat", encoding="utf-8") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        times[tid] = int(fields[11]) + int(fields[12])
    del times[pid]
    return max(times, key=times.get)


def echoing(connections, rounds, seconds):
    """The connections on which so many echoes came back in time."""
    left = {c: rounds for c in connections}
    done, end = [], time.monotonic() + seconds
    for c in connections:
        c.sendall(b"tick")
    while left and time.monotonic() < end:
        for c in select.select(list(left), [], [], 0.2)[0]:
            if c.recv(4096) and left[c] > 1:
                left[c] -= 1
                c.sendall(b"tick")
            else:
                del left[c]
                done.append(c)
    return done


def stopped_inside(name):
    """Runs inside the namespace; says what it saw as JSON."""
    prism, pid, instance = name
    seen = {}
    connections = [socket.create_connection((OURS, 7), timeout=10) for _ in range(CONNECTIONS)]
    seen["all echo before"] = len(echoing(connections, 20, 20)) == CONNECTIONS
    thread = Thread(second_worker(int(pid)))
    thread.stop()
    on = echoing(connections, ROUNDS, 6)
    seen["those of the other worker go on, at full length"] = 0 < len(on) < CONNECTIONS
    seen["again"] = len(echoing(on, ROUNDS, 20)) == len(on)
    told = subprocess.run([prism, "stats", "--json", "-n", instance], text=True,
                          capture_output=True, timeout=30)
    seen["prism stats says stuck"] = json.loads(told.stdout)["state"] == "stuck"
    thread.go_on()
    waiting = [c for c in connections if c not in on]
    for c in waiting:
        c.settimeout(30)
    seen["those of the stopped one are answered after it"] = all(c.recv(4096) for c in waiting)
    seen["all echo in the end"] = len(echoing(connections, 20, 30)) == CONNECTIONS
    seen["how many"] = f"{len(on)} of {CONNECTIONS} went on"
    print(json.dumps(seen))


def stopped(t):
    ns = t.namespace("c")
    t.serve_two("tap:two0", ns, f"    kernel_addresses: [{KERNELS}/24]\n")
    out = subprocess.run([*entering(ns), sys.executable, os.path.abspath(__file__), "--inside",
                          t.prism, str(t.server.pid), t.name], text=True, capture_output=True,
                         timeout=200)
    if not out.stdout.startswith("{"):
        t.check("the client inside", False, (out.stdout + out.stderr)[-500:])
        return
    seen = json.loads(out.stdout)
    for what, good in seen.items():
        t.check(what, bool(good), good if isinstance(good, str) else "")
    time.sleep(0.5)
    t.check("unaccounted is 0", t.accounted())


def main():
    if sys.argv[1] == "--inside":
        return stopped_inside(sys.argv[2:])
    reason = missing(files=("/dev/net/tun",) if sys.argv[2] == "stopped" else ())
    if reason:
        print("skipped:", reason)
        return 77
    steps = {"memif": memif, "stopped": stopped, "rebalance": rebalance}
    return conduct(Workers("workers", sys.argv[1]), [steps[sys.argv[2]]])


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two laws, watched from outside: a worker under load makes no system call, and copies no payload.

    quiet.py PRISM

A server and prism load on memif. strace watches the server's worker thread for two seconds in the
middle of the load, which goes on until strace is done, and must see nothing; what the copy ledger
counts over a large download and an echo of large messages must be zero. Exits 77 with the reason
where it cannot run.
"""
import json
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from bed import OURS, Bed, conduct, missing

THEIRS = "198.18.0.3"
FILE_BYTES = 1 << 20
BULK_BYTES = 16 << 20  # at least, in each of the three bulk loads
BUSY_PKTS = 1000  # at least, before strace comes and while it watches
TRACED_CALL_US_MAX = 20  # where a memif pair connects while each call is traced
LOAD_SECONDS = 60  # at most: the load is told to end when strace has seen enough


class Quiet(Bed):
    """A server on memif, and the loads that are put on it."""

    def serve_memif(self):
        self.write("www/index.html", "x" * 64)
        self.write("www/big.bin", os.urandom(FILE_BYTES))
        self.server = self.serve(
            f"idle: poll\nports:\n  - name: p0\n    device: memif:{self.path('wire')}\n"
            f"    addresses: [{OURS}/24]\nservices:\n  - {{type: http, port: 80, root: www}}\n"
            "  - {type: echo, port: 7}\n")

    def load(self, kind, target, *options, before=()):
        return self.start(*before, self.prism, "load", kind, target, "-q", "-j", "-p",
                          f"memif:{self.path('wire')},role=client", "-a", f"{THEIRS}/24", "-d",
                          f"{LOAD_SECONDS}s", *options, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)

    def finished(self, what, load):
        """The load's own report, checked."""
        out, errors = load.communicate(timeout=2 * LOAD_SECONDS)
        self.check(f"{what}: no load error", load.returncode == 0,
                   (errors + out).strip()[-300:] if load.returncode else
                   f"{json.loads(out)['requests']} requests")

    def received(self):
        return self.stats()["counters"]["rx_pkts"]


def watched(kind, target):
    """strace on the worker, which is the process's first thread, while load is under way."""
    def step(t):
        first, begin = t.received(), time.monotonic()
        load = t.load(kind, target)
        while t.received() - first < BUSY_PKTS and load.poll() is None and \
                time.monotonic() - begin < LOAD_SECONDS / 2:
            time.sleep(0.1)
        trace = t.start("strace", "-c", "-p", str(t.server.pid), "-o", t.path("calls"),
                        stderr=subprocess.PIPE)
        said = trace.stderr.readline()  # "strace: Process N attached"
        before = t.received()
        time.sleep(2)
        after = t.received()
        t.end(trace, signal.SIGINT)
        load.send_signal(signal.SIGINT)
        t.finished(kind, load)
        with open(t.path("calls"), encoding="utf-8") as f:
            calls = [line for line in f.read().splitlines() if line.strip()]
        t.check(f"{kind}: strace was attached", "attached" in said, said.strip())
        t.check(f"{kind}: the worker was busy while watched", after - before >= BUSY_PKTS,
                f"{after - before} packets came in")
        t.check(f"{kind}: strace saw no system call on the worker", not calls,
                " | ".join(calls)[:300])
    return step


def traced_call_us():
    """What strace adds to a system call on this machine."""
    def seconds(calls):
        begin = time.monotonic()
        subprocess.run(["strace", "-o", "/dev/null", sys.executable, "-S", "-c",
                        f"import os\nfor _ in range({calls}): os.getppid()"], check=True)
        return time.monotonic() - begin
    return (seconds(4000) - seconds(0)) / 4000 * 1e6


def slowed(t):
    """With strace on every thread, as slow as on a machine with too much to do, a pair connects.
    Where a stop costs a multiple of what it does elsewhere, ten seconds do not: not tried there."""
    cost_us = traced_call_us()
    if cost_us > TRACED_CALL_US_MAX:
        print(f"      not tried: strace takes {cost_us:.0f} us a system call here")
        return
    trace = t.start("strace", "-f", "-p", str(t.server.pid), "-o", "/dev/null",
                    stderr=subprocess.PIPE)
    trace.stderr.readline()
    codes = []
    while 0 not in codes and len(codes) < 3:
        load = t.load("tcp-echo", f"{OURS}:7", "-r", "200", before=("strace", "-f", "-o", "/dev/null"))
        load.communicate(timeout=2 * LOAD_SECONDS)
        codes.append(load.returncode)
    t.end(trace, signal.SIGINT)
    t.check("a memif pair connects while strace slows both ends", 0 in codes, str(codes))


def copied(what, *load):
    def step(t):
        before = t.stats()["counters"]
        t.finished(what, t.load(*load))
        after = t.stats()["counters"]
        grown = {k: after[k] - before[k] for k in after
                 if k.startswith("copied_bytes") and after[k] != before[k]}
        sent = after["tx_bytes"] - before["tx_bytes"]
        t.check(f"{what}: many bytes went out", sent >= BULK_BYTES, f"{sent >> 20} MiB")
        t.check(f"{what}: the copy ledger counts nothing", not grown, str(grown or "0 bytes"))
    return step


def main():
    reason = missing("strace")
    if reason:
        print("skipped:", reason)
        return 77
    page, file, echo = f"http://{OURS}/", f"http://{OURS}/big.bin", f"{OURS}:7"
    many = ("-s", "1400", "-r", "16000")
    return conduct(Quiet("quiet", sys.argv[1]), [
        Quiet.serve_memif, slowed, watched("http", page), watched("tcp-echo", echo),
        watched("udp-echo", echo), copied("download", "http", file, "-r", "20", "-c", "4"),
        copied("tcp-echo of 1400 bytes", "tcp-echo", echo, *many),
        copied("udp-echo of 1400 bytes", "udp-echo", echo, *many)])


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A worker takes no lock that anybody else holds: under load it never waits in the kernel for one.

    nolock.py PRISM tap|af_xdp

Downloads and echoes come from kernel clients, over a port on which the worker has to make system
calls; strace counts the worker's by name. There must be many, so that it is known to have watched,
and no futex among them, which is what a lock that is not free becomes. A lock that spins shows in
nothing the kernel sees: that the data path has none is devtools/tidy's to say. Exits 77 with the reason where it cannot run.
"""
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from bed import KERNELS, OURS, Bed, conduct, missing

LOAD_SECONDS = 4
CALLS = 300  # at least, that strace must have counted on the worker
SEGMENTS = 200  # at least, while it did


class NoLock(Bed):
    def __init__(self, prism, kind):
        super().__init__("nolock", prism)
        self.kind, self.client, self.server = kind, None, None

    def serve_kernel(self):
        self.write("www/index.html", "x" * 200)
        self.client = self.namespace("c")
        where, device, kernel = self.client, f"tap:t{self.name[-10:]}", \
            f"    kernel_addresses: [{KERNELS}/24]\n"
        if self.kind == "af_xdp":
            where, device, kernel = self.namespace("s"), "af_xdp:sv", ""
            self.veth(where, self.client)
        self.server = self.serve(
            f"idle: poll\nports:\n  - name: p0\n    device: {device}\n    addresses: [{OURS}/24]\n"
            f"{kernel}services:\n  - {{type: http, port: 80, root: www}}\n"
            "  - {type: echo, port: 7}\n", where)

    def load(self):
        """Downloads of many connections at a time, and connections that come and go."""
        wrk = self.start("wrk", "-t1", "-c32", f"-d{LOAD_SECONDS}s", f"http://{OURS}/",
                         ns=self.client, stdout=subprocess.PIPE)
        ab = self.start("ab", "-q", "-r", "-c", "8", "-n", "1000000", "-t", str(LOAD_SECONDS),
                        f"http://{OURS}/", ns=self.client, stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
        return wrk, ab

    def watch(self):
        """What strace counted on the worker, the process's first thread, while the load went on."""
        load = self.load()
        time.sleep(1)
        trace = self.start("strace", "-c", "-o", self.path("calls"), "-p", str(self.server.pid),
                           stderr=subprocess.DEVNULL)
        before = self.segments()
        time.sleep(LOAD_SECONDS - 2)
        after = self.segments()
        self.end(trace, signal.SIGINT)
        for process in load:
            process.wait(timeout=60)
        self.check(f"{self.kind}: the worker was busy while watched", after - before >= SEGMENTS,
                   f"{after - before} segments came in")
        with open(self.path("calls"), encoding="utf-8") as f:
            return [line.split() for line in f.read().splitlines()]

    def segments(self):
        return self.stats()["counters"]["tcp_segs_in"]

    def look(self):
        calls = {words[-1]: int(words[3]) for words in self.watch()
                 if len(words) >= 5 and words[3].isdigit() and words[-1] != "total"}
        names = ", ".join(f"{n} {name}" for name, n in sorted(calls.items()))
        self.check(f"{self.kind}: strace watched the worker", sum(calls.values()) >= CALLS, names)
        self.check(f"{self.kind}: no futex among its calls",
                   not [name for name in calls if "futex" in name], names)


def main():
    reason = missing("strace", "wrk", "ab")
    if reason:
        print("skipped:", reason)
        return 77
    return conduct(NoLock(*sys.argv[1:]), [NoLock.serve_kernel, NoLock.look])


if __name__ == "__main__":
    sys.exit(main())

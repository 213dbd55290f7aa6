#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""prism load against prism run over memif: connections by the thousand.

    load_memif.py PRISM

More new connections at once than load opens at a time: each request is sent and answered once, and
the load ends. More connections than a stack has ports, or none for want of a route: it says why,
and how often. Exits 77 with the reason where it cannot run.
"""
import json
import sys
import time

sys.dont_write_bytecode = True
from bed import OURS, Bed, conduct, missing

THEIRS = "198.18.0.3"
SECONDS = 30  # of a load that ends after a fraction of one
UDP_PORTS = 16384


class Memif(Bed):
    """A server, and a wire to it for a stack of the load's own."""

    def make(self):
        self.write("www/index.html", "x" * 64)
        self.serve(f"ports:\n  - name: p0\n    device: memif:{self.path('wire')}\n"
                   f"    addresses: [{OURS}/24]\nservices:\n"
                   "  - {type: http, port: 80, root: www}\n  - {type: echo, port: 7}\n")

    def load(self, kind, target, *options):
        """How it ended, and its report."""
        begin = time.monotonic()
        got = self.run(self.prism, "load", kind, target, "-q", "-j", "-p",
                       f"memif:{self.path('wire')},role=client", "-a", f"{THEIRS}/24", *options)
        report = json.loads(got.stdout) if got.stdout.startswith("{") else {}
        return got, report, time.monotonic() - begin


def new_connections_at_once(t):
    for kind, target in (("http", f"http://{OURS}/"), ("tcp-echo", f"{OURS}:7")):
        for pace in ([], ["--rate", "1000000"]):
            got, report, took_s = t.load(kind, target, "-c", "2000", "-n", "-r", "10000", "-d",
                                         f"{SECONDS}s", *pace)
            made, answered = report.get("connections_made"), report.get("requests")
            what = f"{kind}, new connections at once{', at a rate' if pace else ''}"
            t.check(f"{what}: one for each request, and an answer",
                    got.returncode == 0 and made == answered == 10000,
                    f"{made} connections, {answered} answers {got.stderr.strip()[-300:]}")
            t.check(f"{what}: it ends", took_s < SECONDS, f"after {took_s:.1f} s")


def no_port(t):
    seconds = 2
    got, report, _ = t.load("udp-echo", f"{OURS}:7", "-c", str(UDP_PORTS + 100), "-d", f"{seconds}s")
    refused = report.get("errors_by_kind", {}).get("no_port", 0)
    t.check("no port is left: counted, by tries a few times a second",
            got.returncode == 1 and 0 < refused <= 15 * seconds, f"{refused}")
    t.check("no port is left: connections that have one work", report.get("requests", 0) > UDP_PORTS,
            f"{report.get('requests')} requests")
    t.check("no port is left: said once, with what to do",
            got.stderr.count("no local port is free") == 1 and "remedy: ask for fewer --connections"
            in got.stderr, got.stderr.strip()[-300:])


def no_route(t):
    got, report, _ = t.load("tcp-echo", "203.0.113.1:7")
    t.check("no route: counted, and said why",
            got.returncode == 1 and report.get("errors_by_kind", {}).get("connect") == 1 and
            "(NO_ROUTE)\n  cause:" in got.stderr, got.stderr.strip()[-300:])


def main():
    reason = missing()
    if reason:
        print("skipped:", reason)
        return 77
    return conduct(Memif("loadm", sys.argv[1]),
                   [Memif.make, new_connections_at_once, no_port, no_route])


if __name__ == "__main__":
    sys.exit(main())

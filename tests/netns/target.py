# SPDX-License-Identifier: BSD-3-Clause
"""A Prism on a tap port, or an AF_XDP port, on both families, with echo, discard and http, to be
treated badly; and what must be so before, during and after."""
import os
import re
import time

from bed import KERNELS, OURS, Bed, entering, sh

OURS6, KERNELS6 = "2001:db8:18::2", "2001:db8:18::1"
HALF_OPEN_MAX = 1024


class Target(Bed):
    def __init__(self, kind, prism, wire="tap"):
        super().__init__(kind, prism)
        self.wire = wire
        self.device = f"{kind[:4]}{os.getpid() % 1000000}" if wire == "tap" else "cl"

    def make_wire(self):
        """The namespace of Prism's end, and what its port says of it. Clients are in self.ns."""
        self.ns = self.namespace("c")
        if self.wire == "tap":
            return self.ns, (f"    device: tap:{self.device}\n"
                             f"    kernel_addresses: [{KERNELS}/16, '{KERNELS6}/64']\n")
        server = self.namespace("s")
        self.veth(server, self.ns)
        sh(*entering(self.ns), "ip", "addr", "add", f"{KERNELS6}/64", "dev", "cl", "nodad")
        return server, "    device: af_xdp:sv\n"

    def start_server(self):
        server_ns, port = self.make_wire()
        self.write("www/index.html", "<!doctype html><title>Prism</title>\n")
        self.server = self.serve(
            f"ports:\n  - name: p0\n{port}"
            f"    addresses: [{OURS}/16, '{OURS6}/64']\n    gateway: {KERNELS}\n"
            f"routes:\n  - {{to: '::/0', via: '{KERNELS6}'}}\n"
            f"limits: {{half_open: {HALF_OPEN_MAX}}}\n"
            "services:\n  - {type: http, port: 80, root: www}\n"
            "  - {type: echo, port: 7}\n  - {type: discard, port: 9}\n", server_ns)
        time.sleep(1.5)  # duplicate address detection
        self.answers_ping("at first")
        seen = sh(*entering(self.ns), "ip", "neigh", "show", OURS, "dev", self.device)
        self.mac = re.search(r"lladdr (\S+)", seen).group(1)

    def answers_ping(self, when):
        for host in OURS, OURS6:
            done = self.run("ping", "-c", "3", "-i", "0.1", "-W", "5", host, ns=self.ns)
            self.check(f"{host} answers a ping {when}", done.returncode == 0,
                       done.stdout[-200:] if done.returncode else "")

    def rss_kib(self):
        with open(f"/proc/{self.server.pid}/status", encoding="utf-8") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def free_buffers(self, stats):
        return sum(pool["available_pkts"] for pool in stats["pools"])

    def all_back(self, free, seconds):
        """All is as it was, but for half of the places of half-open connections at most."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            now = self.stats()
            half_open = sum(w["conns_half_open"] for w in now["workers"])
            if self.free_buffers(now) >= free and half_open <= HALF_OPEN_MAX // 2:
                break
            time.sleep(0.5)
        self.check("all buffers are back", self.free_buffers(now) >= free,
                   f"{self.free_buffers(now)} of {free}")
        self.check("half of the places for handshakes are free at least",
                   half_open <= HALF_OPEN_MAX // 2, f"{half_open} are not")
        self.check("unaccounted is 0", self.accounted())

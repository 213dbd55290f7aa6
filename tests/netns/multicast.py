#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Groups across a switch that looks: the kernel's bridge, which sends what goes to a group only to
who said that he listens, and asks who does.

    multicast.py PRISM EXAMPLE

The example program joins on an AF_XDP port behind the bridge; the kernel sends to the group and
listens to it. On both families, in IGMP's and MLD's newer and older version, for any sender and for
one. Exits 77 with the reason where it cannot run.
"""
import os
import socket
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from bed import KERNELS, OURS, Bed, conduct, entering, missing, sh

OURS6, KERNELS6 = "2001:db8:18::2", "2001:db8:18::1"
GROUP, GROUP6, PORT = "239.1.2.3", "ff05::1:3", 5000
PATIENCE_S = 15


def inside(what, group, text):
    """In the kernel's namespace: sends a text to the group, or says what it hears there, sending
    again meanwhile: the bridge learns when the kernel reports, some time later."""
    is_ip6 = ":" in group
    family, level = (socket.AF_INET6, socket.IPPROTO_IPV6) if is_ip6 else \
        (socket.AF_INET, socket.IPPROTO_IP)
    out, ears = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
    index = socket.if_nametoindex("br0")
    if is_ip6:
        out.setsockopt(level, socket.IPV6_MULTICAST_IF, index)
        out.setsockopt(level, socket.IPV6_MULTICAST_LOOP, 0)
        join, wish = socket.IPV6_JOIN_GROUP, \
            socket.inet_pton(family, group) + struct.pack("@i", index)
    else:
        out.setsockopt(level, socket.IP_MULTICAST_IF, socket.inet_aton(KERNELS))
        out.setsockopt(level, socket.IP_MULTICAST_LOOP, 0)
        join, wish = socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton(KERNELS)
    if what == "hear":
        ears.bind(("", PORT))
        ears.setsockopt(level, join, wish)
    end = time.monotonic() + PATIENCE_S
    ears.settimeout(0.3)
    while True:
        out.sendto(text.encode(), (group, PORT))
        try:
            if what == "hear":
                got, sender = ears.recvfrom(1500)
                print(sender[0], got.decode())
            break
        except TimeoutError:
            if time.monotonic() > end:
                raise


class Multicast(Bed):
    def make(self):
        self.ours, self.kernels = self.namespace("o"), self.namespace("k")
        self.veth(self.ours, self.kernels)
        k = entering(self.kernels)
        sh(*k, "ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "1",
           "mcast_querier", "1", "mcast_startup_query_interval", "100")
        sh(*k, "ip", "addr", "del", f"{KERNELS}/24", "dev", "cl")
        sh(*k, "ip", "link", "set", "cl", "master", "br0")
        sh(*k, "ip", "link", "set", "br0", "up")
        sh(*k, "ip", "addr", "add", f"{KERNELS}/24", "dev", "br0")
        sh(*k, "ip", "addr", "add", f"{KERNELS6}/64", "dev", "br0", "nodad")
        self.write("groups.yaml", f"instance: {self.name}\nports:\n  - name: p0\n"
                   f"    device: af_xdp:sv\n    addresses: [{OURS}/24, '{OURS6}/64']\n")

    def speaks(self, igmp, mld):
        sh(*entering(self.kernels), "ip", "link", "set", "br0", "type", "bridge",
           "mcast_igmp_version", str(igmp), "mcast_mld_version", str(mld))

    def joined(self, group, *more):
        program = self.start(self.example, self.path("groups.yaml"), group, str(PORT), *more,
                             ns=self.ours, stdout=subprocess.PIPE,
                             env={**os.environ, "XDG_RUNTIME_DIR": ""})
        os.set_blocking(program.stdout.fileno(), False)
        self.said = ""
        self.check(f"{group}: joined {' '.join(more)}", self.says(program, f"joined {group}"))
        return program

    def says(self, program, words, patience_s=PATIENCE_S):
        end = time.monotonic() + patience_s
        while words not in self.said and time.monotonic() < end:
            try:
                self.said += os.read(program.stdout.fileno(), 65536).decode()
            except BlockingIOError:
                time.sleep(0.02)
        return words in self.said

    def knows(self, group, there):
        """Whether the bridge comes to know that somebody behind cl listens, or does not."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            table = sh(*entering(self.kernels), "bridge", "mdb", "show", "dev", "br0")
            if any("port cl" in line and group in line for line in table.splitlines()) == there:
                return True
            time.sleep(0.1)
        return False

    def kernel(self, what, group, text):
        return self.run(sys.executable, os.path.abspath(__file__), "--inside", what, group, text,
                        ns=self.kernels)

    def told_of(self, group, how):
        program = self.joined(group, "answer")
        self.check(f"{group}: the bridge knows, {how}", self.knows(group, True))
        heard = self.kernel("hear", group, "one")
        self.check(f"{group}: Prism hears the kernel", self.says(program, "\none\n"))
        ours = OURS6 if ":" in group else OURS
        self.check(f"{group}: the kernel hears Prism", heard.stdout == f"{ours} one\n",
                   heard.stdout + heard.stderr[-300:])
        self.check(f"{group}: it ends when it is told to", self.end(program) == 0)
        self.check(f"{group}: the bridge knows that it left", self.knows(group, False))

    def for_one(self, group, wanted, unwanted):
        program = self.joined(group, "from", unwanted)
        self.kernel("send", group, "for another")
        self.check(f"{group}: who is not wanted is not heard",
                   not self.says(program, "for another", 1))
        self.end(program)
        program = self.joined(group, "from", wanted)
        self.check(f"{group}: the bridge knows, from {wanted}", self.knows(group, True))
        self.kernel("send", group, "wanted")
        self.check(f"{group}: who is wanted is heard", self.says(program, "wanted"))
        self.end(program)


def newer(t):
    t.speaks(3, 2)
    t.told_of(GROUP, "by IGMPv3")
    t.told_of(GROUP6, "by MLDv2")
    t.for_one(GROUP, KERNELS, "198.18.0.99")
    t.for_one(GROUP6, KERNELS6, "2001:db8:18::99")


def older(t):
    t.speaks(2, 1)
    t.told_of(GROUP, "asking in IGMPv2")
    t.told_of(GROUP6, "asking in MLDv1")


def no_bridge():
    """Why there is no switch that looks, or nothing."""
    tried = subprocess.run(["unshare", "--net", "ip", "link", "add", "br0", "type", "bridge",
                            "mcast_snooping", "1"], text=True, capture_output=True)
    return f"the kernel makes no such bridge: {tried.stderr.strip()}" if tried.returncode else ""


def main():
    if sys.argv[1] == "--inside":
        return inside(*sys.argv[2:5])
    reason = missing("ip", "bridge", "unshare") or no_bridge()
    if reason:
        print("skipped:", reason)
        return 77
    bed = Multicast("multicast", sys.argv[1])
    bed.example = os.path.abspath(sys.argv[2])
    return conduct(bed, [Multicast.make, newer, older])


if __name__ == "__main__":
    sys.exit(main())

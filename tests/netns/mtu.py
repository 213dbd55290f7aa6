#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The MTU of an AF_XDP port is the interface's, and one that is configured is the interface's too
for as long as the port is open.

    mtu.py PRISM

Exits 77 with the reason where it cannot run.
"""
import os
import sys

sys.dont_write_bytecode = True
from bed import OURS, Bed, conduct, entering, missing, sh

INTERFACES_MTU = 3000


class Mtu(Bed):
    def make(self):
        self.write("www/big.bin", os.urandom(4 << 20))
        self.ours, self.kernels = self.namespace("o"), self.namespace("k")
        self.veth(self.ours, self.kernels)
        for ns, name in ((self.ours, "sv"), (self.kernels, "cl")):
            sh(*entering(ns), "ip", "link", "set", name, "mtu", str(INTERFACES_MTU))

    def text(self, mtu=""):
        return (f"ports:\n  - {{name: p0, device: af_xdp:sv, addresses: [{OURS}/24]{mtu}}}\n"
                "services:\n  - {type: http, port: 80, root: www}\n")

    def interfaces_mtu(self):
        """As the kernel says it now. Not from sysfs, which may be another namespace's."""
        return int(sh(*entering(self.ours), "ip", "-o", "link", "show", "sv").split(" mtu ")[1]
                   .split()[0])


def without_one(t):
    process = t.serve(t.text(), ns=t.ours)
    mtu = t.stats()["ports"][0]["mtu_bytes"]
    t.check("without mtu: it is the interface's", mtu == INTERFACES_MTU, str(mtu))
    got = t.run("ping", "-c", "2", "-i", "0.2", "-W", "2", "-M", "do", "-s",
                str(INTERFACES_MTU - 28), OURS, ns=t.kernels)
    t.check("a packet of that size passes in one piece, both ways", got.returncode == 0)
    got = t.run("curl", "-s", "-m", "60", "-o", t.path("got.bin"), f"http://{OURS}/big.bin",
                ns=t.kernels)
    with open(t.path("www/big.bin"), "rb") as want, open(t.path("got.bin"), "rb") as have:
        t.check("so does a file", got.returncode == 0 and want.read() == have.read())
    t.end(process)
    t.check("afterwards it is unchanged", t.interfaces_mtu() == INTERFACES_MTU)


def with_one(t):
    process = t.serve(t.text(", mtu: 2000"), ns=t.ours)
    t.check("mtu: is the interface's too", t.interfaces_mtu() == 2000)
    got = t.run("ping", "-c", "2", "-i", "0.2", "-W", "2", "-M", "do", "-s", "1972", OURS,
                ns=t.kernels)
    t.check("its largest packet passes", got.returncode == 0)
    t.end(process)
    t.check("afterwards the interface has its own back", t.interfaces_mtu() == INTERFACES_MTU,
            str(t.interfaces_mtu()))


def too_large(t):
    sh(*entering(t.ours), "ip", "link", "set", "sv", "mtu", "9000")
    process = t.launch(t.write("serve.yaml", f"instance: {t.name}\n{t.text()}"), t.inside(t.ours))
    code = process.wait(timeout=20)
    t.check("one that AF_XDP does not carry is refused by name",
            code == 3 and "mtu 9000" in t.log() and "it takes 68 to " in t.log(), t.log()[:200])
    process = t.serve(t.text(", mtu: 1500"), ns=t.ours)
    t.end(process)
    t.check("a smaller mtu: helps, and is taken back", t.interfaces_mtu() == 9000)


def main():
    reason = missing("ip", "curl", "ping")
    if reason:
        print("skipped:", reason)
        return 77
    return conduct(Mtu("mtu", sys.argv[1]), [Mtu.make, without_one, with_one, too_large])


if __name__ == "__main__":
    sys.exit(main())

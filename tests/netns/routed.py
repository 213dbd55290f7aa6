# SPDX-License-Identifier: BSD-3-Clause
"""Prism on a tap in a namespace whose kernel routes to a second one, and dnsmasq beside it.

    far (default route) --veth-- router: forwards, dnsmasq, tap's kernel end -- Prism
"""
import os
import subprocess
import sys
import time

from bed import Bed, entering, missing, sh

PAGE = "<title>Prism</title>"


class Routed(Bed):
    """A bed with that network."""

    def __init__(self, kind, prism, workers):
        super().__init__(kind, prism)
        self.workers, self.tap = workers, f"{kind[0]}{os.getpid()}"
        self.ns, self.server, self.dnsmasq = {}, None, None

    def join(self, router, far, forwarding, flags=()):
        """Addresses with their lengths; the key under net. that has the kernel forward."""
        self.ns["router"], self.ns["far"] = self.namespace("r"), self.namespace("f")
        sh(*entering(self.ns["router"]), "ip", "link", "add", "out", "type", "veth", "peer", "name",
           "in", "netns", self.ns["far"])
        for where, name, address in (("router", "out", router), ("far", "in", far)):
            sh(*entering(self.ns[where]), "ip", "link", "set", name, "up")
            sh(*entering(self.ns[where]), "ip", "addr", "add", address, "dev", name, *flags)
        via = router.split("/")[0]
        sh(*entering(self.ns["far"]), "ip", "-6" if ":" in via else "-4", "route", "add", "default",
           "via", via)
        sh(*entering(self.ns["router"]), "sysctl", "-qw", f"net.{forwarding}=1")

    def serve_page(self, kernel_address, port):
        """Prism with a page; port: what its port's configuration says more."""
        self.write("www/index.html", PAGE + "\n")
        self.server = self.serve(
            f"workers: {self.workers}\nports:\n  - name: p0\n    device: tap:{self.tap}\n"
            f"    kernel_addresses: ['{kernel_address}']\n    {port}\n"
            "services:\n  - {type: http, port: 80, root: www}\n", self.ns["router"])

    def give(self, *options):
        """dnsmasq with these options, in the place of the one before."""
        if self.dnsmasq:
            self.end(self.dnsmasq)
        with open(self.path("dnsmasq.log"), "a", encoding="utf-8") as log:
            self.dnsmasq = self.start(
                "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
                "--user=root", "--pid-file=", f"--interface={self.tap}", "--log-facility=-",
                f"--dhcp-leasefile={self.path('leases')}", *options, ns=self.ns["router"],
                stdout=log, stderr=subprocess.STDOUT)

    def words(self):
        """What dnsmasq said."""
        with open(self.path("dnsmasq.log"), encoding="utf-8") as log:
            return log.read()

    def fetch(self, where, address, seconds=10):
        host = f"[{address}]" if ":" in address else address
        return self.run("curl", "-sS", "-m", str(seconds), f"http://{host}/", ns=self.ns[where])

    def serves(self, what, where, address):
        for _ in range(8 if int(self.workers) > 1 else 1):  # whichever worker has it
            page = self.fetch(where, address)
            if PAGE not in page.stdout:
                break
        self.check(what, PAGE in page.stdout, page.stderr)

    def answers_ping(self, where, address):
        ping = self.run("ping", "-c", "3", "-i", "0.2", "-W", "2", address, ns=self.ns[where])
        self.check(f"ping from {where}", " 0% packet loss" in ping.stdout,
                   "" if ping.returncode == 0 else ping.stdout)

    def nothing_is_missing(self):
        self.ends_whole(self.server)


def until(seconds, true):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if true():
            return True
        time.sleep(0.3)
    return False


def side_by_side(script, prism, counts):
    """The script once for each number of workers, all at the same time. The exit code."""
    runs = [(n, subprocess.Popen([sys.executable, script, prism, n], text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)) for n in counts]
    codes = []
    for count, run in runs:
        print(f"workers: {count}\n{run.communicate()[0]}", end="", flush=True)
        codes.append(run.returncode)
    return next((code for code in codes if code not in (0, 77)), min(codes))


def main(script, conduct):
    """What a script of this kind is: PRISM [WORKERS...]."""
    why = missing("curl", "ping", "ip", "nsenter", "dnsmasq", files=["/dev/net/tun"])
    if why:
        print("skipped: " + why)
        return 77
    if len(sys.argv) > 3:
        return side_by_side(script, sys.argv[1], sys.argv[2:])
    return conduct(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "1")

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prism with no IPv6 address configured, behind a router that gives it one.

    slaac.py PRISM [WORKERS]

dnsmasq advertises a prefix on the link; the kernel forwards to a host on another network. Prism makes an
address, answers ping and curl from there, and when the router says that it is none any more, has no way
back. Exits 77 with the reason where it cannot run.
"""
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import os

import bed
from bed import Bed, entering, missing, sh

PREFIX, FAR = "2001:db8:77:", "2001:db8:99:"
tap, ns, made, server, router = f"s{os.getpid()}", {}, "", None, None


def make_network(b):
    ns["router"], ns["far"] = b.namespace("r"), b.namespace("f")
    sh(*entering(ns["router"]), "ip", "link", "add", "out", "type", "veth", "peer", "name", "in",
       "netns", ns["far"])
    for where, name, address in (("router", "out", f"{FAR}:1/64"), ("far", "in", f"{FAR}:5/64")):
        sh(*entering(ns[where]), "ip", "link", "set", name, "up")
        sh(*entering(ns[where]), "ip", "addr", "add", address, "dev", name, "nodad")
    sh(*entering(ns["far"]), "ip", "-6", "route", "add", "default", "via", f"{FAR}:1")
    sh(*entering(ns["router"]), "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")


def start(b):
    global server
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    b.write("www/index.html", "<title>Prism</title>\n")
    server = b.serve(f"workers: {workers}\nports:\n  - name: p0\n    device: tap:{tap}\n"
                     f"    kernel_addresses: ['{PREFIX}:1/64']\n    router_advertisements: on\n"
                     "services:\n  - {type: http, port: 80, root: www}\n", ns["router"])


def advertise(b, lifetime_s):
    """dnsmasq says of itself that it is a router for so long."""
    global router
    if router:
        b.end(router)
    with open(b.path("dnsmasq.log"), "a", encoding="utf-8") as log:
        router = b.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
                         "--user=root", "--pid-file=", f"--interface={tap}", "--enable-ra",
                         f"--dhcp-leasefile={b.path('leases')}", "--log-facility=-",
                         f"--dhcp-range={PREFIX}:,ra-only,slaac,64,3600",
                         f"--ra-param={tap},high,4,{lifetime_s}", ns=ns["router"], stdout=log,
                         stderr=subprocess.STDOUT)


def makes_an_address(b):
    """Nobody tells which; it does when everybody is asked."""
    global made
    advertise(b, 1800)
    for _ in range(20):
        seen = b.run("ping", "-6", "-n", "-c", "2", "-W", "1", "-I", f"{PREFIX}:1", f"ff02::1%{tap}",
                     ns=ns["router"]).stdout
        found = [a for a in re.findall(rf"from ({PREFIX}\S+?):? ", seen) if a != f"{PREFIX}:1"]
        if found:
            made = found[0]
            break
    with open(b.path("dnsmasq.log"), encoding="utf-8") as log:
        b.check("an address of the router's prefix answers", bool(made),
                "" if made else seen + log.read())


def fetch(b, seconds):
    return b.run("curl", "-6", "-sS", "-m", str(seconds), f"http://[{made}]/", ns=ns["far"])


def reaches_far(b):
    ping = b.run("ping", "-6", "-c", "3", "-i", "0.2", "-W", "2", made, ns=ns["far"])
    b.check("ping from behind the router", " 0% packet loss" in ping.stdout, "" if ping.returncode == 0 else ping.stdout)
    page = fetch(b, 10)
    b.check("curl from behind the router", "<title>Prism</title>" in page.stdout, page.stderr)


def loses_its_router(b):
    advertise(b, 0)
    ends = time.monotonic() + 20
    while time.monotonic() < ends and fetch(b, 1).returncode == 0:
        time.sleep(0.5)
    b.check("no way leads back when the router says it is none", fetch(b, 2).returncode != 0)
    page = b.run("curl", "-6", "-sS", "-m", "10", f"http://[{made}]/", ns=ns["router"])
    b.check("the link is as before", "<title>Prism</title>" in page.stdout, page.stderr)
    advertise(b, 1800)
    ends = time.monotonic() + 20
    while time.monotonic() < ends and fetch(b, 1).returncode != 0:
        time.sleep(0.5)
    b.check("and the way is back with the router", fetch(b, 5).returncode == 0)


def nothing_is_missing(b):
    time.sleep(1)
    stats = b.stats()
    b.check("no packet is unaccounted for", stats["unaccounted"] == 0, stats.get("unaccounted"))
    b.check("it ends by SIGTERM", b.end(server) == 0)


def main():
    why = missing("curl", "ping", "ip", "nsenter", "dnsmasq", files=["/dev/net/tun"])
    if why:
        print("skipped: " + why)
        return 77
    return bed.conduct(Bed("slaac", sys.argv[1]),
                       [make_network, start, makes_an_address, reaches_far, loses_its_router,
                        nothing_is_missing])


sys.exit(main())

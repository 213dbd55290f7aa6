#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prism with no address configured, beside a DHCP server that gives it one.

    dhcp.py PRISM [WORKERS]

dnsmasq gives the address and the way; the kernel forwards to a host on another network, which pings and
fetches. The lease is renewed, and a refusal ends it. Exits 77 with the reason where it cannot run.
"""
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import bed
from bed import Bed, entering, missing, sh

OURS, FAR = "198.18.0", "198.19.0"
RENEW_SECONDS = 6
tap, ns, given, server, dnsmasq = f"d{os.getpid()}", {}, "", None, None


def make_network(b):
    ns["router"], ns["far"] = b.namespace("r"), b.namespace("f")
    sh(*entering(ns["router"]), "ip", "link", "add", "out", "type", "veth", "peer", "name", "in",
       "netns", ns["far"])
    for where, name, address in (("router", "out", f"{FAR}.1/24"), ("far", "in", f"{FAR}.5/24")):
        sh(*entering(ns[where]), "ip", "link", "set", name, "up")
        sh(*entering(ns[where]), "ip", "addr", "add", address, "dev", name)
    sh(*entering(ns["far"]), "ip", "route", "add", "default", "via", f"{FAR}.1")
    sh(*entering(ns["router"]), "sysctl", "-qw", "net.ipv4.ip_forward=1")


def start(b):
    global server
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    b.write("www/index.html", "<title>Prism</title>\n")
    server = b.serve(f"workers: {workers}\nports:\n  - name: p0\n    device: tap:{tap}\n"
                     f"    kernel_addresses: [{OURS}.1/24]\n    dhcp: true\n"
                     "services:\n  - {type: http, port: 80, root: www}\n", ns["router"])


def give(b, first, last):
    """dnsmasq gives addresses of a range."""
    global dnsmasq
    if dnsmasq:
        b.end(dnsmasq)
    with open(b.path("dnsmasq.log"), "a", encoding="utf-8") as log:
        dnsmasq = b.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
                          "--user=root", "--pid-file=", f"--interface={tap}", "--log-dhcp",
                          "--dhcp-authoritative", f"--dhcp-leasefile={b.path('leases')}",
                          "--log-facility=-", f"--dhcp-range={OURS}.{first},{OURS}.{last},2m",
                          f"--dhcp-option-force=option:T1,{RENEW_SECONDS}",
                          "--dhcp-option-force=option:T2,60", ns=ns["router"], stdout=log,
                          stderr=subprocess.STDOUT)


def words(b):
    with open(b.path("dnsmasq.log"), encoding="utf-8") as log:
        return log.read()


def leased(b):
    """The address that the server says it gave last."""
    acks = [line.split() for line in words(b).splitlines() if f"DHCPACK({tap})" in line]
    return acks[-1][acks[-1].index(f"DHCPACK({tap})") + 1] if acks else ""


def until(seconds, true):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if true():
            return True
        time.sleep(0.3)
    return False


def state(b):
    return b.stats()["ports"][0]["dhcp"]


def has(b, address):
    return b.stats()["counters"]["dhcp_leases"] == 1 and state(b) == f"bound {address}/24"


def gets_an_address(b):
    global given
    give(b, 50, 50)
    got = until(30, lambda: has(b, f"{OURS}.50"))
    given = leased(b)
    b.check("an address of the server's range is had", got and given == f"{OURS}.50",
            "" if got else words(b) + state(b))


def fetch(b, where, seconds=10):
    return b.run("curl", "-sS", "-m", str(seconds), f"http://{given}/", ns=ns[where])


def serves(b):
    for where in ("router", "far"):
        ping = b.run("ping", "-c", "3", "-i", "0.2", "-W", "2", given, ns=ns[where])
        b.check(f"ping from {where}", " 0% packet loss" in ping.stdout, "" if ping.returncode == 0 else ping.stdout)
        for _ in range(8):  # whichever worker has it
            page = fetch(b, where)
            if "<title>Prism</title>" not in page.stdout:
                break
        b.check(f"curl from {where}", "<title>Prism</title>" in page.stdout, page.stderr)


def renews(b):
    before = words(b).count("DHCPACK")
    renewed = until(3 * RENEW_SECONDS, lambda: words(b).count("DHCPACK") > before)
    b.check("the lease is renewed", renewed and has(b, given))
    page = fetch(b, "far")
    b.check("and serves on", "<title>Prism</title>" in page.stdout, page.stderr)


def is_given_another(b):
    """The range has moved: what is to be renewed is refused, and another address is had."""
    global given
    os.remove(b.path("leases"))
    give(b, 60, 60)
    moved = until(60, lambda: has(b, f"{OURS}.60"))
    b.check("another address is had when the first is refused", moved, "" if moved else words(b))
    old = fetch(b, "router", 2)
    b.check("the first is nobody's", old.returncode != 0)
    given = f"{OURS}.60"
    page = fetch(b, "far")
    b.check("the other serves", "<title>Prism</title>" in page.stdout, page.stderr)


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
    return bed.conduct(Bed("dhcp", sys.argv[1]),
                       [make_network, start, gets_an_address, serves, renews, is_given_another,
                        nothing_is_missing])


sys.exit(main())

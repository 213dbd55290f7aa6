#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prism with no IPv6 address configured, behind a router that gives it one.

    slaac.py PRISM [WORKERS...]

dnsmasq advertises a prefix on the link; the kernel forwards to a host on another network. Prism makes an
address, answers ping and curl from there, and when the router says that it is none any more, has no way
back. Several numbers of workers are tried side by side. Exits 77 with the reason where it cannot run.
"""
import re
import sys

sys.dont_write_bytecode = True
import bed
import routed
from routed import Routed, until

PREFIX, FAR = "2001:db8:77:", "2001:db8:99:"
made = ""


def make_network(b):
    b.join(f"{FAR}:1/64", f"{FAR}:5/64", "ipv6.conf.all.forwarding", flags=["nodad"])
    b.serve_page(f"{PREFIX}:1/64", "router_advertisements: on")


def advertise(b, lifetime_s):
    """dnsmasq says of itself that it is a router for so long."""
    b.give("--enable-ra", f"--dhcp-range={PREFIX}:,ra-only,slaac,64,3600",
           f"--ra-param={b.tap},high,4,{lifetime_s}")


def makes_an_address(b):
    """Nobody tells which; it does when everybody is asked."""
    global made
    advertise(b, 1800)
    for _ in range(20):
        seen = b.run("ping", "-6", "-n", "-c", "2", "-W", "1", "-I", f"{PREFIX}:1",
                     f"ff02::1%{b.tap}", ns=b.ns["router"]).stdout
        found = [a for a in re.findall(rf"from ({PREFIX}\S+?):? ", seen) if a != f"{PREFIX}:1"]
        if found:
            made = found[0]
            break
    b.check("an address of the router's prefix answers", bool(made), "" if made else seen + b.words())


def reaches_far(b):
    b.answers_ping("far", made)
    b.serves("curl from behind the router", "far", made)


def loses_its_router(b):
    advertise(b, 0)
    until(20, lambda: b.fetch("far", made, 1).returncode != 0)
    b.check("no way leads back when the router says it is none",
            b.fetch("far", made, 2).returncode != 0)
    b.serves("the link is as before", "router", made)
    advertise(b, 1800)
    until(20, lambda: b.fetch("far", made, 1).returncode == 0)
    b.check("and the way is back with the router", b.fetch("far", made, 5).returncode == 0)


def conduct(prism, workers):
    return bed.conduct(Routed("slaac", prism, workers),
                       [make_network, makes_an_address, reaches_far, loses_its_router,
                        Routed.nothing_is_missing])


sys.exit(routed.main(__file__, conduct))

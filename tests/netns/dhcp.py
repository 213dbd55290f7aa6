#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prism with no address configured, beside a DHCP server that gives it one.

    dhcp.py PRISM [WORKERS...]

dnsmasq gives the address and the way; the kernel forwards to a host on another network, which pings and
fetches. The lease is renewed, and a refusal ends it. Several numbers of workers are tried side by side.
Exits 77 with the reason where it cannot run.
"""
import os
import sys

sys.dont_write_bytecode = True
import bed
import routed
from routed import Routed, until

OURS, FAR = "198.18.0", "198.19.0"
LIFE_SECONDS, RENEW_SECONDS = 12, 6  # half of so short a life is what a client may be told
given = ""


def make_network(b):
    b.join(f"{FAR}.1/24", f"{FAR}.5/24", "ipv4.ip_forward")
    b.serve_page(f"{OURS}.1/24", "dhcp: true")


def give(b, last):
    """One address. dnsmasq leases for two minutes at least, and thinks that it did; nor does it ask
    whether anybody has the address, which is three seconds' work."""
    b.give("--log-dhcp", "--dhcp-authoritative", "--no-ping",
           f"--dhcp-range={OURS}.{last},{OURS}.{last},2m",
           f"--dhcp-option-force=51,{LIFE_SECONDS}",  # the life: it has no name
           f"--dhcp-option-force=option:T1,{RENEW_SECONDS}",
           f"--dhcp-option-force=option:T2,{LIFE_SECONDS - 2}")


def leased(b):
    """The address that the server says it gave last."""
    acks = [line.split() for line in b.words().splitlines() if f"DHCPACK({b.tap})" in line]
    return acks[-1][acks[-1].index(f"DHCPACK({b.tap})") + 1] if acks else ""


def state(b):
    return b.stats()["ports"][0]["dhcp"]


def has(b, address):
    return b.stats()["counters"]["dhcp_leases"] == 1 and state(b) == f"bound {address}/24"


def gets_an_address(b):
    global given
    give(b, 50)
    got = until(30, lambda: has(b, f"{OURS}.50"))
    given = leased(b)
    b.check("an address of the server's range is had", got and given == f"{OURS}.50",
            "" if got else b.words() + state(b))


def serves(b):
    for where in ("router", "far"):
        b.answers_ping(where, given)
        b.serves(f"curl from {where}", where, given)


def renews(b):
    before = b.words().count("DHCPACK")
    renewed = until(3 * RENEW_SECONDS, lambda: b.words().count("DHCPACK") > before)
    b.check("the lease is renewed", renewed and until(2, lambda: has(b, given)))
    b.serves("and serves on", "far", given)


def is_given_another(b):
    """The range has moved: what is to be renewed is refused, and another address is had."""
    global given
    os.remove(b.path("leases"))
    give(b, 60)
    moved = until(60, lambda: has(b, f"{OURS}.60"))
    b.check("another address is had when the first is refused", moved, "" if moved else b.words())
    b.check("the first is nobody's", b.fetch("router", given, 2).returncode != 0)
    given = f"{OURS}.60"
    b.serves("the other serves", "far", given)


def conduct(prism, workers):
    return bed.conduct(Routed("dhcp", prism, workers),
                       [make_network, gets_an_address, serves, renews, is_given_another,
                        Routed.nothing_is_missing])


sys.exit(routed.main(__file__, conduct))

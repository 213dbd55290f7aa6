#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prism and the kernel over IPv6: one end over a port of the given kind, the other the kernel's.

    ipv6.py PRISM tap|af_xdp [WORKERS]

Ping in every size, curl, an echo by TCP and by UDP, prism load against a server in the kernel, and
a router's advertisement; afterwards nothing may be missing. Exits 77 with the reason where it
cannot run.
"""
import hashlib
import json
import os
import re
import socket
import sys
import time

sys.dont_write_bytecode = True
import bed
from bed import Bed, entering, missing, sh

OURS, KERNELS = "2001:db8:18::2", "2001:db8:18::1"
BIG_BYTES = 32 << 20

kind, workers, device, ns, server = "tap", 1, "", {}, None

# An answer of the kernel's end, as a process in its namespace would give it.
CLIENT = """
import socket, sys
kind, size = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.settimeout(10)
s.connect(("%s", 7))
sent = bytes(i * 7 %% 251 for i in range(size))
s.sendall(sent) if kind == "tcp" else s.send(sent)
got = b""
while len(got) < size:
    part = s.recv(65536)
    if not part:
        break
    got += part
sys.exit(got != sent)
""" % OURS

# What a router would say: that it is one, and a prefix to make an address of (RFC 4861 4.2).
ROUTER = """
import socket, struct, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
index = socket.if_nametoindex(sys.argv[1])
ra = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 7200, 3600, 0)
prefix += socket.inet_pton(socket.AF_INET6, "2001:db8:77::")
s.sendto(ra + prefix, ("ff02::1", 0, 0, index))
"""


def make_network(b):
    global device
    ns["kernel"] = b.namespace("k")
    if kind == "tap":
        ns["prism"] = ns["kernel"]
        device = f"tap:t{os.getpid()}"
        return
    ns["prism"] = b.namespace("p")
    b.veth(ns["prism"], ns["kernel"], workers)
    sh(*entering(ns["kernel"]), "ip", "addr", "add", f"{KERNELS}/64", "dev", "cl", "nodad")
    device = "af_xdp:sv"


def start(b):
    global server
    b.write("www/index.html", "<!doctype html><title>Prism</title>\n")
    b.write("www/big.bin", os.urandom(1 << 20) * (BIG_BYTES >> 20))
    kernel = f"    kernel_addresses: ['{KERNELS}/64']\n" if kind == "tap" else ""
    server = b.serve(f"workers: {workers}\nports:\n  - name: p0\n    device: {device}\n"
                     f"    addresses: [{bed.OURS}/24, '{OURS}/64']\n{kernel}"
                     "services:\n  - {type: http, port: 80, root: www}\n"
                     "  - {type: echo, port: 7}\n", ns["prism"])
    time.sleep(1.5)  # nobody has the address: a second of silence says so


def groups(b):
    """A card would let no groups through but the kernel's own; Prism asks for them."""
    if kind == "af_xdp":
        link = sh(*entering(ns["prism"]), "ip", "-d", "link", "show", "sv")
        b.check("the interface takes all groups", "allmulti 1" in link,
                "" if "allmulti 1" in link else link)


def pings(b):
    for size in (0, 56, 1400, 1452, 1453, 4000, 20000):
        done = b.run("ping", "-6", "-c", "3", "-i", "0.1", "-W", "5", "-s", str(size), OURS,
                     ns=ns["kernel"])
        good = " 0% packet loss" in done.stdout
        b.check(f"ping -6 with {size} bytes", good,
                "" if good else done.stdout + done.stderr + sh(b.prism, "drops", "-n", b.name))


def downloads(b):
    page = b.run("curl", "-6", "-sS", "-m", "20", f"http://[{OURS}]/", ns=ns["kernel"])
    b.check("curl -6 gets a page", "<title>Prism</title>" in page.stdout, page.stderr)
    got = b.run("curl", "-6", "-sS", "-m", "120", "-o", b.path("got"), f"http://[{OURS}]/big.bin",
                ns=ns["kernel"])
    with open(b.path("www/big.bin"), "rb") as f:
        want = hashlib.sha256(f.read()).hexdigest()
    with open(b.path("got"), "rb") as f:
        b.check("curl -6 gets a large file", hashlib.sha256(f.read()).hexdigest() == want,
                got.stderr)


def echoes(b):
    script = b.write("client.py", CLIENT)
    for proto, sizes in (("tcp", (1, 1000, 1 << 20)), ("udp", (1, 1000, 1452, 1453, 9000))):
        for size in sizes:
            done = b.run(sys.executable, script, proto, str(size), ns=ns["kernel"])
            b.check(f"{proto} echo of {size} bytes", done.returncode == 0, done.stderr[-200:])


def refusals(b):
    done = b.run("curl", "-6", "-sS", "-m", "5", f"http://[{OURS}]:81/", ns=ns["kernel"])
    b.check("a port without a listener refuses", done.returncode == 7)


def load(b):
    """Prism as the client of a server in the kernel, on a tap of its own."""
    if kind != "tap":
        return
    other = b.namespace("l")
    with open(os.devnull, "w", encoding="utf-8") as nothing:
        b.start(sys.executable, "-m", "http.server", "--bind", "::", "8000", "-d", b.path("www"),
                ns=other, stdout=nothing, stderr=nothing)
    path = b.write("load.yaml", f"instance: {b.name}l\nports:\n  - name: p0\n"
                                f"    device: tap:l{os.getpid()}\n    addresses: ['{OURS}/64']\n"
                                f"    kernel_addresses: ['{KERNELS}/64']\n")
    done = b.run(b.prism, "load", "http", f"http://[{KERNELS}]:8000/", "--config", path,
                 "--requests", "100", "--connections", "4", "--new-connection", "--json", ns=other,
                 timeout=60)
    report = json.loads(done.stdout) if done.returncode == 0 else {}
    b.check("prism load gets its answers over IPv6", report.get("requests") == 100,
            "" if report else done.stderr[-600:])


def router(b):
    interface = device.split(":")[1] if kind == "tap" else "cl"
    sh(*entering(ns["kernel"]), "ip", "addr", "add", "2001:db8:77::1/64", "dev", interface, "nodad")
    done = b.run(sys.executable, b.write("router.py", ROUTER), interface, ns=ns["kernel"])
    b.check("a router speaks", done.returncode == 0, done.stderr)
    time.sleep(2)
    # Nobody tells which address it made; its neighbours do, asked by everybody's group.
    b.run("ping", "-6", "-c", "2", "-i", "0.2", "-I", "2001:db8:77::1", f"ff02::1%{interface}",
          ns=ns["kernel"])
    seen = sh(*entering(ns["kernel"]), "ip", "-6", "neigh", "show", "dev", interface)
    made = re.findall(r"^(2001:db8:77:\S+) .*lladdr", seen, re.M)
    b.check("an address of its prefix answers", bool(made), "" if made else seen)
    for address in made:
        done = b.run("curl", "-6", "-sS", "-m", "10", f"http://[{address}]/", ns=ns["kernel"])
        b.check("and serves", "<title>Prism</title>" in done.stdout, done.stderr)


def nothing_is_missing(b):
    b.ends_whole(server)


def main():
    global kind, workers
    kind = sys.argv[2]
    workers = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    why = missing("curl", "ping", "ip", "nsenter", files=["/dev/net/tun"] if kind == "tap" else [])
    if not why and not socket.has_ipv6:
        why = "this kernel has no IPv6"
    if why:
        print("skipped: " + why)
        return 77
    return bed.conduct(Bed(f"six{kind[0]}{workers}", sys.argv[1]),
                       [make_network, start, groups, pings, downloads, echoes, refusals, load, router,
                        nothing_is_missing])


sys.exit(main())

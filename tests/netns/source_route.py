#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Source routes with the kernel at the other end, by a router: Prism on a tap that has no route to
the other network, so what arrives there went by the gateway it was told.

    source_route.py PRISM CLIENT

    far --veth-- router: forwards, takes source routes, tap's kernel end -- Prism
"""
import os
import socket
import struct
import sys
import threading

sys.dont_write_bytecode = True
import bed
from bed import KERNELS, OURS, entering, missing, sh
from routed import Routed

ROUTER, FAR, PORT = "198.51.100.1", "198.51.100.2", 7
TEXT = os.urandom(200000)
LSRR, NOP = 131, 1


def by(gateway):
    """IP_OPTIONS of a socket: loosely by this gateway."""
    return bytes([NOP, LSRR, 7, 4]) + socket.inet_aton(gateway)


def echoes(option):
    """Inside far: a text there and back. What IP options came back with, or None."""
    with socket.create_connection((OURS, PORT), timeout=3) if not option else socket.socket() as s:
        if option:
            s.settimeout(3)
            s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, option)
            s.connect((OURS, PORT))
        sender = threading.Thread(target=lambda: (s.sendall(TEXT), s.shutdown(socket.SHUT_WR)))
        sender.start()
        got = b""
        while piece := s.recv(65536):
            got += piece
        sender.join()
        return got == TEXT


def is_answered(option):
    """Inside far: an ICMP echo request, and the option that its answer has. (ping may not.)"""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        s.settimeout(3)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, option)
        request = struct.pack("!BBHHH", 8, 0, 0xffff - 0x0800 - 7 - 1, 7, 1)
        s.sendto(request, (OURS, 0))
        while True:
            got = s.recv(200)
            header = (got[0] & 15) * 4
            if got[header] == 0:  # an answer
                return got[header + 4:] == request[4:] and LSRR in got[20:24]


def serve_echo():
    """Inside far: one connection's text goes back to whoever sends it."""
    with socket.create_server((FAR, PORT)) as listener:
        print("listening", flush=True)
        s, _ = listener.accept()
        while piece := s.recv(65536):
            s.sendall(piece)
        options = s.getsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, 40)
        print("options", options.hex(), flush=True)


def make_network(b):
    b.join(f"{ROUTER}/24", f"{FAR}/24", "ipv4.ip_forward")
    b.configure("on")
    for ns, names in (("router", ("all", "out", b.tap)), ("far", ("all", "in"))):
        for name in names:
            sh(*entering(b.ns[ns]), "sysctl", "-qw", f"net.ipv4.conf.{name}.accept_source_route=1",
               f"net.ipv4.conf.{name}.rp_filter=0")


class SourceRoute(Routed):
    """A bed with that network."""

    def __init__(self, prism, client):
        super().__init__("sourceroute", prism, "1")
        self.client = os.path.abspath(client)

    def text(self, switch):
        return (f"ports:\n  - name: p0\n    device: tap:{self.tap}\n    addresses: [{OURS}/24]\n"
                f"    kernel_addresses: ['{KERNELS}/24']\ntcp:\n  source_routes: {switch}\n")

    def configure(self, switch):
        self.server = self.serve(
            self.text(switch) + f"services:\n  - {{type: echo, port: {PORT}}}\n", self.ns["router"])

    def far(self, *arguments, **kwargs):
        return self.run(sys.executable, __file__, "inside", *arguments, ns=self.ns["far"], **kwargs)


def without_there_is_no_way(b):
    b.check("without a source route there is no way back", b.far("plain").returncode != 0)
    b.check("which has a name", b.stats()["drops"].get("TCP_NO_PATH", 0) > 0)


def goes_back_by_the_gateway(b):
    got = b.far("by", ROUTER)
    b.check("a client's text goes there and back by its gateway", got.returncode == 0, got.stderr)
    got = b.far("ping", ROUTER)
    b.check("so does an echo request", got.returncode == 0, got.stderr)


def opens_by_the_gateway(b):
    b.nothing_is_missing()
    path = b.write("client.yaml", f"instance: {b.name}\n{b.text('on')}")
    listener = b.start(sys.executable, __file__, "inside", "serve", ns=b.ns["far"], stdout=-1)
    listener.stdout.readline()
    # The route of the configuration would not lead there.
    got = b.run(b.client, path, f"{FAR}:{PORT}", KERNELS, ns=b.ns["router"], timeout=60)
    b.check("what Prism opens goes by the gateway it names, and back", got.returncode == 0,
            got.stdout.strip() + got.stderr[-300:])
    said = listener.communicate(timeout=10)[0]
    b.check("the kernel has its route", f"{LSRR:02x}" in said, said.strip())


def is_dropped_when_off(b):
    b.configure("off")
    b.check("off: it is dropped", b.far("by", ROUTER, timeout=60).returncode != 0)
    b.check("by name", b.stats()["drops"].get("IP4_SOURCE_ROUTE", 0) > 0)
    b.nothing_is_missing()


def main():
    why = missing("ip", "nsenter", "sysctl", files=["/dev/net/tun"])
    if why:
        print("skipped: " + why)
        return 77
    return bed.conduct(SourceRoute(sys.argv[1], sys.argv[2]),
                       [make_network, without_there_is_no_way, goes_back_by_the_gateway,
                        opens_by_the_gateway, is_dropped_when_off])


def inside(what, gateway=None):
    if what == "serve":
        serve_echo()
        return 0
    if what == "ping":
        return 0 if is_answered(by(gateway)) else 1
    return 0 if echoes(by(gateway) if gateway else None) else 1


if __name__ == "__main__":
    sys.exit(inside(*sys.argv[2:]) if sys.argv[1] == "inside" else main())

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Several VLANs on one device: each a port with networks of its own, beside the untagged one.

    vlan.py PRISM WORKERS

Frames with a tag are made here, on the kernel's end of a tap, and what comes back is read with its
tag: each VLAN answers ARP, neighbour solicitations and echo requests for its own addresses, in its
own tag, and for no other's. Exits 77 with the reason where it cannot run.
"""
import os
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
from bed import Bed, conduct, missing

VLANS = (0, 7, 4094)
STATION = b"\x02\0\0\0\x77\x01"
SOL_PACKET, PACKET_AUXDATA, VLAN_VALID = 263, 8, 1 << 4
PATIENCE_S = 5


def ours(vlan):
    return f"198.18.{vlan % 256}.2", f"2001:db8:{vlan:x}::2"


def theirs(vlan):
    return f"198.18.{vlan % 256}.1", f"2001:db8:{vlan:x}::1"


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def frame(dst, vlan, kind, rest):
    tag = struct.pack("!HH", 0x8100, vlan) if vlan else b""
    return dst + STATION + tag + struct.pack("!H", kind) + rest


def arp(vlan, asked):
    v4 = socket.inet_aton
    return frame(b"\xff" * 6, vlan, 0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + STATION +
                 v4(theirs(vlan)[0]) + bytes(6) + v4(asked))


def echo(vlan, station, asked):
    icmp = struct.pack("!BBHHH", 8, 0, 0, 7, vlan)
    icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0)
    ip += socket.inet_aton(theirs(vlan)[0]) + socket.inet_aton(asked)
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return frame(station, vlan, 0x0800, ip + icmp)


def solicitation(vlan, asked):
    src, target = (socket.inet_pton(socket.AF_INET6, a) for a in (theirs(vlan)[1], asked))
    group = b"\xff\x02" + bytes(9) + b"\x01\xff" + target[13:]
    icmp = struct.pack("!BBHI", 135, 0, 0, 0) + target + b"\x01\x01" + STATION
    pseudo = src + group + struct.pack("!II", len(icmp), 58)
    icmp = icmp[:2] + struct.pack("!H", checksum(pseudo + icmp)) + icmp[4:]
    return frame(b"\x33\x33" + group[12:], vlan, 0x86dd,
                 struct.pack("!IHBB", 6 << 28, len(icmp), 58, 255) + src + group + icmp)


class Wire:
    """The kernel's end of the tap, whole frames with the tags that the kernel takes off."""

    def __init__(self, device):
        self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.s.bind((device, 0))

    def ask(self, question, is_answer, patience_s=PATIENCE_S):
        """The tag of the answer and its frame, or None."""
        end = time.monotonic() + patience_s
        self.s.settimeout(0.2)
        while time.monotonic() < end:
            self.s.send(question)
            try:
                while True:
                    data, more, _, _ = self.s.recvmsg(2048, 256)
                    if data[:6] == STATION and is_answer(data):
                        return self.tag(more), data
            except TimeoutError:
                pass
        return None

    def tag(self, more):
        for level, kind, data in more:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tci, _ = struct.unpack("=IIIHHHH", data[:20])
                return tci & 0xfff if status & VLAN_VALID else 0
        return 0


def is_arp(address):
    return lambda data: data[12:14] == b"\x08\x06" and data[28:32] == socket.inet_aton(address)


def is_echo(vlan):
    return lambda data: data[23:24] == b"\x01" and data[34] == 0 and \
        struct.unpack("!H", data[40:42])[0] == vlan


def is_advertisement(address):
    return lambda data: data[54:55] == b"\x88" and \
        data[62:78] == socket.inet_pton(socket.AF_INET6, address)


def inside(device):
    """In the server's namespace: what went wrong, a line each."""
    wire = Wire(device)
    for vlan in VLANS:
        v4, v6 = ours(vlan)
        got = wire.ask(arp(vlan, v4), is_arp(v4))
        if not got or got[0] != vlan:
            print(f"vlan {vlan}: ARP for {v4}: {got}")
            continue
        pong = wire.ask(echo(vlan, got[1][6:12], v4), is_echo(vlan))
        if not pong or pong[0] != vlan:
            print(f"vlan {vlan}: echo of {v4}: {pong}")
        told = wire.ask(solicitation(vlan, v6), is_advertisement(v6))
        if not told or told[0] != vlan:
            print(f"vlan {vlan}: solicitation of {v6}: {told}")
    stray = wire.ask(arp(8, ours(7)[0]), is_arp(ours(7)[0]), 0.5)
    if stray:
        print(f"an address of vlan 7 answered in vlan 8: {stray}")
    print("over")


class Vlan(Bed):
    def make(self):
        self.ns = self.namespace("c")
        self.device = f"vlan{os.getpid() % 1000000}"
        text = f"workers: {self.workers}\nports:\n"
        for vlan in VLANS:
            v4, v6 = ours(vlan)
            text += f"  - name: p{vlan}\n    addresses: [{v4}/24, '{v6}/64']\n"
            text += f"    device: vlan:p0\n    vlan: {vlan}\n" if vlan else \
                f"    device: tap:{self.device}\n"
        self.server = self.serve(text + "services:\n  - {type: echo, port: 7}\n", self.ns)
        time.sleep(1.5)  # duplicate address detection


def each_answers_in_its_own_tag(t):
    seen = t.run(sys.executable, os.path.abspath(__file__), "--inside", t.device, ns=t.ns)
    t.check("each VLAN answers ARP, echo and solicitations in its own tag, and for no other",
            seen.stdout == "over\n", (seen.stdout + seen.stderr)[-800:])
    stats = t.stats()
    t.check("what has another tag is dropped by name", stats["drops"]["ETH_VLAN"] > 0)
    t.check("each is a port, and the device's has the numbers",
            [p["name"] for p in stats["ports"]] == [f"p{vlan}" for vlan in VLANS] and
            stats["ports"][0]["rx_pkts"] > 8 and stats["ports"][1]["rx_pkts"] == 0,
            str(stats["ports"]))
    t.ends_whole(t.server)


def main():
    if sys.argv[1] == "--inside":
        return inside(sys.argv[2])
    reason = missing("ip", files=("/dev/net/tun",))
    if reason:
        print("skipped:", reason)
        return 77
    bed = Vlan("vlan", sys.argv[1])
    bed.workers = int(sys.argv[2])
    return conduct(bed, [Vlan.make, each_answers_in_its_own_tag])


if __name__ == "__main__":
    sys.exit(main())

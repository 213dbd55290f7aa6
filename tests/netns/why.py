#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What prism why and prism drops tell is what happened: crafted packets, each with its reason.

    why.py PRISM tap|af_xdp WORKERS

Packets that each end under a reason of their own are sent to a running instance. Counters, why and
drops must agree to the packet, filters must tell them apart, and all of it must still be there when
the instance is stopped in the middle of a turn and when it was killed. Exits 77 with the reason
where it cannot run.
"""
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from bed import KERNELS, OURS, Bed, conduct, missing

PATIENCE_S = 10
UNKNOWN = "198.18.0.77"  # an address of the link that nobody has


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip4(protocol, payload, src=KERNELS, dst=OURS, ttl=64):
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, ttl, protocol, 0)
    head += socket.inet_aton(src) + socket.inet_aton(dst)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp(dst_port, src=KERNELS):
    return ip4(17, struct.pack("!HHHH", 4000, dst_port, 12, 0) + b"text", src)


def syn(dst_port, src=KERNELS, src_port=4000):
    segment = struct.pack("!HHIIBBHHH", src_port, dst_port, 1, 0, 5 << 4, 2, 1000, 0, 0)
    pseudo = socket.inet_aton(src) + socket.inet_aton(OURS) + struct.pack("!HH", 6, len(segment))
    segment = segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]
    return ip4(6, segment, src)


def broken_header(packet):
    return packet[:10] + bytes([packet[10] ^ 1]) + packet[11:]


# Packets, the reason they end under, a filter that only they match, and how many are sent.
CASES = [
    (udp(99), "UDP_NO_SOCKET", "udp port 99", 7),
    (syn(81), "TCP_NO_LISTENER", "tcp dst port 81 and src port 4000", 5),
    (broken_header(udp(98)), "IP4_CHECKSUM", "udp port 98", 3),
    (udp(97, src="127.0.0.9"), "IP4_MARTIAN", "src host 127.0.0.9", 2),
    (udp(97, src=OURS), "IP4_LAND", f"src host {OURS} and udp", 4),
    (ip4(47, b"\0" * 8), "IP4_PROTOCOL", "ip proto 47", 6),
    (ip4(6, b"\0" * 12, src="198.18.0.9"), "TCP_TRUNCATED", "src host 198.18.0.9", 1),
]


def send(device):
    """In the client's namespace: every case to the station that answers ARP for our address."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.bind((device, 0))
    own = s.getsockname()[4]
    with open("/proc/net/arp", encoding="ascii") as f:
        stations = {line.split()[0]: line.split()[3] for line in f.readlines()[1:]}
    station = bytes.fromhex(stations[OURS].replace(":", ""))
    for packet, _, _, count in CASES:
        for _ in range(count):
            s.send(station + own + b"\x08\x00" + packet)


class Why(Bed):
    def make(self):
        self.ns = self.namespace("c")
        self.device = f"why{os.getpid() % 1000000}"
        device = f"tap:{self.device}"
        more = f"    kernel_addresses: [{KERNELS}/24]\n"
        self.where = self.ns
        if self.kind == "af_xdp":
            self.where = self.namespace("s")
            self.veth(self.where, self.ns)
            self.device, device, more = "cl", "af_xdp:sv", ""
        self.text = f"workers: {self.workers}\nports:\n  - name: p0\n    device: {device}\n" \
                    f"    addresses: [{OURS}/24]\n{more}services:\n  - {{type: echo, port: 7}}\n"
        self.server = self.serve(self.text, self.where)

    def check(self, what, good, detail=""):
        super().check(what, good, "" if good else detail)

    def ask(self, *words):
        return self.run(self.prism, *words, "-n", self.name)

    def why(self, text):
        done = self.ask("why", "--json", text)
        return done.returncode, json.loads(done.stdout)

    def sends(self):
        self.run("ping", "-c", "1", "-W", "5", OURS, ns=self.ns)
        done = self.run(sys.executable, __file__, "--send", self.device, ns=self.ns)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            drops = self.stats()["drops"]
            if all(drops[reason] >= count for _, reason, _, count in CASES):
                break
            time.sleep(0.05)

    def tells_each(self):
        for packet, reason, text, count in CASES:
            code, why = self.why(text)
            groups = why["groups"]
            self.check(f"why '{text}' is {count} times {reason}",
                       code == 4 and why["matched"] == count and
                       [g["reason"] for g in groups] == [reason] and
                       groups[0]["packets"] == count and groups[0]["port"] == "p0",
                       json.dumps(groups))
            self.check(f"{reason} says from whom and for whom",
                       groups[0]["source"] == socket.inet_ntoa(packet[12:16]) and
                       groups[0]["destination"] == OURS)
        done = self.ask("why", "tcp", "dst", "port", "81", "and", "src", "port", "4000")
        self.check("why in words names reason, remedy and place",
                   done.returncode == 4 and
                   "5 packets dropped, TCP_NO_LISTENER: nothing listens" in done.stdout and
                   "do:  start the service" in done.stdout and "in by p0" in done.stdout,
                   done.stdout)

    def three_looks(self):
        """What drops, the counters and why say, one after the other."""
        drops = json.loads(self.ask("drops", "--json").stdout)["drops"]
        counted = {k: v for k, v in self.stats()["drops"].items() if v}
        told = {}
        for g in self.why("")[1]["groups"]:
            told[g["reason"]] = told.get(g["reason"], 0) + g["packets"]
        return drops, counted, told

    def agrees_with_the_counters(self):
        """The kernel sends now and then; between three looks at the right moment it does not."""
        for _ in range(20):
            drops, counted, told = self.three_looks()
            if {d["reason"]: d["packets"] for d in drops} == counted == told:
                break
            time.sleep(0.3)
        self.check("drops and why are the counters'",
                   {d["reason"]: d["packets"] for d in drops} == counted == told,
                   json.dumps([counted, told]))
        self.check("all are recorded", all(d["recorded"] == d["packets"] for d in drops))

    def unreachable(self):
        """What waits for a neighbour has an IP header and no frame yet."""
        reply = syn(7, src=UNKNOWN)
        code = f"import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)\n" \
               f"s.bind(({self.device!r}, 0))\n" \
               f"mac = [l.split()[3] for l in open('/proc/net/arp') if l.startswith('{OURS} ')][0]\n" \
               f"s.send(bytes.fromhex(mac.replace(':', '')) + s.getsockname()[4] + b'\\x08\\x00' + " \
               f"{reply!r})"
        self.run(sys.executable, "-c", code, ns=self.ns)
        end = time.monotonic() + PATIENCE_S
        found = []
        while time.monotonic() < end and not found:
            time.sleep(0.2)
            found = [g for g in self.why(f"dst host {UNKNOWN}")[1]["groups"]
                     if g["reason"] == "ARP_UNREACHABLE"]
        self.check("an answer to a station that is not there is found by its address",
                   bool(found) and found[0]["source"] == OURS and found[0]["port"] == "" and
                   found[0]["kind"] == "TCP", json.dumps(found))

    def refuses(self):
        code, why = self.why("tcp port 12345")
        self.check("nothing that matches is no failure", code == 0 and why["matched"] == 0)
        done = self.ask("why", "tcp prot 80")
        self.check("a filter with a mistake is named", done.returncode == 2 and
                   "tcp prot 80" in done.stderr and "remedy:" in done.stderr, done.stderr)
        done = self.ask("drops", "tcp")
        self.check("drops says where a filter goes", done.returncode == 2 and
                   "prism drops -f" in done.stderr, done.stderr)
        done = self.run(self.prism, "why", "-n", "nobody")
        self.check("an instance that is not there is named", done.returncode == 1 and
                   "no instance `nobody`" in done.stderr, done.stderr)

    def follows(self):
        follow = self.start(self.prism, "drops", "-f", "udp port 99", "-n", self.name,
                            stdout=subprocess.PIPE)
        time.sleep(0.5)
        self.run(sys.executable, __file__, "--send", self.device, ns=self.ns)
        lines = [follow.stdout.readline() for _ in range(CASES[0][3])]
        self.end(follow)
        self.check("drops -f prints a line each, of those that match",
                   all("UDP_NO_SOCKET" in line and f"{OURS} port 99" in line for line in lines),
                   lines[0])

    def recorder(self, *words):
        done = self.ask("recorder", "--json", *words)
        return done.returncode, json.loads(done.stdout) if done.returncode == 0 else done.stderr

    def samples_what_passes(self):
        """All of three pings each way, once it was asked for; one in so many, or none, otherwise."""
        self.check("one packet in 1024 is sampled unless one says otherwise",
                   self.recorder()[1]["sample_one_in"] == 1024)
        code, now = self.recorder("1")
        self.check("a new rate is told once it holds", code == 0 and now["sample_one_in"] == 1, now)
        self.run("ping", "-c", "3", "-i", "0.2", "-W", "5", "-s", "77", OURS, ns=self.ns)
        passed = self.why("icmp and greater 100")[1]["passed"]
        self.check("all that came and left is told, each way",
                   [(g["way"], g["packets"], g["port"]) for g in passed["groups"]
                    if g["kind"] == "ICMP"] in ([("in", 3, "p0"), ("out", 3, "p0")],
                                                [("out", 3, "p0"), ("in", 3, "p0")]),
                   json.dumps(passed))
        code, now = self.recorder("off")
        self.check("it can be turned off", code == 0 and now["sample_one_in"] == 0, now)
        self.run("ping", "-c", "1", "-W", "5", "-s", "78", OURS, ns=self.ns)
        self.check("and nothing that passes is sampled any more",
                   self.why("icmp and greater 100")[1]["passed"]["matched"] == 6)
        self.server.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        stuck = self.ask("recorder")
        self.server.send_signal(signal.SIGCONT)
        self.check("who stands still is named, and not waited for", stuck.returncode == 1 and
                   "stands still" in stuck.stderr and time.monotonic() - begin < 6, stuck.stderr)
        for word in ("0", "-1", "all", "1x", "2000000000"):
            done = self.run(self.prism, "recorder", "-n", self.name, "--", word)
            self.check(f"`{word}` is no rate", done.returncode == 2 and f"`{word}`" in done.stderr
                       and "remedy:" in done.stderr, done.stderr)

    def get(self, target):
        """Status and body of what the control socket answers, where nobody said where that is."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE_S)
            s.connect(f"/run/prism/{self.name}.sock")
            s.sendall(f"GET {target} HTTP/1.1\r\nHost: prism\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        return int(answer.split()[1]), answer.split("\r\n\r\n", 1)[1]

    def is_asked_over_http(self):
        code, why = self.why("udp port 99")
        status, body = self.get("/v1/why?filter=udp+port%2099")
        self.check("GET /v1/why is prism why --json", status == 200 and
                   json.loads(body)["groups"][0]["packets"] == why["groups"][0]["packets"], body)
        status, body = self.get("/v1/drops")
        self.check("GET /v1/drops is prism drops --json", status == 200 and
                   "UDP_NO_SOCKET" in [d["reason"] for d in json.loads(body)["drops"]], body)
        status, body = self.get("/v1/conns?order=rtt")
        self.check("GET /v1/conns is prism conns --json",
                   status == 200 and json.loads(body)["instance"] == self.name, body)
        status, body = self.get("/v1/why?filter=tcp+prot+80")
        self.check("a filter with a mistake is named there too",
                   status == 400 and "tcp prot 80" in body, body)
        begin = time.monotonic()
        status, body = self.get("/v1/why?filter=host+nobody.invalid")
        self.check("no name server is waited for",
                   status == 400 and time.monotonic() - begin < 2, body)

    def survives(self):
        before = self.why("udp port 99")[1]["matched"]
        self.server.send_signal(signal.SIGSTOP)
        stopped = self.why("udp port 99")[1]["matched"]
        self.server.send_signal(signal.SIGCONT)
        self.check("a stopped instance tells as much", stopped == before > 0)
        self.end(self.server, signal.SIGKILL)
        dead = self.ask("why", "udp", "port", "99")
        self.check("so does a killed one", dead.returncode == 4 and
                   f"{before} packets dropped, UDP_NO_SOCKET" in dead.stdout and
                   "has ended" in dead.stdout, dead.stdout)
        if self.kind == "af_xdp":  # the remedy that a refusal names
            self.run("ip", "link", "set", "dev", "sv", "xdp", "off", ns=self.where)
        self.server = self.serve(self.text, self.where)
        self.check("a new one begins anew", self.why("udp port 99")[1]["matched"] == 0)
        self.ends_whole(self.server)
        self.check("its socket is gone", not os.path.exists(f"/run/prism/{self.name}.sock"))


def main():
    if sys.argv[1] == "--send":
        send(sys.argv[2])
        return 0
    reason = missing("ip", "ping", "nsenter")
    if reason:
        print(reason)
        return 77
    bed = Why("why", sys.argv[1])
    bed.kind, bed.workers = sys.argv[2], sys.argv[3]
    return conduct(bed, [Why.make, Why.sends, Why.tells_each, Why.agrees_with_the_counters,
                         Why.unreachable, Why.refuses, Why.follows,
                         Why.samples_what_passes, Why.is_asked_over_http,
                         Why.survives])


if __name__ == "__main__":
    sys.exit(main())

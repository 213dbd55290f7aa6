#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients of Prism while somebody floods it with forged frames.

    flood.py PRISM FLOOD [--connects N] [--rate PPS] [--wire tap|af_xdp] [KIND...]

Each kind of frame comes as fast as the wire takes it (or at a rate), from as many senders as there
are. Meanwhile clients in the kernel connect, and a connection that was there goes on; afterwards
memory and buffers are as they were. What Prism answers to those who were forged is dropped before
the clients' kernel looks at it: on a real wire it would not have come there. What it says of times
decides nothing. Exits 77 with the reason where it cannot run.
"""
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
from bed import KERNELS, OURS, conduct, missing
from target import KERNELS6, OURS6, Target

PATIENCE_S = 15  # of a connect: SYNs go again after 1, 3, 7 s
BACK_SECONDS = 60
RSS_MORE_KIB = 1024

# The kind, how many connects, and what must have counted half of the frames that arrived.
KINDS = {
    "syn": (1000, "tcp_cookies_out"),
    "syn6": (1000, "tcp_cookies_out"),
    "rst": (200, "TCP_NO_LISTENER TCP_NO_CONNECTION"),
    "fin": (200, "TCP_NO_LISTENER TCP_NO_CONNECTION"),
    "ack": (200, "TCP_NO_LISTENER TCP_NO_CONNECTION"),
    "udp": (200, "UDP_NO_SOCKET"),
    "fragment": (200, "FRAGMENT_EVICTED FRAGMENT_TOO_MANY FRAGMENT_SHORT"),
    "fragment6": (200, "FRAGMENT_EVICTED FRAGMENT_TOO_MANY FRAGMENT_SHORT"),
    "too-big": (200, "ICMP_IGNORED ICMP_QUOTE"),
    "too-big6": (200, "ICMP6_IGNORED ICMP6_QUOTE"),
    "arp": (200, "tx_pkts"),  # each is answered
    "ns": (200, "tx_pkts"),
    "ra": (200, "rx_pkts"),
}


# On the clients' end of the wire: frames that are for none of its addresses.
NOT_THEIRS = """table netdev flood {{
    chain ingress {{
        type filter hook ingress device "{device}" priority 0;
        ip daddr != {v4} drop
        ip6 daddr != {{ {v6}, fe80::/10, ff00::/8 }} drop
    }}
}}
"""


def percentile(values, percent):
    return sorted(values)[len(values) * percent // 100]


def connect_once(host):
    """Milliseconds until an echo came back over a connection of its own, or None."""
    begin = time.monotonic()
    try:
        with socket.create_connection((host, 7), timeout=PATIENCE_S) as s:
            connected = time.monotonic()
            s.sendall(b"tick")
            return (connected - begin) * 1000 if s.recv(16) == b"tick" else None
    except OSError:
        return None


class Long:
    """A connection that is there before, and says something every ten milliseconds."""

    def __init__(self, host):
        self.s = socket.create_connection((host, 7), timeout=PATIENCE_S)
        self.rounds, self.worst_ms, self.good, self.over = 0, 0.0, True, False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.over:
            begin = time.monotonic()
            text = b"%08d" % self.rounds
            try:
                self.s.sendall(text)
                self.good &= self.s.recv(16) == text
            except OSError:
                self.good = False
                return
            self.rounds += 1
            self.worst_ms = max(self.worst_ms, (time.monotonic() - begin) * 1000)
            time.sleep(0.01)

    def end(self):
        self.over = True
        self.thread.join()
        self.s.close()


def inside(host, connects):
    """Runs in the client's namespace; says what it saw as JSON."""
    line = Long(host)
    times = [connect_once(host) for _ in range(connects)]
    line.end()
    done = sorted(t for t in times if t is not None)
    print(json.dumps({"tried": connects, "done": len(done), "rounds": line.rounds,
                      "line": line.good, "worst_ms": line.worst_ms,
                      "times_ms": done}))


class Flood(Target):
    def __init__(self, prism, program, rate, wire):
        super().__init__("flood", prism, wire)
        self.program, self.rate = os.path.abspath(program), rate

    def drop_what_is_not_theirs(self):
        rules = NOT_THEIRS.format(device=self.device, v4=KERNELS, v6=KERNELS6)
        done = self.run("nft", "-f", self.write("rules.nft", rules), ns=self.ns)
        if done.returncode != 0:  # a kernel without nf_tables: as before, its IPv6 the slower one
            print("      answers to the forged reach the clients' kernel:", done.stderr[:200])

    def clients(self, host, connects):
        done = self.run(sys.executable, os.path.abspath(__file__), "--inside", host, str(connects),
                        ns=self.ns, timeout=PATIENCE_S * connects)
        if not done.stdout.startswith("{"):
            raise RuntimeError("the clients: " + (done.stdout + done.stderr)[-500:])
        return json.loads(done.stdout)

    def number(self, stats, names):
        both = {**stats["counters"], **stats["drops"]}
        return sum(both[name] for name in names.split())

    def say_times(self, kind, beside, alone):
        median, other = statistics.median(beside), statistics.median(alone)
        print(f"      {kind}: a connect takes {median:.3f} ms, alone {other:.3f}: "
              f"{median / other:.2f} times; p99 {percentile(beside, 99):.1f} ms, alone "
              f"{percentile(alone, 99):.1f}")

    def flood(self, kind, connects):
        host = OURS6 if kind in ("syn6", "fragment6", "too-big6", "ns", "ra") else OURS
        counted = KINDS[kind][1]
        quiet = self.clients(host, connects)["times_ms"]
        before, rss = self.stats(), self.rss_kib()
        rate = ["--rate", str(self.rate)] if self.rate else []
        flood = self.start(*self.inside(self.ns, self.program, self.device, kind, host, self.mac,
                                        "--port", "7", *rate), stdout=subprocess.PIPE)
        time.sleep(0.5)
        seen = self.clients(host, connects)
        flood.terminate()
        sent = json.loads(flood.communicate(timeout=20)[0])
        time.sleep(0.2)
        after = self.stats()
        self.check(f"{kind}: {seen['done']} of {seen['tried']} connected",
                   seen["done"] >= 0.995 * seen["tried"], f"beside {sent['sent']} frames, "
                   f"{sent['sent'] / sent['seconds']:,.0f} a second")
        if seen["times_ms"] and quiet:
            self.say_times(kind, seen["times_ms"], quiet)
        self.check(f"{kind}: a connection that was there goes on", seen["line"],
                   f"{seen['rounds']} echoes, the slowest {seen['worst_ms']:.1f} ms")
        more = self.number(after, counted) - self.number(before, counted)
        came = min(after["counters"]["rx_pkts"] - before["counters"]["rx_pkts"], sent["sent"])
        self.check(f"{kind}: it has a name", more * 2 > came > 0, f"{more} of {came}")
        grown = self.rss_kib() - rss
        self.check(f"{kind}: memory stays flat", grown < RSS_MORE_KIB, f"{grown} KiB more")
        self.check(f"{kind}: unaccounted is 0", self.accounted())

    def back(self, free):
        self.all_back(free, BACK_SECONDS)
        for host in OURS, OURS6:
            seen = self.clients(host, 20)
            self.check(f"{host} is as before", seen["done"] == 20,
                       f"{statistics.median(seen['times_ms']):.3f} ms")


def main():
    if sys.argv[1] == "--inside":
        return inside(sys.argv[2], int(sys.argv[3]))
    words = sys.argv[3:]

    def given(name, otherwise):
        return words[words.index(name) + 1] if name in words else otherwise

    rate, connects = int(given("--rate", 0)), int(given("--connects", 0))
    kinds = [w for w in words if w in KINDS] or list(KINDS)
    reason = missing("ping", "ip", "nft", files=("/dev/net/tun",))
    if reason:
        print("skipped:", reason)
        return 77

    def steps(t):
        t.start_server()
        t.drop_what_is_not_theirs()
        free = t.free_buffers(t.stats())
        for kind in kinds:
            t.flood(kind, connects or KINDS[kind][0])
        t.back(free)
    return conduct(Flood(sys.argv[1], sys.argv[2], rate, given("--wire", "tap")), [steps])


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tools that probe and attack stacks, against Prism.

    strangers.py PRISM FLOOD [--seconds N] [--every N] [--captures FOLDER] [TOOL...]

Scanners, packet forgers and fuzzers of others, one after the other, each for so many seconds at
most, and our own noise (tests/hostile); with --every a sample of each. Before, during and after each of them Prism answers ping,
http and echo, and accounts for every packet. Captures are replayed as they are and with their
addresses and checksums made Prism's. Exits 77 with the reason where it cannot run.
"""
import glob
import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from bed import OURS, conduct, missing
from target import OURS6, Target

# The packages of Debian that these are of: nmap, hping3, thc-ipv6, ndisc6, tcpreplay. isic is in
# none; the noise is of its kind. {4} and {6} are Prism's addresses, {i} the interface.
TOOLS = {
    "nmap": [
        "nmap -n -Pn -sS -p 1-1024 -T5 {4}",
        "nmap -n -Pn -O --osscan-guess -p 7,9,80,81 -T5 {4}",
        "nmap -n -Pn -sU -p 7,9,53,80,161 --max-retries 1 -T5 {4}",
        "nmap -n -Pn -sF -p 1-200 -T5 {4}",
        "nmap -n -Pn -sN -p 1-200 -T5 {4}",
        "nmap -n -Pn -sX -p 1-200 -T5 {4}",
        "nmap -n -Pn -sA -p 1-200 -T5 {4}",
        "nmap -n -Pn -sS -f -p 1-200 -T5 {4}",
        "nmap -n -Pn -sO -T5 --max-retries 0 {4}",
        "nmap -6 -n -Pn -sS -p 1-1024 -T5 {6}",
        "nmap -6 -n -Pn -O --osscan-guess -p 7,9,80,81 -T5 {6}",
    ],
    "hping3": [
        "hping3 -q --flood -S -p 7 --rand-source {4}",
        "hping3 -q --flood -F -P -U -p 80 --rand-source {4}",
        "hping3 -q --flood -S -F -R -P -A -U -X -Y -p 80 {4}",
        "hping3 -q --flood -R -p 80 {4}",
        "hping3 -q --flood -S -p 7 --badcksum {4}",
        "hping3 -q --flood -1 -d 3000 {4}",
        "hping3 -q --flood -1 -C 3 -K 4 {4}",
        "hping3 -q --flood -1 -C 5 -K 1 {4}",
        "hping3 -q --flood -2 -p 7 -d 5000 -f {4}",
        "hping3 -q --flood -2 -p 9 -x -g 64 -d 100 {4}",
        "hping3 -q --flood -0 -H 99 -d 64 {4}",
        "hping3 -q --flood -S -p 7 -O 3 {4}",
    ],
    "thc-ipv6": [
        "atk6-fragmentation6 -fp {i} {6}",
        "atk6-implementation6 -p {i} {6}",
        "atk6-exploit6 {i} {6}",
        *[f"atk6-denial6 {{i}} {{6}} {n}" for n in range(1, 8)],
        *[f"atk6-fuzz_ip6 -a -{kind} {{i}} {{6}}" for kind in "1234567890X"],
        "atk6-fuzz_ip6 -a -1 -I -F -S -D -H -J {i} {6}",
        "atk6-fuzz_ip6 -a -s 7 {i} {6}",
        "atk6-flood_router26 {i}",
        "atk6-flood_advertise6 {i} {6}",
        "atk6-flood_solicitate6 {i} {6}",
        "atk6-flood_mld6 {i}",
        "atk6-flood_mld26 {i}",
        "atk6-flood_redir6 {i} {6}",
        "atk6-flood_rs6 {i} {6}",
        "atk6-flood_unreach6 {i} {6}",
        "atk6-thcsyn6 {i} {6} 7",
        "atk6-thcsyn6 -d -f {i} {6} 7",
        "atk6-rsmurf6 {i} {6}",
    ],
    "ndisc6": [
        "ndisc6 {6} {i}",
        "rdisc6 -w 500 {i}",
        "rltraceroute6 -n -q 1 -m 3 -w 1 {6}",
        "rltraceroute6 -S -n -q 1 -m 3 -w 1 -p 80 {6}",
        "rltraceroute6 -U -n -q 1 -m 3 -w 1 -p 7 {6}",
        "tcpspray6 -e -n 50 -b 1000 {6} echo",
    ],
    "noise": [f"{{flood}} {{i}} {kind} {address} {{mac}} --port 7"
              for kind, address in (
                  ("ip-noise", "{4}"), ("tcp-noise", "{4}"), ("udp-noise", "{4}"),
                  ("icmp-noise", "{4}"), ("ip6-noise", "{6}"), ("tcp6-noise", "{6}"),
                  ("icmp6-noise", "{6}"))],
}
PROGRAMS = {"nmap": "nmap", "hping3": "hping3", "thc-ipv6": "atk6-fuzz_ip6", "ndisc6": "ndisc6"}


class Strangers(Target):
    def __init__(self, prism, flood, seconds, every, captures):
        super().__init__("strangers", prism)
        self.program, self.seconds, self.captures = os.path.abspath(flood), seconds, captures
        self.every = every

    def ping(self, host):
        done = self.run("ping", "-c", "5", "-i", "0.05", "-w", "10", host, ns=self.ns)
        return " received" in done.stdout and ", 0 received" not in done.stdout

    def page(self, host):
        at = f"[{host}]" if ":" in host else host
        done = self.run("curl", "-sS", "-m", "20", f"http://{at}/", ns=self.ns)
        return "<title>Prism</title>" in done.stdout

    def echo(self, host):
        done = self.run("nc", "-N", "-w", "20", host, "7", ns=self.ns, stdin="tick\n")
        return done.stdout == "tick\n"

    def answers(self, when):
        """Ping, a page and an echo, on both families. Tools that send faster than the wire takes
        it cost others most of what they send there: then three tries."""
        for host in OURS, OURS6:
            for ask in self.ping, self.page, self.echo:
                if not any(ask(host) for _ in range(3)):
                    self.check(f"{host}: {ask.__name__} {when}", False)
                    return False
        return True

    def run(self, *command, stdin=None, **kwargs):
        if stdin is None:
            return super().run(*command, **kwargs)
        return subprocess.run(self.inside(kwargs["ns"], *command), input=stdin, text=True,
                              capture_output=True, timeout=60)

    def attack(self, words):
        """One command for its time, Prism questioned meanwhile."""
        process = self.start(*self.inside(self.ns, "nice", "-n", "19", *words), stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        begin = time.monotonic()
        good = self.answers(f"during {' '.join(words)}")
        while process.poll() is None and time.monotonic() < begin + self.seconds:
            time.sleep(0.05)
        if process.poll() is None:
            process.kill()  # some of them hear nothing else
            process.wait()
        self.processes.remove(process)
        return good and self.server.poll() is None and self.accounted()

    def words(self, text):
        """A command of TOOLS with its places filled."""
        for name, value in (("{4}", OURS), ("{6}", OURS6), ("{i}", self.device),
                            ("{mac}", self.mac), ("{flood}", self.program)):
            text = text.replace(name, value)
        return text.split()

    def tool(self, name):
        if name in PROGRAMS and not shutil.which(PROGRAMS[name]):
            self.check(f"{name}: {PROGRAMS[name]} is installed", False)
            return
        before = self.stats()["counters"]["rx_pkts"]
        good = 0
        commands = TOOLS[name][::self.every]
        for text in commands:
            good += self.attack(self.words(text))
        came = self.stats()["counters"]["rx_pkts"] - before
        self.check(f"{name}: {good} of {len(commands)} commands leave all answering",
                   good == len(commands), f"{came} packets came")
        self.check(f"{name}: Prism answers after it", self.answers(f"after {name}"))

    def replay(self, capture):
        """A capture as it is, and as if it were for Prism."""
        ours = self.path("replayed.pcap")
        rewritten = self.run("tcprewrite", "--fixcsum", "-i", capture, "-o", ours,
                             f"--enet-dmac={self.mac}", f"--dstipmap=0.0.0.0/0:{OURS}/32",
                             ns=self.ns)
        for path in [capture] + ([ours] if rewritten.returncode == 0 else []):
            # What tcpreplay cannot send (other links than Ethernet) it says, and that is all.
            self.run("timeout", "20", "tcpreplay", "-q", "--topspeed", "-i", self.device, path,
                     ns=self.ns)

    def replays(self):
        if not self.captures:
            return
        found = sorted(glob.glob(os.path.join(self.captures, "*.pcap*")))
        self.check("there are captures", bool(found), self.captures)
        before = self.stats()["counters"]["rx_pkts"]
        for i, capture in enumerate(found):
            self.replay(capture)
            if i % 50 == 0 and not self.answers(f"after {capture}"):
                return
        now = self.stats()
        self.check(f"{len(found)} captures are replayed",
                   self.answers("after the captures") and self.accounted(),
                   f"{now['counters']['rx_pkts'] - before} packets came")


def option(words, name, default):
    return words[words.index(name) + 1] if name in words else default


def main():
    words = sys.argv[3:]
    tools = [w for w in words if w in TOOLS] or list(TOOLS)
    reason = missing("ping", "curl", "nc", files=("/dev/net/tun",))
    if reason:
        print("skipped:", reason)
        return 77

    def steps(t):
        t.start_server()
        free = t.free_buffers(t.stats())
        t.check("at first all answer", t.answers("at first"))
        for name in tools:
            t.tool(name)
        t.replays()
        t.all_back(free, 60)
        t.check("no sanitizer speaks", "Sanitizer" not in t.log() and "runtime error" not in t.log())
    return conduct(Strangers(sys.argv[1], sys.argv[2], float(option(words, "--seconds", "1")),
                             int(option(words, "--every", "1")),
                             option(words, "--captures", "")), [steps])


if __name__ == "__main__":
    sys.exit(main())

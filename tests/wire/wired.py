# SPDX-License-Identifier: BSD-3-Clause
"""Hosts on an impaired wire, and bulk transfers between them: the kernel's stack or Prism on either
side. Used by tests/netns/wire.py and tests/bench/grid/run.

Each host is a network namespace with one veth end: those whose name begins with l have the kernel's
stack, those with p Prism on AF_XDP, which is the same device for both. The other ends lie in a namespace of the wire's own, where the wire program
joins the two that a transfer is between. All offloads of all ends are off, so that what passes are
the real frames of a wire, with their checksums; the wire counts any that are not.
"""
import json
import os
import select
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
from bed import Bed, entering, sh  # noqa: E402

ADDRESS = {name: f"198.18.0.{i}" for i, name in enumerate(("la", "lb", "lc", "pa", "pb", "pc"), 1)}
PORT = 9000
OFFLOADS = ["tso", "gso", "gro", "tx", "rx", "sg"]
# Never what limits: 1 Gbit/s over 150 ms are 19 MB. The kernel's are twice as much, since half of
# its receive buffer is overhead, and the send buffer counts that as well.
WINDOW_BYTES = 32 << 20
KERNEL_BUFFER_BYTES = 2 * WINDOW_BYTES
SYSCTLS = {"net.ipv4.tcp_rmem": f"4096 131072 {KERNEL_BUFFER_BYTES}",
           "net.ipv4.tcp_wmem": f"4096 16384 {KERNEL_BUFFER_BYTES}",
           # What one transfer learned is not given to the next.
           "net.ipv4.tcp_no_metrics_save": "1",
           "net.ipv6.conf.all.disable_ipv6": "1"}
PRISM = """instance: {instance}
ports:
  - name: p0
    device: af_xdp:e0
    addresses: [{address}/24]
tcp: {{send_buffer: {window}, receive_buffer: {window}, ecn: {ecn}}}
limits: {{buffers: 49152, connections: 64}}
memory: {{mode: plain}}
"""
# Where the kernel groups sessions and shares the cores among the groups, nice counts inside of one.
FIRST_OF_ALL = ["setsid", "sh", "-c", "{ echo -20 >/proc/self/autogroup; } 2>/dev/null; "
                'exec nice -n -20 "$@"', "sh"]
READY_SECONDS, END_SECONDS = 30, 10


class Wired(Bed):
    """The hosts, and what runs between them."""

    def __init__(self, kind, prism, build, cores=(None, None), ecn=False):
        super().__init__(kind, prism)
        self.ecn = ecn  # both stacks ask for congestion marks; else they agree, as is the default
        self.wire, self.bulk = (os.path.join(build, "tests/wire", p) for p in ("wire", "bulk"))
        self.host_core, self.wire_core = cores
        self.hosts, self.middle, self.errors = {}, None, None
        self.capture = None  # a file to write what a side sees to

    def make(self, hosts):
        self.middle = self.namespace("w")
        self.settle(self.middle)
        self.errors = open(self.path("errors"), "w+", encoding="utf-8")
        self.make_hosts(hosts)

    def make_hosts(self, hosts):
        for host in hosts:
            ns = self.hosts[host] = self.namespace(host)
            self.settle(ns)
            self.join(ns, "e0", self.middle, host)
            if host[0] == "l":
                sh(*entering(ns), "ip", "addr", "add", f"{ADDRESS[host]}/24", "dev", "e0")

    def settle(self, ns):
        for name, value in {**SYSCTLS, **({"net.ipv4.tcp_ecn": "1"} if self.ecn else {})}.items():
            with_ns = [*entering(ns), "sysctl", "-q", "-w", f"{name}={value}"]
            subprocess.run(with_ns, check=True, capture_output=True)

    def join(self, ns, name, other_ns, other_name):
        """A veth pair between two namespaces, without any offload."""
        sh(*entering(ns), "ip", "link", "add", name, "type", "veth", "peer", "name", other_name,
           "netns", other_ns)
        for where, end in ((ns, name), (other_ns, other_name)):
            for feature in OFFLOADS:  # one by one: a device may not know one of them
                subprocess.run([*entering(where), "ethtool", "-K", end, feature, "off"],
                               capture_output=True, check=False)
            sh(*entering(where), "ip", "link", "set", end, "up")

    def bridge(self, hosts):
        """Joins hosts to one end of the wire, which is named like its return value."""
        ns = entering(self.middle)
        sh(*ns, "ip", "link", "add", "br0", "type", "bridge")
        self.join(self.middle, "x0", self.middle, "x1")
        for end in ("x0", *hosts):
            sh(*ns, "ip", "link", "set", end, "master", "br0")
        sh(*ns, "ip", "link", "set", "br0", "up")
        return "x1"

    def on_core(self, host):
        """Where and before whom a host's program runs, when it is measured. Programs on the
        kernel's sockets sleep most of the time, but who is taken off the core in the middle of a
        call leaves the socket locked, and no ACK is sent: so they come before Prism, which looks
        for packets all the time, and Prism before what else the machine does."""
        if self.host_core is None:
            return []
        before = FIRST_OF_ALL if host[0] == "p" else ["chrt", "-f", "1"]
        return [*before, "taskset", "-c", str(self.host_core)]

    def line(self, process, seconds):
        if not select.select([process.stdout], [], [], seconds)[0]:
            return ""
        return process.stdout.readline()

    def said(self):
        self.errors.flush()
        with open(self.errors.name, encoding="utf-8", errors="replace") as f:
            return f.read()[-1500:].strip()

    def talker(self, *command, ns):
        """A process that says that it is ready."""
        process = self.start(*command, ns=ns, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=self.errors, env={**os.environ, "XDG_RUNTIME_DIR": ""})
        if not self.line(process, READY_SECONDS).startswith("ready"):
            raise RuntimeError(f"not ready: {' '.join(command)}: {self.said()}")
        return process

    def lay(self, ends, keys, seed):
        """The wire between two ends. keys: of both ways, or of each by ab and ba."""
        ways = keys if "ab" in keys else {"both": keys}
        command = [self.wire, *ends, "--seed", str(seed)]
        for way, of_way in ways.items():
            command += [f"--{way}", ",".join(f"{k}={v}" for k, v in of_way.items())]
        if self.wire_core is not None:
            command += ["--core", str(self.wire_core), "--realtime"]
        return self.talker(*command, ns=self.middle)

    def lift(self, wire):
        """Ends the wire. What it says of both ways."""
        said, _ = wire.communicate(timeout=END_SECONDS) if self.end(wire) == 0 else ("", "")
        self.processes.remove(wire)
        return json.loads(said) if said else {}

    def instance(self, host):
        return f"{self.name}-{host}"

    def bulk_end(self, host, does, to, work, port=PORT):
        """One end of a transfer: does is (open or accept, send or receive), work (bytes, seconds,
        flows), to the host that accepts."""
        stack = "kernel"
        if host[0] == "p":
            stack = self.write(f"{host}.yaml", PRISM.format(
                instance=self.instance(host), address=ADDRESS[host], window=f"{WINDOW_BYTES >> 20}MiB",
                ecn="on" if self.ecn else "passive"))
        return self.talker(*self.on_core(host), self.bulk, stack, *does,
                           f"{ADDRESS[to]}:{port}", *map(str, work), ns=self.hosts[host])

    def both_ends(self, sender, receiver, opener, work):
        """(sender, receiver) of a transfer that has begun."""
        ends = {}
        accepter = receiver if opener == sender else sender
        for host, role in ((accepter, "accept"), (opener, "open")):
            does = (role, "send" if host == sender else "receive")
            ends[host] = self.bulk_end(host, does, accepter, work)
        return ends[sender], ends[receiver]

    def report(self, process, host, seconds):
        """What an end says when its flows are over, or when it is told to; Prism's counters."""
        line = self.line(process, seconds)
        if not line:
            process.stdin.write("over\n")
            process.stdin.flush()
            line = self.line(process, END_SECONDS)
        said = json.loads(line) if line.startswith("{") else {"flows": []}
        if host[0] == "p" and said["flows"]:
            now = self.stats(self.instance(host))
            said["counters"] = {k: v for k, v in now["counters"].items() if v}
            said["drops"] = {k: v for k, v in now["drops"].items() if v}
            # What was read in mid-flight is asked for again; what stays is lost.
            lost = now["unaccounted"]
            said["unaccounted"] = lost if lost and not self.accounted(self.instance(host)) else 0
        return said

    def dismiss(self, process):
        process.stdin.close()
        try:
            process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            self.end(process)
        self.processes.remove(process)

    def transfer(self, sender, receiver, opener, wire_keys, work, seed=1):
        """One bulk transfer between two hosts. {sender, receiver, wire}: what each of them says."""
        wire = self.lay((sender, receiver), wire_keys, seed)
        dump = self.dump(sender)
        ends = self.both_ends(sender, receiver, opener, work)
        seconds = work[1] + READY_SECONDS
        heard = self.report(ends[1], receiver, seconds)
        sent = self.report(ends[0], sender, 3)
        for end in ends:
            self.dismiss(end)
        if dump:
            self.end(dump)
            self.processes.remove(dump)
        return {"sender": sent, "receiver": heard, "wire": self.lift(wire)}

    def dump(self, host):
        """tcpdump at the wire's end of a host, when a capture is asked for."""
        if not self.capture:
            return None
        process = self.start("tcpdump", "-q", "-s", "96", "-B", "65536", "-i", host, "-w",
                             self.capture, ns=self.middle, stderr=subprocess.DEVNULL)
        time.sleep(0.7)
        return process

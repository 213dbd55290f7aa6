#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What prism conns shows is what the kernel at the other end has: ss is the second opinion.

    conns.py PRISM tap|af_xdp WORKERS

Kernel clients connect, send, stop reading and close; each must stand in the list with the kernel's
own addresses, states and byte counts, with what limits it, also when the instance is stopped in the
middle of a turn and when it was killed. Exits 77 with the reason where it cannot run.
"""
import json
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from bed import KERNELS, OURS, Bed, conduct, missing

PATIENCE_S = 10
CLIENTS = 20
SENT = 5000  # bytes to echo, from each client
ECHO, DISCARD, HTTP = 7, 9, 80

# Reads orders, a line each, answers with a line: connections by number, to the port that is named.
CLIENT = """
import socket, sys
conns = {}
for line in sys.stdin:
    word, number, *rest = line.split()
    if word == "open":
        # Bound, it has a port that no other has, to whichever of the server's they go.
        conns[number] = socket.create_connection((rest[0], int(rest[1])), 10, ("0.0.0.0", 0))
    elif word == "send":
        conns[number].sendall(b"x" * int(rest[0]))
    elif word == "get":
        conns[number].sendall(f"GET {rest[0]} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
    elif word == "read":
        left = int(rest[0])
        while left:
            left -= len(conns[number].recv(left))
    elif word == "shut":
        conns[number].shutdown(socket.SHUT_WR)
    elif word == "close":
        conns.pop(number).close()
    print(conns[number].getsockname()[1] if number in conns else 0, flush=True)
"""


class Conns(Bed):
    def make(self):
        self.ns = self.namespace("c")
        self.where = self.ns
        device = f"tap:cns{os.getpid() % 1000000}"
        more = f"    kernel_addresses: [{KERNELS}/24]\n"
        if self.kind == "af_xdp":
            self.where = self.namespace("s")
            self.veth(self.where, self.ns)
            device, more = "af_xdp:sv", ""
        self.write("www/large", b"y" * (8 << 20))
        self.text = f"workers: {self.workers}\nports:\n  - name: p0\n    device: {device}\n" \
                    f"    addresses: [{OURS}/24]\n{more}services:\n" \
                    f"  - {{type: echo, port: {ECHO}}}\n  - {{type: discard, port: {DISCARD}}}\n" \
                    f"  - {{type: http, port: {HTTP}, root: {self.path('www')}}}\n"
        self.server = self.serve(self.text, self.where)
        self.client = self.start(sys.executable, "-c", CLIENT, ns=self.ns,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ports = {}

    def check(self, what, good, detail=""):
        super().check(what, good, "" if good else detail)

    def order(self, *words):
        self.client.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.client.stdin.flush()
        return int(self.client.stdout.readline())

    def open(self, number, port):
        self.ports[number] = self.order("open", number, OURS, port)

    def ask(self, *words):
        return self.run(self.prism, "conns", *words, "-n", self.name)

    def conns(self, *words):
        return json.loads(self.ask("--json", *words).stdout)

    def conn(self, number):
        """The row of a client's connection, or nothing."""
        rows = self.conns("dst", "port", str(self.ports[number]))["connections"]
        return rows[0] if len(rows) == 1 else {}

    def until(self, what, look):
        """What look says, once it is true; a check."""
        end = time.monotonic() + PATIENCE_S
        seen = look()
        while not seen and time.monotonic() < end:
            time.sleep(0.05)
            seen = look()
        self.check(what, seen, json.dumps(self.conns()))

    def kernels(self):
        """(our port, state, bytes the kernel had acknowledged, bytes it received) by its port."""
        lines = self.run("ss", "-tinH", "dst", OURS, ns=self.ns).stdout.splitlines()
        told = {}
        for head, details in zip(lines[::2], lines[1::2]):
            words = head.split()
            facts = dict(w.split(":", 1) for w in details.split() if ":" in w)
            told[int(words[3].rsplit(":", 1)[1])] = (
                int(words[4].rsplit(":", 1)[1]), words[0], int(facts.get("bytes_acked", 1)) - 1,
                int(facts.get("bytes_received", 0)))
        return told

    def prisms(self):
        """The same from the other end."""
        return {c["remote_port"]: (c["local_port"], c["state"], c["received_bytes"],
                                   c["acked_bytes"]) for c in self.conns()["connections"]}

    def agrees_with_the_kernel(self):
        for number in range(CLIENTS):
            self.open(number, ECHO)
        self.until("all connections are shown", lambda: len(self.prisms()) == CLIENTS)
        for number in range(CLIENTS):
            self.order("send", number, SENT + number)
            self.order("read", number, SENT + number)
        self.until("ports, states and bytes are the kernel's",
                   lambda: self.prisms() == self.kernels())
        conns = self.conns()
        self.check("none is missing and none is left over",
                   conns["open"] == conns["shown"] == CLIENTS and not conns["beyond"] and
                   not conns["unfinished"], json.dumps(conns))
        row = self.conn(0)
        self.check("a row has both addresses and its port",
                   (row["local"], row["remote"], row["port"]) == (OURS, KERNELS, "p0"), str(row))
        self.check("what limits an echo is the application", row["application_ns"] > 0 and
                   row["peer_ns"] == row["unread_ns"] == 0, str(row))
        self.check("round trips were measured", 0 < row["srtt_us"] < 1000000, str(row))

    def in_words(self):
        done = self.ask()
        lines = done.stdout.splitlines()
        first = [line for line in lines if f"{KERNELS}:{self.ports[3]}" in line]
        self.check("the columns are those of ss", lines[0].split()[:3] ==
                   ["State", "Recv-Q", "Send-Q"] and len(first) == 1 and
                   first[0].split()[:4] == ["ESTAB", "0", "0", f"{OURS}:{ECHO}"], done.stdout)
        self.check("the summary counts them",
                   f"{CLIENTS} open, 0 half-open, 0 in TIME-WAIT" in lines[-1], done.stdout)
        brief = self.ask("-b", "-m", "3").stdout.splitlines()
        self.check("-b is a line each, -m no more", len(brief) == 6 and
                   f"and {CLIENTS - 3} more" in brief[4], "\n".join(brief))
        one = self.ask("dst", "port", str(self.ports[1]))
        self.check("a filter leaves one", one.stdout.count("ESTAB") == 1, one.stdout)

    def tells_who_is_slow(self):
        self.open("slow", HTTP)
        self.until("it is shown", lambda: self.conn("slow"))
        self.order("get", "slow", "/large")
        self.until("who does not read is named", lambda: self.conn("slow").get("peer_ns", 0) > 5e8)
        row = self.conn("slow")
        self.check("the peer's window holds the text back", row["unacked_bytes"] > 0 and
                   row["peer_ns"] > 3 * row["network_ns"], str(row))
        text = self.ask("dst", "port", str(self.ports["slow"])).stdout
        self.check("in words too", "peer's window" in text, text)
        first = self.conns("-o", "unacked", "-m", "1")["connections"][0]
        self.check("it is first in the order of what is unacknowledged",
                   first["remote_port"] == self.ports["slow"], str(first))

    def follows_states(self):
        self.order("close", "slow")
        self.open("leaves", ECHO)
        self.until("it is shown", lambda: self.conn("leaves"))
        self.order("close", "leaves")
        self.until("who left is not shown any more",
                   lambda: not self.conn("leaves") and not self.conn("slow"))
        self.check("--state chooses", len(self.conns("-s", "established")["connections"]) ==
                   CLIENTS and not self.conns("-s", "close-wait")["connections"])

    def traces(self):
        """The states of each connection, and the same as a timeline."""
        done = self.run(self.prism, "trace", "-n", self.name, "--json", "tcp_*")
        events = json.loads(done.stdout)["events"]
        self.check("the trace has each connection become established",
                   sum(e["what"].endswith("to ESTAB") for e in events) >= CLIENTS + 2,
                   str(events[-10:]))
        self.check("and one end", any(e["event"] == "TCP_CLOSED" for e in events))
        timeline = self.path("timeline.json")
        done = self.run(self.prism, "trace", "-n", self.name, "-w", timeline)
        with open(timeline, encoding="utf-8") as f:
            shown = json.load(f)["traceEvents"]
        self.check("a timeline has a thread for each worker and all of it",
                   done.returncode == 0 and
                   len([e for e in shown if e["name"] == "thread_name"]) == int(self.workers) and
                   len([e for e in shown if e["name"].startswith("TCP_")]) >= len(events),
                   done.stdout + done.stderr)
        full = self.run(self.prism, "trace", "-n", self.name, "-w", "/dev/full")
        self.check("a full disk is named", full.returncode == 1 and
                   "No space left on device" in full.stderr and "/dev/full" in full.stderr,
                   full.stderr)
        done = self.run(self.prism, "trace", "-n", self.name, "NO_SUCH")
        self.check("an event that nobody knows is named", done.returncode == 2 and
                   "no event is called `NO_SUCH`" in done.stderr, done.stderr)
        summed = self.run(self.prism, "trace", "-n", self.name, "-s").stdout
        self.check("a summary counts them", "TCP_STATE" in summed, summed)

    def refuses(self):
        for words, message in ((("-s", "open"), "no state `open`"),
                               (("-o", "size"), "no order `size`"),
                               (("-m", "0"), "`0` is no number"),
                               (("tcp prot 80",), "tcp prot 80"),
                               (("-i", "soon"), "soon")):
            done = self.ask(*words)
            self.check(f"prism conns {' '.join(words)} is refused by name", done.returncode == 2 and
                       message in done.stderr and "remedy:" in done.stderr, done.stderr)
        done = self.run(self.prism, "conns", "-n", "nobody")
        self.check("an instance that is not there is named", done.returncode == 1 and
                   "no instance `nobody`" in done.stderr, done.stderr)

    def survives(self):
        before = self.prisms()
        self.server.send_signal(signal.SIGSTOP)
        self.check("a stopped instance shows as many", self.prisms() == before and before)
        self.server.send_signal(signal.SIGCONT)
        self.end(self.server, signal.SIGKILL)
        self.check("so does a killed one", self.prisms() == before)
        dead = self.ask("-b")
        self.check("and says that it is", "has ended" in dead.stdout and
                   dead.stdout.count("ESTAB") == CLIENTS, dead.stdout)
        if self.kind == "af_xdp":  # the remedy that a refusal names
            self.run("ip", "link", "set", "dev", "sv", "xdp", "off", ns=self.where)
        self.client.stdin.close()
        self.server = self.serve(self.text, self.where)
        self.until("a new one begins anew", lambda: not self.prisms())
        self.ends_whole(self.server)


def main():
    reason = missing("ip", "ss", "nsenter")
    if reason:
        print(reason)
        return 77
    bed = Conns("conns", sys.argv[1])
    bed.kind, bed.workers = sys.argv[2], sys.argv[3]
    return conduct(bed, [Conns.make, Conns.agrees_with_the_kernel, Conns.in_words,
                         Conns.tells_who_is_slow, Conns.follows_states, Conns.traces, Conns.refuses,
                         Conns.survives])


if __name__ == "__main__":
    sys.exit(main())

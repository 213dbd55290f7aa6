#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Connections opened and closed by both sides, ten thousand in all, with two workers.

    both.py PRISM BOTH tap|af_xdp|memif

Each side opens 5,000 to the other at the same time and accepts as many (both.c says what goes over
them and how they end). Over tap and AF_XDP the other side is the kernel, over memif another stack of
two workers. Afterwards nothing may be left: no connection, no entry in the table, no buffer, no
packet unaccounted for. Exits 77 with the reason where it cannot run.
"""
import json
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from bed import KERNELS, OURS, Bed, conduct, entering, missing

THEIRS = "198.18.0.3"
PORT, EACH = 9000, 5000
AT_ONCE = 256  # that the kernel's end opens before the first are answered
READY_SECONDS, OVER_SECONDS, SETTLE_SECONDS = 30, 100, 20
KEEPALIVE_SECONDS = 3  # a reset that a full queue swallowed is found out by whoever waits for it
OPENER_CLOSES, ACCEPTOR_CLOSES, BOTH_CLOSE, OPENER_RESETS, ACCEPTOR_RESETS, ENDINGS = range(6)


class Kernel:
    """The kernel's end, inside the namespace: what both.c does, with sockets."""

    def __init__(self, server):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.server, self.poll, self.conns = server, select.epoll(), {}
        self.poll.register(server, select.EPOLLIN)
        self.opened = self.answered = self.over = self.resets = 0
        self.wrong = []

    def add(self, sock, opener, words=b""):
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_SECONDS)
        self.conns[sock.fileno()] = [sock, opener, words, 0]
        self.poll.register(sock, select.EPOLLOUT if opener else select.EPOLLIN)

    def open_some(self):
        while self.opened < EACH and self.opened - self.answered < AT_ONCE:
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex((OURS, PORT))
            self.add(sock, True, struct.pack("=II", self.opened, self.opened % ENDINGS))
            self.opened += 1

    def end(self, conn, reset=False):
        sock = conn[0]
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.poll.unregister(sock)
        del self.conns[sock.fileno()]
        sock.close()
        self.over += 1

    def hears(self, conn, data):
        sock, opener, words, count = conn
        words = conn[2] = words or data
        conn[3] = count + 1
        how = struct.unpack("=II", words)[1]
        if data != words or count > (0 if opener or how != ACCEPTOR_RESETS else 1):
            self.wrong.append(f"heard {data} after {words}")
        self.answered += opener
        if count == 1 or (opener and how == OPENER_RESETS):
            return self.end(conn, reset=True)
        if not opener or how == ACCEPTOR_RESETS:
            sock.send(words)
        if how == BOTH_CLOSE or how == (OPENER_CLOSES if opener else ACCEPTOR_CLOSES):
            sock.shutdown(socket.SHUT_WR)
        return None

    def happens(self, conn):
        sock, opener, words, count = conn
        how = struct.unpack("=II", words)[1] if count else ENDINGS
        try:
            data = sock.recv(64)
        except ConnectionResetError:
            self.resets += 1
            if how != (ACCEPTOR_RESETS if opener else OPENER_RESETS):
                self.wrong.append(f"reset, opener {opener}, ending {how}")
            return self.end(conn)
        if data:
            return self.hears(conn, data)
        if how not in (OPENER_CLOSES, ACCEPTOR_CLOSES, BOTH_CLOSE):
            self.wrong.append(f"end of file, opener {opener}, ending {how}")
        return self.end(conn)

    def event(self, fd, mask):
        if fd == self.server.fileno():
            return self.add(self.server.accept()[0], False)
        conn = self.conns[fd]
        if mask & select.EPOLLOUT and not mask & (select.EPOLLERR | select.EPOLLHUP):
            conn[0].send(conn[2])
            self.poll.modify(fd, select.EPOLLIN)
            return None
        return self.happens(conn)

    def run(self):
        end = time.monotonic() + OVER_SECONDS
        while self.over < 2 * EACH and time.monotonic() < end:
            self.open_some()
            for fd, mask in self.poll.poll(0.2):
                self.event(fd, mask)
        print(json.dumps({"closed": self.over, "resets": self.resets, "wrong": len(self.wrong),
                          "first": self.wrong[:5]}))


def kernel_inside():
    """Says that it listens, begins when it is told to."""
    with socket.create_server((KERNELS, PORT), backlog=4096) as server:
        print("ready", flush=True)
        sys.stdin.readline()
        Kernel(server).run()
    return 0


class Both(Bed):
    """One or two programs on a stack of two workers each, and what they must leave behind."""

    def __init__(self, kind, prism, program):
        super().__init__(kind, prism)
        self.program, self.errors = os.path.abspath(program), []

    def talker(self, *command, ns=None):
        """A process that says it is ready, and begins when it is told to."""
        self.errors.append(open(self.path(f"errors{len(self.errors)}"), "w+", encoding="utf-8"))
        process = self.start(*command, ns=ns, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=self.errors[-1], env={**os.environ, "XDG_RUNTIME_DIR": ""})
        if not self.line(process, READY_SECONDS).startswith("ready"):
            raise RuntimeError("not ready: " + self.said())
        return process

    def said(self):
        text = ""
        for f in self.errors:
            f.seek(0)
            text += f.read()[-1500:]
        return text

    def stack(self, instance, device, address, to, ns=None, more=""):
        path = self.write(f"{instance}.yaml", f"instance: {instance}\nworkers: 2\nports:\n"
                          f"  - name: p0\n    device: {device}\n    addresses: [{address}/24]\n"
                          f"{more}tcp:\n  time_wait: 500ms\n"
                          f"  keepalive: {KEEPALIVE_SECONDS}s\n")
        return self.talker(self.program, path, f"{to}:{PORT}", str(EACH), ns=ns)

    def line(self, process, seconds):
        if not select.select([process.stdout], [], [], seconds)[0]:
            return ""
        return process.stdout.readline()

    def both_go(self, *talkers):
        """What they say when all is over."""
        for t in talkers:
            t.stdin.write("go\n")
            t.stdin.flush()
        said = [self.line(t, OVER_SECONDS + 20) for t in talkers]
        return [json.loads(s) if s.startswith("{") else {} for s in said]

    def check_stack(self, name, said):
        self.check(f"{name}: every connection was opened, accepted and closed",
                   said.get("closed") == 2 * EACH and said.get("accepted") == EACH, str(said))
        workers = said.get("workers", [])
        self.check(f"{name}: either worker opened and accepted",
                   len(workers) == 2 and all(w["opened"] and w["accepted"] for w in workers))
        self.check(f"{name}: connections moved between its workers", said.get("moved", 0) > 0)
        self.check(f"{name}: each event came once, to the worker whose connection it is",
                   said.get("wrong") == 0, self.said() if said.get("wrong") else "")

    def rest(self, instance):
        """What is still in use: connections, keys of the table; buffers; what is on its way."""
        now = self.stats(instance)
        counters = now["counters"]
        used = sum(w[k] for w in now["workers"]
                   for k in ("conns_open", "conns_half_open", "conns_time_wait"))
        return (now, used + now["flow_table"]["keys"] +
                counters["handed_out_pkts"] - counters["handed_in_pkts"],
                {p["name"]: p["available_pkts"] for p in now["pools"]})

    def free_at_rest(self, instance):
        """Of each pool, once what was sent at the start is read: the same for a second."""
        free, since = None, time.monotonic()
        end = since + SETTLE_SECONDS
        while time.monotonic() < min(since + 1, end):
            now = self.rest(instance)[2]
            if now != free:
                free, since = now, time.monotonic()
            time.sleep(0.1)
        return free

    def nothing_is_left(self, instance, before):
        end = time.monotonic() + SETTLE_SECONDS
        while True:
            now, used, free = self.rest(instance)
            if (used == 0 and free == before) or time.monotonic() > end:
                break
            time.sleep(0.2)
        self.check(f"{instance}: no connection, half-open, in TIME-WAIT, or in the table is left",
                   used == 0, str(now["workers"]) + str(now["flow_table"]) if used else "")
        self.check(f"{instance}: every buffer is back in its pool", free == before,
                   f"{before} then {free}")
        self.check(f"{instance}: unaccounted is 0", self.accounted(instance))
        print("      drops:", {k: v for k, v in now["drops"].items() if v} or "none")

    def ends(self, name, process):
        process.stdin.close()
        try:
            code = process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            code = "not within 20 s"
        self.check(f"{name} ends with 0", code == 0, str(code) + self.said() if code else "")


def against_the_kernel(t, device, ours, kernels, more=""):
    stack = t.stack(t.name, device, OURS, KERNELS, ours, more)
    kernel = t.talker(sys.executable, os.path.abspath(__file__), "--kernel", ns=kernels)
    ping = t.run("ping", "-c", "1", "-W", "5", OURS, ns=kernels)
    t.check("ping answers", ping.returncode == 0)
    before = t.free_at_rest(t.name)
    said, kernel_said = t.both_go(stack, kernel)
    t.check_stack("prism", said)
    t.check("the kernel's sockets saw each one end as it should",
            kernel_said.get("closed") == 2 * EACH and kernel_said.get("wrong") == 0 and
            kernel_said.get("resets") == 2 * EACH // ENDINGS, str(kernel_said))
    t.nothing_is_left(t.name, before)
    t.ends("prism", stack)


def tap(t):
    ns = t.namespace("c")
    against_the_kernel(t, "tap:both0", ns, ns, f"    kernel_addresses: [{KERNELS}/24]\n")


def af_xdp(t):
    ours, kernels = t.namespace("s"), t.namespace("c")
    t.veth(ours, kernels, queues=2)
    against_the_kernel(t, "af_xdp:sv", ours, kernels)


def memif(t):
    wire, names = f"memif:{t.path('wire')}", (f"{t.name}-a", f"{t.name}-b")
    stacks = [t.stack(names[0], wire, OURS, THEIRS),
              t.stack(names[1], f"{wire},role=client", THEIRS, OURS)]
    before = [t.free_at_rest(name) for name in names]
    for name, said in zip(names, t.both_go(*stacks)):
        t.check_stack(name, said)
    for name, free in zip(names, before):
        t.nothing_is_left(name, free)
    for name, stack in zip(names, stacks):
        t.ends(name, stack)


def main():
    if sys.argv[1] == "--kernel":
        return kernel_inside()
    kind = sys.argv[3]
    reason = missing("ip", "ping", files=("/dev/net/tun",) if kind == "tap" else ())
    if reason:
        print("skipped:", reason)
        return 77
    steps = {"tap": tap, "af_xdp": af_xdp, "memif": memif}
    return conduct(Both("both", sys.argv[1], sys.argv[2]), [steps[kind]])


if __name__ == "__main__":
    sys.exit(main())

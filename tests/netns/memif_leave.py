#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Peers of a memif port come and go in every way; prism run stays, and serves the next one.

    memif_leave.py PRISM [ROUNDS]

prism load ends by itself, by a signal at any moment, and killed, as the client of prism run's
socket and as the server of prism run's client; others knock and go, or knock and keep silent.
"""
import glob
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

NAME = f"leave{os.environ.get('PRISM_TEST_RUN', '')}{os.getpid()}"
SECONDS_MAX = 20
ENDS = (None, signal.SIGKILL, signal.SIGINT, signal.SIGKILL, signal.SIGTERM)


class Leave:
    def __init__(self, prism):
        self.folder = tempfile.mkdtemp(prefix="prism-leave-")
        self.prism = os.path.abspath(prism)
        self.socket = os.path.join(self.folder, "m.sock")
        self.failures = 0
        self.server = None
        self.random = random.Random(int(os.environ.get("PRISM_SEED", "1")))
        os.mkdir(os.path.join(self.folder, "www"))
        with open(os.path.join(self.folder, "www", "index.html"), "w") as f:
            f.write("a page\n" * 100)

    def check(self, what, good, detail=""):
        print(("ok    " if good else "WRONG ") + what + (f": {detail}" if detail else ""), flush=True)
        self.failures += not good

    def start(self, role):
        path = os.path.join(self.folder, f"{role}.yaml")
        with open(path, "w") as f:
            f.write(f"instance: {NAME}\nports:\n  - name: p0\n"
                    f"    device: memif:{self.socket},role={role}\n"
                    "    addresses: [198.18.0.2/24]\nservices:\n"
                    "  - {type: http, port: 80, root: www}\n")
        self.log = open(os.path.join(self.folder, "log"), "w+")
        self.server = subprocess.Popen([self.prism, "run", path], stdout=self.log,
                                       stderr=subprocess.STDOUT)
        for _ in range(200):
            if "watch it:" in self.said() or self.server.poll() is not None:
                break
            time.sleep(0.05)
        self.check(f"prism run, {role}, is up", self.server.poll() is None)

    def said(self):
        with open(self.log.name) as f:
            return f.read()

    def load(self, role, seconds):
        return subprocess.Popen(
            [self.prism, "load", "http", "http://198.18.0.2/", "-p",
             f"memif:{self.socket},role={role}", "-a", "198.18.0.1/24", "-c", "4", "--quiet", "-d",
             f"{seconds * 1000:.0f}ms"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def alive(self, what):
        good = self.server.poll() is None
        self.check(what, good, "" if good else f"{self.server.returncode} {self.said()[-400:]}")
        return good

    def visit(self, role, end):
        """One load, ended in the given way at some moment. What was wrong with its end, or ""."""
        load = self.load(role, 0.3)
        if end:
            time.sleep(self.random.uniform(0.05, 0.9))
            load.send_signal(end)
        try:
            out = load.communicate(timeout=SECONDS_MAX)[0]
        except subprocess.TimeoutExpired:
            load.kill()
            return f"hangs: {load.communicate()[0][-300:]}"
        if end == signal.SIGKILL:
            self.sweep(load.pid)
        if end is None and load.returncode != 0 or load.returncode < 0 and load.returncode != -(end or 0):
            return f"{load.returncode}: {out[-300:]}"
        return ""

    def sweep(self, pid):
        """What a killed load cannot put away itself: its shared memory, kept for tools, and EAL's
        folder when it was killed in the first moment."""
        for path in glob.glob(f"/run/prism/load-{pid}.shm"):
            os.unlink(path)
        for path in glob.glob(f"/tmp/prism-eal-load-{pid}-*"):
            shutil.rmtree(path)

    def visits(self, role, rounds):
        """role is the load's."""
        wrong = []
        for i in range(rounds):
            end = ENDS[i % len(ENDS)]
            found = self.visit(role, end)
            if found:
                wrong.append(f"round {i}, {end}: {found}")
            if self.server.poll() is not None:
                break
        self.check(f"{rounds} loads, {role}, end as they should", not wrong, " | ".join(wrong[:3]))
        self.alive("prism run outlives them")

    def knock(self):
        """Whoever looks whether somebody listens; some stay and say nothing."""
        silent = []
        for i in range(200):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            s.settimeout(SECONDS_MAX)
            try:
                s.connect(self.socket)
            except OSError:
                break
            if i % 20 == 0:
                silent.append(s)
            else:
                s.close()
        found = self.alive("prism run outlives 200 who knock and go") and self.visit("client", None)
        self.check("and serves while some keep silent", not found, found)
        for s in silent:
            s.close()

    def end(self):
        if self.server.poll() is None:
            self.server.send_signal(signal.SIGINT)
        try:
            code = self.server.wait(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.server.kill()
            code = f"hangs, {self.server.wait()}"
        self.check("prism run ends", code == 0, f"{code} {self.said()[-300:] if code else ''}".strip())

    def run(self, rounds):
        self.start("server")
        self.knock()
        self.visits("client", rounds)
        self.end()
        self.check("the socket is gone", not os.path.exists(self.socket))
        self.start("client")
        self.visits("server", rounds)
        self.end()


def main():
    t = Leave(sys.argv[1])
    try:
        t.run(int(sys.argv[2]) if len(sys.argv) > 2 else 10)
    finally:
        if t.server and t.server.poll() is None:
            t.server.kill()
            t.server.wait()
        shutil.rmtree(t.folder, ignore_errors=True)
    return 1 if t.failures else 0


if __name__ == "__main__":
    sys.exit(main())

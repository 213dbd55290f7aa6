#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two laws, watched from outside: a worker under load makes no system call, and copies no payload.

    quiet.py PRISM

A server and prism load on memif. strace watches the server's worker thread for two seconds in the
middle of the load and must see nothing; what the copy ledger counts over a large download and an
echo of large messages must be zero. Exits 77 with the reason where it cannot run.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

NAME = f"quiet{os.getpid()}"
OURS, THEIRS = "198.18.0.2", "198.18.0.3"
FILE_BYTES = 1 << 20
BULK_BYTES = 16 << 20  # at least, in each of the three bulk loads
FEW_PKTS = 64  # a machine that does ten other things still brings in more


class Quiet:
    """A server on memif, and the loads that are put on it."""

    def __init__(self, prism):
        self.prism = prism
        self.folder = tempfile.mkdtemp(prefix="prism-quiet-")
        self.failures = []
        self.server = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self):
        os.mkdir(self.path("www"))
        with open(self.path("www/index.html"), "w") as f:
            f.write("x" * 64)
        with open(self.path("www/big.bin"), "wb") as f:
            f.write(os.urandom(FILE_BYTES))
        with open(self.path("quiet.yaml"), "w") as f:
            f.write(f"instance: {NAME}\nidle: poll\nports:\n  - name: p0\n"
                    f"    device: memif:{self.path('wire')}\n    addresses: [{OURS}/24]\n"
                    "services:\n  - {type: http, port: 80, root: www}\n"
                    "  - {type: echo, port: 7}\n")
        with open(self.path("log"), "w") as log:
            self.server = subprocess.Popen([self.prism, "run", self.path("quiet.yaml")],
                                           stdout=log, stderr=subprocess.STDOUT)
        for _ in range(200):
            if "watch it:" in self.log():
                return
            if self.server.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError("prism run does not start: " + self.log())

    def log(self):
        with open(self.path("log")) as f:
            return f.read()

    def load(self, kind, target, *options):
        return subprocess.Popen([self.prism, "load", kind, target, "-q", "-j", "-p",
                                 f"memif:{self.path('wire')},role=client", "-a", f"{THEIRS}/24",
                                 *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)

    def stats(self):
        got = subprocess.run([self.prism, "stats", "--json", "-n", NAME], check=True, text=True,
                             capture_output=True)
        return json.loads(got.stdout)

    def requests(self):
        return self.stats()["counters"]["rx_pkts"]

    def check(self, what, good, detail=""):
        print(("ok    " if good else "WRONG ") + what + (f": {detail}" if detail else ""), flush=True)
        if not good:
            self.failures.append(what)

    def clean(self):
        if self.server and self.server.poll() is None:
            self.server.send_signal(signal.SIGTERM)
            try:
                self.server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def watched(t, what, load):
    """strace on the worker, which is the process's first thread, while load is under way."""
    first = t.requests()
    while t.requests() - first < FEW_PKTS and load.poll() is None:
        time.sleep(0.1)
    before = t.requests()
    trace = subprocess.Popen(["strace", "-c", "-p", str(t.server.pid), "-o", t.path("calls")],
                             stderr=subprocess.PIPE, text=True)
    trace.stderr.readline()  # "strace: Process N attached"
    time.sleep(2)
    trace.send_signal(signal.SIGINT)
    trace.wait()
    after = t.requests()
    with open(t.path("calls")) as f:
        calls = [l for l in f.read().splitlines() if l.strip()]
    out, errors = load.communicate(timeout=60)
    report = json.loads(out) if load.returncode == 0 else {}
    t.check(f"{what}: no load error", load.returncode == 0,
            (errors + out).strip()[-200:] if load.returncode else "")
    t.check(f"{what}: the worker was busy while watched", after - before >= FEW_PKTS,
            f"{after - before} packets came in")
    t.check(f"{what}: strace saw no system call on the worker", not calls, " | ".join(calls)[:300])
    return report


def copied(t, what, load):
    before = t.stats()["counters"]
    out, errors = load.communicate(timeout=120)
    after = t.stats()["counters"]
    grown = {k: after[k] - before[k] for k in after
             if k.startswith("copied_bytes") and after[k] != before[k]}
    sent = after["tx_bytes"] - before["tx_bytes"]
    t.check(f"{what}: no load error", load.returncode == 0,
            (errors + out).strip()[-200:] if load.returncode else "")
    t.check(f"{what}: many bytes went out", sent >= BULK_BYTES, f"{sent >> 20} MiB")
    t.check(f"{what}: the copy ledger counts nothing", not grown, str(grown or "0 bytes"))


def missing():
    if os.geteuid() != 0:
        return "needs root to watch another process"
    return "" if shutil.which("strace") else "strace is not installed"


def main():
    if missing():
        print("skipped:", missing())
        return 77
    t = Quiet(os.path.abspath(sys.argv[1]))
    page, file = f"http://{OURS}/", f"http://{OURS}/big.bin"
    try:
        t.start()
        watched(t, "http", t.load("http", page, "-d", "6s"))
        watched(t, "udp echo", t.load("udp-echo", f"{OURS}:7", "-d", "6s"))
        copied(t, "download", t.load("http", file, "-r", "20", "-c", "4", "-d", "60s"))
        for kind in ("tcp-echo", "udp-echo"):
            copied(t, f"{kind} of 1400 bytes", t.load(kind, f"{OURS}:7", "-s", "1400", "-r",
                                                      "16000", "-c", "64", "-d", "60s"))
    except (RuntimeError, OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
        t.check("the test itself", False, repr(error))
    finally:
        t.clean()
    return 1 if t.failures else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prism serves kernel clients: one end over a port of the given kind, the other the kernel's.

    serve.py PRISM tap|af_xdp [WORKERS]

Downloads, echoes, and two load generators; afterwards nothing may be missing: every buffer back
in its pool, no connection beyond TIME-WAIT, no packet unaccounted for, nothing left behind.
Exits 77 with the reason where it cannot run.
"""
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from bed import KERNELS, OURS, entering

BIG_BYTES = 256 << 20
NAME = f"serve{os.environ.get('PRISM_TEST_RUN', '')}{os.getpid()}"


def sh(*command, **kwargs):
    return subprocess.run(command, check=True, text=True, capture_output=True, **kwargs).stdout


class Place:
    """The namespaces, the configuration and the running server of one test."""

    def __init__(self, prism, kind, workers=1):
        self.prism, self.kind, self.workers = prism, kind, workers
        self.client_ns, self.server_ns = f"prism-{NAME}-c", f"prism-{NAME}-s"
        self.folder = tempfile.mkdtemp(prefix="prism-serve-")
        self.failures = []
        self.server = None

    def inside(self, ns, *command):
        return [*entering(ns), *command]

    def client(self, *command, **kwargs):
        return subprocess.run(self.inside(self.client_ns, *command), text=True, capture_output=True,
                              timeout=300, **kwargs)

    def make_network(self):
        sh("ip", "netns", "add", self.client_ns)
        sh(*entering(self.client_ns), "ip", "link", "set", "lo", "up")
        if self.kind == "tap":
            self.server_ns = self.client_ns
            return f"tap:t{NAME[:10]}"
        sh("ip", "netns", "add", self.server_ns)
        queues = ["numrxqueues", str(self.workers), "numtxqueues", str(self.workers)]
        sh(*entering(self.server_ns), "ip", "link", "add", "sv", *queues, "type", "veth", "peer",
           "name", "cl", *queues, "netns", self.client_ns)
        sh(*entering(self.server_ns), "ip", "link", "set", "sv", "up")
        sh(*entering(self.client_ns), "ip", "link", "set", "cl", "up")
        sh(*entering(self.client_ns), "ip", "addr", "add", f"{KERNELS}/24", "dev", "cl")
        return "af_xdp:sv"

    def write_files(self, device):
        www = os.path.join(self.folder, "www")
        os.mkdir(www)
        with open(os.path.join(www, "index.html"), "w") as f:
            f.write("<!doctype html><title>Prism</title>" + "x" * 200 + "\n")
        with open(os.path.join(www, "big.bin"), "wb") as f:
            block = os.urandom(1 << 20)
            for i in range(BIG_BYTES >> 20):
                f.write(block[i:] + block[:i])
        kernel = f"    kernel_addresses: [{KERNELS}/24]\n" if self.kind == "tap" else ""
        path = os.path.join(self.folder, "serve.yaml")
        with open(path, "w") as f:
            f.write(f"instance: {NAME}\nports:\n  - name: p0\n    device: {device}\n"
                    f"    addresses: [{OURS}/24]\n{kernel}"
                    "services:\n  - {type: http, port: 80, root: www}\n"
                    "  - {type: echo, port: 7}\n  - {type: discard, port: 9}\n"
                    f"workers: {self.workers}\n")
        return path

    def start(self):
        config = self.write_files(self.make_network())
        self.log = open(os.path.join(self.folder, "log"), "w+")
        self.server = subprocess.Popen(self.inside(self.server_ns, self.prism, "run", config),
                                       stdout=self.log, stderr=subprocess.STDOUT)
        for _ in range(200):
            if self.server.poll() is not None:
                raise RuntimeError("prism run ended: " + self.log_text())
            if self.client("curl", "-s", "-m", "1", "-o", "/dev/null", f"http://{OURS}/").returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError("prism does not answer: " + self.log_text())

    def log_text(self):
        self.log.seek(0)
        return self.log.read()

    def stats(self):
        return json.loads(sh(self.prism, "stats", "--json", "-n", NAME))

    def check(self, what, good, detail=""):
        print(("ok    " if good else "WRONG ") + what + (f": {detail}" if detail else ""), flush=True)
        if not good:
            self.failures.append(what)

    def stop(self):
        if self.server and self.server.poll() is None:
            self.server.send_signal(signal.SIGTERM)
            try:
                self.server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.failures.append("prism did not end within 20 s of SIGTERM")

    def clean(self):
        self.stop()
        if self.failures and self.server:
            print(self.log_text()[-3000:])
        for ns in {self.client_ns, self.server_ns}:
            subprocess.run(["ip", "netns", "del", ns], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def download(place):
    out = os.path.join(place.folder, "got.bin")
    begin = time.monotonic()
    got = place.client("curl", "-s", "-S", "-m", "240", "-o", out, f"http://{OURS}/big.bin")
    seconds = time.monotonic() - begin
    want = hashlib.sha256(open(os.path.join(place.folder, "www/big.bin"), "rb").read()).hexdigest()
    have = hashlib.sha256(open(out, "rb").read()).hexdigest() if os.path.exists(out) else "nothing"
    place.check("a 256 MiB download has the right sha256", have == want,
                f"{BIG_BYTES * 8 / seconds / 1e9:.2f} Gbit/s {got.stderr.strip()}")


def echo_peer():
    """Runs inside the client's namespace: 256 MiB out and back, compared byte for byte."""
    s = socket.create_connection((OURS, 7), timeout=60)
    block = os.urandom((1 << 20) + 7)
    sent, got = hashlib.sha256(), hashlib.sha256()

    def send():
        left = BIG_BYTES
        while left:
            piece = block[:min(left, len(block))]
            s.sendall(piece)
            sent.update(piece)
            left -= len(piece)
        s.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=send)
    thread.start()
    count = 0
    while True:
        data = s.recv(1 << 18)
        if not data:
            break
        got.update(data)
        count += len(data)
    thread.join()
    print(count, sent.hexdigest() == got.hexdigest())


def echo(place):
    got = place.client(sys.executable, os.path.abspath(__file__), "--echo-peer")
    place.check("256 MiB through the echo port come back identical",
                got.stdout.split() == [str(BIG_BYTES), "True"], (got.stdout + got.stderr).strip()[-200:])


def apache_bench(place):
    got = place.client("ab", "-q", "-n", "100000", "-c", "50", f"http://{OURS}/")
    failed = [l for l in got.stdout.splitlines() if l.startswith("Failed requests:")]
    rate = [l for l in got.stdout.splitlines() if l.startswith("Requests per second:")]
    complete = "Complete requests:      100000" in got.stdout
    place.check("ab -n 100000 -c 50 without keep-alive has no failed request",
                complete and bool(failed) and failed[0].split()[-1] == "0",
                (rate[0].split(":")[1].strip() if rate else got.stderr[-200:]))


def wrk(place):
    got = place.client("wrk", "-t2", "-c100", "-d10", f"http://{OURS}/")
    rate = [l for l in got.stdout.splitlines() if "Requests/sec" in l]
    place.check("wrk -t2 -c100 -d10 has no socket error",
                bool(rate) and "Socket errors" not in got.stdout and "Non-2xx" not in got.stdout,
                " ".join(got.stdout.split("Requests/sec:")[-1].split()[:1]) + " requests/s")


def ping(place):
    got = place.client("ping", "-c", "3", "-i", "0.2", "-W", "2", OURS)
    place.check("ping answers", got.returncode == 0)


def free_pkts(stats):
    return {p["name"]: p["available_pkts"] for p in stats["pools"]}


def free_at_rest(place):
    """Of each pool, the same for a second: a packet just under way is no measure."""
    free, since = None, time.monotonic()
    end = since + 10
    while time.monotonic() < min(since + 1, end):
        now = free_pkts(place.stats())
        if now != free:
            free, since = now, time.monotonic()
        time.sleep(0.1)
    return free


def nothing_is_missing(place, before):
    for _ in range(50):  # retransmissions and closes settle
        ping_again = place.client("ping", "-c", "1", "-W", "1", OURS).returncode == 0
        time.sleep(0.2)  # the answer's buffer is the kernel's until ping has read it
        now = place.stats()
        free = free_pkts(now)
        open_now = sum(w["conns_open"] for w in now["workers"])
        if open_now == 0 and free == before and ping_again:
            break
    place.check("every buffer is back in its pool", free == before, f"{before} then {free}")
    place.check("no connection is left beyond TIME-WAIT",
                all(w["conns_open"] == 0 and w["conns_half_open"] == 0 for w in now["workers"]),
                f"{sum(w['conns_time_wait'] for w in now['workers'])} in TIME-WAIT")
    place.check("every worker accepted connections", all(w["accepted"] for w in now["workers"]),
                ", ".join(f"{w['accepted']} (handed on {w['handed_out_pkts']} packets)"
                          for w in now["workers"]))
    table = now["flow_table"]
    keys = sum(w["conns_open"] + w["conns_half_open"] + w["conns_time_wait"]
               for w in now["workers"])
    place.check("the table has a key for each connection", table["keys"] == keys, str(table))
    place.check("its table has room", table["keys"] <= table["capacity"] <= table["slots"])
    place.check("one writer needs no second try",
                len(now["workers"]) > 1 or table["retries"] == 0)
    place.check("unaccounted is 0", now["unaccounted"] == 0, str(now["unaccounted"]))
    copied = {k: v for k, v in now["counters"].items() if k.startswith("copied_bytes") and v}
    print("      copy ledger:", copied or "0 bytes")
    print("      drops:", {k: v for k, v in now["drops"].items() if v} or "none")


def left_behind(place):
    place.stop()
    links = sh(*entering(place.server_ns), "ip", "-o", "link")
    place.check("the server's end leaves no interface and no XDP program",
                "tserve" not in links and "xdp" not in links, links if "xdp" in links else "")
    place.check("the server ends with 0", place.server.returncode == 0, str(place.server.returncode))
    rest = [f for f in os.listdir("/run/prism") if NAME in f] if os.path.isdir("/run/prism") else []
    place.check("no runtime file is left", not rest, " ".join(rest))


def missing():
    if os.geteuid() != 0:
        return "needs root to make network namespaces"
    for tool in ("ip", "curl", "ab", "wrk", "ping"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    return "" if os.path.exists("/dev/net/tun") else "/dev/net/tun is not there"


def main():
    if sys.argv[1:] == ["--echo-peer"]:
        return echo_peer()
    if missing():
        print("skipped:", missing())
        return 77
    place = Place(os.path.abspath(sys.argv[1]), sys.argv[2], int((sys.argv[3:] or [1])[0]))
    try:
        place.start()
        ping(place)
        before = free_at_rest(place)
        for step in (download, echo, apache_bench, wrk, ping):
            step(place)
        nothing_is_missing(place, before)
        left_behind(place)
    except (RuntimeError, subprocess.SubprocessError, KeyError) as error:
        place.check("the test itself", False, repr(error))
    finally:
        place.clean()
    return 1 if place.failures else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prism as the client: prism load against nginx on the kernel's sockets, in namespaces of their own.

    load.py PRISM tap|af_xdp

Keep-alive, pipelined, and a new connection for each request, of a page and of a file larger than
any window: no error, the bytes that nginx has, and every buffer back in its pool. Exits 77 with
the reason where it cannot run.
"""
import json
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from bed import KERNELS, OURS, Bed, conduct, entering, missing, sh

PAGE = "<!doctype html><title>nginx</title>" + "x" * 200
FILE_BYTES = 4 << 20
# What is loaded: of which page, how, and how many answers there must be at least.
LOADS = [
    ("keep-alive", "", ["-c", "50", "-r", "20000"], 20000),
    ("one connection", "", ["-c", "1", "-r", "2000"], 2000),
    ("pipelined", "", ["-c", "20", "-P", "16", "-r", "50000"], 50000),
    ("new connections", "", ["-c", "32", "--new-connection", "-r", "10000"], 10000),
    ("at a rate", "", ["-c", "10", "--rate", "2000", "-d", "2s"], 1000),
    ("a large file", "big.bin", ["-c", "4", "-r", "40"], 40),
]
# How many sent packets a device may keep until it sends the next: AF_XDP's driver looks at what the
# kernel has completed only then, a burst at a time.
KEPT = {"tap": 0, "af_xdp": 64}
NGINX = """daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000; client_body_temp_path {folder}/t1;
 proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4;
 scgi_temp_path {folder}/t5; server {{ listen {address}:80; root {folder}/www; }} }}
"""


class Client(Bed):
    """nginx in the kernel's namespace, and a wire to it for a stack of ours."""

    def __init__(self, prism, kind):
        super().__init__("load", prism)
        self.kind = kind

    def make(self):
        self.write("www/index.html", PAGE)
        self.write("www/big.bin", os.urandom(FILE_BYTES))
        self.kernels = self.namespace("k")
        self.ours = self.kernels if self.kind == "tap" else self.namespace("o")
        self.nginx_address = KERNELS
        if self.kind == "tap":
            # The tap is there only while prism load runs; nginx listens on an address that stays.
            self.nginx_address = "198.18.1.1"
            sh(*entering(self.kernels), "ip", "addr", "add", f"{self.nginx_address}/32", "dev",
               "lo")
        else:
            self.veth(self.ours, self.kernels)
        config = self.write("nginx.conf", NGINX.format(folder=self.folder,
                                                       address=self.nginx_address))
        self.nginx = self.start("nginx", "-c", config, "-p", self.folder, ns=self.kernels,
                                stderr=subprocess.DEVNULL)
        for _ in range(100):
            got = self.run("curl", "-s", "-m", "1", f"http://{self.nginx_address}/", ns=self.kernels)
            if got.stdout == PAGE:
                return
            time.sleep(0.1)
        raise RuntimeError("nginx does not answer")

    def port(self):
        if self.kind != "tap":
            return "{name: p0, device: af_xdp:sv, addresses: [%s/24]}" % OURS
        return ("{name: p0, device: tap:load0, addresses: [%s/24], kernel_addresses: [%s/24], "
                "gateway: %s}" % (OURS, KERNELS, KERNELS))

    def load(self, what, page, options, least):
        config = self.write("load.yaml", f"instance: {self.name}\nports:\n  - {self.port()}\n")
        expect = ["--expect-file", self.path(f"www/{page or 'index.html'}")]
        got = self.run(self.prism, "load", "http", f"http://{self.nginx_address}/{page}", "-f",
                       config, "-q", "-j", *expect, *options, ns=self.ours)
        report = json.loads(got.stdout) if got.stdout.startswith("{") else {}
        errors = {k: v for k, v in report.get("errors_by_kind", {}).items() if v}
        self.check(f"{what}: no error", got.returncode == 0 and not errors and
                   report.get("requests", 0) >= least,
                   f"{report.get('requests')} requests, {errors or 'none'} {got.stderr.strip()[-300:]}")
        out = report.get("buffers_out", -1)
        self.check(f"{what}: every buffer is back", 0 <= out <= KEPT[self.kind], f"{out} are out")


def unlike(t):
    """The check of the body can fail."""
    config = t.path("load.yaml")
    got = t.run(t.prism, "load", "http", f"http://{t.nginx_address}/", "-f", config, "-q", "-j",
                "--expect-file", t.path("www/big.bin"), "-r", "1", ns=t.ours)
    t.check("another body than expected is an error", got.returncode != 0 and
            json.loads(got.stdout)["errors_by_kind"]["body"] == 1)


def warming_up(t):
    """Ctrl-C is heard before the measurement too."""
    process = t.start(t.prism, "load", "http", f"http://{t.nginx_address}/", "-f",
                      t.path("load.yaml"), "-w", "60s", ns=t.ours, stdout=subprocess.DEVNULL,
                      stderr=subprocess.PIPE)
    for line in process.stderr:
        if line.startswith("warming up"):
            break
    begin = time.monotonic()
    code = t.end(process, signal.SIGINT)
    took_s = time.monotonic() - begin
    t.check("Ctrl-C ends a warm-up", code == 0 and took_s < 8, f"{code} after {took_s:.1f} s")


def main():
    reason = missing("ip", "curl", "nginx", files=["/dev/net/tun"])
    if reason:
        print("skipped:", reason)
        return 77
    return conduct(Client(sys.argv[1], sys.argv[2]),
                   [Client.make, *(lambda t, load=load: t.load(*load) for load in LOADS), unlike,
                    warming_up])


if __name__ == "__main__":
    sys.exit(main())

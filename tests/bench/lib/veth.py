# SPDX-License-Identifier: BSD-3-Clause
"""Over a veth pair between two network namespaces, or a tap: Prism beside the kernel's stack.

The same client program measures both sides; it runs in the kernel on one core, the server on the
other. What the kernel does for the client (its TCP, the veth pair) is the larger part of each row.
"""
import json
import os
import re
import shutil
import subprocess
import time

from . import shm
from .machine import shm_file, wait_until
from .rows import Bench, Row, Skip

SERVER, CLIENT = "198.18.0.2", "198.18.0.1"
BIG_BYTES = 256 << 20
PRISM = """instance: {instance}
workers: {cores}
ports:
  - name: p0
    device: "{device}"
    addresses: [198.18.0.2/24]
{more}services:
  - {{type: http, port: 80, root: vwww}}
"""
NGINX = """daemon off; worker_processes 1; worker_cpu_affinity {mask}; pid {folder}/nginx.pid;
error_log {folder}/nginx.log; events {{ worker_connections 4096; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
 server {{ listen 80; root {folder}/vwww; }} }}
"""


def entering(namespace):
    """Not ip netns exec or ip -n: those remount /, and in a chroot / is no mount point."""
    return ["nsenter", f"--net=/run/netns/{namespace}"]


def sh(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


def number(text, pattern):
    found = re.search(pattern, text)
    if not found:
        raise RuntimeError(f"no {pattern} in: {text[-300:]}")
    return float(found.group(1))


class Veth:
    def __init__(self, place):
        self.place = place
        self.count = 0
        self.cores = [place.server_core]  # of Prism's workers

    def need(self, *tools):
        if os.geteuid() != 0:
            raise Skip("needs root to make network namespaces")
        for tool in tools:
            if not shutil.which(tool):
                raise Skip(f"{tool} is not installed")

    def namespaces(self, with_address):
        """A fresh pair of namespaces and a veth pair between them: (client's, server's)."""
        self.count += 1
        names = [f"bench{os.getpid()}-{self.count}{end}" for end in "cs"]
        for name in names:
            sh("ip", "netns", "add", name)
            self.place.namespaces.append(name)
            sh(*entering(name), "ip", "link", "set", "lo", "up")
        sh(*entering(names[1]), "ip", "link", "add", "sv", "type", "veth", "peer", "name", "cl",
           "netns", names[0])
        sh(*entering(names[0]), "ip", "addr", "add", f"{CLIENT}/24", "dev", "cl")
        if with_address:
            sh(*entering(names[1]), "ip", "addr", "add", f"{SERVER}/24", "dev", "sv")
        sh(*entering(names[0]), "ip", "link", "set", "cl", "up")
        sh(*entering(names[1]), "ip", "link", "set", "sv", "up")
        return names

    def remove(self, names):
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
            self.place.namespaces.remove(name)

    def write_site(self):
        if os.path.exists(self.place.path("vwww/big.bin")):
            return
        os.chmod(self.place.folder, 0o755)  # nginx's worker is another user
        self.place.write("vwww/index.html", "<!doctype html><title>x</title>" + "x" * 33)
        self.place.write("vwww/big.bin", os.urandom(1 << 20) * (BIG_BYTES >> 20))

    def inside(self, namespace, core, *command):
        return [*entering(namespace), "taskset", "-c", str(core), *command]

    def start_nginx(self, names):
        config = self.place.write("nginx.conf", NGINX.format(
            folder=self.place.folder, mask=format(1 << self.place.server_core, "b")))
        return self.place.start(self.inside(names[1], self.place.server_core, "nginx", "-c",
                                            config, "-p", self.place.folder),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start_prism(self, names, kind):
        instance = f"bench{os.getpid()}-v{self.count}"
        tap = kind == "tap"
        device = "tap:bt0" if tap else "af_xdp:sv"
        more = f"    kernel_addresses: [{CLIENT}/24]\n" if tap else ""
        if tap:
            sh(*entering(names[0]), "ip", "addr", "del", f"{CLIENT}/24", "dev", "cl")
        config = self.place.write("v.yaml", PRISM.format(
            instance=instance, cores=self.cores, device=device, more=more))
        log = open(self.place.path("v.log"), "w+", encoding="utf-8")
        server = self.place.start([*entering(names[0 if tap else 1]),
                                   self.place.prism(), "run", config], stdout=log,
                                  stderr=subprocess.STDOUT)

        def running():
            if server.poll() is not None:
                log.seek(0)
                raise RuntimeError("prism run ended: " + log.read()[-300:])
            path = shm_file(instance)
            return path and shm.read(path)[0] == shm.RUNNING
        wait_until(running, "prism run")
        return server, shm_file(instance)

    def client(self, names, *command):
        done = subprocess.run(self.inside(names[0], self.place.client_core, *command),
                              capture_output=True, text=True, check=False, timeout=120)
        return done.stdout + done.stderr

    def answers(self, names):
        return subprocess.run([*entering(names[0]), "curl", "-s", "-m", "1", "-o",
                               "/dev/null", f"http://{SERVER}/"], check=False).returncode == 0

    def with_server(self, kind, measure):
        """Starts nginx or Prism on a fresh wire, measures, and removes everything."""
        self.need("ip", "taskset", "curl", "wrk", "nginx", "iperf3")
        self.write_site()
        names = self.namespaces(with_address=kind == "nginx")
        server, path = None, None
        try:
            if kind == "nginx":
                server = self.start_nginx(names)
            else:
                server, path = self.start_prism(names, kind)
            wait_until(lambda: self.answers(names), f"{kind} answers")
            return measure(names, path)
        finally:
            if server:
                self.place.end(server)
            self.remove(names)

    def wrk(self, names, path, close):
        before, begin = path and shm.read(path)[1]["counter"], time.monotonic()
        header = ["-H", "Connection: close"] if close else []
        text = self.client(names, "wrk", "-t1", "-c50", f"-d{max(1, round(self.place.seconds))}s",
                           *header, f"http://{SERVER}/")
        values = {"rate": number(text, r"Requests/sec:\s+([0-9.]+)"), "notes": []}
        if "Socket errors" in text:
            values["notes"] = [re.search(r"Socket errors.*", text).group(0)]
        if path:
            after, passed_s = shm.counters(path), time.monotonic() - begin
            values["pkts"] = sum(after[k] - before[k] for k in ("rx_pkts", "tx_pkts")) / passed_s
        return values

    def http(self, kind, close=False):
        return self.with_server(kind, lambda names, path: self.wrk(names, path, close))

    def download(self, kind):
        def fetch(names, path):
            text = self.client(names, "curl", "-s", "-m", "100", "-o", "/dev/null", "-w",
                               "speed=%{speed_download}", f"http://{SERVER}/big.bin")
            return {"gbit": number(text, r"speed=([0-9.]+)") * 8 / 1e9}
        return self.with_server(kind, fetch)

    def iperf3(self):
        self.need("ip", "taskset", "iperf3")
        names = self.namespaces(with_address=True)
        server = self.place.start(self.inside(names[1], self.place.server_core, "iperf3", "-s",
                                              "-1"), stdout=subprocess.DEVNULL)
        try:
            time.sleep(0.3)
            text = self.client(names, "iperf3", "-c", SERVER, "-R", "-J", "-t",
                               str(max(1, round(self.place.seconds))))
            return {"gbit": json.loads(text)["end"]["sum_received"]["bits_per_second"] / 1e9}
        finally:
            self.place.end(server)
            self.remove(names)

    def raw(self):
        """Packets a second that cross a raw AF_XDP echo, there and back, from AF_XDP too."""
        self.need("ip")
        names = self.namespaces(with_address=False)
        echo = self.place.start([*entering(names[1]), self.place.tool("raw_echo"),
                                 "af_xdp:sv", str(self.place.server_core)],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1)
            done = subprocess.run([*entering(names[0]), self.place.tool("raw_load"),
                                   "af_xdp:cl", str(self.place.client_core), "128", "64",
                                   str(self.place.seconds)], capture_output=True, text=True,
                                  timeout=60, check=False)
            if done.returncode != 0:
                raise RuntimeError("raw_load: " + done.stderr[-300:])
            return {"pkts": 2 * json.loads(done.stdout)["pkts_per_s"]}
        finally:
            self.place.end(echo)
            self.remove(names)


def benches(place):
    v = Veth(place)
    found = []
    for kind in ("af_xdp", "tap"):
        for name, close in (("http.50", False), ("http.new", True)):
            found.append(Bench(
                {"prism": lambda k=kind, c=close: v.http(k, c),
                 "nginx": lambda c=close: v.http("nginx", c)},
                [Row(f"veth.{kind}.{name}", "1/s", "rate", "nginx", "rate",
                     "kernel nginx, one worker; wrk -t1 -c50")]))
        found.append(Bench(
            {"prism": lambda k=kind: v.download(k), "nginx": lambda: v.download("nginx"),
             "iperf3": v.iperf3},
            [Row(f"veth.{kind}.bulk", "Gbit/s", "gbit", "nginx", "gbit", "kernel nginx; curl"),
             Row(f"veth.{kind}.bulk.iperf3", "Gbit/s", "gbit", "iperf3", "gbit",
                 "kernel sockets; iperf3")]))
    found.append(Bench(
        {"prism": lambda: v.http("af_xdp"), "raw": v.raw},
        [Row("veth.af_xdp.pkts", "pkt/s", "pkts", "raw", "pkts",
             "raw AF_XDP echo, both ways, 64 under way")]))
    return found

# SPDX-License-Identifier: BSD-3-Clause
"""Two processes on two cores over shared memory, each beside the raw wire.

Prism's server is the client of the memif pair, since that side may send without a copy
(zero-copy=yes, with huge pages); prism load is its server. Every measurement starts both afresh.
"per core" is a rate divided by the share of time in which the server's worker had work to do.
"""
import json
import os
import subprocess
import time

from . import shm, veth
from .machine import shm_file, wait_until
from .rows import Bench, Row

# Server and load both keep a copy, and both fit a small last-level cache: the wire is measured, not
# the memory. iperf3's buffer is 128 KiB.
BIG_BYTES = 2 << 20
WARMUP_S = 0.5
KERNEL = "kernel sockets over veth; iperf3; no checksums on either wire"
CONFIG = """instance: {instance}
idle: {idle}
workers: {cores}
ports:
  - name: p0
    device: "{device}"
    addresses: [198.18.0.2/24]
    mtu: {mtu}
services:
  - {{type: http, port: 80, root: www, connections: 65536}}
  - {{type: echo, port: 7}}
limits: {{connections: 65536}}
"""


def only_lost(out):
    report = json.loads(out) if out.startswith("{") else {"errors": 0}
    return report["errors"] and report["errors"] == report["errors_by_kind"]["lost"]


class Memif:
    def __init__(self, place):
        self.place = place
        self.count = 0
        self.zero_copy = True
        self.cores, self.idle = [place.server_core], "poll"  # of the server's workers
        self.may_lose = False  # datagrams, whose loss is told and not an error

    def socket(self):
        self.count += 1
        return self.place.path(f"m{self.count}.sock")

    def devices(self, mtu, checksums="yes"):
        """Device strings of the measured side and of the load."""
        path = self.socket()
        more = f",bsize={mtu + 248}" if mtu > 1500 else ""
        more += ",checksums=no" if checksums == "no" else ""
        zero = ",zero-copy=yes" if self.zero_copy else ""
        return f"memif:{path},role=client{zero}{more}", f"memif:{path},role=server{more}"

    def write_site(self):
        if os.path.exists(self.place.path("www/index.html")):
            return
        self.place.write("www/index.html", "<!doctype html><title>x</title>" + "x" * 33)
        self.place.write("www/32k.bin", os.urandom(32 << 10))
        self.place.write("www/big.bin", os.urandom(BIG_BYTES))

    def serve(self, device, mtu, more=""):
        """A running server: (process, its shared memory). more: lines of its configuration."""
        self.write_site()
        instance = f"bench{os.getpid()}-{self.count}"
        config = self.place.write(f"{instance}.yaml", CONFIG.format(
            instance=instance, cores=self.cores, idle=self.idle, device=device, mtu=mtu) + more)
        log = open(self.place.path(f"{instance}.log"), "w+", encoding="utf-8")
        server = self.place.start([self.place.prism(), "run", config], stdout=log,
                                  stderr=subprocess.STDOUT)

        def running():
            if server.poll() is not None:
                log.seek(0)
                raise RuntimeError("prism run ended: " + log.read()[-300:])
            path = shm_file(instance)
            return path and shm.read(path)[0] == shm.RUNNING
        wait_until(running, "prism run")
        return server, shm_file(instance)

    def load(self, kind, target, options, mtu=1500, checksums="yes", more="", tools=()):
        """One measurement of a server by prism load: rates, round trips, and rates per core. tools:
        commands that look at the server meanwhile."""
        ours, theirs = self.devices(mtu, checksums)
        server, path = self.serve(ours, mtu, more)
        instance = f"bench{os.getpid()}-{self.count}"
        lookers = [self.place.start([self.place.prism(), *tool, "-n", instance],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                   for tool in tools]
        config = self.place.write("load.yaml", (
            f"instance: bench{os.getpid()}-load\nworkers: [{self.place.client_core}]\nports:\n"
            f"  - {{name: p0, device: \"{theirs}\", addresses: [198.18.0.1/24], mtu: {mtu}}}\n"))
        load = self.place.start(
            [self.place.prism(), "load", kind, target, "-f", config, "-C",
             str(self.place.client_core), "-d", f"{self.place.seconds * 1000:.0f}ms",
             "-w", f"{WARMUP_S * 1000:.0f}ms", "--json", "--quiet", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        before, after = self.watch(load, path)
        out, err = load.communicate(timeout=60)
        self.place.processes.remove(load)
        for looker in lookers:
            self.place.end(looker)
        self.place.end(server)
        if load.returncode != 0 and not (self.may_lose and only_lost(out)):
            raise RuntimeError(f"prism load: {out[-600:]} {err[-300:]}")
        return self.values(json.loads(out), before, after)

    def watch(self, load, path):
        """The server's counters at two moments well inside the measurement."""
        wait_until(lambda: load.poll() is not None or shm.counters(path)["rx_pkts"] > 100,
                   "first packets")
        time.sleep(WARMUP_S + 0.1 * self.place.seconds)
        before = shm.counters(path)
        time.sleep(0.7 * self.place.seconds)
        return before, shm.counters(path)

    def values(self, report, before, after):
        share = shm.busy_share(before, after)
        pkts = after["rx_pkts"] - before["rx_pkts"] + after["tx_pkts"] - before["tx_pkts"]
        rate, gbit = report["requests_per_s"], report["received_gbit_per_s"]
        return {"rate": rate, "rate_core": rate / share if share else 0.0, "gbit": gbit,
                "gbit_core": gbit / share if share else 0.0, "busy_pct": 100 * share,
                "p50_ns": report["latency_ns"]["p50"], "p99_ns": report["latency_ns"]["p99"],
                "copied_bytes": after["copied_bytes_pack"] - before["copied_bytes_pack"],
                "pkts": pkts}

    def raw(self, size_bytes, in_flight, *how):
        """The wire's own limit: an echo without a stack, as its last arguments (how) say."""
        mtu = 1500 if size_bytes <= 1514 else 9000
        ours, theirs = self.devices(mtu)
        env = {**os.environ, "RAW_ROOM_BYTES": str(mtu + 248 + 128)}
        quiet = {"stderr": subprocess.DEVNULL, "env": env}
        echo = self.place.start(
            [self.place.tool("raw_echo"), ours, str(self.place.server_core), *how],
            stdout=subprocess.DEVNULL, **quiet)
        load = subprocess.run(
            [self.place.tool("raw_load"), theirs, str(self.place.client_core), str(size_bytes),
             str(in_flight), str(self.place.seconds)], stdout=subprocess.PIPE, text=True,
            timeout=60 + 2 * self.place.seconds, check=False, **quiet)
        self.place.end(echo)
        if load.returncode != 0:
            raise RuntimeError("raw_load: nobody echoes")
        values = json.loads(load.stdout)
        return {"rate": values["pkts_per_s"], "p50_ns": values["p50_ns"],
                "p99_ns": values["p99_ns"],
                "gbit": values["pkts_per_s"] * size_bytes * 8 / 1e9}


def rate_rows(name, what):
    """A rate as it is, and per busy core of the server, beside the raw wire."""
    return [Row(f"memif.{name}", "1/s", "rate", "raw", "rate", what),
            Row(f"memif.{name}.core", "1/s", "rate_core", "raw", "rate", what),
            Row(f"memif.{name}.busy", "%", "busy_pct")]


def trip_rows(name, what):
    """Beside an echo that leaves packets as they came, in the other core's cache, and beside one
    that exchanges the addresses, as whoever answers on a network must."""
    swaps = what.replace("raw echo", "raw echo that swaps addresses")
    return [Row(f"memif.{name}.p50", "ns", "p50_ns", "raw", "p50_ns", what),
            Row(f"memif.{name}.p50.swap", "ns", "p50_ns", "swap", "p50_ns", swaps),
            Row(f"memif.{name}.p99", "ns", "p99_ns", "raw", "p99_ns", what),
            Row(f"memif.{name}.core", "1/s", "rate_core", "raw", "rate", what)]


def gbit_rows(name, what):
    return [Row(f"memif.{name}", "Gbit/s", "gbit", "raw", "gbit", what),
            Row(f"memif.{name}.core", "Gbit/s", "gbit_core", "raw", "gbit", what),
            Row(f"memif.{name}.busy", "%", "busy_pct")]


LOOKERS = (("conns", "-i", "100ms"), ("drops", "-f"), ("trace", "-f"), ("stats", "-i", "100ms"))


def recorder_benches(m, page):
    """What the flight recorder's samples, and tools that look, cost a server at its limit."""
    def side(one_in, tools=()):
        return lambda: m.load("http", page, ["-c", "64"], more=f"sample_one_in: {one_in}\n",
                              tools=tools)

    return [Bench({"prism": side(one_in, tools), "none": side(0)},
                  [Row(f"memif.recorder.{name}", "1/s", "rate_core", "none", "rate_core",
                       "no samples, nobody looks")])
            for name, one_in, tools in (("1024", 1024, ()), ("all", 1, ()),
                                        ("tools", 1024, LOOKERS))]


def benches(place):
    m = Memif(place)
    page, bulk = "http://198.18.0.2/", "http://198.18.0.2/big.bin"
    found = []

    def add(rows, prism, raw):
        sides = {"prism": lambda: m.load(*prism[:3], **prism[3]), "raw": lambda: m.raw(*raw)}
        if any(row.peer == "swap" for row in rows):
            sides["swap"] = lambda: m.raw(*raw, "swap")
        found.append(Bench(sides, rows))

    for connections in (64, 1, 10000):
        in_flight = min(connections, 512)
        add(rate_rows(f"http.{connections}", f"raw echo, 256 bytes, {in_flight} under way"),
            ("http", page, ["-c", str(connections)], {}), (256, in_flight))
    add(rate_rows("http.new", "raw echo, 128 bytes, 64 under way"),
        ("http", page, ["-c", "64", "--new-connection"], {}), (128, 64))
    add(trip_rows("tcp.trip", "raw echo, 128 bytes, 1 under way"),
        ("tcp-echo", "198.18.0.2:7", ["-c", "1", "-s", "64"], {}), (128, 1))
    add(trip_rows("udp.trip", "raw echo, 106 bytes, 1 under way"),
        ("udp-echo", "198.18.0.2:7", ["-c", "1", "-s", "64"], {}), (106, 1))
    add(rate_rows("udp.64", "raw echo, 64 bytes, 256 under way"),
        ("udp-echo", "198.18.0.2:7", ["-c", "32", "-P", "8", "-s", "22"], {}), (64, 256))
    add(rate_rows("http.32k", "raw echo, 1514 bytes, 256 under way")
        + [Row("memif.http.32k.gbit.core", "Gbit/s", "gbit_core", "raw", "gbit",
               "raw echo, 1514 bytes, 256 under way")],
        ("http", "http://198.18.0.2/32k.bin", ["-c", "8"], {}), (1514, 256))
    kernel = veth.Veth(place)
    found.append(Bench(
        {"prism": lambda: m.load("http", bulk, ["-c", "1", "-P", "2"], checksums="no"),
         "iperf3": kernel.iperf3},
        [Row("memif.bulk.iperf3", "Gbit/s", "gbit", "iperf3", "gbit", KERNEL),
         Row("memif.bulk.iperf3.core", "Gbit/s", "gbit_core", "iperf3", "gbit", KERNEL)]))
    for mtu in (1500, 9000):
        add(gbit_rows(f"bulk.{mtu}", f"raw echo, {mtu + 14} bytes, 256 under way"),
            ("http", bulk, ["-c", "1", "-P", "2"], {"mtu": mtu}), (mtu + 14, 256))
    return found + recorder_benches(m, page)

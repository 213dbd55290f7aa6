# SPDX-License-Identifier: BSD-3-Clause
"""What is counted and not timed: instructions of the server by callgrind, bytes of a million
connections. Two stacks in one process, in virtual time, so the counts repeat."""
import json
import os
import shutil
import subprocess

from .rows import Bench, Row, Skip

# What stands in for DPDK and the wire in these programs; its cost is no part of a row.
GROUND = ("src/port/pair.c", "src/pkt/pool_heap.c", "tests/bench/")
OPERATIONS = 4000


def place_of(path):
    """The floor that a source file belongs to."""
    for ground in GROUND:
        if ground in path:
            return "ground"
    if "src/" in path and "/usr/src" not in path:
        return path.split("src/", 1)[1].split("/", 1)[0]
    if "dpdk" in path or "rte_" in path:
        return "pkt"
    if "llhttp" in path:
        return "llhttp"
    return "ground"  # malloc and the like: the plain heap's


class Profile:
    """Instructions by (file, function) from a callgrind file; calls are left to the callee."""

    def __init__(self, path):
        self.names = {}
        self.cost = {}
        self.home = {}  # of a function: its own file, whatever is inlined into it
        skip = False
        where, function, file = "", "", ""
        with open(path, encoding="utf-8", errors="replace") as f:
            for line in f:
                key, _, value = line.partition("=")
                if key in ("fl", "fi", "fe"):
                    where = self.name("file", value)
                    if key == "fl":
                        file = where
                elif key == "fn":
                    function = self.name("function", value)
                    where = file
                    self.home[function] = file
                elif key in ("cfn", "cfi", "cfl"):
                    self.name("function" if key == "cfn" else "file", value)
                elif key == "calls":
                    skip = True  # the next line is what the callee cost
                elif line[:1].isdigit() or line[:1] in "+-*":
                    if not skip:
                        at = (where, function)
                        self.cost[at] = self.cost.get(at, 0) + int(line.split()[1])
                    skip = False

    def name(self, kind, text):
        """Names are written in full once: "(7) tcp_input", later "(7)"."""
        number, _, full = text.strip().partition(" ")
        if full:
            self.names[kind, number] = full
        return self.names.get((kind, number), text.strip())

    def place(self, path, function):
        """What is inlined into the ground is the ground's; a header of the compiler's is whose uses it."""
        home = place_of(self.home[function])
        return home if "ground" in (home, place_of(path)) else place_of(path)

    def floors(self):
        out = {}
        for (path, function), cost in self.cost.items():
            place = self.place(path, function)
            out[place] = out.get(place, 0) + cost
        return out

    def functions(self):
        """Cost by function, what was inlined into it included."""
        out = {}
        for (path, function), cost in self.cost.items():
            if self.place(path, function) != "ground":
                out[function] = out.get(function, 0) + cost
        return out


def counted(place, what, connections, *second, operations=OPERATIONS):
    if not shutil.which("valgrind"):
        raise Skip("valgrind is not installed")
    out = place.path("callgrind.out")
    done = subprocess.run(
        ["valgrind", "-q", "--tool=callgrind", "--toggle-collect=counted_turn",
         f"--callgrind-out-file={out}", place.tool("counted"), what, str(connections),
         str(operations), *second], capture_output=True, text=True, check=False, timeout=600)
    if done.returncode == 2:
        raise Skip("another version's counted does not know it")
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-300:])
    report, profile = json.loads(done.stdout), Profile(out)
    n = report["operations"]
    floors = {k: round(v / n, 1) for k, v in sorted(profile.floors().items(), key=lambda x: -x[1])}
    ground = floors.pop("ground", 0)
    top = sorted(profile.functions().items(), key=lambda x: -x[1])[:24]
    pkts = report["rx_pkts"] + report["tx_pkts"]
    total = sum(floors.values())
    return {"request": total, "packet": total * n / pkts,
            "detail": {"floors": floors, "ground": ground,
                       "functions": {name: round(cost / n, 1) for name, cost in top}},
            "notes": [", ".join(f"{k} {v:.0f}" for k, v in floors.items())]}


COSTS = ("tick_ns", "ack_warm_ns", "ack_cold_ns")


def million(place):
    """A million connections' bytes each; costs beside a thousand of the same run."""
    done = subprocess.run([place.tool("million")], capture_output=True, text=True, check=False,
                          timeout=600)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-300:])
    worlds = json.loads(done.stdout)
    few, most = worlds[1], worlds[-1]
    return {"bytes": most["bytes"], **{"few_" + k: few[k] for k in COSTS},
            **{k: most[k] for k in COSTS}, "detail": {"worlds": worlds}}


class Million:
    """One run gives both sides: the worlds stand in one process and are measured in turn."""

    def __init__(self, place):
        self.place, self.last = place, None

    def most(self):
        self.last = million(self.place)
        return self.last

    def few(self):
        return {k: self.last["few_" + k] for k in COSTS}


def million_bench(place):
    m = Million(place)
    rows = [Row("million.bytes", "bytes", "bytes")]
    for key in COSTS:
        rows.append(Row(f"million.{key[:-3].replace('_', '.')}", "ns", key, "few", key,
                        "the same beside 1,000 connections"))
    return Bench({"prism": m.most, "few": m.few}, rows, may_turn=False)


def benches(place):
    found = [million_bench(place)]
    for what, connections in (("http", 64), ("http", 1), ("http-new", 64), ("tcp-echo", 64),
                              ("udp-echo", 64)):
        name = f"instructions.{what}.{connections}"
        found.append(Bench({"prism": lambda w=what, c=connections: counted(place, w, c)},
                           [Row(name, "instr/request", "request"),
                            Row(name + ".packet", "instr/packet", "packet")], runs=1))
    for name, connections, page, many in (("32k", 8, 32 << 10, 1000), ("bulk", 1, 2 << 20, 60)):
        found.append(Bench(
            {"prism": lambda c=connections, p=page, n=many: counted(place, "http", c, f"page-{p}",
                                                                   operations=n)},
            [Row(f"instructions.http.{name}", "instr/request", "request"),
             Row(f"instructions.http.{name}.packet", "instr/packet", "packet")], runs=1))
    found.append(Bench({"prism": lambda: counted(place, "udp-drop", 64),
                        "unrecorded": lambda: counted(place, "udp-drop", 64, "unrecorded")},
                       [Row("instructions.udp-drop.64", "instr/packet", "request", "unrecorded",
                            "request", "the same without flight recorder")], runs=1))
    for what in ("http", "udp-echo"):
        for name, one_in in (("drops", 0), ("1024", 1024), ("all", 1)):
            found.append(Bench(
                {"prism": lambda w=what, n=one_in: counted(place, w, 64, f"one-in-{n}"),
                 "off": lambda w=what: counted(place, w, 64, "unrecorded")},
                [Row(f"recorder.{what}.{name}", "instr/packet", "packet", "off", "packet",
                     "without flight recorder")], runs=1))
        for name, snap in (("96", 96), ("whole", 65536)):
            found.append(Bench(
                {"prism": lambda w=what, n=snap: counted(place, w, 64, f"captured-{n}"),
                 "alone": lambda w=what: counted(place, w, 64)},
                [Row(f"capture.{what}.{name}", "instr/packet", "packet", "alone", "packet",
                     "while nobody captures")], runs=1))
    for what in ("http", "tcp-echo", "udp-echo"):
        found.append(Bench({"prism": lambda w=what: counted(place, w, 64, "idle"),
                            "alone": lambda w=what: counted(place, w, 64)},
                           [Row(f"instructions.second.{what}", "instr/request", "request", "alone",
                                "request", "the same without a second worker")], runs=1))
    return found

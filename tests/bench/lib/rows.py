# SPDX-License-Identifier: BSD-3-Clause
"""Rows of the table: measured in turn, reduced to medians, printed, and written as JSON."""
import json
import math
import os
import statistics
import sys
import time
from dataclasses import dataclass, field, replace


class Skip(Exception):
    """This bench cannot run here; the text says why."""


@dataclass(frozen=True)
class Row:
    name: str
    unit: str
    ours: str          # key of the value in what the side "prism" measured
    peer: str = ""     # the side it stands beside, "" for none
    theirs: str = ""   # key of that side's value
    title: str = ""    # what the peer is, in words


@dataclass
class Bench:
    """Sides that are measured in turn; each gives a dictionary of values. "prism" is one of them."""
    sides: dict
    rows: list
    runs: int = 0  # 0: what the command line says; exact counts need one
    may_turn: bool = True  # any side may be measured first
    notes: dict = field(default_factory=dict)


def choose(benches, names):
    """The benches that have a wanted row, with only those rows."""
    chosen = []
    for bench in benches:
        keep = [r for r in bench.rows
                if not names or any(r.name == n or r.name.startswith(n + ".") for n in names)]
        if keep:
            sides = {"prism"} | {r.peer for r in keep if r.peer}
            chosen.append(replace(bench, rows=keep,
                                  sides={k: v for k, v in bench.sides.items() if k in sides}))
    return chosen


def interval(values):
    """Between which two of them their true median lies, with 95 % (order statistics: no
    distribution is taken for granted). None of fewer than six."""
    n = len(values)
    low = max((k for k in range(n // 2) if sum(math.comb(n, i) for i in range(k + 1)) / 2**n <= 0.025),
              default=None)
    return None if low is None else [sorted(values)[low], sorted(values)[n - 1 - low]]


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "interval_95": interval(values)}


def best(row, values):
    """The run that was disturbed least: others take from a shared machine, they never add."""
    return max(values) if row.unit.endswith("/s") else min(values)


def reduce_row(row, measured, runs):
    """One row's JSON from the values of all runs, neighbour beside neighbour."""
    ours = [m["prism"][row.ours] for m in measured]
    out = {"name": row.name, "unit": row.unit, "prism": statistics.median(ours),
           "prism_spread": spread(ours), "prism_best": best(row, ours), "peer": row.title or row.peer or None,
           "peer_value": None, "ratio": None, "runs": runs,
           "notes": sorted({n for m in measured for s in m.values() for n in s.get("notes", [])})}
    detail = measured[-1]["prism"].get("detail")
    if detail:
        out["detail"] = detail
    if row.peer:
        theirs = [m[row.peer][row.theirs] for m in measured]
        out["peer_value"] = statistics.median(theirs)
        out["peer_spread"] = spread(theirs)
        out["peer_best"] = best(row, theirs)
        out["ratio"] = spread([a / b if b else 0.0 for a, b in zip(ours, theirs)])
        out["difference"] = spread([a - b for a, b in zip(ours, theirs)])
    return out


def human(value):
    if value is None:
        return "-"
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (limit if suffix != 'k' else 1e3):.3g} {suffix}"
    return f"{value:.4g}"


COLUMNS = "{:<30} {:>12} {:>8} {:>8} {:>8} {:>8}  {:>6} {:<13} {}"


def print_head(facts):
    for name, value in facts.items():
        print(f"{name:<12} {value}")
    print()
    print(COLUMNS.format("row", "unit", "prism", "best", "peer", "best", "ratio", "(spread)",
                         "peer is"))
    print("(the least and the greatest ratio), or, of six runs and more, [the 95 % interval of the"
          " median]")
    sys.stdout.flush()


def print_row(out):
    ratio = out["ratio"]
    middle = f"{ratio['median']:.2f}" if ratio else ""
    sure = ratio and ratio["interval_95"]
    edges = f"({ratio['min']:.2f}-{ratio['max']:.2f})" if ratio else ""
    edges = f"[{sure[0]:.2f}-{sure[1]:.2f}]" if sure else edges
    print(COLUMNS.format(out["name"], out["unit"], human(out["prism"]), human(out["prism_best"]),
                         human(out["peer_value"]), human(out.get("peer_best")), middle, edges,
                         out["peer"] or ""), flush=True)
    for note in out["notes"]:
        print(f"    {note}", flush=True)


def write_json(folder, facts, out):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, out["name"] + ".json")
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump({**out, "machine": facts, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                                                  time.gmtime())}, f, indent=1)
    os.replace(path + ".new", path)


def measure(bench, runs, line_trip_ns):
    """All sides in turn, runs times, every other time the other way round: what drifts is the same
    for all. And before each how far apart the two cores were."""
    measured, trips = [], []
    for r in range(runs):
        sides, turn = {}, list(bench.sides.items())
        for name, side in turn[::-1] if r % 2 and bench.may_turn else turn:
            trips.append(line_trip_ns())
            sides[name] = side()
        measured.append(sides)
    return measured, trips


def run(benches, runs, facts, folder, line_trip_ns):
    """Measures, prints and writes every row. 1 when a bench broke, else 0."""
    code, all_trips = 0, []
    for bench in benches:
        n = bench.runs or runs
        try:
            measured, trips = measure(bench, n, line_trip_ns)
        except Skip as why:
            print(f"{bench.rows[0].name:<34} skipped: {why}", flush=True)
            continue
        except Exception as error:  # noqa: BLE001 - the other rows are still worth having
            print(f"{bench.rows[0].name:<34} FAILED: {error}", flush=True)
            code = 1
            continue
        for row in bench.rows:
            out = reduce_row(row, measured, n)
            out["line_trips_ns"] = trips
            print_row(out)
            write_json(folder, facts, out)
        all_trips += trips
    if all_trips:
        print(f"\na cache line from core to core and back, before each of {len(all_trips)} "
              f"measurements: median {statistics.median(all_trips):.0f} ns "
              f"({min(all_trips):.0f}-{max(all_trips):.0f})")
    return code

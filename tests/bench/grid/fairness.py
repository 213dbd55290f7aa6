# SPDX-License-Identifier: BSD-3-Clause
"""Two flows on one bottleneck: Jain's index of their goodput, and each one's share.

Both senders are joined by a bridge in front of the wire; each has a receiver process of its own on
the same host, the kernel's. What is compared is the second half of the time both had.
"""
import json

from cells import Cell
from wired import PORT

# Senders: two flows of Prism, one beside CUBIC, and two of CUBIC as the yardstick.
MIXES = {"linux+linux": ("la", "lc"), "prism+linux": ("pa", "la"), "prism+prism": ("pa", "pc")}
RATES_MBIT, TRIPS_MS, SEEDS = [10, 100], [10, 50], 2
BIN_NS = 100_000_000
BYTES = 10 ** 12  # the receivers end it


def jain(values):
    square = sum(values) ** 2
    return square / (len(values) * sum(v * v for v in values)) if square else 0.0


def second_halves(flows):
    """Mbit/s of each flow in the second half of the time that all of them had."""
    begin = max(flow["first_ns"] for flow in flows)
    cut = [flow["bins"][round((begin - flow["first_ns"]) / BIN_NS):] for flow in flows]
    count = min(len(bins) for bins in cut)
    seconds = (count - count // 2) * BIN_NS / 1e9
    return [round(sum(bins[count // 2:count]) * 8 / 1e6 / seconds, 3) if seconds else 0.0
            for bins in cut]


def ends_of(bed, senders, seconds):
    """[(receiver, sender)] of flows that have begun, each with a port of its own."""
    begun = []
    for i, sender in enumerate(senders):
        port = PORT + i
        receiver = bed.bulk_end("lb", ("accept", "receive"), "lb", (BYTES, seconds), port)
        begun.append((receiver, sender, port))
    return [(receiver, sender, bed.bulk_end(sender, ("open", "send"), "lb", (BYTES, seconds), port))
            for receiver, sender, port in begun]


def measure(bed, cell, mix, seed, seconds):
    wire = bed.lay(("x1", "lb"), cell.wire(), seed)
    ends = ends_of(bed, MIXES[mix], seconds)
    heard = [bed.report(receiver, "lb", seconds + 30)["flows"][0] for receiver, _, _ in ends]
    sent = [bed.report(process, sender, 3) for _, sender, process in ends]
    for receiver, _, process in ends:
        bed.dismiss(process)
        bed.dismiss(receiver)
    rates = second_halves(heard)
    return {"mbit": rates, "jain": round(jain(rates), 3), "wire": bed.lift(wire),
            "wrong": sum(flow["wrong"] for flow in heard),
            "counters": [said.get("counters") for said in sent],
            "bins": [flow["bins"] for flow in heard]}


def run(bed, args, kept):
    extra = ["lc", "pc"]
    bed.make_hosts(extra)
    bed.bridge(["la", "pa", *extra])
    print(f"\n{'Mbit/s':>7}{'rtt ms':>7}  {'flows':<14}{'seed':>5}{'first':>9}{'second':>9}{'Jain':>7}")
    for rate in args.rate or RATES_MBIT:
        for trip in args.rtt or TRIPS_MS:
            for mix, seed in ((m, s) for s in range(1, SEEDS + 1) for m in MIXES):
                cell = Cell(0, trip, rate)
                found = kept.find(cell.key(), mix, seed, args.seconds)
                if not found:
                    found = {"cell": cell.key(), "pair": mix, "seed": seed, "seconds": args.seconds,
                             **measure(bed, cell, mix, seed, round(args.seconds))}
                    kept.add(found)
                print(f"{rate:>7}{trip:>7g}  {mix:<14}{seed:>5}{found['mbit'][0]:>9.2f}"
                      f"{found['mbit'][1]:>9.2f}{found['jain']:>7.3f}", flush=True)


def lines(path):
    """The rows for the page: medians are not needed of two."""
    with open(path, encoding="utf-8") as f:
        for r in json.load(f)["runs"]:
            yield [str(r["cell"][2]), f"{r['cell'][1]:g}", r["pair"], str(r["seed"]),
                   f"{r['mbit'][0]:.1f}", f"{r['mbit'][1]:.1f}", f"{r['jain']:.2f}"]


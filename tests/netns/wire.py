#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Bulk transfers between Prism and the kernel over an impaired wire, every byte compared.

    wire.py PRISM BUILD

Loss, bursts of it, reordering, duplicates, corruption, marks; each way, opened by either side. What fails
here is a byte, a transfer that does not end, or a packet unaccounted for; how long it took does not
matter. The grid of speeds is tests/bench/grid/run. Exits 77 with the reason where it cannot run.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../wire"))
from bed import conduct, missing  # noqa: E402
from wired import Wired  # noqa: E402

BYTES, PATIENCE_SECONDS = 600_000, 30
LINE = {"rate_bits_s": 100_000_000, "queue_bytes": 65536, "delay_ns": 1_000_000}
# What the wire does, and what it must say that it did.
CELLS = [
    ({"loss_ppm": 20_000}, ["lost_random"]),
    ({"bad_enter_ppm": 20_000, "bad_leave_ppm": 400_000, "bad_loss_ppm": 1_000_000},
     ["lost_burst"]),
    ({"reorder_ppm": 30_000, "reorder_ns": 2_000_000, "duplicate_ppm": 30_000},
     ["reordered", "duplicated"]),
    ({"corrupt_ppm": 20_000}, ["corrupted"]),
    # Marked is what both have agreed on, and so both echo and obey.
    ({"mark_bytes": 10_000}, ["marked"]),
]
NONE_OF = ["too_long", "unsummed", "missed", "refused"]


def check(bed, name, said, faults):
    flow = (said["receiver"]["flows"] or [{}])[0]
    bed.check(f"{name}: every byte arrived as it was sent",
              flow.get("complete") is True and flow["wrong"] == 0,
              f"{flow.get('bytes')} bytes, {flow.get('ns', 0) / 1e9:.2f} s")
    wire = said["wire"]
    did = {k: sum(way[k] for way in wire.values()) for k in faults + NONE_OF} if wire else {}
    bed.check(f"{name}: the wire did what it was there for, and had real frames",
              did and all(did[k] for k in faults) and not any(did[k] for k in NONE_OF), str(did))
    for side in ("sender", "receiver"):
        bed.check(f"{name}: {side}: unaccounted is 0", said[side].get("unaccounted", 0) == 0)


def transfers(bed):
    bed.make(["la", "pb"])
    for i, (keys, faults) in enumerate(CELLS):
        for sender, receiver in (("pb", "la"), ("la", "pb")):
            opener = "la" if i % 2 else "pb"
            said = bed.transfer(sender, receiver, opener, {**LINE, **keys},
                                (BYTES, PATIENCE_SECONDS), seed=i + 1)
            check(bed, f"{'+'.join(faults)} {sender} to {receiver}, {opener} opens", said, faults)


def main():
    reason = missing("ip", "nsenter", "ethtool", "sysctl")
    if reason:
        print("skipped:", reason)
        return 77
    bed = Wired("wire", sys.argv[1], os.path.abspath(sys.argv[2]), ecn=True)
    return conduct(bed, [transfers])


if __name__ == "__main__":
    sys.exit(main())

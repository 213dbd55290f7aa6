# SPDX-License-Identifier: BSD-3-Clause
"""The cells of the grid, what the wire does in each, and one measured transfer."""
from dataclasses import dataclass

LOSSES_PCT = [0, 0.1, 0.5, 1, 3, 5]
TRIPS_MS = [0.1, 1, 10, 50, 150]
RATES_MBIT = [10, 100, 1000]
QUICK = ([0, 1, 3], [1, 10, 150], [10, 100, 1000])
# Who sends to whom. The first is the yardstick.
PAIRS = {"linux->linux": ("la", "lb"), "prism->linux": ("pa", "lb"), "linux->prism": ("la", "pb")}
YARDSTICK = "linux->linux"
QUEUE_BYTES_MIN = 65536
BYTES_MAX = 400_000_000
# Of these the wire should count none; what it counts is loss that nobody asked for.
FAULTS = ["too_long", "unsummed", "missed", "refused"]
LATE_SHARE_MAX = 0.01
# Prism without its core for so long sends what ACKs let out meanwhile in one burst, and loses that.
STALLED_SHARE_MAX = 0.01


@dataclass(frozen=True)
class Cell:
    loss_pct: float
    trip_ms: float
    rate_mbit: int

    def name(self):
        return f"{self.loss_pct:g} % {self.trip_ms:g} ms {self.rate_mbit} Mbit/s"

    def key(self):
        return [self.loss_pct, self.trip_ms, self.rate_mbit]

    def product_bytes(self):
        return round(self.rate_mbit * 1e6 / 8 * self.trip_ms / 1e3)

    def wire(self):
        """Loss both ways; a queue of one bandwidth-delay product."""
        return {"rate_bits_s": self.rate_mbit * 1_000_000, "delay_ns": round(self.trip_ms * 5e5),
                "queue_bytes": max(self.product_bytes(), QUEUE_BYTES_MIN),
                "loss_ppm": round(self.loss_pct * 1e4)}

    def work(self, seconds):
        """(bytes, seconds): a long way needs more round trips than half of the time has."""
        trips = min(seconds, max(seconds / 2, 0.04 * self.trip_ms))
        return (min(round(self.rate_mbit * 1e6 / 8 * seconds), BYTES_MAX), max(1, round(trips)))


def grid(losses, trips, rates):
    return [Cell(loss, trip, rate) for rate in rates for trip in trips for loss in losses]


def goodput_mbit(flow, seconds):
    """Of a flow that its receiver cut, the silence at its end counts."""
    ns = flow["ns"] if flow["complete"] else seconds * 1e9
    return flow["bytes"] * 8e3 / ns if ns else 0.0


def remarks(wire, stalled_share):
    """What makes a run worth less."""
    found = [f"{k} {way[k]}" for way in wire.values() for k in FAULTS if way[k]]
    late, frames = (sum(way[k] for way in wire.values()) for k in ("late_100us", "out_frames"))
    if late > LATE_SHARE_MAX * frames:
        found.append(f"{100 * late / frames:.0f} % late")
    if stalled_share > STALLED_SHARE_MAX:
        found.append(f"Prism {100 * stalled_share:.0f} % off its core")
    return found


def measure(bed, cell, pair, seed, seconds):
    """One transfer as a dictionary; odd seeds have the sender open, even ones the receiver."""
    sender, receiver = PAIRS[pair]
    work = cell.work(seconds)
    said = bed.transfer(sender, receiver, sender if seed % 2 else receiver, cell.wire(), work, seed)
    flow = said["receiver"]["flows"][0]
    sent = (said["sender"]["flows"] or [{}])[0]
    counters = said["sender"].get("counters", {})
    stalled_ns = sum(said[side].get("stalled_ns", 0) for side in ("sender", "receiver"))
    return {"goodput_mbit": round(goodput_mbit(flow, work[1]), 3), "complete": flow["complete"],
            "bytes": flow["bytes"], "wrong": flow["wrong"],
            "silence_ms": round(flow["silence_ns"] / 1e6),
            "retransmits": counters.get("tcp_retrans_segs", sent.get("retransmits")),
            "counters": counters, "bins": flow["bins"], "wire": said["wire"],
            "drops": {side: said[side].get("drops") for side in ("sender", "receiver")},
            "unaccounted": [said[side].get("unaccounted", 0) for side in ("sender", "receiver")],
            "remarks": remarks(said["wire"], stalled_ns / 1e9 / work[1])}

# SPDX-License-Identifier: BSD-3-Clause
"""What was measured: kept as JSON after every run, so that the next start goes on where this one
ended, and shown as a table."""
import json
import os
import statistics

from cells import PAIRS, YARDSTICK, Cell


class Book:
    """The runs of one version of the tree, by cell, pair and seed."""

    def __init__(self, path, head, fresh=False):
        self.path, self.head, self.runs = path, head, []
        if os.path.exists(path) and not fresh:
            with open(path, encoding="utf-8") as f:
                before = json.load(f)
            if before["tree"] == head["tree"]:
                self.runs = before["runs"]
                self.goes_on(before["command"])
            else:
                os.replace(path, path.replace(".json", f".{before['tree']}.json"))

    def goes_on(self, command):
        """What was measured before was by this command; a start that only goes on has the same."""
        if command != self.head["command"]:
            self.head = {**self.head, "command": f"{command}`, then `{self.head['command']}"}

    def find(self, cell, pair, seed, seconds):
        for run in self.runs:
            if [run["cell"], run["pair"], run["seed"], run["seconds"]] == [cell, pair, seed, seconds]:
                return run
        return None

    def add(self, run):
        self.runs.append(run)
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            json.dump({**self.head, "runs": self.runs}, f)
        os.replace(self.path + ".new", self.path)


def of(runs, cell, pair):
    return {r["seed"]: r for r in runs if r["cell"] == cell and r["pair"] == pair and
            "goodput_mbit" in r}


def ratios(runs, cell, pair):
    """A ratio for each seed that both have: neighbours in time on the same wire."""
    ours, theirs = of(runs, cell, pair), of(runs, cell, YARDSTICK)
    return [ours[s]["goodput_mbit"] / theirs[s]["goodput_mbit"] for s in sorted(ours)
            if s in theirs and theirs[s]["goodput_mbit"]]


def median(values):
    return statistics.median(values) if values else None


def row(runs, cell):
    """{pair: {goodput, ratio, spread, retransmits}} of one cell, and its remarks."""
    said = [r.get("remarks", [r.get("error")]) for r in runs if r["cell"] == cell]
    found = {"remarks": sorted({text for texts in said for text in texts})}
    for pair in PAIRS:
        mine = of(runs, cell, pair).values()
        every = ratios(runs, cell, pair)
        found[pair] = {"goodput": median([r["goodput_mbit"] for r in mine]),
                       "ratio": median(every), "least": min(every, default=None),
                       "most": max(every, default=None), "seeds": len(mine),
                       "retransmits": median([r["retransmits"] for r in mine
                                              if r["retransmits"] is not None])}
    return found


def cells_of(runs):
    """Cells in the order of rate, round trip, loss."""
    keys = {tuple(r["cell"]) for r in runs}
    return [Cell(*k) for k in sorted(keys, key=lambda k: (k[2], k[1], k[0]))]


def figure(value):
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def share(value):
    return "" if value is None else f"{value:.2f}"


HEAD = (f"{'Mbit/s':>7}{'rtt ms':>7}{'loss %':>7} |{'L->L':>7} |{'P->L':>7}{'ratio':>7}"
        f"{'least':>7}{'most':>7} |{'L->P':>7}{'ratio':>7} |{'sent again L, P':>17} | remarks")


def line(cell, found):
    ours, other, theirs = (found[p] for p in ("prism->linux", "linux->prism", YARDSTICK))
    again = f"{figure(theirs['retransmits'])}, {figure(ours['retransmits'])}"
    return (f"{cell.rate_mbit:>7}{cell.trip_ms:>7g}{cell.loss_pct:>7g} |"
            f"{figure(theirs['goodput']):>7} |{figure(ours['goodput']):>7}"
            f"{share(ours['ratio']):>7}{share(ours['least']):>7}{share(ours['most']):>7} |"
            f"{figure(other['goodput']):>7}{share(other['ratio']):>7} |{again:>17} | "
            f"{'; '.join(found['remarks'])[:60]}")


def summary(runs):
    """Of all cells that have a ratio: how many are below 0.8, and the median."""
    every = [r for r in (row(runs, c.key())["prism->linux"]["ratio"] for c in cells_of(runs))
             if r is not None]
    if not every:
        return "nothing to compare"
    low = sum(1 for r in every if r < 0.8)
    return (f"{len(every)} cells: median ratio {statistics.median(every):.2f}, least "
            f"{min(every):.2f}, {low} below 0.8")

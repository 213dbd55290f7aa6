# SPDX-License-Identifier: BSD-3-Clause
"""Integers that hold a time or a size say their unit in their name."""
import re

from tidylib.tree import Finding

INTEGER = (r"(?:u?int(?:8|16|32|64)_t|size_t|ssize_t|unsigned(?: int| long| char| short)?|"
           r"int|long(?: long)?|double|float)")
DECLARED = re.compile(r"\b" + INTEGER + r"\s+\*?(\w+)\s*(?=[;=,)\[:])")
NEEDS_UNIT = re.compile(
    r"(?:^|_)(time|timeout|delay|interval|deadline|duration|elapsed|age|rto|rtt|srtt|period|"
    r"latency|size|window|memory|cwnd|ssthresh|speed|rate)(?:_|$)")
UNITS = {"ns", "us", "ms", "s", "seconds", "minutes", "bytes", "kib", "mib", "gib", "pkts", "segs",
         "pct", "ppm", "hz", "bits", "cycles", "tick", "ticks", "turns", "records", "bps", "gbps",
         "pps", "count", "index", "shift", "id", "kind", "flag", "flags", "type", "raw", "at",
         "fd"}


def check_units(tree):
    for path in tree.matching(r"^(src|include)/.*\.[ch]$"):
        for number, line in enumerate(tree.bare(path), 1):
            for match in DECLARED.finditer(line):
                name = match.group(1)
                stem = NEEDS_UNIT.search(name.replace("time_wait", "tw"))  # a state, not a time
                if name == "size":  # bytes, as sizeof counts them
                    continue
                if stem and not UNITS & set(name.split("_")):
                    yield Finding(path, number, "units", f"{name} holds a {stem.group(1)} and does "
                                  f"not say in what; name the unit last, as in {name}_"
                                  f"{_suggest(stem.group(1))}", name)


def _suggest(stem):
    sizes = ("size", "window", "memory", "cwnd", "ssthresh")
    if stem in ("speed", "rate"):
        return "bps"
    return "bytes" if stem in sizes else "ns"


RULES = [check_units]

# SPDX-License-Identifier: BSD-3-Clause
"""Who may include whom. A floor includes only lower floors, so the tree can be read bottom up."""
import re

from tidylib.tree import Finding

FLOOR = {"base": 0, "sync": 1, "observe": 1, "wire": 1, "pkt": 2, "port": 3, "net": 4, "tcp": 5,
         "core": 6, "api": 7, "function": 8, "service": 8, "control": 9, "sim": 9, "see": 9, "cli": 9}
# dpdk/ implements pkt/pool.h and port/port.h: it sees what they see, and nobody includes it.
DPDK_SEES = 3
SAME_FLOOR = {("observe", "sync"),  # counters are atomic cells
              ("sim", "control"),   # scenarios are read as configurations are
              # the command is the front of what all do
              ("cli", "sim"), ("cli", "control"), ("cli", "see")}
PUBLIC_FROM = {"api", "service", "function", "control", "sim", "see", "cli"}
# Below api/ types are shared with users, and start-up reads their options; no public call is made.
PUBLIC_BELOW = {"prismnet/types.h"}
PUBLIC_CORE = {"prismnet/types.h", "prismnet/stack.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def _includes(tree, path):
    for number, line in enumerate(tree.lines(path), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def _floor_problem(here, there):
    if there == "dpdk":
        return "dpdk/ is chosen at link time and included by nobody; use pkt/pool.h or port/port.h"
    if here == "dpdk":
        return None if FLOOR[there] <= DPDK_SEES else (
            f"dpdk/ is the ground and sees floors 0 to {DPDK_SEES}; pass in what it needs")
    if FLOOR[there] > FLOOR[here]:
        return (f"{here}/ (floor {FLOOR[here]}) includes {there}/ (floor {FLOOR[there]}); "
                "let the upper floor call down, or move what is shared lower")
    if FLOOR[there] == FLOOR[here] and (here, there) not in SAME_FLOOR:
        return f"{here}/ and {there}/ are on one floor; move what they share to a lower one"
    return None


def check_floors(tree):
    for path in tree.matching(r"^src/\w+/.*\.[ch]$"):
        here = path.split("/")[1]
        for number, quote, name in _includes(tree, path):
            there = name.split("/")[0]
            if quote == '"' and "/" not in name and not name.endswith(".def"):
                yield Finding(path, number, "floors", f'"{name}" does not say its floor; '
                              f'write "{here}/{name}"', name)
            elif quote == '"' and there != here and (there in FLOOR or there == "dpdk"):
                problem = _floor_problem(here, there) if here in FLOOR or here == "dpdk" else None
                if problem:
                    yield Finding(path, number, "floors", problem, name)


def check_public_headers(tree):
    for path in tree.matching(r"^src/\w+/.*\.[ch]$"):
        here = path.split("/")[1]
        for number, _, name in _includes(tree, path):
            if not name.startswith("prismnet/") or here in PUBLIC_FROM:
                continue
            if name not in (PUBLIC_CORE if here == "core" else PUBLIC_BELOW):
                yield Finding(path, number, "public-headers", f"{here}/ includes <{name}>; below "
                              "api/ only <prismnet/types.h> is shared with users", name)


def check_public_is_closed(tree):
    for path in tree.matching(r"^include/prismnet/.*\.h$"):
        for number, quote, name in _includes(tree, path):
            if quote == '"' or name.startswith("rte_"):
                yield Finding(path, number, "public-closed", f"a public header includes {name}; "
                              "users have <prismnet/...> and the C library, nothing else", name)
        for number, line in enumerate(tree.bare(path), 1):
            if re.search(r"\brte_\w+|\bRTE_\w+", line):
                yield Finding(path, number, "public-closed", "a DPDK name in a public header; "
                              "hide it behind an opaque struct")


RULES = [check_floors, check_public_headers, check_public_is_closed]

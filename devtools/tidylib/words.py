# SPDX-License-Identifier: BSD-3-Clause
"""Names that only some places may use, and lines that no place may hold."""
import re

from tidylib.tree import Finding

C_FILES = r"\.[ch]$"
# Self-contained DPDK libraries used through one file each: file -> the names it may use.
WRAPPERS = {}


def check_dpdk_names(tree):
    for path in tree.matching(r"^src/" + r".*" + C_FILES):
        if path.split("/")[1] in ("dpdk", "pkt"):
            continue
        allowed = WRAPPERS.get(path)
        for number, line in enumerate(tree.bare(path), 1):
            match = re.search(r"\b(rte_\w+|RTE_\w+)", line)
            if match and not (allowed and re.match(allowed, match.group(1))):
                yield Finding(path, number, "dpdk-names", f"{match.group(1)} outside dpdk/ and "
                              "pkt/; wrap it in pkt/pkt.h, or add the file to WRAPPERS in "
                              "devtools/tidylib/words.py", match.group(1))


def check_atomics(tree):
    for path in tree.matching(r"^src/.*" + C_FILES):
        if path.startswith("src/sync/"):
            continue
        for number, line in enumerate(tree.bare(path), 1):
            match = re.search(r"\b(__atomic_\w+|atomic_\w+|__sync_\w+|_Atomic)\b", line)
            if match:
                yield Finding(path, number, "atomics", f"{match.group(1)} outside sync/; use a "
                              "cell, ring or table, whose name says who may write", match.group(1))


# By name, since most of DPDK's are inline and leave no import; in drivers too, which objects.py
# does not look at.
LOCKS = re.compile(
    r"\b(pthread_(mutex|rwlock|spin|cond|barrier)_\w+|(sem|mtx|cnd)_(t|init|open|wait|post|lock|"
    r"timedwait|timedlock|signal|broadcast)|rte_(spinlock|rwlock|ticketlock|mcslock|pflock|seqlock|"
    r"seqcount)\w*|(SYS|__NR)_futex|futex|flock|lockf)\b")


def check_locks(tree):
    for path in tree.matching(r"^src/.*" + C_FILES):
        for number, line in enumerate(tree.bare(path), 1):
            match = LOCKS.search(line)
            if match:
                yield Finding(path, number, "locks", f"{match.group(1)} makes one thread wait for "
                              "another; use a cell, ring, table or epoch of sync/. Where no worker "
                              "comes by, say so in devtools/tidy.exceptions", match.group(1))


def check_todo(tree):
    for path in tree.matching(r"\.(c|h|py|sh|md|build)$|^devtools/[^/.]+$|^Makefile$"):
        for number, line in enumerate(tree.lines(path), 1):
            match = re.search(r"\b(TODO|FIXME|XXX)\b(.*)", line)
            if match and not re.match(r": \S.{9}", match.group(2)) and "tidylib" not in path:
                yield Finding(path, number, "todo", f"{match.group(1)} without a reason; write "
                              '"TODO: what is missing and what it waits for", or do it')


# Written in pieces so that this file does not hold what it looks for.
HOSTS = ["pypi" + ".org", "registry.npm" + "js.org", "crates" + ".io", "proxy.golang" + ".org",
         "deb.deb" + "ian.org", "security.deb" + "ian.org", "archive.ubu" + "ntu.com",
         "snapshot.deb" + "ian.org"]
PATHS = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + r"me/\w"]


def check_places(tree):
    hosts = re.compile("|".join(re.escape(host) for host in HOSTS))
    paths = re.compile(r"(?<![\w.$~}])(" + "|".join(PATHS) + ")")
    for path in sorted(tree.files):
        for number, line in enumerate(tree.lines(path), 1):
            match = hosts.search(line)
            if match:
                yield Finding(path, number, "places", f"{match.group()} is a package registry; the "
                              "machine's own configuration says where packages come from")
            match = paths.search(line)
            if match:
                yield Finding(path, number, "places", f"{match.group(1)} is a path of one machine; "
                              "write it relative to the tree, or find it at run time")


RULES = [check_dpdk_names, check_atomics, check_locks, check_todo, check_places]

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""make bench builds all it starts: on a fresh clone nothing else has built it before."""
import glob
import os
import re
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ["BUILD"]


def started():
    """The programs that tests/bench/lib starts, by the names it gives Place.tool."""
    names = {"prism"}
    for path in glob.glob(os.path.join(ROOT, "tests/bench/lib/*.py")):
        with open(path, encoding="utf-8") as f:
            names |= set(re.findall(r'\.tool\("(\w+)"\)', f.read()))
    return names


def built():
    query = subprocess.run(["ninja", "-C", BUILD, "-t", "query", "benches"],
                           capture_output=True, text=True, check=True).stdout
    return {os.path.basename(line.strip(" |\n")) for line in query.splitlines()}


class Bench(unittest.TestCase):
    def test_every_program_it_starts_is_built_first(self):
        self.assertGreater(len(started()), 4)
        self.assertEqual(started() - built(), set())


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()

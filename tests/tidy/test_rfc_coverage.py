#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""devtools/rfc-coverage finds what is cited, and says what is not."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from test_runner import ROOT, load

COVERAGE = load("rfc-coverage")
from tidylib.tree import Tree

CODE = """// SPDX
// RFC 9293 MUST-1 here in the head

static void window_read(void)
{
	// RFC 9293 MUST-2, MUST-3: both at once
}


// RFC 9293 MUST-4: above the function it speaks of
static int other(void)
{
}
"""


def requirements(*numbers):
    return COVERAGE.read_requirements("".join(f"{n} 3.1 Something {n}\n" for n in numbers))


class Coverage(unittest.TestCase):
    def test_citations_are_led_to_their_function(self):
        wanted = requirements(1, 2, 3, 4)
        COVERAGE.collect(Tree({"src/tcp/a.c": CODE}), wanted)
        self.assertEqual([r.code for r in wanted.values()][1:],
                         [["tcp/a.c:window_read"], ["tcp/a.c:window_read"], ["tcp/a.c:other"]])

    def test_a_requirement_without_code_is_named(self):
        self.assertEqual(len(list(COVERAGE.problems(requirements(1)))), 1)

    def test_code_without_a_test_is_named(self):
        wanted = requirements(2)
        COVERAGE.collect(Tree({"src/tcp/a.c": CODE}), wanted)
        self.assertIn("no test", next(COVERAGE.problems(wanted)))
        COVERAGE.collect(Tree({"tests/unit/tcp/test_a.c": "// RFC 9293 MUST-2\n"}), wanted)
        self.assertEqual(list(COVERAGE.problems(wanted)), [])

    def test_a_packet_script_is_a_test(self):
        wanted = requirements(2)
        COVERAGE.collect(Tree({"src/tcp/a.c": CODE,
                               "tests/script/bad/a.pkt": "# RFC 9293 MUST-2: so\n"}), wanted)
        self.assertEqual(wanted[2].tests, ["tests/script/bad/a.pkt"])

    def test_a_reason_is_enough_until_code_is_there(self):
        wanted = requirements(2)
        COVERAGE.read_exceptions("MUST-2 nobody needs it any more\n", wanted)
        self.assertEqual(list(COVERAGE.problems(wanted)), [])
        COVERAGE.collect(Tree({"src/tcp/a.c": CODE}), wanted)
        self.assertIn("take it out", next(COVERAGE.problems(wanted)))

    def test_a_number_that_does_not_exist_is_named(self):
        self.assertEqual(len(COVERAGE.collect(Tree({"src/a.c": "// MUST-70\n"}), requirements(1))), 1)

    def test_the_list_is_whole(self):
        with open(os.path.join(ROOT, "devtools", "rfc9293.txt"), encoding="utf-8") as stream:
            self.assertEqual(list(COVERAGE.read_requirements(stream.read())), list(range(1, 70)))


if __name__ == "__main__":
    unittest.main()

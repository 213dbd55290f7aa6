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


def rows(*lines):
    return {9293: COVERAGE.read_list(9293, "\n".join(lines)),
            8985: COVERAGE.read_list(8985, "# RFC 8985, RACK-TLP. Ours.\nR1 6.2 Something\n")}


def requirements(*numbers):
    return rows(*(f"MUST-{n} 3.1 Something {n}" for n in numbers))


class Coverage(unittest.TestCase):
    def test_citations_are_led_to_their_function(self):
        wanted = requirements(1, 2, 3, 4)
        COVERAGE.collect(Tree({"src/tcp/a.c": CODE}), wanted)
        self.assertEqual([r.code for r in wanted[9293].rows.values()][1:],
                         [["tcp/a.c:window_read"], ["tcp/a.c:window_read"], ["tcp/a.c:other"]])

    def test_a_number_of_ours_needs_its_rfc(self):
        self.assertEqual(list(COVERAGE.citations("// RFC 8985 R1, R12: so; RFC 7323 5.3, R1; R2")),
                         [(8985, "R1"), (8985, "R12")])

    def test_a_requirement_without_code_is_named(self):
        self.assertEqual(len(list(COVERAGE.problems(requirements(1)[9293]))), 1)

    def test_code_without_a_test_is_named(self):
        wanted = requirements(2)
        COVERAGE.collect(Tree({"src/tcp/a.c": CODE}), wanted)
        self.assertIn("no test", next(COVERAGE.problems(wanted[9293])))
        COVERAGE.collect(Tree({"tests/unit/tcp/test_a.c": "// RFC 9293 MUST-2\n"}), wanted)
        self.assertEqual(list(COVERAGE.problems(wanted[9293])), [])

    def test_a_packet_script_is_a_test(self):
        wanted = requirements(2)
        COVERAGE.collect(Tree({"src/tcp/a.c": CODE,
                               "tests/script/bad/a.pkt": "# RFC 9293 MUST-2: so\n"}), wanted)
        self.assertEqual(wanted[9293].rows["MUST-2"].tests, ["tests/script/bad/a.pkt"])

    def test_a_reason_is_enough_until_code_is_there(self):
        wanted = rows("MUST-2 3.1 Something", "\tleft out: nobody needs it any more")
        self.assertEqual(list(COVERAGE.problems(wanted[9293])), [])
        COVERAGE.collect(Tree({"src/tcp/a.c": CODE}), wanted)
        self.assertIn("left out", next(COVERAGE.problems(wanted[9293])))

    def test_who_says_untested_has_no_test(self):
        wanted = rows("MUST-2 3.1 Something", "\tuntested: it takes a year")
        COVERAGE.collect(Tree({"src/tcp/a.c": CODE}), wanted)
        self.assertEqual(list(COVERAGE.problems(wanted[9293])), [])
        COVERAGE.collect(Tree({"tests/unit/tcp/test_a.c": "// RFC 9293 MUST-2\n"}), wanted)
        self.assertIn("untested", next(COVERAGE.problems(wanted[9293])))

    def test_a_departure_does_not_count_as_met(self):
        wanted = rows("MUST-2 3.1 Something", "\tdeparts: it would cost more than it gives")
        COVERAGE.collect(Tree({"src/tcp/a.c": CODE}), wanted)
        self.assertIn("Of 1, 0 are met", COVERAGE.page(wanted[9293]))

    def test_a_number_that_does_not_exist_is_named(self):
        tree = Tree({"src/a.c": "// MUST-70\n// RFC 8985 R2\n// RFC 1 R1\n// RFC 8985 R1\n"})
        self.assertEqual(len(COVERAGE.collect(tree, requirements(1))), 3)

    def test_the_lists_are_whole(self):
        for rfc in COVERAGE.read_lists(Tree.of_checkout(ROOT)).values():
            prefix = "MUST-" if rfc.number == 9293 else "R"
            self.assertEqual(list(rfc.rows),
                             [f"{prefix}{n}" for n in range(1, len(rfc.rows) + 1)])
            self.assertTrue(rfc.title)
            self.assertEqual(len(rfc.rows), 69 if rfc.number == 9293 else len(rfc.rows))


if __name__ == "__main__":
    unittest.main()

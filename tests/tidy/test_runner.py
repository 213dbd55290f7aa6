#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The test runner counts right: what fails is counted and shown, what died is not a pass."""
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True


def load(name):
    path = os.path.join(ROOT, "devtools", name)
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


RUNNER = load("run-tests")


def count(junit):
    tally = RUNNER.Tally()
    said = io.StringIO()
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as stream:
        stream.write(f"<testsuites>{junit}</testsuites>")
        stream.flush()
        with contextlib.redirect_stdout(said):
            RUNNER.read_junit(stream.name, tally)
    return tally.line(), said.getvalue()


class Counting(unittest.TestCase):
    def test_each_case_of_a_program_counts(self):
        line, _ = count('<testsuite name="u" tests="2" errors="0" failures="0">'
                        '<testcase name="a" classname="u"/><testcase name="b" classname="u"/>'
                        "</testsuite>")
        self.assertEqual(line, "2 passed, 0 failed")

    def test_a_failure_is_counted_and_its_output_shown(self):
        line, said = count('<testsuite name="u" tests="1" errors="0" failures="1">'
                           '<testcase name="a" classname="u"><failure/></testcase>'
                           "<system-out>wanted 1, got 2</system-out></testsuite>")
        self.assertEqual(line, "0 passed, 1 failed")
        self.assertIn("wanted 1, got 2", said)

    def test_a_skip_says_its_reason(self):
        line, said = count('<testsuite name="n" tests="1"><testcase name="a" classname="n">'
                           "<skipped/><system-out>needs root\n\n"
                           "(test program exited with status code 77)</system-out></testcase>"
                           "</testsuite>")
        self.assertEqual(line, "0 passed, 0 failed, 1 skipped")
        self.assertIn("needs root", said)
        self.assertNotIn("77", said)

    def test_a_program_that_died_between_its_cases_is_a_failure(self):
        line, _ = count('<testsuite name="u" tests="3" errors="1" failures="0">'
                        '<testcase name="a" classname="u"/></testsuite>')
        self.assertEqual(line, "1 passed, 1 failed")

    def test_a_configuration_and_a_suite_can_be_chosen(self):
        suites = ["unit", "sim"]
        self.assertEqual(RUNNER.selected([], "gcc", suites), suites)
        self.assertEqual(RUNNER.selected(["gcc"], "gcc", suites), suites)
        self.assertEqual(RUNNER.selected(["gcc/sim"], "gcc", suites), ["sim"])
        self.assertEqual(RUNNER.selected(["asan"], "gcc", suites), [])

    def test_nothing_run_is_not_success(self):
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(RUNNER.main(["nosuch"]), 1)
        self.assertFalse(os.path.exists(os.environ["TMPDIR"]))  # the folder of this run


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""prism sim from outside.

    test_command.py PRISM CHECKED EXAMPLES [SEEDS]

PRISM is the command, CHECKED the same over the checked engine (tests/sim/sim.c), which is run with so
many seeds (40)."""
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

PRISM, CHECKED, EXAMPLES = [os.path.abspath(a) for a in sys.argv[1:4]]
SEEDS = int(sys.argv[4]) if len(sys.argv) > 4 else 40


def blocks(path):
    """The blocks of a pcapng file: (type, body)."""
    data = pathlib.Path(path).read_bytes()
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert struct.unpack_from("<I", data, at + length - 4)[0] == length
        yield kind, data[at + 8:at + length - 4]
        at += length


class Command(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.place)

    def run_sim(self, *arguments, program=None, code=0):
        command = [program] if program else [PRISM, "sim"]
        done = subprocess.run([*command, *arguments], cwd=self.place, capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code < 2 else done.stderr

    def example(self, name):
        return os.path.join(EXAMPLES, name)

    def test_what_ships_runs_what_is_checked(self):
        arguments = ["--seeds", f"1-{SEEDS}", "--json"]
        shipped = json.loads(self.run_sim(*arguments))
        checked = json.loads(self.run_sim(*arguments, program=CHECKED))
        self.assertEqual([r["hash"] for r in shipped["runs"]],
                         [r["hash"] for r in checked["runs"]])
        self.assertEqual(len(shipped["runs"]), SEEDS)
        self.assertEqual(shipped["totals"]["failed"], 0)

    def test_examples_do_what_they_say(self):
        for name in sorted(os.listdir(EXAMPLES)):
            fails = name == "fails.yaml"
            self.run_sim(self.example(name), "--seeds", f"1-{min(SEEDS, 3)}", code=int(fails))
        self.run_sim(self.example("office.yaml"), "--seeds", f"1-{min(SEEDS, 6)}", "--swarm")

    def test_a_run_is_a_line_and_many_have_totals(self):
        one = self.run_sim(self.example("lossy.yaml"), "--seed", "5")
        self.assertRegex(one, r"^seed 5: ok, [\d.]+ s, 2 connections, 4\.19 MB, .*drops.*\n$")
        many = self.run_sim("--seeds", "1-3").splitlines()
        self.assertEqual(len(many), 4)
        self.assertRegex(many[3], r"^3 runs, 0 failed: ")
        self.assertEqual(len(self.run_sim("--seeds", "1-3", "--quiet").splitlines()), 1)

    def test_a_failed_run_leaves_capture_and_trace(self):
        said = self.run_sim(self.example("fails.yaml"), "--seed", "2", code=1)
        self.assertIn("seed 2: FAIL goodput is below expect.goodput_min", said)
        self.assertIn("again: prism sim", said)
        kinds = [kind for kind, _ in blocks(os.path.join(self.place, "sim-2.pcapng"))]
        self.assertEqual(kinds[:4], [0x0a0d0d0a, 1, 1, 1])  # a section, an interface a link
        self.assertGreater(kinds.count(6), 1000)
        trace = pathlib.Path(self.place, "sim-2.trace").read_text()
        self.assertRegex(trace, r"node 0 #\d+ TCP_STATE: connection went from state")

    def test_what_was_shrunk_fails_again_and_is_small(self):
        self.run_sim(self.example("fails.yaml"), "--seed", "3", "--shrink", code=1)
        scenario = pathlib.Path(self.place, "sim-3.yaml").read_text()
        self.assertNotIn("events", scenario)
        self.assertNotIn("loss", scenario)
        self.assertEqual(len(re.findall(r"type:", scenario)), 1)
        said = self.run_sim("sim-3.yaml", "--seed", "3", code=1)
        self.assertIn("FAIL goodput is below expect.goodput_min", said)

    def test_json_says_why(self):
        said = json.loads(self.run_sim(self.example("fails.yaml"), "--json", code=1))
        run = said["runs"][0]
        self.assertFalse(run["ok"])
        self.assertIn("goodput", run["failure"])
        self.assertTrue(os.path.exists(os.path.join(self.place, run["capture"])))
        self.assertEqual(said["totals"]["failed"], 1)

    def test_a_good_run_is_captured_on_demand(self):
        self.run_sim(self.example("flap.yaml"), "--capture", "flap.pcapng")
        comments = b"".join(body for kind, body in blocks(os.path.join(self.place, "flap.pcapng"))
                            if kind == 6)
        self.assertIn(b"down", comments)

    def test_a_capture_that_cannot_be_written_is_told(self):
        for place in "/dev/full", "no/such/folder/flap.pcapng":
            done = subprocess.run([PRISM, "sim", self.example("flap.yaml"), "--capture", place],
                                  cwd=self.place, capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"no capture at {place}", done.stderr)

    def test_wrong_usage_ends_with_2_and_a_remedy(self):
        pathlib.Path(self.place, "bad.yaml").write_text(
            "links: [{between: [a, b], los: 1%}]\napplications: [{type: bulk}]\n")
        said = self.run_sim("bad.yaml", code=2)
        self.assertIn("bad.yaml:1:27: error: unknown key `los` in `links`", said)
        self.assertIn("did you mean `loss`?", said)
        for arguments in (["--seeds", "9-1"], ["--seed", "x"], ["--sed", "1"], ["no.yaml"],
                          ["--seed", "1", "--seeds", "1-2"], ["a.yaml", "b.yaml"]):
            self.assertRegex(self.run_sim(*arguments, code=2), r"remedy:|help:")

    def test_every_key_is_listed(self):
        keys = self.run_sim("--keys")
        for key in ("hosts", "burst_loss", "partition", "goodput_min", "congestion_control"):
            self.assertIn(key, keys)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=0)

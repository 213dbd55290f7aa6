#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""devtools/check-leftovers sees what it is there to see."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from test_runner import ROOT, load

LEFTOVERS = load("check-leftovers")


class Leftovers(unittest.TestCase):
    def test_an_interface_of_ours_is_seen_and_others_are_not(self):
        links = json.dumps([{"ifname": "prism0"}, {"ifname": "eth0", "xdp": {"mode": 1}}])
        self.assertEqual(len(list(LEFTOVERS.interfaces(lambda command: links, "prism"))), 1)
        self.assertEqual(list(LEFTOVERS.interfaces(lambda command: links, "rabc")), [])

    def test_a_namespace_of_ours_is_seen(self):
        names = json.dumps([{"name": "prism-a"}, {"name": "other"}])
        self.assertEqual(len(list(LEFTOVERS.namespaces(lambda command: names, "prism"))), 1)

    def test_a_file_is_seen_and_an_empty_directory_is_not(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(folder + "/prism-empty")
            self.assertEqual(list(LEFTOVERS.files([folder + "/prism*"], "prism")), [])
            open(folder + "/prism.sock", "w", encoding="ascii").close()
            self.assertEqual(len(list(LEFTOVERS.files([folder + "/prism*"], "prism"))), 1)
            self.assertEqual(list(LEFTOVERS.files([folder + "/prism*"], "prism-other")), [])

    def test_a_running_program_of_this_tree_is_seen_until_it_ends(self):
        os.makedirs(ROOT + "/build", exist_ok=True)
        with tempfile.TemporaryDirectory(dir=ROOT + "/build") as folder:
            shutil.copy("/bin/sleep", folder + "/prism-sleep")
            with subprocess.Popen([folder + "/prism-sleep", "60"]) as process:
                seen = self.sees(process, "prism")
                process.kill()
            self.assertTrue(seen)
        self.assertFalse(self.sees(process, "prism"))

    def test_a_process_of_a_run_is_seen_whatever_its_program(self):
        with subprocess.Popen(["/bin/sleep", "60"], env={"PRISM_TEST_RUN": "rabc"}) as process:
            while not open(f"/proc/{process.pid}/environ", "rb").read():
                time.sleep(0.01)  # exec has closed Popen's pipe, and sets the environment later
            seen = [self.sees(process, mark) for mark in ("rabc", "rabd", "prism")]
            process.kill()
        self.assertEqual(seen, [True, False, False])

    def sees(self, process, mark):
        return any(line.startswith(f"process {process.pid}:") for line in LEFTOVERS.processes(mark))


if __name__ == "__main__":
    unittest.main()

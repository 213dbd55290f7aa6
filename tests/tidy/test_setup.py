#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""devtools/setup, stopped in the middle, leaves nothing behind. Its apt-get is one that waits."""
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = {"dpkg-query": "exit 0", "apt-get": "touch {folder}/under-way; exec sleep 60",
            "id": "echo 0"}


def heard():
    """Whoever runs the tests in the background, or with nohup, may have them deaf."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Setup(unittest.TestCase):
    def begin(self, folder):
        """A setup in the middle of apt-get, its file of policy in a folder of ours."""
        with open(f"{ROOT}/devtools/setup", encoding="utf-8") as f:
            text = f.read().replace("/usr/sbin/policy-rc.d", f"{folder}/policy-rc.d")
        programs = {"setup": text.removeprefix("#!/bin/sh\n"),
                    **{name: body.format(folder=folder) for name, body in PROGRAMS.items()}}
        for name, body in programs.items():
            with open(f"{folder}/{name}", "w", encoding="utf-8") as f:
                f.write(f"#!/bin/sh\n{body}\n")
            os.chmod(f"{folder}/{name}", 0o755)
        with open(f"{folder}/packages.txt", "w", encoding="utf-8") as f:
            f.write("nothing build for a test\n")
        process = subprocess.Popen(
            [f"{folder}/setup", "build"], start_new_session=True, preexec_fn=heard,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": folder})
        until = time.monotonic() + 20
        while not os.path.exists(f"{folder}/under-way") and time.monotonic() < until:
            time.sleep(0.01)
        return process

    def test_a_signal_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number.name), tempfile.TemporaryDirectory() as folder:
                process = self.begin(folder)
                before = set(os.listdir(folder))
                os.killpg(process.pid, number)
                process.wait(timeout=20)
                left = set(os.listdir(folder)) - {*PROGRAMS, "setup", "packages.txt", "under-way"}
                self.assertIn("policy-rc.d", before)
                self.assertEqual(left, set())
                self.assertEqual(process.returncode, 128 + number)


if __name__ == "__main__":
    unittest.main()

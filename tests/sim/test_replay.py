#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""prism replay from outside, on captures that prism sim made.

    test_replay.py PRISM CHECKED

PRISM is the command, CHECKED sim and replay over the checked engine (tests/sim/sim.c)."""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

PRISM, CHECKED = [os.path.abspath(a) for a in sys.argv[1:3]]

# Long enough that no queue ends slow start: the runs in which a replay queues text are other ones, and
# measure other round trips.
BULK = """
mtu: 1400B
links: [{between: [a, b], rate: 20Mbit, delay: 15ms, queue: 64KiB}]
applications: [{type: bulk, from: a, to: b, send: 200KiB, answer: {send: 100KiB}, family: %s}]
"""
REQUESTS = """
links: [{between: [a, b], rate: 20Mbit, delay: 10ms}]
applications: [{type: request, from: a, to: b, connections: 2, rounds: 10, response: 20KiB}]
"""
PACKET = 6  # an enhanced packet block


class Replay(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.place)

    def run_it(self, *arguments, program=None, code=0):
        command = [program, "replay"] if program else [PRISM, "replay"]
        done = subprocess.run([*command, *arguments], cwd=self.place, capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def capture(self, scenario, host):
        pathlib.Path(self.place, "scenario.yaml").write_text(scenario)
        path = os.path.join(self.place, host + ".pcapng")
        subprocess.run([PRISM, "sim", "scenario.yaml", "--capture", path, "--at", host],
                       cwd=self.place, check=True, capture_output=True)
        return path

    def change(self, path, change):
        """Applies change to the (type, body) of each block; None leaves one out."""
        data, at, out = pathlib.Path(path).read_bytes(), 0, b""
        while at < len(data):
            kind, length = struct.unpack_from("<II", data, at)
            body = change(kind, data[at + 8:at + length - 4])
            if body is not None:
                out += struct.pack("<II", kind, 12 + len(body)) + body
                out += struct.pack("<I", 12 + len(body))
            at += length
        pathlib.Path(path).write_bytes(out)

    def test_what_the_simulator_captured_replays_as_the_same(self):
        for family in ("ip4", "ip6"):
            for program in (None, CHECKED):
                server = self.capture(BULK % family, "b")
                self.assertIn(" 0 differ, 0 only captured; 0 only Prism's",
                              self.run_it(server, program=program))
                client = self.capture(BULK % family, "a")
                self.assertIn(" 0 differ, 0 only captured; 0 only Prism's",
                              self.run_it(client, "--as", "client", "--strict", program=program))

    def test_one_of_several_connections_is_chosen(self):
        path = self.capture(REQUESTS, "b")
        self.assertEqual(len(self.run_it(path, "--list").splitlines()), 2)
        self.assertIn("several connections", self.run_it(path, code=2))
        for flow in ("1", "2"):
            said = json.loads(self.run_it(path, "--flow", flow, "--json"))
            self.assertGreater(said["totals"]["same"], 100)
            self.assertEqual(said["totals"]["differs"], 0)
        self.assertIn("there is no connection 3", self.run_it(path, "--flow", "3", code=2))

    def test_a_difference_is_shown_with_its_kind(self):
        path = self.capture(BULK % "ip4", "b")
        seen = []

        def drop_an_answer(kind, body):
            # The first pure ACK that the server sent: nobody captured it now.
            if kind == PACKET and not seen and body[20 + 12:20 + 14] == b"\x08\x00":
                frame = body[20:]
                length, = struct.unpack_from(">H", frame, 16)
                if frame[34:36] == b"\x00\x50" and frame[47] == 0x10 and length == 52:
                    seen.append(1)
                    return None
            return body

        self.change(path, drop_an_answer)
        said = self.run_it(path, "--quiet", code=1)
        self.assertEqual(said.count("only Prism\n"), 1)
        self.assertIn(" 0 differ, 0 only captured; 1 only Prism's", said)

    def test_a_late_answer_is_shown_as_such(self):
        path = self.capture(BULK % "ip4", "b")
        moved = []

        def delay_the_syn_ack(kind, body):
            if kind == PACKET and not moved and body[20 + 47] == 0x12:
                moved.append(1)
                high, low = struct.unpack_from("<II", body, 4)
                time = (high << 32 | low) + 5_000_000
                return body[:4] + struct.pack("<II", time >> 32, time & 0xffffffff) + body[12:]
            return body

        self.change(path, delay_the_syn_ack)
        self.assertIn("differs: 5.000 ms earlier", self.run_it(path, "--quiet", code=1))
        self.run_it(path, "--tolerance", "10ms")

    def test_cut_packets_are_replayed_by_their_lengths(self):
        path = self.capture(BULK % "ip4", "b")

        def cut(kind, body):
            if kind != PACKET:
                return body
            length, = struct.unpack_from("<I", body, 12)
            kept = min(length, 96)
            frame = body[20:20 + kept]
            return body[:12] + struct.pack("<I", kept) + body[16:20] + frame + bytes(-kept % 4)

        self.change(path, cut)
        self.assertIn(" 0 differ, 0 only captured; 0 only Prism's", self.run_it(path))

    def test_damaged_files_are_refused_with_packet_and_byte(self):
        path = self.capture(BULK % "ip4", "b")
        data = pathlib.Path(path).read_bytes()
        pathlib.Path(path).write_bytes(data[:len(data) // 2 // 4 * 4 + 2])
        self.assertRegex(self.run_it(path, code=1), r"packet \d+, byte \d+: .*\n.*remedy: ")
        pathlib.Path(path).write_bytes(b"no capture at all")
        self.assertIn("neither pcap nor pcapng", self.run_it(path, code=1))
        self.assertIn("No such file", self.run_it("nothing.pcap", code=1))
        self.run_it("--as", "nobody", path, code=2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=0)

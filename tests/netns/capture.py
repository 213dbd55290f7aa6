#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What prism capture writes is what passed, with the reason of what did not; whoever reads it leaves as
he likes.

    capture.py PRISM tap|af_xdp WORKERS

The packets of why.py, each with a reason of its own, are captured, and tshark reads back what the
counters say. Then captures that are too many, too slow, killed, full, rotated, refused, and one whose
instance is killed: the server goes on, and nothing is unaccounted for. Exits 77 with the reason where it
cannot run.
"""
import collections
import glob
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import why
from bed import OURS, conduct, missing

PATIENCE_S = 10
PINGS = 5
TOGETHER = 8  # captures of an instance at a time
KERNELS_OWN = "ETH_IPV6"  # what it sends whenever it likes
LINE = re.compile(r"^\d\d:\d\d:\d\d\.\d{6} p0 (rx|tx|drop|deliver) ")
FIELDS = ("frame.interface_name", "frame.packet_id", "frame.comment", "frame.time_epoch", "frame.len")


class Capture(why.Why):
    def capture(self, *words, **kwargs):
        """One that all workers have begun, or that says why not."""
        process = self.start(self.prism, "capture", "-n", self.name, *words,
                             stderr=subprocess.PIPE, **kwargs)
        line = process.stderr.readline()
        if "do not turn now" in line:  # a machine that stands still
            line = process.stderr.readline()
        if not line.startswith("prism: capturing at "):
            self.end(process, signal.SIGKILL)
            raise RuntimeError(f"prism capture says: {line}{process.stderr.read()}")
        return process

    def finish(self, process, number=signal.SIGINT):
        """Exit code and words of one that is told to end."""
        code = self.end(process, number)
        return code, process.stderr.read()

    def tapes(self):
        return glob.glob(f"/run/prism/{self.name}-*.tape")

    def tapes_go(self):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and self.tapes():
            time.sleep(0.1)
        return not self.tapes()

    def ping(self, count=1, size=56):
        return self.run("ping", "-c", str(count), "-i", "0.2", "-W", "5", "-s", str(size), OURS,
                        ns=self.ns).returncode == 0

    def tshark(self, path, *words):
        """The packets of a capture, each a dictionary of FIELDS."""
        fields = [w for f in FIELDS for w in ("-e", f)]
        done = self.run("tshark", "-r", path, "-T", "fields", "-E", "separator=|", *fields, *words)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return [dict(zip(FIELDS, line.split("|"))) for line in done.stdout.splitlines()]

    def is_whole(self, path):
        done = self.run("capinfos", path)
        return done.returncode == 0 and "cut short" not in done.stdout + done.stderr

    def send_cases(self):
        """Returns when all are counted, which is after they are on the tape."""
        before = self.stats()["drops"]
        done = self.run(sys.executable, why.__file__, "--send", self.device, ns=self.ns)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        self.wait(lambda: all(now[reason] - before[reason] >= count for now in [self.stats()["drops"]]
                              for _, reason, _, count in why.CASES))

    def wait(self, happens):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and not happens():
            time.sleep(0.05)

    def metrics(self):
        """Packets by reason, as Prometheus would have them."""
        found = re.findall(r'^prism_drop_packets_total\{reason="(\w+)"\} (\d+)$',
                           self.get("/metrics")[1], re.M)
        return {reason: int(packets) for reason, packets in found}

    def each_drop_has_its_reason(self):
        """Counter, metric, why, and the comment that tshark reads are the same, to the packet."""
        path = self.path("cases.pcapng")
        self.ping()  # so that addresses are known, which the cases are sent to
        before, before_metrics = self.stats()["drops"], self.metrics()
        process = self.capture("-w", path)
        self.send_cases()
        self.ping()
        code, words = self.finish(process)
        after, metrics = self.stats()["drops"], self.metrics()
        rows = self.tshark(path)
        comments = collections.Counter(r["frame.comment"].split(":")[0] for r in rows
                                       if r["frame.comment"])
        comments.pop(KERNELS_OWN, None)
        grown = {k: after[k] - before[k] for k in after
                 if after[k] != before[k] and k != KERNELS_OWN}
        self.check("a capture ends by Ctrl-C, and says what it has",
                   code == 0 and f"{len(rows)} packets captured, 0 lost" in words, words)
        self.check("the comments are the counters", dict(comments) == grown,
                   json.dumps([comments, grown]))
        for _, reason, text, count in why.CASES:
            matched = [r for r in self.tshark(path, "-Y", "frame.comment")
                       if r["frame.comment"].startswith(reason + ":")]
            told = self.why(text)[1]["groups"]
            self.check(f"{reason}: {count} in the capture, as in counter, metric and why",
                       len(matched) == count == grown[reason] == told[0]["packets"] ==
                       metrics[reason] - before_metrics[reason] and
                       all(r["frame.comment"] == f"{reason}: {told[0]['sentence']}"
                           for r in matched), json.dumps([matched, told]))
        came = self.tshark(path, "-Y", "frame.packet_flags_direction == 1")
        ids = [r["frame.packet_id"] for r in came]
        self.check("a packet that is dropped at once is there once",
                   len(ids) == len(set(ids)) > 0, ids)
        self.check("it is whole", self.is_whole(path))
        now = time.time()
        self.check("its times are of now",
                   all(now - 60 < float(r["frame.time_epoch"]) < now for r in rows))

    def filters_as_tcpdump(self):
        """What a filter lets through is what tcpdump's own filter does of everything."""
        everything, some = self.path("all.pcapng"), self.path("some.pcapng")
        text = "icmp or (udp and greater 46) or dst port 81"
        captures = [self.capture("-w", everything), self.capture("-w", some, text)]
        self.send_cases()
        self.ping(PINGS)
        for process in captures:
            self.finish(process)
        # Without times: each capture reads the clock of the wall for itself, as it begins.
        want = self.run("tcpdump", "-nnt", "-r", everything, text).stdout
        have = self.run("tcpdump", "-nnt", "-r", some).stdout
        self.check("a filter lets through what tcpdump's does", want == have and
                   want.count("ICMP echo request") == PINGS, f"{want}\n{have}")
        done = self.run("capinfos", some)
        self.check("the file says by which filter", text in done.stdout or self.tells_filter(some),
                   done.stdout)

    def tells_filter(self, path):
        with open(path, "rb") as f:
            return b"icmp or (udp and greater 46)" in f.read(2048)

    def points_and_lengths(self):
        path = self.path("points.pcapng")
        process = self.capture("-w", path, "-p", "tx,deliver", "-s", "60", "-c", str(PINGS))
        self.ping(PINGS, 1000)
        code = process.wait(timeout=PATIENCE_S)
        rows = self.tshark(path)
        self.check("-c ends it after so many", code == 0 and len(rows) == PINGS, len(rows))
        caplens = self.run("tshark", "-r", path, "-T", "fields", "-e", "frame.cap_len").stdout
        self.check("-s keeps so many bytes of each, and says how long it was",
                   set(caplens.split()) == {"60"} and {r["frame.len"] for r in rows} == {"1042"},
                   caplens)
        process = self.capture("-p", "deliver", stdout=subprocess.PIPE)
        self.run(sys.executable, "-c", f"import socket; s = socket.create_connection(({OURS!r}, 7))\n"
                 "s.sendall(b'hello'); s.recv(9)", ns=self.ns)
        self.finish(process)
        lines = [x for x in process.stdout.read().splitlines() if " TCP " in x]
        self.check("what the application gets is captured as its frame came",
                   len(lines) == 1 and "deliver" in lines[0] and "length 71" in lines[0] and
                   f"{OURS}:7 [P.]" in lines[0], lines)

    def lines(self):
        process = self.capture("icmp or arp", stdout=subprocess.PIPE)
        self.ping(PINGS)
        self.finish(process)
        lines = process.stdout.read().splitlines()
        self.check("without a file there is a line each", all(LINE.match(x) for x in lines) and
                   sum("rx ICMP" in x for x in lines) == PINGS, lines)
        process = self.capture("--json", "-i", "p0", "icmp", stdout=subprocess.PIPE)
        self.ping(PINGS)
        self.finish(process)
        said = [json.loads(x) for x in process.stdout.read().splitlines()]
        self.check("or a JSON object", [x["point"] for x in said].count("tx") == PINGS and
                   all(x["port"] == "p0" and x["kind"] == "ICMP" for x in said), said)

    def many(self):
        """As many as there may be, one more, and again after they were killed."""
        self.tapes_go()
        running = [self.capture("-w", self.path(f"m{i}.pcapng"), "icmp")
                   for i in range(TOGETHER)]
        done = self.run(self.prism, "capture", "-n", self.name, "-d", "1s", "icmp")
        self.check("one too many is refused, with a remedy", done.returncode == 1 and
                   "as many captures as there can be" in done.stderr, done.stderr)
        self.ping(PINGS)
        self.wait(lambda: self.echoes() == {2 * PINGS})
        for process in running:
            self.end(process, signal.SIGKILL)
        self.check("all had the same", self.echoes() == {2 * PINGS}, self.echoes())
        self.check("the tapes of the killed are gone a little later", self.tapes_go())
        process = self.capture("-c", "1", "icmp", stdout=subprocess.DEVNULL)
        self.check("then there is room again", self.ping() and process.wait(PATIENCE_S) == 0)

    def echoes(self):
        """How many are in the files of many."""
        return {self.run("tcpdump", "-nn", "-r", self.path(f"m{i}.pcapng")).stdout.count("ICMP echo")
                for i in range(TOGETHER)}

    def too_slow(self):
        """One that stands still while more comes than its ring holds: counted, and nobody waits."""
        path = self.path("slow.pcapng")
        self.tapes_go()
        before = self.stats()["counters"]["captured_pkts"]
        process = self.capture("-w", path, "-r", "1MiB", "icmp")
        process.send_signal(signal.SIGSTOP)
        done = self.run("ping", "-f", "-c", "3000", "-W", "5", "-s", "1400", OURS, ns=self.ns)
        process.send_signal(signal.SIGCONT)
        _, words = self.finish(process)
        had, lost = map(int, re.search(r"(\d+) packets captured, (\d+) lost", words).groups())
        self.wait(lambda: had + lost == self.stats()["counters"]["captured_pkts"] - before)
        taken = self.stats()["counters"]["captured_pkts"] - before
        self.check("who reads too late is told how much he missed", had + lost == taken and lost > 0,
                   [had, lost, taken])
        self.check("nobody waited for him", " 0% packet loss" in done.stdout, done.stdout)
        dropped = self.run("tshark", "-r", path, "-T", "fields", "-e", "frame.drop_count").stdout
        self.check("the file says it too", not dropped.strip() or
                   sum(map(int, dropped.split())) == lost, dropped)

    def files(self):
        path = self.path("row.pcapng")
        process = self.capture("-w", path, "-C", "20KiB", "-W", "3", "icmp")
        self.ping(3 * PINGS + 10, 1400)
        code, _ = self.finish(process)
        names = sorted(os.path.basename(p) for p in glob.glob(path + "*"))
        self.check("files go round", code == 0 and
                   names == ["row.pcapng0", "row.pcapng1", "row.pcapng2"], names)
        self.check("each is whole", all(self.is_whole(p) and os.path.getsize(p) < 24 << 10
                                        for p in glob.glob(path + "*")))
        process = self.start(self.prism, "capture", "-n", self.name, "-w", "/dev/full",
                             stderr=subprocess.PIPE)
        code, words = process.wait(PATIENCE_S), process.stderr.read()
        self.check("a full disk is named", code == 1 and "No space left" in words, words)
        with open("/dev/full", "w", encoding="ascii") as full:
            process = self.capture(stdout=full)
            self.ping()
            code, words = process.wait(PATIENCE_S), process.stderr.read()
        self.check("of lines, too", code == 1 and "No space left" in words, words)
        os.mkdir(self.path("gone"))
        process = self.capture("-w", self.path("gone/x"), "-C", "1KiB", "icmp")
        os.remove(self.path("gone/x"))
        os.rmdir(self.path("gone"))
        self.ping(PINGS, 1400)
        code, words = process.wait(PATIENCE_S), process.stderr.read()
        self.check("a next file that cannot be made is named", code == 1 and
                   "No such file" in words, [code, words])
        process = self.capture("-w", "-", "icmp", stdout=subprocess.PIPE)
        process.stdout.close()
        self.ping(PINGS)
        self.check("who leaves the pipe ends it", process.wait(PATIENCE_S) == 0)

    def extcap(self, *words, **kwargs):
        """contrib's script, called as Wireshark does (which runs none from a folder of root's)."""
        script = os.path.join(os.path.dirname(__file__), "..", "..", "contrib", "wireshark",
                              "prism-extcap")
        return self.start(script, *words, env={**os.environ, "PRISM": self.prism},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)

    def wireshark(self):
        name, fifo = f"prism:{self.name}:p0", self.path("fifo")
        said = self.extcap("--extcap-interfaces", "--extcap-version=4.0").communicate()[0]
        self.check("Wireshark is told Prism's ports", said.startswith("extcap {version=") and
                   f"interface {{value={name}}}{{display=Prism {self.name}, port p0 (" in said, said)
        said = self.extcap("--extcap-dlts", "--extcap-interface", name).communicate()[0]
        self.check("and that they are ethernet", "{number=1}{name=EN10MB}" in said, said)
        said = self.extcap("--extcap-config", "--extcap-interface", name).communicate()[0]
        self.check("and what may be chosen", said.count("arg {number=") == 3, said)
        said = self.extcap("--extcap-interface", name, "--extcap-capture-filter",
                           "tcp prot 80").communicate()[0]
        self.check("and what is wrong with a filter", "syntax error" in said, said)
        self.tapes_go()
        os.mkfifo(fifo)
        process = self.extcap("--capture", "--extcap-interface", name, "--fifo", fifo,
                              "--extcap-capture-filter", "icmp", "--points", "rx")
        with open(fifo, "rb") as end:
            reader = self.start("tshark", "-n", "-l", "-i", "-", "-c", str(PINGS), "-T", "fields",
                                "-e", "icmp.type", stdin=end, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
        self.wait(lambda: not self.ping() or reader.poll() is not None)
        said, words = reader.communicate(timeout=PATIENCE_S)
        self.check("and captures", said.split() == ["8"] * PINGS, said + words)
        self.check("until nobody reads", process.wait(PATIENCE_S) == 0 and self.tapes_go() and
                   not process.stderr.read())

    def ends_beside_a_flood(self):
        """Its time and a signal end it, whatever comes meanwhile and however slow who reads is."""
        flood = self.start("ping", "-f", "-q", "-s", "1000", OURS, ns=self.ns,
                           stdout=subprocess.DEVNULL)
        process = self.capture("-w", self.path("flood.pcapng"), "-d", "1s")
        self.check("-d ends it beside a flood", process.wait(PATIENCE_S) == 0)
        process = self.capture(stdout=subprocess.PIPE)
        for _ in range(50):
            process.stdout.readline()
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        code = process.wait(PATIENCE_S)
        self.check("a signal ends lines that are read slowly", code == 0,
                   [code, process.stderr.read()])
        self.end(flood, signal.SIGINT)

    def refuses(self):
        for words, cause in ((("tcp prot 80",), "tcp prot 80"), (("-p", "rx,nowhere"), "nowhere"),
                             (("-i", "p9"), "there is no port p9"), (("-s", "1GiB"), "1GiB"),
                             (("-W", "3"), "--file-size"), (("-r", "x"), "--ring")):
            done = self.run(self.prism, "capture", "-n", self.name, *words)
            self.check(f"capture {' '.join(words)} is refused", done.returncode in (1, 2) and
                       cause in done.stderr, done.stderr)

    def is_killed(self):
        path = self.path("killed.pcapng")
        process = self.capture("-w", path, "icmp")
        self.ping(PINGS)
        self.end(self.server, signal.SIGKILL)
        code, words = process.wait(PATIENCE_S), process.stderr.read()
        self.check("when the instance is killed, what it captured is there", code == 0 and
                   "has ended" in words and f"{2 * PINGS} packets captured" in words, words)
        self.check("in a file that is whole", self.is_whole(path))
        if self.kind == "af_xdp":  # the remedy that a refusal names
            self.run("ip", "link", "set", "dev", "sv", "xdp", "off", ns=self.where)
        self.server = self.serve(self.text, self.where)
        self.check("the next one takes away what it left", not self.tapes())

    def ends_in_order(self):
        process = self.capture("icmp", stdout=subprocess.DEVNULL)
        self.ends_whole(self.server)
        self.check("a capture ends with its instance", process.wait(PATIENCE_S) == 0)
        self.check("and leaves nothing", not self.tapes())


def main():
    reason = missing("ip", "ping", "nsenter", "tshark", "capinfos", "tcpdump")
    if reason:
        print(reason)
        return 77
    bed = Capture("capture", sys.argv[1])
    bed.kind, bed.workers = sys.argv[2], sys.argv[3]
    return conduct(bed, [Capture.make, Capture.each_drop_has_its_reason, Capture.filters_as_tcpdump,
                         Capture.points_and_lengths, Capture.lines, Capture.many, Capture.too_slow,
                         Capture.files, Capture.ends_beside_a_flood, Capture.wireshark, Capture.refuses, Capture.is_killed,
                         Capture.ends_in_order])


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What prism run answers on a TCP port, to those who may look and to those who may change.

    web.py PRISM

Beside clients that dribble, stop in the middle and never read; with and without the token; by names
that are not this machine's. Exits 77 with the reason where it cannot run.
"""
import json
import os
import signal
import socket
import sys

sys.dont_write_bytecode = True
from bed import KERNELS, OURS, Bed, conduct, missing

PORT = 9464
SILENT = 40  # clients; the server takes 64


class Web(Bed):
    def make(self):
        self.ns = self.namespace("c")
        self.text = f"ports:\n  - name: p0\n    device: tap:web{os.getpid() % 1000000}\n" \
                    f"    addresses: [{OURS}/24]\n    kernel_addresses: [{KERNELS}/24]\n" \
                    f"services:\n  - {{type: echo, port: 7}}\n" \
                    f"control:\n  http_port: {PORT}\n"
        self.server = self.serve(self.text, self.ns)
        self.token = f"/run/prism/{self.name}.token"

    def curl(self, target, *words):
        """Status, type and body."""
        done = self.run("curl", "-s", "-m", "10", "-w", "\n%{http_code} %{content_type}", *words,
                        f"http://127.0.0.1:{PORT}{target}", ns=self.ns)
        body, _, last = done.stdout.rpartition("\n")
        return int(last.split()[0]), last.partition(" ")[2], body

    def answers(self):
        self.check("the start says where", f"http://127.0.0.1:{PORT}/metrics" in self.log() and
                   self.token in self.log())
        status, kind, body = self.curl("/metrics")
        self.check("metrics are there", status == 200 and "version=0.0.4" in kind and
                   "# TYPE prism_" in body, kind)
        status, kind, body = self.curl("/v1/stats")
        self.check("stats are JSON", status == 200 and kind == "application/json" and
                   json.loads(body)["instance"] == self.name, kind)
        status, _, body = self.curl("/v1/why?filter=tcp+prot+80")
        self.check("a filter with a mistake is named", status == 400 and "tcp prot 80" in body, body)
        status, _, body = self.curl("/")
        self.check("other paths are told what there is", status == 404 and "/v1/conns" in body, body)

    def refuses(self):
        status, _, _ = self.curl("/metrics", "-H", "Host: evil.example")
        self.check("a name that is not this machine's is refused", status == 421, status)
        status, _, body = self.curl("/v1/recorder/7", "-X", "POST")
        self.check("what changes the instance needs the token", status == 401 and
                   "Bearer" in body, body)
        status, _, body = self.curl("/v1/capture?filter=icmp", "-X", "POST")
        self.check("so does a capture", status == 401, body)
        status, _, body = self.curl("/v1/recorder")
        self.check("nothing was changed", status == 200 and
                   json.loads(body)["sample_one_in"] == 1024, body)

    def takes_the_token(self):
        mode = os.stat(self.token).st_mode & 0o777
        self.check("the token is for owner and group", mode == 0o640, oct(mode))
        with open(self.token, encoding="ascii") as f:
            token = f.read().strip()
        status, _, body = self.curl("/v1/recorder/7", "-X", "POST", "-H",
                                    f"Authorization: Bearer {token}")
        self.check("with it the instance is changed", status == 200 and
                   json.loads(body)["sample_one_in"] == 7, body)

    def waits_for_nobody(self):
        """Of those on the socket and on the port alike."""
        silent = [socket.socket(socket.AF_UNIX) for _ in range(SILENT)]
        for i, s in enumerate(silent):
            s.connect(f"/run/prism/{self.name}.sock")
            s.sendall([b"", b"GET /v1/stats HT", b"GET /v1/stats HTTP/1.1\r\nHost: x\r\n\r\n" * 50][i % 3])
        done = self.run(self.prism, "recorder", "--json", "-n", self.name, timeout=8)
        self.check("a tool is answered beside clients that are silent or do not read",
                   done.returncode == 0 and json.loads(done.stdout)["sample_one_in"] == 7,
                   done.stderr)
        status, _, _ = self.curl("/metrics")
        self.check("so is a browser", status == 200, status)
        for s in silent:
            s.close()
        done = self.run(self.prism, "recorder", "--json", "-n", self.name)
        self.check("and when they have left", done.returncode == 0, done.stderr)

    def is_taken(self):
        text = self.text.replace("web", "wet", 1)
        path = self.write("second.yaml", f"instance: {self.name}b\n{text}")
        done = self.run(self.prism, "run", path, ns=self.ns)
        self.check("a port that is taken is named", done.returncode == 3 and
                   f"127.0.0.1 port {PORT}: Address already in use" in done.stderr and
                   "remedy:" in done.stderr, done.stderr)

    def starts_anew(self):
        with open(self.token, encoding="ascii") as f:
            before = f.read()
        self.end(self.server, signal.SIGKILL)
        self.check("a killed one leaves its token", os.path.exists(self.token))
        self.server = self.serve(self.text, self.ns)
        with open(self.token, encoding="ascii") as f:
            self.check("the next has another", f.read() != before)
        self.check("and answers", self.curl("/metrics")[0] == 200)
        self.ends_whole(self.server)
        self.check("the token goes with it", not os.path.exists(self.token))


def main():
    reason = missing("ip", "curl", "nsenter")
    if reason:
        print(reason)
        return 77
    return conduct(Web("web", sys.argv[1]),
                   [Web.make, Web.answers, Web.refuses, Web.takes_the_token, Web.waits_for_nobody,
                    Web.is_taken, Web.starts_anew])


if __name__ == "__main__":
    sys.exit(main())

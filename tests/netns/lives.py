#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""How lives of prism run begin and end: whatever way, nothing is left, and what is wrong is named.

    lives.py PRISM [unprivileged]

With unprivileged: in a namespace of its own, without privilege. Else: signals during start-up and twice; killed, looked at
and replaced; wrong files and wrong environments; capture files in and out. Exits 77 with the
reason where it cannot run.
"""
import json
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from bed import entering

NAME = f"lives{os.environ.get('PRISM_TEST_RUN', '')}{os.getpid()}"
TAP = f"lives{os.getpid()}"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
NS = f"prism-{NAME}"
INSIDE = entering(NS)
OURS, KERNELS = "198.18.0.2", "198.18.0.1"
KILL_SECONDS = 20


class Lives:
    """The folder, the namespace and the running servers of this test."""

    def __init__(self, prism):
        self.folder = tempfile.mkdtemp(prefix="prism-lives-")
        os.chmod(self.folder, 0o777)
        self.prism = os.path.join(self.folder, "prism")  # nobody may read it here
        shutil.copy(prism, self.prism)
        self.running, self.failures = [], []
        subprocess.run(["ip", "netns", "add", NS], check=True)
        subprocess.run([*INSIDE, "ip", "link", "set", "lo", "up"], check=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def file(self, name, device=f"tap:{TAP}", more="", kernel=f"[{KERNELS}/24]"):
        www = self.path("www")
        os.makedirs(www, exist_ok=True)
        with open(os.path.join(www, "index.html"), "w") as f:
            f.write("a page\n")
        kernel = f"    kernel_addresses: {kernel}\n" if device.startswith("tap:") else ""
        with open(self.path(name), "w") as f:
            f.write(f"instance: {NAME}\nports:\n  - name: p0\n    device: {device}\n"
                    f"    addresses: [{OURS}/24]\n{kernel}services:\n"
                    "  - {type: http, port: 80, root: www}\n  - {type: echo, port: 7}\n"
                    f"control:\n  socket: {self.path('control.sock')}\n{more}")
        return self.path(name)

    def start(self, path, before=INSIDE):
        log = open(self.path("log"), "w+")
        p = subprocess.Popen([*before, self.prism, "run", path], stdout=log,
                             stderr=subprocess.STDOUT, env={**os.environ, "XDG_RUNTIME_DIR": ""})
        self.running.append(p)
        return p

    def log(self):
        with open(self.path("log")) as f:
            return f.read()

    def serving(self, p):
        for _ in range(200):
            if "watch it:" in self.log():
                return True
            if p.poll() is not None:
                break
            time.sleep(0.05)
        return False

    def end(self, p, number=signal.SIGINT):
        if p.poll() is None:
            p.send_signal(number)
        try:
            return p.wait(timeout=KILL_SECONDS)
        except subprocess.TimeoutExpired:
            p.kill()
            return p.wait()

    def made_and_empty(self, folder):
        """Of a folder that Prism made, as its sticky bit says: whether nobody has anything in it."""
        try:
            return bool(os.stat(folder).st_mode & stat.S_ISVTX) and not os.listdir(folder)
        except OSError:
            return False

    def left(self):
        """What is there and should not be."""
        links = subprocess.run([*INSIDE, "ip", "-o", "link"], text=True,
                               capture_output=True).stdout.splitlines()
        places = ["/run/prism", "/tmp/prism-65534", "/dev/shm/prism-65534"]
        rest = [f"{d}/{f}" for d in places if os.path.isdir(d) for f in os.listdir(d) if NAME in f]
        rest += [d for d in places if self.made_and_empty(d)]
        rest += ["control.sock"] if os.path.exists(self.path("control.sock")) else []
        return [line.split(":")[1].strip() for line in links if TAP in line] + rest

    def check(self, what, good, detail=""):
        print(("ok    " if good else "WRONG ") + what + (f": {detail}" if detail else ""), flush=True)
        if not good:
            self.failures.append(what)
            print(self.log()[-2000:])

    def ends_clean(self, what, p, code=0):
        found = p.returncode
        self.check(f"{what} ends with {code} and leaves nothing",
                   found == code and not self.left(), f"{found} {' '.join(self.left())}".strip())

    def clean(self):
        for p in self.running:
            self.end(p, signal.SIGKILL)
        subprocess.run(["ip", "netns", "del", NS], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def without_privilege(t):
    p = t.start(t.file("own.yaml"), before=NOBODY)
    t.check("without privilege it serves in a namespace of its own", t.serving(p))
    step_in = [l.strip() for l in t.log().splitlines() if l.strip().startswith("nsenter")]
    got = subprocess.run([*NOBODY, *step_in[0].split(), "curl", "-s", "-m", "5",
                          f"http://{OURS}/"], text=True, capture_output=True) if step_in else None
    t.check("the printed nsenter reaches the page", bool(got) and got.stdout == "a page\n",
            got.stderr.strip() if got else "nothing printed")
    said = [l for l in t.log().splitlines() if l.startswith(("dpdk:", "EAL:", "libbpf", "libxdp"))]
    t.check("only Prism's own lines are printed", not said, " | ".join(said))
    t.end(p)
    t.ends_clean("Ctrl-C", p)


def signals(t):
    path = t.file("signals.yaml")
    for number, delay_s in ((signal.SIGINT, 0.05), (signal.SIGTERM, 0.15), (signal.SIGINT, 0.3)):
        p = t.start(path)
        time.sleep(delay_s)
        # Before its first instruction the signal just kills it, which is as clean.
        code = t.end(p, number)
        t.check(f"{number.name} after {delay_s} s of start-up leaves nothing",
                code in (0, -number) and not t.left(), f"{code} {' '.join(t.left())}".strip())
    p = t.start(path)
    t.check("a server is up", t.serving(p))
    idle = subprocess.Popen([*INSIDE, sys.executable, "-c",
                             f"import socket, time\ns = socket.create_connection(('{OURS}', 7))\n"
                             "print('in', flush=True)\ntime.sleep(30)"], stdout=subprocess.PIPE)
    idle.stdout.readline()
    begin = time.monotonic()
    p.send_signal(signal.SIGINT)
    time.sleep(0.3)
    t.end(p)
    took = time.monotonic() - begin
    idle.kill()
    idle.wait()
    t.ends_clean("Ctrl-C twice", p)
    t.check("the second Ctrl-C does not wait for clients", took < 4, f"{took:.1f} s")


class Top:
    """prism top on a terminal of its own."""

    def __init__(self, prism):
        self.terminal, inside = os.openpty()
        self.process = subprocess.Popen([prism, "top", "-n", NAME, "-i", "200ms"], stdin=inside,
                                        stdout=inside, stderr=inside,
                                        env={**os.environ, "TERM": "xterm"})
        os.close(inside)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        """What it draws, so that it never waits for us; until it ends."""
        try:
            while os.read(self.terminal, 65536):
                pass
        except OSError:
            pass

    def looks_at_a_file_with_a_name(self):
        folder = f"/proc/{self.process.pid}/fd"
        return any(os.readlink(f"{folder}/{fd}").endswith(f"/{NAME}.shm")
                   for fd in os.listdir(folder))

    def goes_on(self):
        for _ in range(50):
            if self.looks_at_a_file_with_a_name():
                return True
            time.sleep(0.1)
        return False

    def end(self):
        os.write(self.terminal, b"q")
        code = self.process.wait(timeout=KILL_SECONDS)
        os.close(self.terminal)
        return code


def killed(t):
    path = t.file("killed.yaml")
    p = t.start(path)
    t.serving(p)
    live = Top(t.prism)
    t.running.append(live.process)
    subprocess.run([*INSIDE, "curl", "-s", "-m", "5", f"http://{OURS}/"],
                   capture_output=True)
    t.end(p, signal.SIGKILL)
    got = subprocess.run([t.prism, "stats", "--json", "-n", NAME], text=True, capture_output=True)
    dead = json.loads(got.stdout) if got.returncode == 0 else {}
    t.check("stats calls a killed instance dead and still has its numbers",
            dead.get("state") == "dead" and dead["counters"]["rx_pkts"] > 0,
            dead.get("state", got.stderr))
    got = subprocess.run([t.prism, "top", "--once", "-n", NAME], text=True, capture_output=True)
    t.check("top says so too", "DEAD" in got.stdout)
    t.check("its control socket is still there", os.path.exists(t.path("control.sock")))
    p = t.start(path)
    t.check("the next one starts over it", t.serving(p))
    t.check("a top that saw the old one die goes on with it", live.goes_on())
    t.check("and ends when it is asked to", live.end() == 0)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(t.path("control.sock"))
        s.sendall(b"GET /v1/stats HTTP/1.1\r\nHost: prism\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := s.recv(65536):
            answer += piece
    _, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        raise ValueError(f"it answers {answer}, its end is {p.poll()}, and it says {t.log()}")
    stats = json.loads(body)
    t.check("its control socket is the new one's",
            stats["state"] == "running" and stats["pid"] != dead.get("pid"), str(stats["pid"]))
    other = subprocess.run([*INSIDE, t.prism, "run", path], text=True,
                           capture_output=True)
    t.check("a second one of the same name is refused, the first serves on",
            other.returncode == 3 and f"of process {stats['pid']}" in other.stderr and
            p.poll() is None,
            other.stderr.splitlines()[0] if other.stderr else "no message")
    t.end(p)
    t.ends_clean("the new one", p)


def refused(t, what, path, words, before=INSIDE, code=3):
    p = t.start(path, before)
    try:
        p.wait(timeout=KILL_SECONDS)
    except subprocess.TimeoutExpired:
        t.end(p, signal.SIGKILL)
    text = t.log()
    good = p.returncode == code and all(w in text for w in words) and text.count("error:") <= 1
    left = [f for f in t.left() if not f.endswith("x")]
    t.check(f"{what} is refused by name and leaves nothing", good and not left,
            (text.splitlines() or ["no message"])[0] + " " + " ".join(left))


def wrong_environments(t):
    subprocess.run([*INSIDE, "ip", "link", "add", f"{TAP[:12]}x", "type", "bridge"], check=True)
    refused(t, "an interface that exists", t.file("a.yaml", device=f"tap:{TAP[:12]}x"),
            ["is there already"])
    subprocess.run([*INSIDE, "ip", "link", "del", f"{TAP[:12]}x"], check=True)
    refused(t, "an interface that does not", t.file("b.yaml", device="af_xdp:nosuch0"),
            ["no interface nosuch0"])
    refused(t, "af_xdp without privilege", t.file("c.yaml", device="af_xdp:lo"), ["user 65534 may not"],
            before=[*INSIDE, *NOBODY])
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(t.path("control.sock"))
        living.listen()
        p = t.start(t.file("e.yaml"))
        p.wait(timeout=KILL_SECONDS)
        t.check("a control socket that is answered already is refused and left alone",
                p.returncode == 3 and "is answered already" in t.log() and
                os.path.exists(t.path("control.sock")), t.log().splitlines()[-1])
    os.unlink(t.path("control.sock"))
    t.ends_clean("it", p, code=3)
    p = t.start(t.file("f.yaml", more="colour: red\n"))
    p.wait(timeout=KILL_SECONDS)
    t.ends_clean("a wrong key", p, code=2)
    memif = t.file("g.yaml", device=f"memif:{t.path('m.sock')}")
    p = t.start(memif)
    t.check("memif listens", t.serving(p))
    with open(memif) as f:
        second = f.read().replace(f"instance: {NAME}", f"instance: {NAME}-2")
    with open(t.path("h.yaml"), "w") as f:
        f.write(second.replace("control.sock", "control2.sock"))
    other = subprocess.run([t.prism, "run", t.path("h.yaml")], text=True, capture_output=True)
    t.check("a memif socket in use is refused by name", other.returncode == 3 and
            "another process serves this socket" in other.stderr, (other.stderr.splitlines() or ["no message"])[0])
    t.end(p)
    t.ends_clean("the one that has it", p)
    t.check("memif leaves no socket", not os.path.exists(t.path("m.sock")))


def inet_sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(protocol, payload):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0,
                       socket.inet_aton(KERNELS), socket.inet_aton(OURS))
    return head[:10] + struct.pack(">H", inet_sum(head)) + head[12:] + payload


def crafted():
    """A request for our address, an echo request, one with a wrong checksum."""
    mac = bytes.fromhex("020000000001")
    arp = struct.pack(">HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, mac, socket.inet_aton(KERNELS),
                      bytes(6), socket.inet_aton(OURS))
    ping = struct.pack(">BBHHH", 8, 0, 0, 77, 1) + b"abcdefgh"
    ping = ping[:2] + struct.pack(">H", inet_sum(ping)) + ping[4:]
    wrong = bytearray(ipv4(1, ping))
    wrong[10] ^= 0x55
    ether = bytes([255] * 6) + mac
    return [ether + b"\x08\x06" + arp, ether + b"\x08\x00" + ipv4(1, ping),
            ether + b"\x08\x00" + bytes(wrong)]


def read_pcap(path):
    with open(path, "rb") as f:
        data = f.read()
    at, packets = 24, []
    while at + 16 <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        packets.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return packets


def capture_files(t):
    packets = crafted()
    with open(t.path("in.pcap"), "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for p in packets:
            f.write(struct.pack("<IIII", 1, 0, len(p), len(p)) + p)
    p = t.start(t.file("pcap.yaml", device=f"pcap:{t.path('in.pcap')},{t.path('out.pcap')}"))
    t.check("pcap: starts", t.serving(p))
    time.sleep(0.5)
    got = subprocess.run([t.prism, "stats", "--json", "-n", NAME], text=True, capture_output=True)
    stats = json.loads(got.stdout)
    t.end(p)
    t.ends_clean("pcap:", p)
    out = read_pcap(t.path("out.pcap"))
    replies = [o for o in out if o[12:14] == b"\x08\x06" and o[20:22] == b"\0\2" and
               o[28:32] == socket.inet_aton(OURS) and o[38:42] == socket.inet_aton(KERNELS)]
    t.check("the question in the capture file is answered in the other", len(replies) == 1,
            f"{len(out)} packets out")
    drops = {k: v for k, v in stats["drops"].items() if v}
    t.check("every packet of the file is accounted for",
            stats["counters"]["rx_pkts"] == len(packets) and stats["unaccounted"] == 0, str(drops))
    t.check("each wrong packet is dropped under a name", sum(drops.values()) >= 1, str(drops))


def other_devices(t):
    for device in ("vdev:net_ring0", "vdev:net_null7", "ring:0", "null:7"):
        p = t.start(t.file("other.yaml", device=device, more="idle: sleep\n"))
        t.check(f"{device} opens", t.serving(p))
        t.end(p)
        t.ends_clean(device, p)


def chrooted():
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        return not any(line.split()[4] == "/" for line in f)


def missing(unprivileged):
    if os.geteuid() != 0:
        return "needs root to make network namespaces"
    if unprivileged and chrooted():
        return "the kernel makes no user namespace in a chroot (unshare(2), EPERM)"
    for tool in ("ip", "curl", "setpriv", "nsenter"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    return "" if os.path.exists("/dev/net/tun") else "/dev/net/tun is not there"


def main():
    unprivileged = sys.argv[2:] == ["unprivileged"]
    reason = missing(unprivileged)
    if reason:
        print("skipped:", reason)
        return 77
    steps = [without_privilege] if unprivileged else [signals, killed, wrong_environments,
                                                      capture_files, other_devices]
    t = Lives(os.path.abspath(sys.argv[1]))
    try:
        for step in steps:
            step(t)
    except (OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
        t.check("the test itself", False, repr(error))
    finally:
        t.clean()
    return 1 if t.failures else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of this folder stand on: a folder, namespaces, processes that end, checks.

Every name made here carries PRISM_TEST_RUN, by which devtools/check-leftovers knows what a run of
the whole suite made.
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

OURS, KERNELS = "198.18.0.2", "198.18.0.1"
START_SECONDS = 20
END_SECONDS = 20
ACCOUNT_SECONDS = 5


def sh(*command):
    """A step that must succeed; what it printed."""
    done = subprocess.run(command, text=True, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def entering(ns):
    """What to put before a command to run it in a namespace. Not ip netns exec or ip -n: those
    remount /, and in a chroot / is no mount point."""
    return ["nsenter", f"--net=/run/netns/{ns}"]


def missing(*tools, files=()):
    """Why a test that needs root and these cannot run here, or nothing."""
    if os.geteuid() != 0:
        return "needs root to make network namespaces and to watch processes"
    absent = [f"{tool} is not installed" for tool in tools if not shutil.which(tool)]
    absent += [f"{name} is not there" for name in files if not os.path.exists(name)]
    return absent[0] if absent else ""


class Bed:
    """One test's belongings. All that it makes is gone after clean()."""

    def __init__(self, kind, prism):
        self.name = f"{kind}{os.environ.get('PRISM_TEST_RUN', '')}{os.getpid()}"
        self.folder = tempfile.mkdtemp(prefix="prism-")
        os.chmod(self.folder, 0o755)  # nginx's worker is another user
        self.prism = os.path.abspath(prism)
        self.namespaces, self.processes, self.failures = [], [], []

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, data):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        return self.path(name)

    def log(self):
        """What the last server said."""
        if not os.path.exists(self.path("log")):
            return ""
        with open(self.path("log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def namespace(self, end):
        ns = f"prism-{self.name}-{end}"
        sh("ip", "netns", "add", ns)
        self.namespaces.append(ns)
        sh(*entering(ns), "ip", "link", "set", "lo", "up")
        return ns

    def veth(self, ours, kernels, queues=1):
        """Joins two namespaces: interface sv in ours, cl with the kernel's address in the other."""
        each = ["numrxqueues", str(queues), "numtxqueues", str(queues)]
        sh(*entering(ours), "ip", "link", "add", "sv", *each, "type", "veth", "peer", "name", "cl",
           *each, "netns", kernels)
        sh(*entering(ours), "ip", "link", "set", "sv", "up")
        sh(*entering(kernels), "ip", "link", "set", "cl", "up")
        sh(*entering(kernels), "ip", "addr", "add", f"{KERNELS}/24", "dev", "cl")

    def inside(self, ns, *command):
        return [*entering(ns), *command] if ns else list(command)

    def run(self, *command, ns=None, timeout=300):
        return subprocess.run(self.inside(ns, *command), text=True, capture_output=True,
                              timeout=timeout)

    def start(self, *command, ns=None, **kwargs):
        process = subprocess.Popen(self.inside(ns, *command), text=True, **kwargs)
        self.processes.append(process)
        return process

    def launch(self, path, before=()):
        """prism run of a file, its words in the log."""
        with open(self.path("log"), "w", encoding="utf-8") as log:
            return self.start(*before, self.prism, "run", path, stdout=log,
                              stderr=subprocess.STDOUT, env={**os.environ, "XDG_RUNTIME_DIR": ""})

    def serving(self, process):
        for _ in range(20 * START_SECONDS):
            if "watch it:" in self.log():
                return True
            if process.poll() is not None:
                break
            time.sleep(0.05)
        return False

    def serve(self, text, ns=None):
        """A serving Prism of this configuration, its instance named as this test."""
        process = self.launch(self.write("serve.yaml", f"instance: {self.name}\n{text}"),
                              self.inside(ns))
        if not self.serving(process):
            raise RuntimeError("prism run does not start: " + self.log())
        return process

    def stats(self, instance=None):
        return json.loads(sh(self.prism, "stats", "--json", "-n", instance or self.name))

    def accounted(self, instance=None):
        """While packets are on their way the numbers are not of one moment: once is enough."""
        end = time.monotonic() + ACCOUNT_SECONDS
        while time.monotonic() < end:
            if self.stats(instance)["unaccounted"] == 0:
                return True
            time.sleep(0.05)
        return False

    def end(self, process, number=signal.SIGTERM):
        """Its exit code; killed when it does not end, which is a failure unless it was asked for."""
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            self.check(f"process {process.pid} ends within {END_SECONDS} s of a signal", False)
            return process.wait()

    def ends_whole(self, server):
        """When all is quiet nothing is unaccounted for, and it ends when it is told to."""
        time.sleep(1)
        self.check("no packet is unaccounted for", self.accounted())
        self.check("it ends by SIGTERM", self.end(server) == 0)

    def check(self, what, good, detail=""):
        print(("ok    " if good else "WRONG ") + what + (f": {detail}" if detail else ""), flush=True)
        if not good:
            self.failures.append(what)

    def clean(self):
        for process in self.processes:
            self.end(process)
        if self.failures:
            print(self.log()[-3000:])
        for ns in self.namespaces:
            subprocess.run(["ip", "netns", "del", ns], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def conduct(bed, steps):
    """The steps in their order, then the cleaning. The exit code."""
    try:
        for step in steps:
            step(bed)
    except (RuntimeError, OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
        bed.check("the test itself", False, repr(error))
    finally:
        bed.clean()
    return 1 if bed.failures else 0

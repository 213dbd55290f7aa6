# SPDX-License-Identifier: BSD-3-Clause
"""The machine under a bench: facts, huge pages, a folder, processes that end by their pid."""
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HUGE_PAGES = 1024  # of 2 MiB: two stacks and a region of files
NR_HUGE = "/proc/sys/vm/nr_hugepages"


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return (done.stdout.strip().splitlines() or ["unknown"])[0]


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        names = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else "unknown"


class Place:
    """Folder, cores and memory of one run of the benches, and all that must end with it."""

    def __init__(self, build, seconds):
        self.build, self.seconds = build, seconds
        cores = sorted(os.sched_getaffinity(0))
        self.client_core, self.server_core = cores[0], cores[-1]
        self.folder = ""
        self.processes = []
        self.namespaces = []
        self.hugepages_before = None

    def prism(self):
        return os.path.join(self.build, "prism")

    def tool(self, name):
        return os.path.join(self.build, "tests/bench", name)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, data):
        mode = "wb" if isinstance(data, bytes) else "w"
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), mode) as f:
            f.write(data)
        return self.path(name)

    def build_all(self, target="benches"):
        """Builds what is measured and what measures it. False when that cannot be done."""
        if not os.path.exists(os.path.join(self.build, "build.ninja")):
            print(f"run: {self.build} was not set up yet; make bench does that first",
                  file=sys.stderr)
            return False
        done = subprocess.run(["ninja", "-C", self.build, "--quiet", target], check=False)
        return done.returncode == 0

    def prepare(self, pages=HUGE_PAGES):
        """Makes the folder, reserves memory, and returns what is worth knowing."""
        self.folder = tempfile.mkdtemp(prefix="prism-bench-")
        memory = self.reserve(pages)
        return {"cpu": cpu_model(), "kernel": os.uname().release,
                "dpdk": first_line("pkg-config", "--modversion", "libdpdk"),
                "hugepages": memory,
                "cores": f"server on {self.server_core}, client on {self.client_core}",
                "load": f"{os.getloadavg()[0]:.1f} runnable on average before the start"}

    def reserve(self, pages):
        with open(NR_HUGE, encoding="utf-8") as f:
            have = int(f.read())
        if have >= pages:
            return f"{have} of 2 MiB, there already"
        try:
            with open(NR_HUGE, "w", encoding="utf-8") as f:
                f.write(str(pages))
        except OSError as error:
            return f"NONE, plain pages: {error.strerror}"
        self.hugepages_before = have
        with open(NR_HUGE, encoding="utf-8") as f:
            return f"{f.read().strip()} of 2 MiB, reserved for this run"

    def line_trip_ns(self):
        done = subprocess.run([self.tool("line_trip"), str(self.client_core),
                               str(self.server_core)], capture_output=True, text=True, check=True)
        return int(done.stdout)

    def start(self, command, **kwargs):
        process = subprocess.Popen(command, **kwargs)
        self.processes.append(process)
        return process

    def end(self, process, patience_s=20):
        """SIGTERM, patience, SIGKILL. Its standard output, if that was a pipe."""
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            out = process.communicate(timeout=patience_s)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            out = process.communicate()[0]
        self.processes.remove(process)
        return out

    def clean(self):
        for process in list(self.processes):
            self.end(process)
        for namespace in self.namespaces:
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self.hugepages_before is not None:
            with open(NR_HUGE, "w", encoding="utf-8") as f:
                f.write(str(self.hugepages_before))


def wait_until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise RuntimeError(f"{what}: not within {seconds} s")


def shm_file(instance):
    """Where the instance's shared memory is, or None."""
    found = glob.glob(f"/run/prism/{instance}.shm")
    return found[0] if found else None

# SPDX-License-Identifier: BSD-3-Clause
"""Every header compiles by itself, so that the order of includes never matters."""
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

from tidylib.tree import Finding

HEADERS = r"^(src|include)/.*\.h$"


def _compile(root, path, flags):
    done = subprocess.run(
        ["gcc", "-fsyntax-only", "-std=gnu11", "-D_GNU_SOURCE",
         "-Werror=implicit-function-declaration",
         "-isystem", "/usr/share/include",  # where Debian puts llhttp's
         "-Iinclude", "-Isrc", "-x", "c", "-include", path, os.devnull]
        + flags, cwd=root, capture_output=True, text=True)
    return done.returncode == 0, done.stderr


def _dpdk_flags():
    text = subprocess.run(["pkg-config", "--cflags", "libdpdk"], capture_output=True, text=True)
    return [flag.replace("-I", "-isystem", 1) if flag.startswith("-I") else flag
            for flag in text.stdout.split()]


def check_headers_alone(tree, root):
    flags = _dpdk_flags()
    paths = tree.matching(HEADERS)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # Public headers are tried without DPDK's flags: users have none.
        results = pool.map(lambda path: _compile(
            root, path, [] if path.startswith("include/") else flags), paths)
        for path, (good, errors) in zip(paths, results):
            if not good:
                first = next((line for line in errors.splitlines() if "error" in line), errors)
                yield Finding(path, 1, "header-alone", "does not compile alone; include what it "
                              f"uses ({first.strip()})")

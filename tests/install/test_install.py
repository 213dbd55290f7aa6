#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What meson install leaves is usable from outside the tree, with nothing but pkg-config.

    test_install.py BUILD VERSION PREFIX
"""
import glob
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD, VERSION, PREFIX = sys.argv[1], sys.argv[2], sys.argv[3].lstrip("/")


def run(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **more)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.mkdtemp()
        run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", cls.place])
        cls.prefix = os.path.join(cls.place, PREFIX)
        pc = cls.one("lib*/**/prismnet.pc")
        cls.library = os.path.dirname(os.path.dirname(pc))
        # Nothing else can be found: a user needs no DPDK development files.
        cls.env = dict(os.environ, PKG_CONFIG_LIBDIR=os.path.dirname(pc),
                       PKG_CONFIG_SYSROOT_DIR=cls.place, LD_LIBRARY_PATH=cls.library)
        cls.env.pop("PKG_CONFIG_PATH", None)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.place)

    @classmethod
    def one(cls, pattern):
        found = glob.glob(os.path.join(cls.prefix, pattern), recursive=True)
        if not found:
            raise AssertionError(f"{pattern} is not installed")
        return found[0]

    def flags(self, *arguments):
        return run(["pkg-config", *arguments, "prismnet"], env=self.env).split()

    def compile(self, libraries):
        program = os.path.join(self.place, "echo")
        shutil.copy(os.path.join(ROOT, "examples", "echo.c"), self.place)
        run(["gcc", "-Wall", "-Wextra", "-Werror", "-o", program,
             os.path.join(self.place, "echo.c"), *self.flags("--cflags"), *libraries], env=self.env)
        return program

    def test_everything_is_there(self):
        for pattern in ("bin/prism", "include/prismnet/prism.h", "include/prismnet/tcp.h",
                        "lib*/**/libprismnet.so.0", "lib*/**/libprismnet.a",
                        "share/man/man1/prism.1*", "share/man/man5/prism.yaml.5*",
                        "share/bash-completion/completions/prism",
                        "share/prism/examples/hello.yaml", "share/prism/www/index.html"):
            self.one(pattern)

    def test_an_example_builds_with_the_shared_library_and_finds_it(self):
        program = self.compile(self.flags("--libs"))
        linked = run(["ldd", program], env=self.env)
        self.assertIn(self.library, linked)
        self.assertNotIn("not found", linked)

    def test_an_example_builds_with_the_static_library(self):
        private = [flag for flag in self.flags("--libs", "--static") if flag != "-lprismnet"]
        program = self.compile([os.path.join(self.library, "libprismnet.a"), *private])
        self.assertNotIn("libprismnet", run(["ldd", program], env=self.env))

    def test_users_see_no_dpdk(self):
        self.assertNotIn("dpdk", " ".join(self.flags("--cflags")))
        self.assertNotIn("rte_", " ".join(self.flags("--libs")))

    def test_only_prism_names_leave_the_library(self):
        symbols = run(["nm", "-D", "--defined-only", os.path.join(self.library, "libprismnet.so")])
        names = {line.split()[2].split("@")[0] for line in symbols.splitlines()}
        names.discard("PRISM_0")  # the version node itself
        self.assertIn("prism_open", names)
        self.assertEqual([name for name in sorted(names) if not name.startswith("prism_")], [])

    def test_every_function_of_the_headers_is_in_the_library(self):
        text = "".join(pathlib.Path(path).read_text(encoding="utf-8")
                       for path in glob.glob(self.prefix + "/include/prismnet/*.h"))
        declared = {word.split("(")[0] for line in text.split("PRISM_API")[2:]
                    for word in line.replace("*", " ").split() if word.startswith("prism_")
                    and "(" in word}
        symbols = run(["nm", "-D", "--defined-only", os.path.join(self.library, "libprismnet.so")])
        exported = {line.split()[2].split("@")[0] for line in symbols.splitlines()}
        self.assertGreater(len(declared), 30)
        self.assertEqual(sorted(declared - exported), [])

    def test_the_command_runs_where_it_was_put(self):
        said = run([self.one("bin/prism"), "version"], env=self.env)
        self.assertIn(VERSION, said)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

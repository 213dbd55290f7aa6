#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Feeds the captures of the tcpdump test-suite to the checked stack (corpus.c).

    test_corpus.py CAPTURES CORPUS FOLDER [MUTATIONS]

CAPTURES fetches them into FOLDER. Exits 77 with the reason where they cannot be had.
"""
import subprocess
import sys


def main():
    captures, corpus, folder, *mutations = sys.argv[1:]
    if subprocess.run([captures, folder]).returncode != 0:
        return 77
    return subprocess.run([corpus, folder, *mutations]).returncode


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: BSD-3-Clause
"""The files that the rules look at: those git knows, or a dictionary in the rules' own tests."""
import os
import re
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    rule: str
    message: str
    subject: str = ""  # what an exception may name: a function, a symbol, an include

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


@dataclass(frozen=True)
class Function:
    name: str
    first: int  # line of the signature's first line, from 1
    last: int   # line of the closing brace
    signature: str
    body: list  # lines between the braces


class Tree:
    def __init__(self, files):
        self.files = files  # path from the root -> text
        self._bare = {}

    @classmethod
    def of_checkout(cls, root):
        files = {}
        for path in _listed(root):
            full = os.path.join(root, path)
            if not os.path.isfile(full) or os.path.islink(full):
                continue
            with open(full, "rb") as stream:
                data = stream.read()
            if b"\0" not in data[:4096]:
                files[path] = data.decode("utf-8", "replace")
        return cls(files)

    def matching(self, pattern):
        return sorted(path for path in self.files if re.search(pattern, path))

    def lines(self, path):
        return self.files[path].splitlines()

    def bare(self, path):
        """Lines of a C file with comments and the insides of strings blanked out."""
        if path not in self._bare:
            self._bare[path] = _blank(self.files[path]).splitlines()
        return self._bare[path]


def _listed(root):
    try:
        text = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root,
            capture_output=True, check=True).stdout.decode()
        return [path for path in text.split("\0") if path]
    except (OSError, subprocess.CalledProcessError):  # not a git checkout: all but build/
        return [os.path.relpath(os.path.join(folder, name), root)
                for folder, _, names in os.walk(root) for name in names
                if not os.path.relpath(folder, root).startswith(("build", ".git"))]


_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def _blank(text):
    def keep_shape(match):
        token = match.group()
        if token[0] in "\"'":
            return token[0] + " " * (len(token) - 2) + token[0]
        return re.sub(r"[^\n]", " ", token)
    return _TOKEN.sub(keep_shape, text)


def functions(bare_lines):
    """Functions of a file in the house's layout: body braces stand alone in the first column."""
    found = []
    start = None
    for number, line in enumerate(bare_lines, 1):
        if line.rstrip() == "{":
            start = number
        elif line.rstrip() == "}" and start is not None:
            first = _signature_start(bare_lines, start)
            signature = " ".join(bare_lines[first - 1:start - 1])
            name = re.search(r"(\w+)\s*\(", signature)
            if name:
                found.append(Function(name.group(1), first, number, signature,
                                      bare_lines[start:number - 1]))
            start = None
    return found


def _signature_start(lines, brace):
    first = brace
    while first > 1:
        above = lines[first - 2].rstrip()
        if not above.strip() or above.endswith((";", "}", ":", "\\")) or above.startswith("#"):
            break
        first -= 1
    return first

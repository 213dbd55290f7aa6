# SPDX-License-Identifier: BSD-3-Clause
"""Documentation that names code stays true: `file:function` and links to files."""
import os
import re

from tidylib.tree import Finding

DOCS = r"^(docs/.*|[A-Z]+)\.md$"
REFERENCE = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.[ch]):(\w+)`")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


def _find(tree, name):
    for prefix in ("", "src/", "include/", "include/prismnet/"):
        if prefix + name in tree.files:
            return prefix + name
    return None


def check_references(tree):
    for path in tree.matching(DOCS):
        for number, line in enumerate(tree.lines(path), 1):
            for name, function in REFERENCE.findall(line):
                target = _find(tree, name)
                if target is None:
                    yield Finding(path, number, "doc-reference", f"{name} does not exist; name the "
                                  "file from the root or from src/", name)
                elif not re.search(rf"\b{function}\b", "\n".join(tree.bare(target))):
                    yield Finding(path, number, "doc-reference", f"{target} has no {function}; "
                                  "mend the page, or the name", function)


def check_links(tree):
    for path in tree.matching(DOCS):
        for number, line in enumerate(tree.lines(path), 1):
            for link in LINK.findall(line):
                target = os.path.normpath(os.path.join(os.path.dirname(path), link))
                known = target in tree.files or any(
                    other.startswith(target + "/") for other in tree.files)
                if not known:
                    yield Finding(path, number, "doc-link", f"{link} leads nowhere; link a file of "
                                  "this tree", link)


def check_public_entries(tree):
    """As prismnet(7) promises. Declarations without an empty line between share what is said."""
    for path in tree.matching(r"^include/prismnet/.*\.h$"):
        said = ""
        for number, line in enumerate(tree.lines(path), 1):
            if line.startswith("///"):
                said += line
            elif not line:
                said = ""
            elif re.match(r"PRISM_API .*\w\(", line) and not ("Thread:" in said and "Blocks:" in said):
                yield Finding(path, number, "public-entry", "say above it who may call it and "
                              "whether it blocks: /// Thread: the worker's.   Blocks: never.",
                              line.split("(")[0].split()[-1].lstrip("*"))


RULES = [check_references, check_links, check_public_entries]

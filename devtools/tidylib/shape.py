# SPDX-License-Identifier: BSD-3-Clause
"""How big and how deep things may be, and how a file looks."""
import re

from tidylib.tree import Finding, functions

FUNCTION_LINES = 70
FILE_LINES = 500
NESTING = 3
PARAMETERS = 5
COLUMNS = 100
HEAD_LINES = 3
OUR_C = r"^(src|include|examples|tests)/.*\.[ch]$"
SPDX = "SPDX-License-Identifier: BSD-3-Clause"
CONTROL = re.compile(r"^(\t+)(?:\} )?(?:else )?(?:if|for|while|do|switch)\b")


def check_function_length(tree):
    for path in tree.matching(OUR_C):
        for f in functions(tree.bare(path)):
            count = f.last - f.first + 1
            if count > FUNCTION_LINES:
                yield Finding(path, f.first, "function-length", f"{f.name} has {count} lines, more "
                              f"than {FUNCTION_LINES}; move a leaf with a name of its own out",
                              f.name)


def check_file_length(tree):
    for path in tree.matching(OUR_C + r"|\.py$|^devtools/[^/.]+$"):
        count = len(tree.lines(path))
        if count > FILE_LINES:
            yield Finding(path, count, "file-length", f"{count} lines, more than {FILE_LINES}; "
                          "split by idea, one file each")


def check_nesting(tree):
    for path in tree.matching(OUR_C):
        for f in functions(tree.bare(path)):
            for offset, line in enumerate(f.body):
                match = CONTROL.match(line)
                if match and len(match.group(1)) > NESTING:
                    yield Finding(path, f.last - len(f.body) + offset, "nesting",
                                  f"{f.name} nests {len(match.group(1))} deep, more than {NESTING};"
                                  " return early, or give the inner block a name", f.name)


def _parameters(signature):
    depth, count = 0, 1
    text = signature[signature.index("(") + 1:]
    for character in text:
        if character == "(":
            depth += 1
        elif character == ")":
            if depth == 0:
                break
            depth -= 1
        elif character == "," and depth == 0:
            count += 1
    return 0 if text.strip().startswith((")", "void)")) else count


def check_parameters(tree):
    for path in tree.matching(OUR_C):
        for f in functions(tree.bare(path)):
            count = _parameters(f.signature[f.signature.index(f.name):])
            if count > PARAMETERS:
                yield Finding(path, f.first, "parameters", f"{f.name} takes {count} parameters, "
                              f"more than {PARAMETERS}; put what belongs together in a struct",
                              f.name)


def check_lines(tree):
    for path in tree.matching(OUR_C):
        for number, line in enumerate(tree.lines(path), 1):
            if len(line.expandtabs(8)) > COLUMNS:
                yield Finding(path, number, "columns", f"{len(line.expandtabs(8))} columns, more "
                              f"than {COLUMNS}; make format, or say it shorter")
            if re.match(r"^\t* {8}", line):
                yield Finding(path, number, "tabs", "indented by spaces; make format")
            if line != line.rstrip():
                yield Finding(path, number, "trailing-space", "space at the end; make format")


def check_spdx(tree):
    for path in tree.matching(r"\.(c|h|def|py|sh|build|map)$|^devtools/[^/.]+$|^Makefile$"):
        if SPDX not in "\n".join(tree.lines(path)[:2]):
            yield Finding(path, 1, "spdx", f'no licence line; begin with "// {SPDX}"')


def check_head_comment(tree):
    for path in tree.matching(r"^src/.*\.c$"):
        count = 0
        for line in tree.lines(path)[1:]:
            if not line.startswith("//"):
                break
            count += 1
        if count < HEAD_LINES:
            yield Finding(path, 2, "head-comment", f"a head comment of {count} lines; say in 3 to 8"
                          " lines the idea, who calls it, what it calls, which RFC sections")


RULES = [check_function_length, check_file_length, check_nesting, check_parameters, check_lines,
         check_spdx, check_head_comment]

# SPDX-License-Identifier: BSD-3-Clause
"""The lists (drop.def, err.def, counter.def, event.def, meson's files) name what exists, and what
exists is named in them."""
import os
import re

from tidylib.tree import Finding


def entries(tree, path, macro):
    """(line, name) for each MACRO(name, ...) of a .def file."""
    for number, line in enumerate(tree.lines(path) if path in tree.files else [], 1):
        match = re.match(macro + r"\((\w+),", line)
        if match:
            yield number, match.group(1)


def _words(tree, pattern):
    words = set()
    for path in tree.matching(pattern):
        words.update(re.findall(r"\w+", tree.files[path]))
    return words


def _unused(tree, path, macro, what):
    words = _words(tree, r"^src/.*\.[ch]$")
    for number, name in entries(tree, path, macro):
        if f"{macro}_{name}" not in words:
            yield Finding(path, number, "unused-" + what, f"{macro}_{name} is used by no code; "
                          "use it where it happens, or take it out", name)


def check_drops_used(tree):
    yield from _unused(tree, "src/observe/drop.def", "DROP", "drop")


def check_errors_used(tree):
    yield from _unused(tree, "src/base/err.def", "ERR", "error")


def check_counters_used(tree):
    yield from _unused(tree, "src/observe/counter.def", "COUNTER", "counter")


def check_events_used(tree):
    yield from _unused(tree, "src/observe/event.def", "EVENT", "event")


def check_drops_tested(tree):
    words = _words(tree, r"^tests/(?!tidy/)")
    for number, name in entries(tree, "src/observe/drop.def", "DROP"):
        if f"DROP_{name}" not in words and name not in words:
            yield Finding("src/observe/drop.def", number, "untested-drop", f"no test names {name}; "
                          "write one that provokes it and looks at its counter", name)


# section.key, but no part of a path or of another word, and no setting of the kernel's.
KEY = re.compile(r"(?<![\w/.-])(?<!sysctl )[a-z_]+\.[a-z_]+\b")


def _configuration_keys(tree):
    """Each section.key that control/schema*.c have."""
    text = "".join(tree.files[path] for path in tree.matching(r"^src/control/schema\w*\.c$"))
    tables = dict(re.findall(r"schema_field (\w+)\[\w*\] = \{(.*?)\n\};", text, re.DOTALL))
    sections = re.findall(r'\.key = "(\w+)"(?:(?!\.key).)*?FIELDS\((\w+)\)', text, re.DOTALL)
    return {f"{section}.{key}" for section, table in sections
            for key in re.findall(r'\.key = "(\w+)"', tables.get(table, ""))}


def check_keys_exist(tree):
    known = _configuration_keys(tree)
    for path in tree.matching(r"^src/.*/(drop|err)\.def$"):
        for number, line in enumerate(tree.lines(path), 1):
            for key in KEY.findall("" if line.startswith("//") else line):
                if key not in known:
                    yield Finding(path, number, "unknown-key", f"{key} is no key of the "
                                  "configuration file; name one of src/control/schema.c", key)


def check_files_built(tree):
    for path in tree.matching(r"^(src|tests/unit|tests/model)/.*\.c$"):
        folder, name = os.path.split(path)
        listed = False
        while folder and not listed:
            text = tree.files.get(folder + "/meson.build", "")
            # 'a.c', 'below/a.c', or the bare word of a list that a loop puts 'test_' + '.c' around
            spellings = [name, os.path.relpath(path, folder),
                         name.removesuffix(".c").removeprefix("test_").removeprefix("fuzz_")]
            listed = any(f"'{spelling}'" in text for spelling in spellings)
            folder = os.path.dirname(folder)
        if not listed:
            yield Finding(path, 1, "not-built", "no meson.build lists this file; add it to "
                          f"{os.path.dirname(path)}/meson.build")


RULES = [check_drops_used, check_errors_used, check_counters_used, check_events_used,
         check_drops_tested, check_keys_exist, check_files_built]

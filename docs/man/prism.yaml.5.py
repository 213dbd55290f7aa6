#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The manual page of the configuration file, made from the schema that `prism config schema` prints.

    prism.yaml.5.py PRISM > prism.yaml.5.scd
"""
import json
import re
import subprocess
import sys

HEAD = """prism.yaml(5)

# NAME

prism.yaml - configuration file of prism

# DESCRIPTION

What *prism run* starts. YAML 1.2. *prism check* FILE lists everything that is wrong with a file, by
line and column; *prism config init* prints a file with every key in it, and *prism config schema* a
JSON Schema for editors. This page is made from the same table.

Sizes take KiB, MiB, GiB; times take {times}.

# KEYS
"""
TAIL = """
# SEE ALSO

*prism*(1), *prismnet*(7)
"""


def escape(text):
    for character in "\\*_[]#<>":
        text = text.replace(character, "\\" + character)
    return text


def time_units(schema):
    """As the patterns of times have them: (ns|us|ms)$."""
    return re.search(r"\((ns\|[\w|]+)\)", json.dumps(schema)).group(1).replace("|", ", ")


def keys(schema, path):
    """(path, schema) of each leaf, in the order of the table."""
    for name, below in schema.get("properties", {}).items():
        here = f"{path}{name}"
        if below.get("type") == "object":
            yield from keys(below, here + ".")
        elif below.get("type") == "array" and below.get("items", {}).get("type") == "object":
            yield from keys(below["items"], here + "[].")
        else:
            yield here, below


def main(prism):
    schema = json.loads(subprocess.run([prism, "config", "schema"], capture_output=True,
                                       check=True).stdout)
    print(HEAD.format(times=time_units(schema)))
    for path, below in keys(schema, ""):
        print(f"*{escape(path)}*")
        print(f"\t{escape(below.get('description', 'see prism config init'))}")
        if "enum" in below:
            print(f"\n\tOne of: {escape(', '.join(map(str, below['enum'])))}.")
        print()
    print(TAIL)


if __name__ == "__main__":
    main(sys.argv[1])

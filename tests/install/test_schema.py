#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""prism config schema is a JSON Schema, and the configurations in the tree fit it.

    test_schema.py PRISM EXAMPLE.yaml...

Exits 77 with the reason where a Python module is missing.
"""
import json
import subprocess
import sys

try:
    import jsonschema
    import yaml
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)


def main():
    prism, examples = sys.argv[1], sys.argv[2:]
    text = subprocess.run([prism, "config", "schema"], check=True, text=True,
                          capture_output=True).stdout
    schema = json.loads(text)
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    validator = validator(schema)
    wrong = []
    sample = subprocess.run([prism, "config", "init"], check=True, text=True,
                            capture_output=True).stdout
    for path in [*examples, None]:
        if path:
            with open(path, encoding="utf-8") as f:
                sample = f.read()
        document = yaml.safe_load(sample)
        wrong += [f"{path or 'prism config init'}: {e.message}"
                  for e in validator.iter_errors(document)]
        for key, value in (("colour", "red"), ("ports", []), ("workers", "many")):
            if validator.is_valid({**document, key: value}):
                wrong.append(f"{key}: {value} fits the schema and should not")
    print("\n".join(wrong) or f"{len(examples) + 1} configurations fit")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

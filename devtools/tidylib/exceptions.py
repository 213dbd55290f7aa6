# SPDX-License-Identifier: BSD-3-Clause
"""devtools/tidy.exceptions: `rule path[:subject] reason`, one a line. Limits serve the reader;
where one would make the code worse, the exception says why. One that nothing needs is an error."""
import re

from tidylib.tree import Finding

PATH = "devtools/tidy.exceptions"
LINE = re.compile(r"^(\S+)\s+([^\s:]+)(?::(\S+))?\s+(.*)$")


def read(text):
    """[(line, rule, path, subject or None, reason)], [findings about the file itself]"""
    entries, findings = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = LINE.match(line)
        if not match or len(match.group(4).split()) < 3:
            findings.append(Finding(PATH, number, "exceptions", "not an exception with a reason; "
                                    "write: rule path[:subject] why the code is better so"))
        else:
            entries.append((number, *match.groups()))
    return entries, findings


def apply(findings, text, rules_skipped=()):
    """What is left of findings, and complaints about exceptions that nothing needed (of rules that
    ran)."""
    entries, left = read(text)
    used = set()
    for finding in findings:
        hit = next((entry for entry in entries if _covers(entry, finding)), None)
        if hit:
            used.add(hit[0])
        else:
            left.append(finding)
    for number, rule, path, subject, _ in entries:
        if number not in used and rule not in rules_skipped:
            what = path + (":" + subject if subject else "")
            left.append(Finding(PATH, number, "exceptions", f"{rule} {what} is not needed any more;"
                                " take the line out"))
    return left


def _covers(entry, finding):
    _, rule, path, subject, _ = entry
    if rule != finding.rule or path != finding.path:
        return False
    return subject is None or subject == finding.subject

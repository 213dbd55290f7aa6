# SPDX-License-Identifier: BSD-3-Clause
"""Reads an instance's shared memory, by the names it carries (src/observe/shm.h).

As prism stats does, but without a process beside the two that are measured.
"""
import struct

HEAD = struct.Struct("<8sIIQIIQQQ32s64sIIIIQ")
TABLE = struct.Struct("<24sQIIIIII")
FIELD = struct.Struct("<48s16s176sIIII")
NUMBERS = (1, 2)  # SHM_COUNTER, SHM_GAUGE
RUNNING = 2


def text(raw):
    return raw.split(b"\0", 1)[0].decode()


def read(path):
    """(state, {table: {field: sum over rows}})"""
    with open(path, "rb") as f:
        data = f.read()
    head = HEAD.unpack_from(data)
    if head[0] != b"PRISMSHM" or head[1] != 1:
        raise RuntimeError(f"{path}: not a shared-memory file of this version")
    state, table_count, fields_offset = head[5], head[12], head[15]
    tables = {}
    for i in range(table_count):
        name, offset, row_bytes, rows, _, first, count, _ = TABLE.unpack_from(
            data, HEAD.size + i * TABLE.size)
        sums = tables.setdefault(text(name), {})
        for k in range(first, first + count):
            field = FIELD.unpack_from(data, fields_offset + k * FIELD.size)
            if field[3] in NUMBERS:
                sums[text(field[0])] = sum(
                    struct.unpack_from("<Q", data, offset + r * row_bytes + field[4])[0]
                    for r in range(rows))
    return state, tables


def counters(path):
    return read(path)[1]["counter"]


def busy_share(before, after):
    """Of the worker's time between two looks, the part in turns that found something to do."""
    busy = after["busy_ns"] - before["busy_ns"]
    idle = after["idle_ns"] - before["idle_ns"]
    return busy / (busy + idle) if busy + idle else 0.0

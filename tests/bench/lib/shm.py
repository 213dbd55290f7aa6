# SPDX-License-Identifier: BSD-3-Clause
"""Reads an instance's shared memory, by the names it carries (src/observe/shm.h).

As prism stats does, but without a process beside the two that are measured.
"""
import struct

HEAD = struct.Struct("<8sIIQIIQQQ32s64sIIIIQ")
TABLE = struct.Struct("<24sQIIIIII")
FIELD = struct.Struct("<48s16s176sIIII")
NUMBERS = (1, 2)  # SHM_COUNTER, SHM_GAUGE
LIGHT_BYTES = 1 << 20  # what tools want is in front of the large tables
RUNNING = 2


def text(raw):
    return raw.split(b"\0", 1)[0].decode()


def places(path, table, fields):
    """[{field: where in the file} for each row of a table], for who looks often."""
    with open(path, "rb") as f:
        data = f.read(LIGHT_BYTES)
    head, found = HEAD.unpack_from(data), []
    for i in range(head[12]):
        name, offset, row_bytes, row_count, _, first, count, _ = TABLE.unpack_from(
            data, HEAD.size + i * TABLE.size)
        for r in range(row_count if text(name) == table else 0):
            every = (FIELD.unpack_from(data, head[15] + k * FIELD.size)
                     for k in range(first, first + count))
            found.append({text(f[0]): offset + r * row_bytes + f[4] for f in every
                          if text(f[0]) in fields})
    return found


def rows(path, wanted):
    """(state, {table: [{field: number} for each row]}) of the tables wanted: all would be half a
    million numbers, and who looks in the middle of a measurement has no time for that."""
    with open(path, "rb") as f:
        data = f.read(LIGHT_BYTES)
    head = HEAD.unpack_from(data)
    if head[0] != b"PRISMSHM" or head[1] != 1:
        raise RuntimeError(f"{path}: not a shared-memory file of this version")
    state, table_count, fields_offset = head[5], head[12], head[15]
    tables = {}
    for i in range(table_count):
        name, offset, row_bytes, row_count, _, first, count, _ = TABLE.unpack_from(
            data, HEAD.size + i * TABLE.size)
        if text(name) not in wanted:
            continue
        fields = [FIELD.unpack_from(data, fields_offset + k * FIELD.size)
                  for k in range(first, first + count)]
        tables[text(name)] = [
            {text(f[0]): struct.unpack_from("<Q", data, offset + r * row_bytes + f[4])[0]
             for f in fields if f[3] in NUMBERS} for r in range(row_count)]
    return state, tables


def read(path, wanted=("counter",)):
    """(state, {table: {field: sum over rows}})"""
    state, tables = rows(path, wanted)
    return state, {name: {field: sum(row[field] for row in of_table) for field in of_table[0]}
                   if of_table else {} for name, of_table in tables.items()}


def pid(path):
    with open(path, "rb") as f:
        return HEAD.unpack(f.read(HEAD.size))[4]


def counters(path):
    return read(path)[1]["counter"]


def busy_share(before, after):
    """Of the worker's time between two looks, the part in turns that found something to do."""
    busy = after["busy_ns"] - before["busy_ns"]
    idle = after["idle_ns"] - before["idle_ns"]
    return busy / (busy + idle) if busy + idle else 0.0

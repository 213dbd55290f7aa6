# SPDX-License-Identifier: BSD-3-Clause
"""What the built data path imports and owns: no heap, lock, clock, stdio or random import, and no
mutable global. Read from the objects themselves, so nothing can hide behind a macro."""
import re
import subprocess
from dataclasses import dataclass

from tidylib.tree import Finding

DATA_PATH = {"base", "sync", "observe", "wire", "pkt", "port", "net", "tcp", "core", "api"}
# What any data-path object may import: compiler support and pure functions of the C library.
PURE = re.compile(
    r"^(mem(cpy|move|set|cmp|chr)|str(len|nlen|cmp|ncmp|chr|rchr|str|spn|cspn|cpy|ncpy)|abs|"
    r"__(memcpy|memmove|memset|strncpy|strcpy|strcat)_chk|__errno_location|__tls_get_addr|"
    r"_GLOBAL_OFFSET_TABLE_|__cpu_(model|indicator_init)|__stack_chk_fail|"
    r"__(asan|ubsan|sanitizer|lsan|tsan)_\w+|__[a-z]*(div|mod|mul)[a-z0-9]*[234])$")
WHY = [
    (r"^(malloc|calloc|realloc|free|posix_memalign|aligned_alloc|strdup|asprintf|mmap|munmap)$",
     "memory is had once, at create, with mem_map (base/mem.h)"),
    (r"printf|puts$|^f(open|close|read|write|puts|flush)$|^(stdout|stderr|perror)$",
     "say it with err_set (control path), a counter or the trace"),
    (r"^(clock_|time$|gettimeofday|timerfd)", "time is env->now_ns"),
    (r"^(s?rand|random|getrandom|arc4random)", "randomness is env->rng"),
    (r"^(pthread_|sem_|mtx_|cnd_|futex|syscall$|flock$|lockf)", "no worker waits: use a ring, a cell or an epoch of sync/"),
    (r"^(rte_|per_lcore_)", "DPDK's runtime stays in dpdk/; go through pkt/pool.h or port/port.h"),
]


@dataclass(frozen=True)
class Object:
    source: str     # "src/tcp/input.c"
    imports: tuple  # undefined symbols
    defines: tuple  # global symbols
    mutable: tuple  # symbols in .data and .bss; what is thread-local is nobody else's


def parse_member(name):
    """Meson names the object of src/tcp/input.c src_tcp_input.c.o."""
    match = re.match(r"src_([a-z0-9]+)_(.+\.c)\.o$", name)
    return f"src/{match.group(1)}/{match.group(2)}" if match else None


def read_archive(path):
    """The objects of a static library, by objdump."""
    text = subprocess.run(["objdump", "-t", path], capture_output=True, text=True,
                          check=True).stdout
    for chunk in re.split(r"\n(?=[^\s:]+:\s+file format)", text):
        name = re.match(r"([^\s:]+):\s+file format", chunk.lstrip())
        source = parse_member(name.group(1).split("/")[-1]) if name else None
        if source:
            yield _read_symbols(source, chunk)


def _read_symbols(source, text):
    imports, defines, mutable = [], [], []
    for line in text.splitlines():
        match = re.match(r"[0-9a-f]+ (.{7}) (\S+)\s+[0-9a-f]+(?: \.hidden| \.internal)? (\S+)$", line)
        if not match:
            continue
        flags, section, symbol = match.groups()
        if section == "*UND*":
            imports.append(symbol)
        elif "O" in flags and re.match(r"\.l?(data(?!\.rel\.ro)|bss)", section):
            mutable.append(symbol)
        if flags[0] in "gu!" and section != "*UND*":
            defines.append(symbol)
    return Object(source, tuple(imports), tuple(defines), tuple(mutable))


def check_imports(objects):
    objects = list(objects)
    ours = {symbol for o in objects for symbol in o.defines}
    for o in objects:
        if o.source.split("/")[1] not in DATA_PATH:
            continue
        for symbol in sorted(set(o.imports) - ours):
            if not PURE.match(symbol):
                yield Finding(o.source, 1, "imports", f"the data path imports {symbol}; "
                              + _remedy(symbol), symbol)


def _remedy(symbol):
    for pattern, remedy in WHY:
        if re.search(pattern, symbol):
            return remedy
    return "if only start-up calls it, say so in devtools/tidy.exceptions"


def check_globals(objects):
    for o in objects:
        if o.source.startswith("src/dpdk/") or o.source == "src/core/start.c":
            continue
        for symbol in o.mutable:
            yield Finding(o.source, 1, "globals", f"{symbol} is a mutable global; put it in a "
                          "struct that is handed down", symbol.split(".")[0])


def check_exports(symbols):
    """symbols: what the shared library exports."""
    for symbol in symbols:
        if not symbol.startswith("prism_") and not symbol.startswith("PRISM_"):
            yield Finding("src/prismnet.map", 1, "exports", f"the library exports {symbol}; only "
                          "prism_* may leave it", symbol)


def exported_by(path):
    text = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True,
                          check=True).stdout
    return [line.split()[2].split("@")[0] for line in text.splitlines() if len(line.split()) == 3]

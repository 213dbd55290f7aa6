#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each rule of devtools/tidy, shown to fail on what it forbids and to pass what it allows."""
import os
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "devtools"))
sys.dont_write_bytecode = True

from tidylib import docs, exceptions, floors, headers, lists, objects, shape, units, words
from tidylib.objects import Object
from tidylib.tree import Finding, Tree

SPDX = "// SPDX-License-Identifier: BSD-3-Clause\n"


def found(rule, files):
    return [(f.path, f.line) for f in rule(Tree(files))]


def body(lines):
    return "static int f(int a)\n{\n" + "\n".join(lines) + "\n}\n"


class Floors(unittest.TestCase):
    def test_an_upper_floor_is_not_included(self):
        self.assertEqual(found(floors.check_floors, {"src/net/arp.c": '#include "tcp/tcp.h"\n'}),
                         [("src/net/arp.c", 1)])

    def test_a_neighbour_on_the_same_floor_is_not_included(self):
        self.assertTrue(found(floors.check_floors, {"src/wire/ip.c": '#include "sync/cell.h"\n'}))

    def test_nobody_includes_dpdk(self):
        self.assertTrue(found(floors.check_floors, {"src/cli/run.c": '#include "dpdk/eal.h"\n'}))

    def test_dpdk_sees_no_upper_floor(self):
        self.assertTrue(found(floors.check_floors, {"src/dpdk/eal.c": '#include "net/net.h"\n'}))

    def test_an_include_says_its_floor(self):
        self.assertTrue(found(floors.check_floors, {"src/net/arp.c": '#include "arp.h"\n'}))

    def test_lower_floors_and_counters_on_cells_are_fine(self):
        self.assertEqual(found(floors.check_floors, {
            "src/net/arp.c": '#include "net/arp.h"\n#include "wire/arp.h"\n#include <stdint.h>\n',
            "src/observe/counter.h": '#include "sync/cell.h"\n',
            "src/dpdk/port.c": '#include "port/port.h"\n'}), [])

    def test_tcp_knows_public_types_but_no_public_call(self):
        bad = {"src/tcp/tcp.h": "#include <prismnet/types.h>\n#include <prismnet/tcp.h>\n",
               "src/api/tcp.c": "#include <prismnet/tcp.h>\n"}
        self.assertEqual(found(floors.check_public_headers, bad), [("src/tcp/tcp.h", 2)])

    def test_a_public_header_shows_no_dpdk(self):
        bad = {"include/prismnet/buf.h": "#include <rte_mbuf.h>\nstruct rte_mbuf *x;\n"}
        self.assertEqual({line for _, line in found(floors.check_public_is_closed, bad)}, {1, 2})


class Words(unittest.TestCase):
    def test_dpdk_names_stay_in_their_two_places(self):
        files = {"src/tcp/a.c": "rte_pktmbuf_free(m);\n", "src/pkt/a.c": "rte_pktmbuf_free(m);\n",
                 "src/net/b.c": "// rte_ring is the yardstick\n"}
        self.assertEqual(found(words.check_dpdk_names, files), [("src/tcp/a.c", 1)])

    def test_atomics_stay_in_sync(self):
        files = {"src/tcp/a.c": "x = __atomic_load_n(p, 0);\n", "src/sync/a.h": "_Atomic int x;\n"}
        self.assertEqual(found(words.check_atomics, files), [("src/tcp/a.c", 1)])

    def test_no_lock_is_named(self):
        for lock in ("pthread_mutex_lock(&m)", "pthread_rwlock_rdlock(&m)", "pthread_cond_wait(&c, &m)",
                     "pthread_spin_lock(&s)", "sem_wait(&s)", "mtx_lock(&m)", "cnd_wait(&c, &m)",
                     "rte_spinlock_lock(&s)", "rte_spinlock_t s", "rte_rwlock_read_lock(&s)",
                     "rte_ticketlock_lock(&s)", "rte_mcslock_lock(&s, &m)", "rte_seqlock_read_begin(&s)",
                     "syscall(SYS_futex, p, 0, 1)", "flock(fd, 2)"):
            with self.subTest(lock):
                files = {"src/dpdk/a.c": f"\t{lock};\n"}
                self.assertEqual(found(words.check_locks, files), [("src/dpdk/a.c", 1)])

    def test_what_only_sounds_like_a_lock_is_fine(self):
        files = {"src/tcp/a.c": "// a mutex is no pthread_mutex_t here\nint block = unlock(assembly);\n",
                 "tests/unit/a.c": "sem_wait(&s);\n"}
        self.assertEqual(found(words.check_locks, files), [])

    def test_a_todo_says_why(self):
        mark = "TO" + "DO"
        files = {"src/a.c": f"// {mark}\n// {mark} later\n// {mark}: widen when IPv6 is there\n"}
        self.assertEqual(found(words.check_todo, files), [("src/a.c", 1), ("src/a.c", 2)])

    def test_registries_and_paths_of_one_machine_are_found(self):
        files = {"devtools/x": f"curl https://{words.HOSTS[0]}/simple\ncd {words.PATHS[1]}x\n",
                 "docs/ok.md": "files lie in build/home/x and ~/prism\n"}
        self.assertEqual(found(words.check_places, files), [("devtools/x", 1), ("devtools/x", 2)])


class Shape(unittest.TestCase):
    def test_a_function_of_seventy_one_lines_is_too_long(self):
        self.assertEqual(found(shape.check_function_length, {"src/a.c": body(["\tx();"] * 67)}), [])
        self.assertTrue(found(shape.check_function_length, {"src/a.c": body(["\tx();"] * 68)}))

    def test_a_file_of_five_hundred_and_one_lines_is_too_long(self):
        self.assertEqual(found(shape.check_file_length, {"src/a.c": "\n" * 500}), [])
        self.assertTrue(found(shape.check_file_length, {"src/a.c": "\n" * 501}))

    def test_a_fourth_level_is_too_deep(self):
        three = ["\tfor (;;)", "\t\tif (a)", "\t\t\twhile (b)", "\t\t\t\tc();"]
        self.assertEqual(found(shape.check_nesting, {"src/a.c": body(three)}), [])
        four = three[:3] + ["\t\t\t\tif (c)", "\t\t\t\t\td();"]
        self.assertEqual(found(shape.check_nesting, {"src/a.c": body(four)}), [("src/a.c", 6)])

    def test_a_sixth_parameter_is_one_too_many(self):
        five = "void f(int a, int b, int c, int d, void (*e)(int, int))\n{\n}\n"
        self.assertEqual(found(shape.check_parameters, {"src/a.c": five}), [])
        self.assertTrue(found(shape.check_parameters, {"src/a.c": five.replace("f(", "f(int z, ")}))

    def test_attributes_before_the_name_are_not_parameters(self):
        text = "__attribute__((format(printf, 2, 3))) int f(int a, ...)\n{\n}\n"
        self.assertEqual(found(shape.check_parameters, {"src/a.c": text}), [])

    def test_columns_tabs_and_trailing_space(self):
        self.assertTrue(found(shape.check_lines, {"src/a.c": "\t" * 12 + "x1234\n"}))
        self.assertTrue(found(shape.check_lines, {"src/a.c": "        x();\n"}))
        self.assertTrue(found(shape.check_lines, {"src/a.c": "x(); \n"}))
        self.assertEqual(found(shape.check_lines, {"src/a.c": "\t" * 12 + "x123\n\t   y\n"}), [])

    def test_every_file_carries_its_licence(self):
        files = {"src/a.c": "int x;\n", "src/b.c": SPDX}
        self.assertEqual(found(shape.check_spdx, files), [("src/a.c", 1)])

    def test_every_source_file_says_what_it_is(self):
        files = {"src/a.c": SPDX + "// Short.\n#include <x.h>\n",
                 "src/b.c": SPDX + "// One\n// two\n// three.\n"}
        self.assertEqual(found(shape.check_head_comment, files), [("src/a.c", 2)])


class Units(unittest.TestCase):
    def test_times_and_sizes_say_their_unit(self):
        files = {"src/a.h": "uint64_t timeout;\nint delay_max;\nuint32_t window;\n"}
        self.assertEqual(len(found(units.check_units, files)), 3)

    def test_names_with_a_unit_pass(self):
        files = {"src/a.h": "uint64_t rto_ns_min;\nuint32_t window_bytes;\nsize_t size;\n"
                            "struct timer *timeout;\n// uint64_t timeout;\nuint64_t now_ns;\n"}
        self.assertEqual(found(units.check_units, files), [])


class Lists(unittest.TestCase):
    LISTS = [("src/observe/drop.def", "DROP", lists.check_drops_used),
             ("src/base/err.def", "ERR", lists.check_errors_used),
             ("src/observe/counter.def", "COUNTER", lists.check_counters_used),
             ("src/observe/event.def", "EVENT", lists.check_events_used)]

    def test_an_entry_that_no_code_uses_is_found(self):
        for path, macro, rule in self.LISTS:
            text = f'{macro}(USED, "a")\n{macro}(IDLE, "b")\n'
            files = {path: text, "src/a.c": f"x({macro}_USED); // not {macro}_IDLED\n"}
            self.assertEqual(found(rule, files), [(path, 2)])

    def test_a_drop_that_no_test_names_is_found(self):
        files = {"src/observe/drop.def": 'DROP(ONE, "a")\nDROP(TWO, "b")\nDROP(THREE, "c")\n',
                 "tests/unit/a.c": "assert(DROP_ONE);\n", "tests/netns/b.py": "drop.TWO\n"}
        self.assertEqual(found(lists.check_drops_tested, files), [("src/observe/drop.def", 3)])

    def test_a_configuration_key_that_does_not_exist_is_found(self):
        table = ('const struct schema_field tcp_fields[TCP_FIELDS] = {\n\t{.key = "mss",\n'
                 '\t .kind = SCHEMA_NUMBER},\n};\n')
        schema = ('#define FIELDS(table) .fields = table\n'
                  '\t{.key = "tcp",\n\t .offset = 0,\n\t FIELDS(tcp_fields)},\n')
        right = 'ERR(A, EIO, "a", "b.", "lower tcp.mss; sysctl vm.x=1; dpdk-bind.py -b")\n'
        files = {"src/control/schema.c": schema, "src/control/schema_tcp.c": table,
                 "src/base/err.def": "// tcp.none\n" + right,
                 "src/observe/drop.def": 'DROP(A, "raise tcp.ports")\nDROP(B, "raise udp.mss")\n'}
        self.assertEqual(found(lists.check_keys_exist, files),
                         [("src/observe/drop.def", 1), ("src/observe/drop.def", 2)])

    def test_a_file_that_meson_does_not_know_is_found(self):
        files = {"src/net/a.c": "", "src/net/b.c": "", "src/net/meson.build": "files('a.c')\n"}
        self.assertEqual(found(lists.check_files_built, files), [("src/net/b.c", 1)])


class Docs(unittest.TestCase):
    def test_a_reference_to_a_function_that_is_gone_is_found(self):
        files = {"docs/life.md": "`core/stack.c:stack_input` `core/stack.c:gone` `core/no.c:f`\n",
                 "src/core/stack.c": "void stack_input(void)\n{\n}\n// gone\n"}
        self.assertEqual(len(found(docs.check_references, files)), 2)

    def test_a_link_that_leads_nowhere_is_found(self):
        files = {"README.md": "[a](docs/a.md) [b](docs/b.md#x) [c](https://example.org)\n",
                 "docs/a.md": "[up](../README.md)\n"}
        self.assertEqual(found(docs.check_links, files), [("README.md", 1)])


    def test_a_public_entry_that_does_not_say_who_may_call_it_is_found(self):
        text = ("/// Thread: any.   Blocks: never.\nPRISM_API int a(int);\nPRISM_API int b(int);\n\n"
                "/// Thread: any.\nPRISM_API int c(int);\n\nPRISM_API void *d(void);\n")
        self.assertEqual(found(docs.check_public_entries, {"include/prismnet/a.h": text}),
                         [("include/prismnet/a.h", 6), ("include/prismnet/a.h", 8)])


class Headers(unittest.TestCase):
    def test_a_header_that_leans_on_another_is_found(self):
        with tempfile.TemporaryDirectory() as root:
            files = {"src/good.h": "#pragma once\n#include <stdint.h>\nuint8_t f(void);\n",
                     "src/bad.h": "#pragma once\nuint8_t f(void);\n"}
            os.mkdir(os.path.join(root, "src"))
            for path, text in files.items():
                with open(os.path.join(root, path), "w", encoding="ascii") as stream:
                    stream.write(text)
            paths = [f.path for f in headers.check_headers_alone(Tree(files), root)]
        self.assertEqual(paths, ["src/bad.h"])


class Objects(unittest.TestCase):
    def test_a_heap_import_on_the_data_path_is_found_wherever_it_hides(self):
        one = Object("src/tcp/input.c", ("malloc", "memcpy", "helper"), ("tcp_input",), ())
        two = Object("src/base/mem.c", (), ("helper",), ())
        names = [f.subject for f in objects.check_imports([one, two])]
        self.assertEqual(names, ["malloc"])

    def test_each_kind_of_forbidden_import_has_its_remedy(self):
        for symbol in ("fprintf", "clock_gettime", "rand", "pthread_mutex_lock", "sem_wait",
                       "mtx_lock", "cnd_wait", "rte_eal_init", "syscall", "flock"):
            finding, = objects.check_imports([Object("src/net/a.c", (symbol,), (), ())])
            self.assertNotIn("tidy.exceptions", finding.message)

    def test_tools_may_use_the_heap(self):
        self.assertEqual(list(objects.check_imports([Object("src/cli/a.c", ("malloc",), (), ())])),
                         [])

    def test_a_mutable_global_is_found(self):
        text = ("src_net_arp.c.o:     file format elf64-x86-64\n\nSYMBOL TABLE:\n"
                "0000000000000000 l     O .bss\t0000000000000004 cache\n"
                "0000000000000000 l     O .data.rel.ro.local\t0000000000000008 names\n"
                "0000000000000000 g     F .text\t0000000000000008 .hidden arp_resolve\n"
                "0000000000000000         *UND*\t0000000000000000 memcpy\n")
        parsed = objects._read_symbols("src/net/arp.c", text)
        self.assertEqual(parsed, Object("src/net/arp.c", ("memcpy",), ("arp_resolve",), ("cache",)))
        self.assertEqual([f.subject for f in objects.check_globals([parsed])], ["cache"])

    def test_an_export_without_the_prefix_is_found(self):
        self.assertEqual([f.subject for f in objects.check_exports(["prism_open", "tcp_input"])],
                         ["tcp_input"])

    def test_members_are_named_after_their_source(self):
        self.assertEqual(objects.parse_member("src_tcp_cc_reno.c.o"), "src/tcp/cc_reno.c")
        self.assertIsNone(objects.parse_member("llhttp.c.o"))


class Exceptions(unittest.TestCase):
    FINDING = Finding("src/a.c", 7, "columns", "too long", "f")

    def test_an_exception_covers_its_finding(self):
        self.assertEqual(exceptions.apply([self.FINDING], "columns src/a.c:f a table reads better\n"),
                         [])

    def test_an_exception_without_a_reason_is_refused(self):
        self.assertEqual(len(exceptions.apply([self.FINDING], "columns src/a.c because\n")), 2)

    def test_an_exception_that_nothing_needs_is_found(self):
        left = exceptions.apply([], "columns src/a.c a table reads better\n")
        self.assertEqual([f.rule for f in left], ["exceptions"])

    def test_an_exception_of_a_rule_that_did_not_run_is_left_alone(self):
        self.assertEqual(exceptions.apply([], "imports src/a.c only start-up calls it\n", {"imports"}),
                         [])


if __name__ == "__main__":
    unittest.main()

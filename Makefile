# SPDX-License-Identifier: BSD-3-Clause
# A thin door: each target is one command a reader can type by hand. Meson does the work.

.PHONY: help build run test bench bench-sync bench-workers bench-millions bench-features grid flood hostile prove fuzz soak format install clean

help:
	@echo 'make build    the prism command, left at build/prism'
	@echo 'make run      install what is missing, build, start examples/hello.yaml'
	@echo 'make test     everything that decides whether a change is good'
	@echo 'make bench    one table: Prism beside its peers, JSON under build/bench/'
	@echo 'make bench-sync  flow table, rings and counters beside those of others'
	@echo 'make bench-workers  one worker and two on the same work'
	@echo 'make bench-millions  8,000,000 connections in the table (8 GiB; CONNECTIONS=... to change)'
	@echo 'make bench-features  what each feature of TCP costs, in instructions a segment'
	@echo 'make grid     TCP beside Linux over an impaired wire (QUICK=1: some cells, BUDGET=minutes)'
	@echo 'make flood    clients of Prism beside 13 floods of forged frames (RATE=... a second, WIRE=tap)'
	@echo 'make hostile  nmap, hping3, thc-ipv6, noise, captures (CAPTURES=folder), under sanitizers'
	@echo 'make prove    the lock-free files: every interleaving, models, histories, stalls, mutants'
	@echo 'make fuzz     60 seconds on each fuzz target (SECONDS_EACH=... to change)'
	@echo 'make soak     100,000 simulated seeds, then an hour of fuzzing, all targets together (SEEDS=... HOURS=... to change)'
	@echo 'make format   clang-format on the C files that differ from the last commit (ALL=1: on all)'
	@echo 'make install  library, headers, command and manual pages (PREFIX=, DESTDIR=)'
	@echo 'make clean    remove build/'

build:
	@devtools/setup build
	@devtools/build

run:
	@devtools/setup build run
	@devtools/build
	@exec build/prism run examples/hello.yaml

test:
	@devtools/setup build run test
	@devtools/run-tests

bench:
	@devtools/setup build run test bench
	@devtools/build
	@tests/bench/run

bench-sync:
	@devtools/setup build run test bench
	@devtools/build
	@tests/bench/sync/run

bench-workers:
	@devtools/setup build run test bench
	@devtools/build
	@tests/bench/workers/run

bench-millions:
	@devtools/setup build run test bench
	@devtools/build
	@tests/bench/millions/run $(CONNECTIONS)

bench-features:
	@devtools/setup build run test bench
	@devtools/build
	@tests/bench/features/run

grid:
	@devtools/setup build run test bench
	@devtools/build
	@tests/bench/grid/run $(if $(QUICK),--quick) $(if $(BUDGET),--budget $(BUDGET))

flood:
	@devtools/setup build run test bench
	@devtools/build
	@ninja -C build --quiet tests/hostile/flood
	@python3 tests/netns/flood.py build/prism build/tests/hostile/flood --rate $(or $(RATE),148809) \
		--wire $(or $(WIRE),af_xdp)

hostile:
	@devtools/setup build run test
	@tests/hostile/run $(CAPTURES)

prove:
	@devtools/setup build test
	@devtools/run-tests --build gcc
	@devtools/prove

fuzz:
	@devtools/setup build test
	@devtools/run-fuzz $(or $(SECONDS_EACH),60)

soak:
	@devtools/setup build test
	@devtools/run-tests --build gcc
	@devtools/soak $(or $(SEEDS),100000) $(or $(HOURS),1)

format:
	@devtools/format $(if $(ALL),--all)

install:
	@devtools/setup build
	@devtools/build $(if $(PREFIX),-Dprefix=$(abspath $(PREFIX)) -Dlibdir=lib)
	@meson install -C build --no-rebuild --quiet
	@echo 'installed; pkg-config finds it as prismnet'

clean:
	rm -rf build

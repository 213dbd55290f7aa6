// SPDX-License-Identifier: BSD-3-Clause
// What prism doctor found, before it is printed.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cli/machine.h"

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

#define DOCTOR_FINDINGS_MAX 64

struct doctor_finding {
	enum doctor_level level;
	char name[32];
	char fact[224];
	char remedy[224]; // one line that mends it; "" for none
};

struct doctor {
	struct machine machine;
	uint32_t count;
	struct doctor_finding finding[DOCTOR_FINDINGS_MAX];
	uint32_t verdict_count; // the last so many findings are of kinds of ports
};

void doctor_add(struct doctor *doctor, enum doctor_level level, const char *name,
		const char *remedy, const char *fact, ...) __attribute__((format(printf, 5, 6)));

// Facts of the machine.
void doctor_machine(struct doctor *doctor);

// A verdict for each kind of port. DOCTOR_FAIL: this kind does not work here as it is.
void doctor_ports(struct doctor *doctor);

struct config;

// What this file needs and this machine does not have: those are failures.
void doctor_config(struct doctor *doctor, const struct config *config);

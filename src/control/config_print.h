// SPDX-License-Identifier: BSD-3-Clause
// What is written from the schema's table: JSON Schema, commented sample, effective values.
#pragma once

#include <stdio.h>

#include "control/config.h"

void config_print_schema(FILE *out);
void config_print_sample(FILE *out);
void config_print_effective(struct config *config, FILE *out);

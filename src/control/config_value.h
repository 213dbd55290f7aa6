// SPDX-License-Identifier: BSD-3-Clause
// One value of the configuration: text in, a member of a struct out.
#pragma once

#include "control/config.h"
#include "control/schema.h"

// Reads node (a scalar or a list, as the kind wants it) into field's member of the struct at base.
// What is wrong is added to config->diags.
void config_value_read(struct config *config, const struct schema_field *field, void *base,
		       const struct yaml_node *node);

// Gives field its fallback.
void config_value_default(struct config *config, const struct schema_field *field, void *base);

// The member as it would stand in the file; "" when it holds nothing.
void config_value_format(const struct schema_field *field, const void *base, char *text,
			 size_t text_bytes);

// "198.18.0.2/24".
void config_prefix_format(const struct prism_prefix *prefix, char *text, size_t text_bytes);

// SPDX-License-Identifier: BSD-3-Clause
// A device string in parts: KIND:TARGET[,KEY=VALUE]...
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DEVICE_OPTIONS_MAX 8

struct device {
	const char *port_name; // for messages
	const char *text;      // the whole string
	char kind[16];
	char target[128];
	uint32_t option_count;
	struct {
		char key[24];
		char value[104];
	} option[DEVICE_OPTIONS_MAX];
};

// Fills in kind alone; then target and options. 0, or -EINVAL with err_set.
int device_parse_kind(struct device *d, const char *port_name, const char *text);
int device_parse(struct device *d);

// Checks that every option is one of known (NULL-terminated); form is shown when one is not.
int device_check_options(const struct device *d, const char *const *known, const char *form);

// The option's value, or fallback.
const char *device_option(const struct device *d, const char *key, const char *fallback);

// The option as a number from min to max into *value, which keeps what it has when it is absent.
int device_number(const struct device *d, const char *key, uint32_t range[2], uint32_t *value);

// The one of words (NULL-terminated) nearest to text, or NULL when none is near.
const char *device_nearest(const char *text, const char *const *words);

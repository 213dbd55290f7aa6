// SPDX-License-Identifier: BSD-3-Clause
// Defaults of struct prism_options, for core/start.c. A zero in any field means the default too, so
// that a caller built against an older, shorter struct gets what it would have got. Whether values
// go together is judged in core/start.c and, for a file, in control/; nothing is refused here.
#include <string.h>

#include "base/bits.h"
#include "base/time.h"
#include "core/start.h"

#define DEFAULT(field, value) \
	do { \
		if (!o->field) \
			o->field = (value); \
	} while (0)

// A record and its place in the table are about 120 bytes: of a million connections a quarter may
// wait, of few all.
static uint32_t time_wait_default(uint32_t connections_max)
{
	return MAX(MIN(connections_max, 16384u), connections_max / 4);
}

void options_fill(struct prism_options *o, const struct prism_options *given)
{
	memset(o, 0, sizeof(*o));
	o->core = -1;
	memcpy(o, given, MIN(given->size, sizeof(*o)));
	o->size = sizeof(*o);
	DEFAULT(instance, "prism");
	DEFAULT(connections_max, 16384);
	DEFAULT(half_open_max, 4096);
	DEFAULT(time_wait_max, time_wait_default(o->connections_max));
	DEFAULT(listeners_max, 64);
	DEFAULT(udp_max, 64);
	DEFAULT(buffers, 16384);
	DEFAULT(timers_max, 4096);
	DEFAULT(send_bytes_max, 4u << 20);
	DEFAULT(receive_bytes_max, 1u << 20);
	DEFAULT(time_wait_ns, 60 * NS_PER_S);
	DEFAULT(delayed_ack_ns, 40 * NS_PER_MS);
	DEFAULT(rto_ns_min, 200 * NS_PER_MS);
	DEFAULT(region_mib, 64);
}

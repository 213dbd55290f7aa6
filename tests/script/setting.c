// SPDX-License-Identifier: BSD-3-Clause
// Settings of connections and of the listener, in the words of a script.
#include <stdio.h>
#include <string.h>

#include "script.h"

static struct peer_conn *conn(struct script *sc)
{
	return &sc->conn[sc->current];
}

static struct prism_worker *worker(struct script *sc)
{
	return sc->world->node[0].worker;
}

static const struct {
	const char *name;
	enum prism_tcp_option option;
} settings[] = {{"user_timeout", PRISM_TCP_USER_TIMEOUT_MS},
		{"keepalive", PRISM_TCP_KEEPALIVE_S},
		{"keepalive_interval", PRISM_TCP_KEEPALIVE_INTERVAL_S},
		{"keepalive_probes", PRISM_TCP_KEEPALIVE_PROBES},
		{"no_delay", PRISM_TCP_NO_DELAY},
		{"cork", PRISM_TCP_CORK},
		{"send", PRISM_TCP_SEND_BYTES},
		{"receive", PRISM_TCP_RECEIVE_BYTES},
		{"dscp", PRISM_TCP_DSCP},
		{"ttl", PRISM_TCP_TTL},
		{"fast_open", PRISM_TCP_FAST_OPEN}};

static enum prism_tcp_option read_setting(struct script *sc, const char *rest, unsigned long *value)
{
	char name[32] = "";

	if (sscanf(rest, "%31s %lu", name, value) != 2)
		script_fail(sc, "a setting needs a name and a number");
	for (size_t i = 0; i < ARRAY_COUNT(settings); i++)
		if (strcmp(settings[i].name, name) == 0)
			return settings[i].option;
	script_fail(sc, "no setting is called %s", name);
}

void command_set(struct script *sc, char *rest)
{
	unsigned long value;
	enum prism_tcp_option option = read_setting(sc, rest, &value);

	script_arrive(sc);
	script_check(sc, rest, prism_tcp_set_option(worker(sc), conn(sc)->conn, option, value));
}

void command_set_listener(struct script *sc, char *rest)
{
	unsigned long value;
	enum prism_tcp_option option = read_setting(sc, rest, &value);

	script_arrive(sc);
	script_check(sc, rest,
		     prism_tcp_set_listener_option(worker(sc), sc->listener, option, value));
}

int setting_fast(struct script *sc, const char *rest)
{
	struct peer_conn *c = conn(sc);
	uint32_t len = 0;
	int error;

	if (sscanf(rest, "fast %u", &len) != 1)
		return 0;
	error = prism_tcp_set_option(worker(sc), c->conn, PRISM_TCP_FAST_OPEN, 1);
	if (error || len == 0)
		return error;
	error = prism_tcp_send_region(worker(sc), c->conn, sc->region + c->sent_bytes, len);
	c->sent_bytes += error ? 0 : len;
	return error;
}

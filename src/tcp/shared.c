// SPDX-License-Identifier: BSD-3-Clause
// Making and unmaking what the TCPs of all workers have in common. Called by tcp.c for a worker
// that is alone, by core/team.c for several; calls sync/table.h. Everything is had once, at the
// beginning: slots for the connections of all workers, and a table that has room for all that any
// of them may enter, half-open connections and TIME-WAIT records included.
#include "tcp/shared.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "tcp/conn.h"
#include "tcp/room.h"
#include "tcp/sendq.h"
#include "tcp/tune.h"

// Slots of its table that are taken when there are as many connections, half-open ones and
// TIME-WAITs as there may be. More than a table has otherwise: an idle connection costs at most 512
// bytes, and a table is seldom so full.
#define TABLE_LOAD_PCT 60

static uint32_t time_wait_records(const struct tcp_config *config)
{
	return (uint32_t)bits_ceil_pow2(config->time_wait_max);
}

static int check_config(const struct tcp_config *config)
{
	if (config->connections_max == 0 || config->connections_max > 1u << 24)
		return err_set(ERR_INVALID_ARGUMENT, "connections_max %u: 1 to 16777216",
			       config->connections_max);
	if (config->time_wait_max == 0 || config->time_wait_max > 1u << 24)
		return err_set(ERR_INVALID_ARGUMENT, "time_wait_max %u: 1 to 16777216",
			       config->time_wait_max);
	if (!config->half_open_max || !config->listeners_max || !config->send_descs_max)
		return err_set(ERR_INVALID_ARGUMENT,
			       "half_open_max, listeners_max, send_descs_max: at least 1");
	if (config->listeners_max > UINT16_MAX || config->receive_bytes_max > 1u << 30)
		return err_set(ERR_INVALID_ARGUMENT,
			       "listeners_max: at most 65535; receive_bytes_max: at most 1 GiB");
	return 0;
}

// Bits for the largest index; the rest of the 28 tell workers apart.
static int plan_values(struct tcp_shared *s)
{
	uint64_t conns = (uint64_t)s->config.connections_max * s->worker_count;
	uint64_t most =
		MAX(conns, (uint64_t)MAX(s->config.half_open_max, time_wait_records(&s->config)));

	s->index_bits = s->worker_count == 1 ? OWNER_SHIFT
					     : (uint32_t)__builtin_ctzll(bits_ceil_pow2(most));
	s->conn_count = (uint32_t)conns;
	s->keys_max = s->worker_count * (s->config.connections_max + s->config.half_open_max +
					 time_wait_records(&s->config));
	if (conns > UINT64_C(1) << HANDLE_INDEX_BITS ||
	    (uint64_t)(s->worker_count - 1) << s->index_bits >> OWNER_SHIFT)
		return err_set(ERR_INVALID_ARGUMENT,
			       "%llu connections of %u workers: at most 16777216 in all, of 16 "
			       "workers or fewer; 4194304 of 64",
			       (unsigned long long)conns, s->worker_count);
	return 0;
}

// The table's hash is quick, and how long lookups take can be seen outside: its key is not the
// secret but made from it, by inputs that isn.c has none of.
static struct table *create_table(struct tcp_shared *s, const uint8_t secret[16],
				  uint32_t key_bytes)
{
	uint64_t words[2] = {hash_siphash(secret, "table 0", 7),
			     hash_siphash(secret, "table 1", 7)};
	struct table_config c = {
		.capacity = s->keys_max,
		.key_bytes = key_bytes,
		.load_pct = TABLE_LOAD_PCT,
		.writers = s->worker_count,
		.epoch = &s->epoch,
	};

	memcpy(c.secret, words, sizeof(words));
	return table_create(&c);
}

static bool map_memory(struct tcp_shared *s, const uint8_t secret[16])
{
	s->conn = mem_map("connections", s->conn_count * sizeof(*s->conn));
	s->tuning = mem_map("settings of connections", s->conn_count * sizeof(*s->tuning));
	s->desc = mem_map("send descriptors",
			  (size_t)s->descs_a_worker * s->worker_count * sizeof(*s->desc));
	s->waiting = mem_map("waiting connections",
			     (s->conn_count + (size_t)s->worker_count) * sizeof(*s->waiting));
	if (s->worker_count > 1)
		s->listening = claims_create("who listens where", s->config.address_count);
	epoch_init(&s->epoch);
	s->table = create_table(s, secret, sizeof(struct flow_key16));
	if (s->config.has_ip6)
		s->table6 = create_table(s, secret, sizeof(struct flow_key40));
	return s->conn && s->tuning && s->desc && s->waiting && s->table &&
	       (s->table6 || !s->config.has_ip6) && (s->listening || s->worker_count == 1);
}

struct tcp_shared *tcp_shared_create(const struct tcp_config *config, uint32_t worker_count,
				     const uint8_t secret[16])
{
	struct tcp_shared *s;

	if (check_config(config))
		return NULL;
	s = mem_map("what TCP shares", sizeof(*s));
	if (!s)
		return NULL;
	s->config = *config;
	s->worker_count = worker_count;
	s->descs_a_worker = config->send_descs_max + DESCS_OF(config->send_bytes_max); // room.h
	if (plan_values(s) || !map_memory(s, secret)) {
		tcp_shared_destroy(s);
		return NULL;
	}
	for (uint32_t i = 0; i < s->conn_count + worker_count; i++)
		s->waiting[i] = (struct room_link){i, i};
	for (uint32_t i = 0; i < s->conn_count; i++)
		s->conn[i].state = CLOSED;
	return s;
}

static void unmap(void *memory, size_t bytes)
{
	if (memory)
		mem_unmap(memory, bytes);
}

void tcp_shared_destroy(struct tcp_shared *s)
{
	if (s->table)
		table_destroy(s->table);
	if (s->table6)
		table_destroy(s->table6);
	if (s->listening)
		claims_destroy(s->listening);
	unmap(s->waiting, (s->conn_count + (size_t)s->worker_count) * sizeof(*s->waiting));
	unmap(s->desc, (size_t)s->descs_a_worker * s->worker_count * sizeof(*s->desc));
	unmap(s->tuning, s->conn_count * sizeof(*s->tuning));
	unmap(s->conn, s->conn_count * sizeof(*s->conn));
	mem_unmap(s, sizeof(*s));
}

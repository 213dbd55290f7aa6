// SPDX-License-Identifier: BSD-3-Clause
/// Opening and driving a stack: ports, limits, the loop.
#pragma once

#include <prismnet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PRISM_API __attribute__((visibility("default")))
#else
#define PRISM_API
#endif

#define PRISM_PORTS_MAX 16
#define PRISM_PORT_ADDRESSES_MAX 8
#define PRISM_ROUTES_MAX 64
#define PRISM_WORKERS_MAX 64

/// The least send_bytes_max: whatever the MTU, two whole buffers fit, so that one is queued while
/// the other is on its way.
#define PRISM_SEND_BYTES_MIN 32768

struct prism_prefix {
	struct prism_addr addr;
	uint8_t len; ///< bits; for IPv4 0..32, for IPv6 0..128
};

/// Whether a port believes what IPv6 routers of its link say: routes, prefixes, addresses.
enum prism_router_advertisements {
	PRISM_RA_AUTO, ///< where it has an IPv6 address
	PRISM_RA_ON,   ///< and it speaks IPv6 also without one: from what routers say
	PRISM_RA_OFF,
};

/// One port, as in the configuration file.
struct prism_port_options {
	const char *name;   ///< "p0", default "port"
	const char *device; ///< "tap:prism0", "af_xdp:eth1", "memif:/run/m.sock,role=client", ...,
			    ///< or "vlan:p0": that of a port before it, under another vlan_id
	struct prism_prefix addresses[PRISM_PORT_ADDRESSES_MAX]; ///< ours
	uint32_t address_count;
	struct prism_prefix kernel_addresses[PRISM_PORT_ADDRESSES_MAX]; ///< tap: the kernel's end
	uint32_t kernel_address_count;
	struct prism_addr gateway;       ///< default route through this port, or all zero
	uint16_t mtu_bytes;              ///< 576..9216, 0: the device's own
	uint16_t queue_pkts;             ///< descriptors a ring, 0: default
	uint16_t vlan_id;                ///< 1..4094, 0: untagged
	bool allow_default_route_device; ///< take a card that carries the machine's default route
	bool dhcp;                       ///< a server of the link gives it an IPv4 address too
	uint16_t router_advertisements;  ///< enum prism_router_advertisements
};

struct prism_route {
	struct prism_prefix prefix;
	struct prism_addr via;
};

enum prism_memory { PRISM_MEMORY_AUTO, PRISM_MEMORY_HUGEPAGES, PRISM_MEMORY_PLAIN };

/// How to open a stack. Fill with prism_options_init, then change what you need. Zero always means
/// "the default". The struct may grow at its end; size says which version the caller was built for.
struct prism_options {
	size_t size;
	const char *instance; ///< names shared memory and runtime files, default "prism"
	const char *
		run_dir; ///< where the shared-memory file goes; default /run/prism or a private one
	struct prism_port_options ports[PRISM_PORTS_MAX];
	uint32_t port_count;
	struct prism_route routes[PRISM_ROUTES_MAX];
	uint32_t route_count;
	uint32_t connections_max;   ///< established and later, default 16384
	uint32_t half_open_max;     ///< SYN received, default 4096; then the oldest makes room
	uint32_t listeners_max;     ///< default 64
	uint32_t udp_max;           ///< UDP sockets, default 64
	uint32_t buffers;           ///< receive packets, default 16384; transmit gets as many
	uint32_t timers_max;        ///< application timers, default 4096
	uint32_t send_bytes_max;    ///< unacknowledged and unsent bytes a connection, default 4 MiB
	uint32_t receive_bytes_max; ///< window and unreleased bytes a connection, default 1 MiB
	uint64_t time_wait_ns;      ///< default 60 s (2 MSL with MSL 30 s, as Linux), at most 240 s
	uint64_t keepalive_ns;      ///< idle time before probes on all connections, 1 s to 86400 s;
				    ///< default 0: off
	uint64_t delayed_ack_ns;    ///< default 40 ms, at most 500 ms (RFC 9293 3.8.6.3)
	uint64_t rto_ns_min;        ///< default 200 ms as Linux, at most 60 s; RFC 6298 says 1 s
	uint32_t segment_bytes_max; ///< cap on the MSS, default none
	int core; ///< where prism_open pins the thread that calls it; -1: nowhere. Passed over with
		  ///< eal_running and by a later stack: DPDK pins once, when it starts
	enum prism_memory memory;
	uint32_t memory_mib;   ///< packet memory, default as the limits need
	uint32_t region_mib;   ///< of it for prism_region_alloc, default 64
	const char *eal_args;  ///< passed to DPDK as they are
	bool eal_running;      ///< the application called rte_eal_init itself
	bool no_shared_memory; ///< counters in private memory; tools see nothing
	uint64_t seed; ///< 0: from the kernel; anything else makes ports and ISNs replayable
	uint32_t time_wait_max; ///< closed connections remembered; when full the oldest ends early.
				///< Default connections_max up to 16384, a quarter from 65536 on
	void *loaded;           ///< of prism_options_load, until prism_options_free; leave it alone
	uint32_t workers;       ///< 1..64, default 1; limits are of all workers together
	int16_t cores[PRISM_WORKERS_MAX]; ///< where each worker's thread is pinned when it polls
					  ///< first; -1: nowhere. The first has `core`
	enum prism_congestion congestion; ///< of all connections, until PRISM_TCP_CONGESTION
	uint32_t fixed_window_bytes; ///< what PRISM_CONGESTION_NONE has in flight, up to 1 GiB;
				     ///< default 1 MiB
	uint32_t sack_off;  ///< 1: selective acknowledgments are neither offered nor taken
	enum prism_ecn ecn; ///< of all connections, until PRISM_TCP_ECN; default PRISM_ECN_PASSIVE
	uint32_t pacing;    ///< 1: windows leave over a round trip and not at once, until
			    ///< PRISM_TCP_PACING
	uint32_t pmtu_probing_off; ///< 1: packets stay as large as they were, although a path
				   ///< loses large ones and tells nobody (RFC 8899)
	uint64_t user_timeout_ns;  ///< how long the peer may take nothing of what a connection has
				   ///< for it, 100 ms to 86400 s, until PRISM_TCP_USER_TIMEOUT_MS;
				   ///< default 0: PRISM_TCP_GIVE_UP_S says
	uint32_t source_routes;    ///< 1: IPv4 packets with a source route are taken and answered
				   ///< by it, and prism_tcp_connect_by may ask for one. Who sends
				   ///< them can pretend to be somebody else (RFC 7126 4.3)
	uint32_t sample_one_in;    ///< of packets in and out, the flight recorder notes one in so
				   ///< many: 1 (all) to 2^30, or PRISM_SAMPLE_NONE; default 1024.
				   ///< Drops it notes all
};

#define PRISM_SAMPLE_NONE UINT32_MAX
#define PRISM_SAMPLE_ONE_IN_MAX (1u << 30)

/// Fills in sizes and defaults. Thread: any. Blocks: never.
PRISM_API void prism_options_init(struct prism_options *options, size_t size);
#define PRISM_OPTIONS_INIT(o) prism_options_init((o), sizeof *(o))

/// Reads ports, routes, limits and tcp settings from a configuration file (YAML, see
/// prism.yaml(5)); what only the prism command uses (services, control) is checked and passed over.
/// Strings in options live until prism_options_free.
/// @return 0; -EINVAL or -ENOENT with prism_last_error naming file:line:column
/// Thread: control thread before run.   Blocks: reads the file.
PRISM_API int prism_options_load(struct prism_options *options, const char *path);

/// Back to the defaults; what a file's strings need is released.
/// Thread: control thread.   Blocks: never.
PRISM_API void prism_options_free(struct prism_options *options);

/// Opens ports and memory; succeeds wholly or leaves nothing.
/// @return the stack, *given* until prism_close; NULL with prism_last_error (INVALID_ARGUMENT names
///         a field that is out of range)
/// Thread: control thread before run.   Blocks: while devices start.
PRISM_API struct prism *prism_open(const struct prism_options *options);

/// Ends all connections (reset to peers that still have one), releases everything.
/// Thread: control thread after the last poll.   Blocks: while devices stop.
PRISM_API void prism_close(struct prism *prism);

/// How many workers the stack has.
/// Thread: any.   Blocks: never.
PRISM_API uint32_t prism_worker_count(const struct prism *prism);

/// Worker index below prism_worker_count; valid until prism_close. NULL beyond. Each worker is
/// polled by one thread, which need not be another's; all must be polled, since one may receive
/// what is another's. Thread: any.   Blocks: never.
PRISM_API struct prism_worker *prism_worker_get(struct prism *prism, uint32_t index);

/// What start-up chose, a line a port and one for memory, '\n' between. Lives as long as prism.
/// Thread: any.   Blocks: never.
PRISM_API const char *prism_report(const struct prism *prism);

/// Of packets in and out, the flight recorder notes one in so many from now on (each worker within
/// some milliseconds of being polled).
/// @param one_in packets: 1 to PRISM_SAMPLE_ONE_IN_MAX, or PRISM_SAMPLE_NONE
/// @return 0; -EINVAL with prism_last_error
/// Thread: any.   Blocks: never.
PRISM_API int prism_sample(struct prism *prism, uint32_t one_in);

/// One turn: receive, time, application work, transmit. Up to count events are written; what did
/// not fit comes with the next call. Call it in a loop; it never blocks.
/// @param events where to write, *borrows* during the call
/// @return events written, 0..count
/// Thread: the worker's.   Blocks: never.
PRISM_API int prism_poll(struct prism_worker *worker, struct prism_event *events, int count);

/// The thread that polls this worker will not any more: what it keeps for itself goes back. Another
/// may poll it then. Call it before the thread ends; who calls prism_close need not.
/// Thread: the worker's.   Blocks: never.
PRISM_API void prism_worker_leave(struct prism_worker *worker);

/// The time of the current turn, in nanoseconds since an unspecified start.
/// Thread: the worker's.   Blocks: never.
PRISM_API uint64_t prism_now_ns(const struct prism_worker *worker);

/// Nanoseconds from now until the worker has something to do if no packet arrives (0: at once),
/// at most max_ns. For callers that want to sleep when idle.
/// Thread: the worker's.   Blocks: never.
PRISM_API uint64_t prism_idle_ns(const struct prism_worker *worker, uint64_t max_ns);

/// Asks for one TIMER event after delay_ns.
/// @return 0; -ENOSPC when timers_max are pending
/// Thread: the worker's.   Blocks: never.
PRISM_API int prism_timer_start(struct prism_worker *worker, uint64_t delay_ns, uint64_t user,
				prism_timer *timer);

/// No event will come.
/// @return 0; -ESTALE when it has fired already, even if its event was not polled yet
/// Thread: the worker's.   Blocks: never.
PRISM_API int prism_timer_stop(struct prism_worker *worker, prism_timer timer);

/// Counts as one number, summed over workers, by its name ("rx_pkts", "unaccounted",
/// "drop.TCP_CHECKSUM").
/// @return 0; -ENOENT for an unknown name, without prism_last_error
/// Thread: any.   Blocks: never.
PRISM_API int prism_counter(const struct prism *prism, const char *name, uint64_t *value);

/// Buffers free and in all, of every pool together.
/// Thread: any.   Blocks: never.
PRISM_API void prism_buffers(const struct prism *prism, uint32_t *available, uint32_t *capacity);

/// Connections by state, TIME-WAIT apart.
struct prism_conn_counts {
	uint32_t half_open, open, time_wait;
};
/// Thread: the worker's.   Blocks: never.
PRISM_API void prism_conn_count(const struct prism_worker *worker,
				struct prism_conn_counts *counts);

#ifdef __cplusplus
}
#endif

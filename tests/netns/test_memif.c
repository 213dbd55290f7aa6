// SPDX-License-Identifier: BSD-3-Clause
// memif between two processes: what arrives is what was sent, whoever is slower; and what a port
// says of checksums. The receivers are children that receive without a copy of ours. Needs no
// privilege but hugepages.
#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "port/probe.h"
#include "ports.h"

// What the client sends: a header of its own alone, or before a reference to another packet and
// bytes of a region.
#define PACKETS 4000
static const char region_text[] = "bytes of a region that many packets refer to";

// Chains and single packets in an order that repeats after 16.
static bool is_chain(uint32_t number)
{
	return 0xb6d1 >> number % 16 & 1;
}

static struct pkt *make_packet(struct pkt *payload, const char *region, uint32_t number)
{
	struct pkt *head = pkt_alloc(tx_pool);

	if (!head)
		return NULL;
	memcpy(pkt_append(head, sizeof(number)), &number, sizeof(number));
	if (!is_chain(number))
		return head;
	struct pkt *reference = pkt_slice(tx_pool, payload, 5, 100);
	struct pkt *tail = reference ? pkt_ref_region(tx_pool, region, sizeof(region_text)) : NULL;

	if (!tail) {
		pkt_free(head);
		pkt_free(reference);
		return NULL;
	}
	pkt_chain(head, reference);
	pkt_chain(head, tail);
	return head;
}

static bool is_expected(struct pkt *p, uint32_t number)
{
	const uint8_t *at = pkt_data(p);
	uint32_t len = is_chain(number) ? 4 + 100 + sizeof(region_text) : 4;
	bool good = pkt_len(p) == len && memcmp(at, &number, 4) == 0;

	if (!is_chain(number))
		return good;
	for (uint32_t i = 0; good && i < 100; i++)
		good = at[4 + i] == (uint8_t)(i + 5);
	return good && memcmp(at + 104, region_text, sizeof(region_text)) == 0;
}

// Another process that receives all packets in order; its exit status says whether they were
// right. A slow one takes few at a time and pauses, so that the ring is full again and again.
struct peer {
	const char *name;
	const char *socket;
	bool slow;
	bool no_sums; // neither side computes checksums, and both say that they are good
	char device[144], client_device[192];
	pid_t pid;
};

// The slow one's device string is longer than what a struct port keeps of it.
static struct peer quick_peer = {.name = "quick", .socket = "quick.sock", .no_sums = true},
		   slow_peer = {
			   .name = "slow",
			   .socket = "slow-and-of-a-name-nearly-as-long-as-a-socket-may-have.sock",
			   .slow = true};

static bool says_what_was_agreed(const struct peer *me, const struct port *port,
				 const struct pkt *p)
{
	const uint32_t words = PORT_RX_CHECKSUM | PORT_TX_IP_CHECKSUM | PORT_TX_TCP_CHECKSUM |
			       PORT_TX_UDP_CHECKSUM;
	enum pkt_checksum verdict = me->no_sums ? CHECKSUM_GOOD : CHECKSUM_UNKNOWN;

	return (port->flags & words) == (me->no_sums ? words : 0) &&
	       pkt_l4_checksum(p) == verdict && pkt_ip_checksum(p) == verdict;
}

static int receive_all(const struct peer *me)
{
	const struct timespec pause = {.tv_nsec = 50000};
	struct pkt *pkts[BURST_PKTS];
	time_t until = time(NULL) + 40;
	uint32_t number = 0;
	struct port *port;

	start_platform(me->name);
	if (open_port(me->device, &port))
		return 2;
	while (number <= PACKETS && time(NULL) < until) { // the last one says goodbye
		uint16_t n = port->ops->rx(port, pkts, me->slow ? 1 + number % 5 : BURST_PKTS);

		for (uint16_t i = 0; i < n; i++) {
			if (!is_expected(pkts[i], number++))
				return 3;
			if (!says_what_was_agreed(me, port, pkts[i]))
				return 5;
			pkt_free(pkts[i]);
		}
		if (me->slow && number % 7 == 0)
			nanosleep(&pause, NULL);
	}
	port_close(port);
	return number == PACKETS + 1 ? 0 : 4;
}

// Before EAL: each process has its own. The smallest ring that memif has, for the slow one.
static void peer_start(struct peer *peer)
{
	snprintf(peer->device, sizeof(peer->device), "memif:%s/%s%s%s", dir, peer->socket,
		 peer->slow ? ",rsize=5" : "", peer->no_sums ? ",checksums=no" : "");
	snprintf(peer->client_device, sizeof(peer->client_device), "%s,role=client,zero-copy=yes",
		 peer->device);
	peer->pid = fork();
	if (peer->pid == 0)
		_exit(receive_all(peer));
}

static struct pkt *make_payload(void)
{
	struct pkt *payload = pkt_alloc(tx_pool);

	for (int i = 0; i < 200; i++)
		*(uint8_t *)pkt_append(payload, 1) = (uint8_t)i;
	return payload;
}

// Sends all packets, up to burst_pkts in one call, and has every buffer back once the peer has read
// them; the peer says whether they came as they were.
static void send_all(const struct peer *peer, uint16_t burst_pkts)
{
	struct port *port = must_open(peer->client_device);
	char *region = pool_region_alloc(sizeof(region_text));
	struct pkt *payload = make_payload(), *pkts[BURST_PKTS], *unused[BURST_PKTS];
	uint32_t made = 0, waiting = 0, available = pool_available(tx_pool);
	time_t until = time(NULL) + 40;
	int status;

	memcpy(region, region_text, sizeof(region_text));
	while ((made < PACKETS || waiting || pool_available(tx_pool) != available) &&
	       time(NULL) < until) {
		assert_int_equal(port->ops->rx(port, unused, BURST_PKTS), 0);
		while (waiting < burst_pkts && made < PACKETS &&
		       (pkts[waiting] = make_packet(payload, region, made))) {
			waiting++;
			made++;
		}
		uint16_t sent = waiting ? port->ops->tx(port, pkts, (uint16_t)waiting) : 0;

		waiting -= sent;
		memmove(pkts, pkts + sent, waiting * sizeof(pkts[0]));
	}
	assert_int_equal(pool_available(tx_pool), available);
	pkts[0] = make_packet(payload, region, PACKETS);
	while (port->ops->tx(port, pkts, 1) == 0 && time(NULL) < until)
		;
	assert_int_equal(waitpid(peer->pid, &status, 0), peer->pid);
	assert_int_equal(WEXITSTATUS(status), 0);
	pkt_free(payload);
	port_close(port);
}

static void memif_sends_chains_of_references_without_copying(void **state)
{
	send_all(&quick_peer, 1);
}

static void memif_overruns_nothing_that_a_slow_peer_has_not_read(void **state)
{
	send_all(&slow_peer, BURST_PKTS);
}

static void memif_says_of_sums_yes_or_no(void **state)
{
	char device[128];

	snprintf(device, sizeof(device), "memif:%s/sums.sock,checksums=maybe", dir);
	must_refuse(device, ERR_PORT_BAD_DEVICE);
}

static void make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	assert_true(fd >= 0);
	close(fd);
}

// By a port and by who only looks whether one could be opened (prism doctor).
static void a_file_in_the_way_is_left_alone(const char *path, const char *device)
{
	make_file(path);
	must_refuse(device, ERR_PORT_SOCKET_PATH);
	assert_non_null(strstr(err_last()->message, "is no socket"));
	assert_true(probe_port("p0", device, false) < 0);
	assert_int_equal(access(path, F_OK), 0);
}

static void memif_removes_no_file_but_a_socket(void **state)
{
	char notes[64], inner[64], device[128];

	snprintf(notes, sizeof(notes), "%s/notes.txt", dir);
	snprintf(device, sizeof(device), "memif:%s", notes);
	a_file_in_the_way_is_left_alone(notes, device);
	snprintf(inner, sizeof(inner), "%s/m.sock.in", dir);
	snprintf(device, sizeof(device), "memif:%s/m.sock", dir);
	a_file_in_the_way_is_left_alone(inner, device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memif_sends_chains_of_references_without_copying),
		cmocka_unit_test(memif_overruns_nothing_that_a_slow_peer_has_not_read),
		cmocka_unit_test(memif_says_of_sums_yes_or_no),
		cmocka_unit_test(memif_removes_no_file_but_a_socket),
	};
	char command[64];

	if (!mkdtemp(dir))
		return 1;
	peer_start(&quick_peer);
	peer_start(&slow_peer);
	start_platform("memif");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	snprintf(command, sizeof(command), "rm -r %s", dir);
	run(command);
	return failed;
}

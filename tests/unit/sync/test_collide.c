// SPDX-License-Identifier: BSD-3-Clause
// An attacker who chooses the keys. Under a hash that has no secret he computes as many flows as he
// likes that all fall into one bucket; CRC32C, which rte_hash uses, is linear, so for each of his
// ports there is just one source address that does it. Here the hash has a secret, and his flows
// lie like any others. Should a secret become known, another one spreads what was made for it.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/rand.h"
#include "sync/table.h"

#define FLOWS 60000u // one for each source port from 5000 on
#define PORT_FIRST 5000u
#define LOCAL ((uint64_t)0xc6120002u << 32) // 198.18.0.2, port 80
#define SLOTS 3u

static struct flow_key16 key[FLOWS];
static struct epoch epoch;

static uint32_t crc32c(const struct flow_key16 *k)
{
	uint32_t crc = UINT32_MAX;

	for (uint32_t bit = 0; bit < 128; bit++) {
		uint32_t in = (uint32_t)(k->word[bit / 64] >> bit % 64) & 1;

		crc = crc >> 1 ^ ((crc ^ in) & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

// Linear algebra over one bit: which bits of the source address change a CRC in its n-th bit and in
// none above.
struct basis {
	uint32_t crc[32], addr[32];
};

static struct basis basis_of(struct flow_key16 k)
{
	struct basis b = {{0}, {0}};
	uint32_t plain = crc32c(&k);

	for (uint32_t i = 0; i < 32; i++) {
		struct flow_key16 other = {{k.word[0] ^ UINT64_C(1) << i, k.word[1]}};
		uint32_t crc = crc32c(&other) ^ plain, addr = UINT32_C(1) << i;

		while (crc && b.crc[31 - __builtin_clz(crc)]) {
			uint32_t top = 31 - (uint32_t)__builtin_clz(crc);

			crc ^= b.crc[top];
			addr ^= b.addr[top];
		}
		assert_int_not_equal(crc, 0); // every address bit counts: so there is an answer
		b.crc[31 - __builtin_clz(crc)] = crc;
		b.addr[31 - __builtin_clz(crc)] = addr;
	}
	return b;
}

// The source address with which this port's flow has that CRC.
static uint32_t address_for(const struct basis *b, const struct flow_key16 *k, uint32_t crc)
{
	uint32_t rest = crc32c(k) ^ crc, addr = 0;

	while (rest) {
		uint32_t top = 31 - (uint32_t)__builtin_clz(rest);

		rest ^= b->crc[top];
		addr ^= b->addr[top];
	}
	return addr;
}

static struct flow_key16 flow(uint32_t remote, uint32_t port)
{
	return (struct flow_key16){{LOCAL | remote, (uint64_t)80 << 16 | port}};
}

static void craft_for_crc(void)
{
	struct basis b = basis_of(flow(0, PORT_FIRST));

	for (uint32_t i = 0; i < FLOWS; i++) {
		struct flow_key16 k = flow(0, PORT_FIRST + i);

		key[i] = flow(address_for(&b, &k, 0x12345678), PORT_FIRST + i);
	}
}

static void draw(void)
{
	struct rng rng;

	rng_seed(&rng, 1);
	for (uint32_t i = 0; i < FLOWS; i++)
		key[i] = flow((uint32_t)rng_next(&rng), PORT_FIRST + i);
}

// Who knows the secret makes the last product 0, whatever the first word is (base/hash.h).
static void craft_for_secret(const uint8_t secret[16])
{
	uint64_t word;

	memcpy(&word, secret + 8, 8);
	for (uint32_t i = 0; i < FLOWS; i++)
		key[i] = (struct flow_key16){{LOCAL | i, word ^ 0x9e3779b97f4a7c15u}};
}

static struct table *table_with(const uint8_t secret[16])
{
	struct table_config config = {
		.capacity = FLOWS, .key_bytes = 16, .writers = 1, .epoch = &epoch};
	struct table *t;

	memcpy(config.secret, secret, sizeof(config.secret));
	epoch_init(&epoch);
	epoch_online(&epoch, epoch_join(&epoch));
	t = table_create(&config);
	assert_non_null(t);
	return t;
}

struct lie {
	uint64_t keys;    // that found a place
	uint64_t longest; // buckets a key's lookup goes through, up to TABLE_DEPTHS
	double mean;
};

static struct lie put_all(const char *what, const uint8_t secret[16])
{
	struct table *t = table_with(secret);
	struct table_stats stats;
	struct lie lie = {0};

	for (uint32_t i = 0; i < FLOWS; i++) {
		uint32_t value = i;
		int result = table16_insert(t, 0, &key[i], table16_hash(t, &key[i]), &value);

		assert_true(result == 0 || result == -ENOSPC);
	}
	table_stats(t, &stats);
	for (uint32_t i = 0; i < TABLE_DEPTHS; i++) {
		lie.mean += (double)(stats.depth[i] * (i + 1)) / (double)stats.keys;
		lie.longest = stats.depth[i] ? i + 1 : lie.longest;
	}
	lie.keys = stats.keys;
	print_message("%-44s %6llu keys, %.3f buckets a lookup, at most %llu%s\n", what,
		      (unsigned long long)lie.keys, lie.mean, (unsigned long long)lie.longest,
		      lie.longest == TABLE_DEPTHS ? " or more" : "");
	table_destroy(t);
	return lie;
}

// The same slots in buckets of three, by CRC, the next bucket when one is full. A bucket more for
// every third key.
static double buckets_by_crc(void)
{
	static uint32_t taken[FLOWS];
	double sum = 0;
	uint32_t count = FLOWS * 100 / TABLE_LOAD_PCT_DEFAULT / SLOTS + 1;

	memset(taken, 0, sizeof(taken));
	for (uint32_t i = 0; i < FLOWS; i++) {
		uint32_t first = (uint32_t)((uint64_t)crc32c(&key[i]) * count >> 32), n = 0;

		// where one fell before, all do: there is no need to look at each again
		if (i > 0 && crc32c(&key[i]) == crc32c(&key[0]))
			n = i / SLOTS;
		while (taken[(first + n) % count] == SLOTS)
			n++;
		taken[(first + n) % count]++;
		sum += n + 1;
	}
	return sum / FLOWS;
}

static const uint8_t old_secret[16] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6};
static const uint8_t new_secret[16] = {0x5a, 1,    2,  3,  0xc4, 5,  6,  7,
				       8,    0x99, 10, 11, 12,   13, 14, 15};

static void the_checksum_is_the_one_of_castagnoli(void **state)
{
	static const char digits[] = "1234567890123456";
	struct flow_key16 k;

	(void)state;
	memcpy(&k, digits, sizeof(k));
	assert_int_equal(crc32c(&k), 0x9aa4287f);
}

static void flows_of_one_crc_lie_like_any_others(void **state)
{
	double random_crc, crafted_crc;
	struct lie random, crafted;

	(void)state;
	draw();
	random_crc = buckets_by_crc();
	random = put_all("flows drawn at random", new_secret);
	craft_for_crc();
	for (uint32_t i = 1; i < FLOWS; i++)
		assert_int_equal(crc32c(&key[i]), crc32c(&key[0]));
	crafted_crc = buckets_by_crc();
	crafted = put_all("flows of one CRC32C", new_secret);
	print_message("in a table that goes by CRC32C: drawn %.3f buckets a lookup, crafted %.0f\n",
		      random_crc, crafted_crc);
	assert_true(crafted_crc > 1000 * random_crc);
	assert_int_equal(crafted.keys, FLOWS);
	assert_true(crafted.mean < 1.02 * random.mean);
	assert_in_range(crafted.longest, 1, random.longest + 1);
}

static void a_new_secret_spreads_what_was_made_for_an_old_one(void **state)
{
	struct lie random, under_old, under_new;

	(void)state;
	draw();
	random = put_all("flows drawn at random", new_secret);
	craft_for_secret(old_secret);
	under_old = put_all("keys made for a known secret, under it", old_secret);
	under_new = put_all("the same under a new secret", new_secret);
	assert_in_range(under_old.keys, 1, 1000); // a way has an end, and theirs is one
	assert_int_equal(under_new.keys, FLOWS);
	assert_true(under_new.mean < 1.02 * random.mean);
	assert_in_range(under_new.longest, 1, random.longest + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_checksum_is_the_one_of_castagnoli),
		cmocka_unit_test(flows_of_one_crc_lie_like_any_others),
		cmocka_unit_test(a_new_secret_spreads_what_was_made_for_an_old_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

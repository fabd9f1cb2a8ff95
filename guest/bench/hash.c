/* A hash table with open addressing: insert, find and delete of random keys. */

#include "bench.h"

#define SLOTS (1 << 16)
#define KEYS 40000
#define ROUNDS 500

const char bench_name[] = "hash";

struct slot {
	uint64_t key;
	uint64_t value;
};

static struct slot table[SLOTS];

static inline uint64_t place_of(uint64_t key)
{
	key ^= key >> 31;
	key *= 0x7fb5d329728ea185u;
	key ^= key >> 27;
	return key & (SLOTS - 1);
}

static struct slot *find(uint64_t key)
{
	uint64_t at = place_of(key);
	while (table[at].key != 0 && table[at].key != key)
		at = (at + 1) & (SLOTS - 1);
	return &table[at];
}

static void delete(uint64_t key)
{
	uint64_t hole = (uint64_t)(find(key) - table);
	if (table[hole].key == 0)
		return;
	for (uint64_t at = (hole + 1) & (SLOTS - 1); table[at].key != 0; at = (at + 1) & (SLOTS - 1)) {
		uint64_t home = place_of(table[at].key);
		if (((at - home) & (SLOTS - 1)) >= ((at - hole) & (SLOTS - 1))) {
			table[hole] = table[at];
			hole = at;
		}
	}
	table[hole].key = 0;
}

uint64_t bench_run(void)
{
	uint64_t sum = 0;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t state = 3 + (uint64_t)round / 4;
		for (long i = 0; i < KEYS; i++) {
			uint64_t key = next_random(&state) | 1;
			struct slot *slot = find(key);
			slot->key = key;
			slot->value += key;
		}
		state = 3 + (uint64_t)round / 4;
		for (long i = 0; i < KEYS; i++) {
			uint64_t key = next_random(&state) | 1;
			sum += find(key)->value;
			if ((round & 3) == 3 || (i & 7) == 0)
				delete(key);
		}
		sum = mix(sum, sum >> 7);
	}
	return sum;
}

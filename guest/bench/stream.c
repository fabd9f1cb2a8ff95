/* Long runs over memory: fill, copy, add, sum; bytes, words and double words. */

#include "bench.h"

#define WORDS (32 * 1024)
#define ROUNDS 1800

const char bench_name[] = "stream";

static uint64_t a[WORDS], b[WORDS], c[WORDS];

uint64_t bench_run(void)
{
	uint64_t sum = 0;
	for (long i = 0; i < WORDS; i++)
		b[i] = (uint64_t)i * 0x9e3779b97f4a7c15u;
	for (uint64_t round = 0; round < ROUNDS; round++) {
		for (long i = 0; i < WORDS; i++)
			a[i] = round;
		for (long i = 0; i < WORDS; i++)
			c[i] = b[i];
		for (long i = 0; i < WORDS; i++)
			a[i] = b[i] + 3 * c[i];
		uint32_t *halves = (uint32_t *)a;
		for (long i = 0; i < WORDS * 2; i += 2)
			sum += halves[i];
		uint8_t *bytes = (uint8_t *)c;
		for (long i = 0; i < WORDS; i++)
			bytes[i * 8 + 3] = (uint8_t)(bytes[i] + round);
		for (long i = 0; i < WORDS; i++)
			sum += c[i] ^ a[i];
		sum = mix(sum, a[round % WORDS]);
	}
	return sum;
}

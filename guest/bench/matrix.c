/* Integer matrices: multiplication, a sieve of primes, and a table of longest common parts. */

#include "bench.h"

#define SIZE 96
#define LIMIT 400000
#define LENGTH 1200
#define ROUNDS 64

const char bench_name[] = "matrix";

static int32_t a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];
static uint8_t composite[LIMIT];
static uint8_t left[LENGTH], right[LENGTH];
static uint16_t longest[2][LENGTH + 1];

static uint64_t multiply(uint64_t sum)
{
	for (int i = 0; i < SIZE; i++)
		for (int j = 0; j < SIZE; j++) {
			int32_t total = 0;
			for (int k = 0; k < SIZE; k++)
				total += a[i][k] * b[k][j];
			c[i][j] = total;
			sum = mix(sum, (uint32_t)total);
		}
	return sum;
}

static uint64_t sieve(void)
{
	uint64_t primes = 0;
	for (long i = 0; i < LIMIT; i++)
		composite[i] = 0;
	for (long i = 2; i < LIMIT; i++) {
		if (composite[i])
			continue;
		primes++;
		for (long j = i * 2; j < LIMIT; j += i)
			composite[j] = 1;
	}
	return primes;
}

static uint64_t common(void)
{
	for (int i = 0; i < LENGTH; i++) {
		uint16_t *row = longest[i & 1], *above = longest[~i & 1];
		for (int j = 0; j < LENGTH; j++) {
			uint16_t best = above[j + 1] > row[j] ? above[j + 1] : row[j];
			row[j + 1] = left[i] == right[j] ? (uint16_t)(above[j] + 1) : best;
		}
	}
	return longest[(LENGTH - 1) & 1][LENGTH];
}

uint64_t bench_run(void)
{
	uint64_t sum = 0, state = 4;
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < SIZE; i++)
			for (int j = 0; j < SIZE; j++) {
				a[i][j] = (int32_t)next_random(&state);
				b[i][j] = (int32_t)next_random(&state);
			}
		for (int i = 0; i < LENGTH; i++) {
			left[i] = next_random(&state) & 15;
			right[i] = next_random(&state) & 15;
		}
		sum = multiply(sum);
		sum = mix(sum, sieve());
		sum = mix(sum, common());
	}
	return sum;
}

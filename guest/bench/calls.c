/* Calls: recursion (Fibonacci, Ackermann, queens) and calls through function pointers. */

#include "bench.h"

const char bench_name[] = "calls";

static __attribute__((noinline)) uint64_t fibonacci(uint64_t n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static __attribute__((noinline)) uint64_t ackermann(uint64_t m, uint64_t n)
{
	if (m == 0)
		return n + 1;
	if (n == 0)
		return ackermann(m - 1, 1);
	return ackermann(m - 1, ackermann(m, n - 1));
}

static __attribute__((noinline)) uint64_t queens(uint32_t columns, uint32_t up, uint32_t down)
{
	uint32_t open = ~(columns | up | down) & 0x3ff;
	uint64_t count = 0;
	if (columns == 0x3ff)
		return 1;
	while (open) {
		uint32_t place = open & -open;
		open ^= place;
		count += queens(columns | place, (up | place) << 1, (down | place) >> 1);
	}
	return count;
}

typedef uint64_t operation(uint64_t, uint64_t);
static uint64_t add(uint64_t a, uint64_t b) { return a + b; }
static uint64_t subtract(uint64_t a, uint64_t b) { return a - b; }
static uint64_t multiply(uint64_t a, uint64_t b) { return a * (b | 1); }
static uint64_t rotate(uint64_t a, uint64_t b) { return a << (b & 31) | a >> (64 - (b & 31)) % 64; }
static uint64_t exclusive(uint64_t a, uint64_t b) { return a ^ b; }
static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }
static uint64_t shifted(uint64_t a, uint64_t b) { return a + (b >> 3); }
static uint64_t both(uint64_t a, uint64_t b) { return a & ~b; }

static operation *volatile operations[8] = {add,       subtract, multiply, rotate,
                                            exclusive, larger,   shifted,  both};

uint64_t bench_run(void)
{
	uint64_t sum = fibonacci(35);
	sum = mix(sum, ackermann(2, 1500));
	sum = mix(sum, ackermann(3, 8));
	for (int round = 0; round < 30; round++)
		sum = mix(sum, queens(0, 0, 0));
	uint64_t state = 6;
	for (long i = 0; i < 20000000; i++) {
		uint64_t random = next_random(&state);
		sum = operations[random >> 40 & 7](sum, random);
	}
	return sum;
}

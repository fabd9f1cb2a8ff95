/*
 * What a benchmark is made of: one `bench_run`, which does a fixed amount of work and returns a
 * checksum over its results. The runtime around it calls it BENCH_RUNS times, so that the work
 * outweighs the start of an emulator, counts the instructions and prints one line:
 *
 *     NAME CHECKSUM RETIRED CALLS
 *
 * CHECKSUM is 16 hexadecimal digits. RETIRED is the difference of `instret` around the runs.
 * CALLS is how many environment calls lie between: they do not retire (privileged specification,
 * section 3.3.1), but QEMU counts them.
 */

#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#ifndef BENCH_RUNS
#define BENCH_RUNS 1
#endif

extern const char bench_name[];
uint64_t bench_run(void);

/* Environment calls made by the program, for the printed line. */
extern uint64_t bench_calls;

/* One step of a 64-bit linear congruential generator; its high bits are good. */
static inline uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 16;
}

/* Folds a value into a checksum (FNV-1a over one 64-bit word). */
static inline uint64_t mix(uint64_t sum, uint64_t value)
{
	return (sum ^ value) * 0x100000001b3u;
}

static inline uint64_t bits_of(double value)
{
	union {
		double value;
		uint64_t bits;
	} u = {value};
	return u.bits;
}

#endif

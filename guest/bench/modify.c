/*
 * Code that writes code: a function is generated into a buffer, called many times, patched and
 * called again, with fence.i after every change, the way a compiler at run time does it.
 */

#include "bench.h"

#define SLOTS 64
#define ROUNDS 40000
#define CALLS 200

const char bench_name[] = "modify";

typedef uint64_t generated(uint64_t);

static uint32_t code[SLOTS + 1] __attribute__((aligned(4096)));

static void fence(void)
{
	__asm__ volatile("fence.i" ::: "memory");
}

/* addi a0, a0, imm; xori a0, a0, imm; slli a1, a0, n then add a0, a0, a1 */
static uint32_t instruction(uint64_t random)
{
	uint32_t immediate = (uint32_t)(random >> 8) & 0x7ff;
	switch (random & 3) {
	case 0:
		return 0x00050513 | immediate << 20;
	case 1:
		return 0x00054513 | immediate << 20;
	case 2:
		return 0x00151593 | (immediate & 15) << 20;
	default:
		return 0x00b50533;
	}
}

uint64_t bench_run(void)
{
	uint64_t sum = 1, state = 8;
	code[0] = 0x00151593; /* a1 has a value before it is used */
	for (int i = 1; i < SLOTS; i++)
		code[i] = instruction(next_random(&state));
	code[SLOTS] = 0x00008067;
	fence();
	for (int round = 0; round < ROUNDS; round++) {
		for (int call = 0; call < CALLS; call++)
			sum = ((generated *)code)(sum);
		code[1 + next_random(&state) % (SLOTS - 1)] = instruction(next_random(&state));
		fence();
	}
	return sum;
}

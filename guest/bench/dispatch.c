/* An interpreter of bytecode: one switch in a loop, the shape of every small language. */

#include "bench.h"

const char bench_name[] = "dispatch";

enum {
	PUSH, LOAD, STORE, ADD, SUB, MUL, AND, XOR, SHIFT, LESS, JUMP, JUMP_IF, DUP, SWAP, DROP, PEEK,
	POKE, HALT,
};

/* for (i = 0; i < N; i++) { m[i & 255] = m[(i * 7) & 255] * 31 + i; s ^= m[i & 255] >> 3; } */
#define N 2500000
static const int32_t code[] = {
	PUSH, 0, STORE, 0,                                       /* i = 0 */
	/* 4 */ LOAD, 0, PUSH, N, LESS, JUMP_IF, 13, JUMP, 64,   /* while (i < N) */
	/* 13 */ LOAD, 0, PUSH, 7, MUL, PUSH, 255, AND, PEEK,    /* m[(i * 7) & 255] */
	/* 22 */ PUSH, 31, MUL, LOAD, 0, ADD, DUP,               /* * 31 + i, twice */
	/* 29 */ LOAD, 0, PUSH, 255, AND, POKE,                  /* m[i & 255] = */
	/* 35 */ PUSH, 3, SHIFT, LOAD, 1, SWAP, XOR, STORE, 1,   /* s ^= >> 3 */
	/* 44 */ LOAD, 0, PUSH, 1, ADD, DUP, DROP, STORE, 0,     /* i++ */
	/* 53 */ LOAD, 1, PUSH, 5, SUB, STORE, 1, JUMP, 4,       /* s -= 5 */
	/* 62 */ HALT, HALT,
	/* 64 */ HALT,
};

static uint64_t memory[256];

static __attribute__((noinline)) uint64_t interpret(const int32_t *program)
{
	uint64_t stack[32], variables[4] = {0};
	uint64_t *top = stack;
	const int32_t *at = program;
	for (;;) {
		switch (*at++) {
		case PUSH: *top++ = (uint64_t)*at++; break;
		case LOAD: *top++ = variables[*at++]; break;
		case STORE: variables[*at++] = *--top; break;
		case ADD: top--; top[-1] += top[0]; break;
		case SUB: top--; top[-1] -= top[0]; break;
		case MUL: top--; top[-1] *= top[0]; break;
		case AND: top--; top[-1] &= top[0]; break;
		case XOR: top--; top[-1] ^= top[0]; break;
		case SHIFT: top--; top[-1] >>= top[0] & 63; break;
		case LESS: top--; top[-1] = top[-1] < top[0]; break;
		case JUMP: at = program + *at; break;
		case JUMP_IF: at = *--top ? program + *at : at + 1; break;
		case DUP: top[0] = top[-1]; top++; break;
		case SWAP: { uint64_t swapped = top[-1]; top[-1] = top[-2]; top[-2] = swapped; break; }
		case DROP: top--; break;
		case PEEK: top[-1] = memory[top[-1]]; break;
		case POKE: top -= 2; memory[top[1]] = top[0]; break;
		default: return variables[1];
		}
	}
}

uint64_t bench_run(void)
{
	uint64_t sum = 0;
	sum = mix(sum, interpret(code));
	for (int i = 0; i < 256; i++)
		sum = mix(sum, memory[i]);
	return sum;
}

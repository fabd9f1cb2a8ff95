/* Context switches: eight users with address spaces of their own hand the hart around. */

#include "supervisor.h"

#define USERS 8
#define TURNS 130000

const char bench_name[] = "switch";

enum { CALL_YIELD, CALL_EXIT };

static struct user users[USERS];
static uint64_t turns, total;

static void user_main(uint64_t seed)
{
	volatile uint64_t *heap = (volatile uint64_t *)(uint64_t)USER_HEAP;
	uint64_t state = seed, sum = seed;
	for (;;) {
		for (int i = 0; i < 16; i++) {
			uint64_t at = next_random(&state) & 1023;
			sum = mix(sum, heap[at]);
			heap[at] = sum;
		}
		if (!user_call(CALL_YIELD, sum, 0))
			user_call(CALL_EXIT, sum, 0);
	}
}

struct user *supervisor_trap(struct user *from, uint64_t cause, uint64_t value)
{
	if (cause == CAUSE_READ_PAGE || cause == CAUSE_WRITE_PAGE) {
		*entry_of(from->table, value) = entry_for(take_page(), PTE_DATA);
		__asm__ volatile("sfence.vma %0" ::"r"(value) : "memory");
		return from;
	}
	if (cause != CAUSE_CALL)
		__asm__ volatile("ebreak");
	bench_calls++;
	total = mix(total, from->x[10]);
	from->x[0] += 4;
	if (from->x[17] == CALL_EXIT || turns == TURNS)
		return NULL;
	turns++;
	from->x[10] = 1;
	struct user *next = &users[turns % USERS];
	use_table(next->table);
	return next;
}

static uint64_t supervise(void)
{
	for (unsigned i = 0; i < USERS; i++)
		make_user(&users[i], user_main, i + 1);
	use_table(users[0].table);
	supervisor_run(&users[0]);
	return total;
}

uint64_t bench_run(void)
{
	bench_calls = 1;
	return supervisor_enter(supervise);
}

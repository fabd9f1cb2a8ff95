/* Page faults: a user touches fresh pages, which the kernel clears and maps, and gives them back. */

#include "supervisor.h"

#define PAGES 256
#define ROUNDS 480

const char bench_name[] = "paging";

enum { CALL_UNMAP, CALL_EXIT };

static struct user user;

static void user_main(uint64_t rounds)
{
	uint64_t sum = 0;
	for (uint64_t round = 0; round < rounds; round++) {
		for (uint64_t page = 0; page < PAGES; page++)
			*(volatile uint64_t *)(USER_HEAP + page * PAGE + page * 8) = round + page;
		for (uint64_t page = 0; page < PAGES; page++)
			sum = mix(sum, *(volatile uint64_t *)(USER_HEAP + page * PAGE + page * 8));
		user_call(CALL_UNMAP, USER_HEAP, PAGES);
	}
	user_call(CALL_EXIT, sum, 0);
}

static void unmap(uint64_t *table, uint64_t address, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t *entry = entry_of(table, address + i * PAGE);
		if (*entry & PTE_V)
			give_page(page_of(*entry));
		*entry = 0;
	}
	__asm__ volatile("sfence.vma" ::: "memory");
}

struct user *supervisor_trap(struct user *from, uint64_t cause, uint64_t value)
{
	switch (cause) {
	case CAUSE_READ_PAGE:
	case CAUSE_WRITE_PAGE:
		*entry_of(from->table, value) = entry_for(take_page(), PTE_DATA);
		__asm__ volatile("sfence.vma %0" ::"r"(value) : "memory");
		return from;
	case CAUSE_CALL:
		bench_calls++;
		from->x[0] += 4;
		if (from->x[17] == CALL_EXIT)
			return NULL;
		unmap(from->table, from->x[10], from->x[11]);
		return from;
	default:
		__asm__ volatile("ebreak");
		return NULL;
	}
}

static uint64_t supervise(void)
{
	make_user(&user, user_main, ROUNDS);
	use_table(user.table);
	supervisor_run(&user);
	return user.x[10];
}

uint64_t bench_run(void)
{
	bench_calls = 1;
	return supervisor_enter(supervise);
}

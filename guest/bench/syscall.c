/* System calls: a user asks the kernel for small things, one of which is a copy of its memory. */

#include "supervisor.h"

#define CALLS 210000

const char bench_name[] = "syscall";

enum { CALL_IDENTITY, CALL_SUM, CALL_WRITE, CALL_EXIT };

static struct user user;
static uint64_t written;

static void user_main(uint64_t count)
{
	uint64_t message[8] = {1, 2, 3, 4, 5, 6, 7, 8}, sum = 0;
	for (uint64_t i = 0; i < count; i += 3) {
		sum += user_call(CALL_IDENTITY, 0, 0);
		sum = user_call(CALL_SUM, sum, i);
		message[i & 7] = sum;
		sum ^= user_call(CALL_WRITE, (uint64_t)message, sizeof message);
	}
	user_call(CALL_EXIT, sum, 0);
}

static uint64_t copy_in(const uint64_t *from, uint64_t bytes)
{
	__asm__ volatile("csrs sstatus, %0" ::"r"(SSTATUS_SUM) : "memory");
	for (uint64_t i = 0; i < bytes / 8; i++)
		written = mix(written, ((const volatile uint64_t *)from)[i]);
	__asm__ volatile("csrc sstatus, %0" ::"r"(SSTATUS_SUM) : "memory");
	return bytes;
}

struct user *supervisor_trap(struct user *from, uint64_t cause, uint64_t value)
{
	uint64_t *x = from->x;
	(void)value;
	if (cause != CAUSE_CALL)
		__asm__ volatile("ebreak");
	bench_calls++;
	x[0] += 4;
	switch (x[17]) {
	case CALL_IDENTITY:
		x[10] = 42;
		return from;
	case CALL_SUM:
		x[10] += x[11];
		return from;
	case CALL_WRITE:
		x[10] = copy_in((const uint64_t *)x[10], x[11]);
		return from;
	default:
		return NULL;
	}
}

static uint64_t supervise(void)
{
	make_user(&user, user_main, CALLS);
	use_table(user.table);
	supervisor_run(&user);
	return mix(written, user.x[10]);
}

uint64_t bench_run(void)
{
	bench_calls = 1;
	return supervisor_enter(supervise);
}

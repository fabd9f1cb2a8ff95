/*
 * A kernel of a few hundred instructions for the benchmarks of traps and paging: S mode with Sv39
 * on, users in U mode, and one C function that gets every trap.
 *
 * Kernel addresses are physical ones (gigabyte pages). The image is mapped a second time for
 * users, at USER_IMAGE; what a user runs may refer to its own code and data only relative to pc.
 */

#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include "bench.h"

#define IMAGE 0x80000000u
#define USER_IMAGE 0x40000000u
/* Pages here are mapped when they are touched. */
#define USER_HEAP 0x50000000u
#define PAGE 4096u

#define PTE_V 1u
#define PTE_R 2u
#define PTE_W 4u
#define PTE_X 8u
#define PTE_U 16u
#define PTE_USED 0xc0u /* accessed and dirty: this machine never sets them */
#define PTE_DATA (PTE_V | PTE_R | PTE_W | PTE_U | PTE_USED)

#define SSTATUS_SUM (1u << 18)

enum cause { CAUSE_CALL = 8, CAUSE_READ_PAGE = 13, CAUSE_WRITE_PAGE = 15 };

/* Registers of a user; x[0] is its pc. Known to supervisor.S. */
struct user {
	uint64_t x[32];
	uint64_t *table;
};

/* Gets every trap of a user; returns who goes on, or NULL to return from `supervisor_run`. */
struct user *supervisor_trap(struct user *user, uint64_t cause, uint64_t value);

/* Runs `function` in S mode with paging off, and returns its result in M mode. */
uint64_t supervisor_enter(uint64_t (*function)(void));

/* Runs users until `supervisor_trap` returns NULL. */
void supervisor_run(struct user *user);

/* An empty page of the pool. */
uint64_t *take_page(void);
void give_page(uint64_t *page);

/* A page table with the kernel and the image in it. */
uint64_t *make_table(void);

/* The entry that maps `address` in `table`, with the tables above it made. */
uint64_t *entry_of(uint64_t *table, uint64_t address);

/* A user that starts in `function` with `argument` in a0, on a stack of its own. */
void make_user(struct user *user, void (*function)(uint64_t), uint64_t argument);

static inline uint64_t entry_for(const void *page, uint64_t bits)
{
	return (uint64_t)page >> 12 << 10 | bits;
}

static inline void *page_of(uint64_t entry)
{
	return (void *)(entry >> 10 << 12);
}

static inline void use_table(const uint64_t *table)
{
	__asm__ volatile("csrw satp, %0" ::"r"(8ul << 60 | (uint64_t)table >> 12) : "memory");
	__asm__ volatile("sfence.vma" ::: "memory");
}

/* For users. */
static inline uint64_t user_call(uint64_t number, uint64_t first, uint64_t second)
{
	register uint64_t a0 __asm__("a0") = first;
	register uint64_t a1 __asm__("a1") = second;
	register uint64_t a7 __asm__("a7") = number;
	__asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a7) : "memory");
	return a0;
}

#endif

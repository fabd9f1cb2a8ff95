/* Pages, page tables and users of the benchmarks' kernel. */

#include "supervisor.h"

#define POOL_PAGES 4096
#define STACK_TOP 0x60000000u

static uint64_t pool[POOL_PAGES][PAGE / 8] __attribute__((section(".pool"), aligned(4096)));
static uint64_t *free_pages;
static uint64_t untouched;

extern char __stack_top[];
extern char __global_pointer[] __asm__("__global_pointer$");

uint64_t *take_page(void)
{
	uint64_t *page = free_pages;
	if (page)
		free_pages = (uint64_t *)page[0];
	else if (untouched < POOL_PAGES)
		page = pool[untouched++];
	else
		__asm__ volatile("ebreak");
	for (unsigned i = 0; i < PAGE / 8; i += 4) {
		page[i] = 0;
		page[i + 1] = 0;
		page[i + 2] = 0;
		page[i + 3] = 0;
	}
	return page;
}

void give_page(uint64_t *page)
{
	page[0] = (uint64_t)free_pages;
	free_pages = page;
}

uint64_t *entry_of(uint64_t *table, uint64_t address)
{
	for (int shift = 30; shift > 12; shift -= 9) {
		uint64_t *entry = &table[address >> shift & 511];
		if (!(*entry & PTE_V))
			*entry = entry_for(take_page(), PTE_V);
		table = page_of(*entry);
	}
	return &table[address >> 12 & 511];
}

uint64_t *make_table(void)
{
	const uint64_t kernel = PTE_V | PTE_R | PTE_W | PTE_X | PTE_USED;
	uint64_t *table = take_page();
	table[0] = kernel;
	table[IMAGE >> 30] = entry_for((void *)(uint64_t)IMAGE, kernel);
	for (uint64_t at = IMAGE; at < (uint64_t)__stack_top; at += PAGE)
		*entry_of(table, at - IMAGE + USER_IMAGE) = entry_for((void *)at, PTE_DATA | PTE_X);
	*entry_of(table, STACK_TOP - PAGE) = entry_for(take_page(), PTE_DATA);
	return table;
}

void make_user(struct user *user, void (*function)(uint64_t), uint64_t argument)
{
	user->table = make_table();
	user->x[0] = (uint64_t)function - IMAGE + USER_IMAGE;
	user->x[2] = STACK_TOP;
	user->x[3] = (uint64_t)__global_pointer - IMAGE + USER_IMAGE;
	user->x[10] = argument;
}

/* Dependent loads: a random cycle of pointers over 512 KiB, and a binary search tree. */

#include "bench.h"

#define NODES (8 * 1024)
#define KEYS 8000

const char bench_name[] = "chase";

/* One node to a cache line, so that each step touches another. */
struct node {
	struct node *next;
	struct node *low, *high;
	uint64_t key;
	uint64_t pad[4];
};

static struct node nodes[NODES];
static uint32_t order[NODES];

static void link_cycle(uint64_t *state)
{
	for (uint32_t i = 0; i < NODES; i++)
		order[i] = i;
	for (uint32_t i = NODES - 1; i > 0; i--) {
		uint32_t j = (uint32_t)(next_random(state) % (i + 1));
		uint32_t swapped = order[i];
		order[i] = order[j];
		order[j] = swapped;
	}
	for (uint32_t i = 0; i < NODES; i++)
		nodes[order[i]].next = &nodes[order[(i + 1) % NODES]];
}

static struct node *insert(struct node *root, struct node *fresh)
{
	struct node **link = &root;
	while (*link)
		link = fresh->key < (*link)->key ? &(*link)->low : &(*link)->high;
	*link = fresh;
	return root;
}

uint64_t bench_run(void)
{
	uint64_t sum = 0, state = 5;
	link_cycle(&state);
	struct node *at = nodes;
	for (long i = 0; i < 100000000; i++) {
		sum += (uint64_t)at;
		at = at->next;
	}
	struct node *root = NULL;
	for (long i = 0; i < KEYS; i++) {
		nodes[i].key = next_random(&state);
		nodes[i].low = nodes[i].high = NULL;
		root = insert(root, &nodes[i]);
	}
	for (long i = 0; i < 4000000; i++) {
		uint64_t key = next_random(&state);
		struct node *found = root;
		while (found->low && found->high)
			found = key < found->key ? found->low : found->high;
		sum = mix(sum, found->key);
	}
	return sum;
}

/* Quicksort with insertion sort at the leaves, and heap sort, over the same random numbers. */

#include "bench.h"

#define COUNT 100000
#define ROUNDS 48
#define LEAF 12

const char bench_name[] = "sort";

static int64_t numbers[COUNT];

static void insertion_sort(int64_t *a, long n)
{
	for (long i = 1; i < n; i++) {
		int64_t value = a[i];
		long at = i;
		for (; at > 0 && a[at - 1] > value; at--)
			a[at] = a[at - 1];
		a[at] = value;
	}
}

static void quick_sort(int64_t *a, long n)
{
	while (n > LEAF) {
		int64_t x = a[0], y = a[n / 2], z = a[n - 1];
		int64_t pivot = x < y ? (y < z ? y : (x < z ? z : x)) : (x < z ? x : (y < z ? z : y));
		long low = 0, high = n - 1;
		for (;;) {
			while (a[low] < pivot)
				low++;
			while (a[high] > pivot)
				high--;
			if (low >= high)
				break;
			int64_t swapped = a[low];
			a[low++] = a[high];
			a[high--] = swapped;
		}
		quick_sort(a, high + 1);
		a += high + 1;
		n -= high + 1;
	}
	insertion_sort(a, n);
}

static void sift_down(int64_t *a, long root, long n)
{
	int64_t value = a[root];
	for (;;) {
		long child = 2 * root + 1;
		if (child >= n)
			break;
		if (child + 1 < n && a[child + 1] > a[child])
			child++;
		if (a[child] <= value)
			break;
		a[root] = a[child];
		root = child;
	}
	a[root] = value;
}

static void heap_sort(int64_t *a, long n)
{
	for (long root = n / 2 - 1; root >= 0; root--)
		sift_down(a, root, n);
	for (long end = n - 1; end > 0; end--) {
		int64_t largest = a[0];
		a[0] = a[end];
		a[end] = largest;
		sift_down(a, 0, end);
	}
}

uint64_t bench_run(void)
{
	uint64_t sum = 0, state = 1;
	for (int round = 0; round < ROUNDS; round++) {
		for (long i = 0; i < COUNT; i++)
			numbers[i] = (int64_t)next_random(&state) - (1ll << 47);
		if (round & 1)
			quick_sort(numbers, COUNT);
		else
			heap_sort(numbers, COUNT);
		for (long i = 0; i < COUNT; i += 97)
			sum = mix(sum, (uint64_t)numbers[i]);
	}
	return sum;
}

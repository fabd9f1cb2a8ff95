/* Linear algebra with fused multiply-add, as GCC makes it by default: products in f64 and f32. */

#include "bench.h"

#define SIZE 80
#define ROUNDS 48 /* each reads and writes a column of its own: at most SIZE */

const char bench_name[] = "linear";

static double a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];
static float p[SIZE][SIZE], q[SIZE][SIZE], r[SIZE][SIZE];

uint64_t bench_run(void)
{
	uint64_t sum = 0, state = 7;
	for (int i = 0; i < SIZE; i++)
		for (int j = 0; j < SIZE; j++) {
			a[i][j] = (double)(int32_t)next_random(&state) / 1e9;
			b[i][j] = (double)(int32_t)next_random(&state) / 1e9;
			p[i][j] = (float)a[i][j];
			q[i][j] = (float)b[i][j];
		}
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < SIZE; i++)
			for (int j = 0; j < SIZE; j++) {
				double total = 0;
				for (int k = 0; k < SIZE; k++)
					total += a[i][k] * b[k][j];
				c[i][j] = total;
			}
		for (int i = 0; i < SIZE; i++)
			for (int j = 0; j < SIZE; j++) {
				float total = 0;
				for (int k = 0; k < SIZE; k++)
					total += p[i][k] * q[k][j];
				r[i][j] = total;
			}
		for (int i = 0; i < SIZE; i++) {
			sum = mix(sum, bits_of(c[i][round]));
			sum = mix(sum, bits_of((double)r[round][i]));
			a[i][round] = c[round][i] / 64;
			p[i][round] = r[i][round] / 64;
		}
	}
	return sum;
}

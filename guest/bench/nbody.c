/* Five bodies under gravity in double precision: adds, multiplies, square root and division. */

#include "bench.h"

#define BODIES 5
#define STEPS 600000

const char bench_name[] = "nbody";

struct body {
	double x[3], v[3], mass;
};

static struct body bodies[BODIES] = {
	{{0, 0, 0}, {0, 0, 0}, 39.47},
	{{4.84, -1.16, -0.10}, {0.606, 2.81, -0.02}, 0.037},
	{{8.34, 4.12, -0.40}, {-1.01, 1.82, 0.008}, 0.011},
	{{12.89, -15.11, -0.22}, {1.08, 0.868, -0.010}, 0.0017},
	{{15.37, -25.9, 0.179}, {0.979, 0.594, -0.034}, 0.0020},
};

static inline double root(double value)
{
	double result;
	__asm__("fsqrt.d %0, %1" : "=f"(result) : "f"(value));
	return result;
}

static void advance(double dt)
{
	for (int i = 0; i < BODIES; i++)
		for (int j = i + 1; j < BODIES; j++) {
			struct body *a = &bodies[i], *b = &bodies[j];
			double d[3], square = 0;
			for (int k = 0; k < 3; k++) {
				d[k] = a->x[k] - b->x[k];
				square += d[k] * d[k];
			}
			double pull = dt / (square * root(square));
			for (int k = 0; k < 3; k++) {
				a->v[k] -= d[k] * b->mass * pull;
				b->v[k] += d[k] * a->mass * pull;
			}
		}
	for (int i = 0; i < BODIES; i++)
		for (int k = 0; k < 3; k++)
			bodies[i].x[k] += dt * bodies[i].v[k];
}

uint64_t bench_run(void)
{
	uint64_t sum = 0;
	for (int step = 0; step < STEPS; step++)
		advance(0.01);
	for (int i = 0; i < BODIES; i++)
		for (int k = 0; k < 3; k++)
			sum = mix(sum, bits_of(bodies[i].x[k]));
	return sum;
}

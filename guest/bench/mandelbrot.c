/* Escape times of the Mandelbrot set in double precision, without fused operations. */

#include "bench.h"

#define WIDTH 480
#define HEIGHT 360
#define DEPTH 700

const char bench_name[] = "mandelbrot";

uint64_t bench_run(void)
{
	uint64_t sum = 0;
	for (int row = 0; row < HEIGHT; row++)
		for (int column = 0; column < WIDTH; column++) {
			double cx = -2.0 + 2.6 * column / WIDTH, cy = -1.2 + 2.4 * row / HEIGHT;
			double x = 0, y = 0, xx = 0, yy = 0;
			int count = 0;
			while (count < DEPTH && xx + yy <= 4.0) {
				y = 2 * x * y + cy;
				x = xx - yy + cx;
				xx = x * x;
				yy = y * y;
				count++;
			}
			sum = mix(sum, (uint64_t)count);
		}
	return sum;
}

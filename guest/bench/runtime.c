/*
 * Around a benchmark: counts, prints and powers off. The count is read before anything is printed,
 * because how long the UART takes is no property of the program.
 */

#include "bench.h"

#define UART ((volatile uint8_t *)0x10000000)
#define UART_LINE_STATUS 5
#define UART_EMPTY 0x20
#define SYSCON ((volatile uint32_t *)0x100000)
#define SYSCON_OFF 0x5555
#define SYSCON_FAIL 0x3333

uint64_t bench_calls;

void bench_main(void);
void bench_trapped(uint64_t cause, uint64_t pc, uint64_t value);

static void put(char c)
{
	while (!(UART[UART_LINE_STATUS] & UART_EMPTY))
		;
	UART[0] = (uint8_t)c;
}

static void put_text(const char *text)
{
	while (*text)
		put(*text++);
}

static void put_hex(uint64_t value)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		put("0123456789abcdef"[(value >> shift) & 15]);
}

static void put_decimal(uint64_t value)
{
	char digits[20];
	int count = 0;
	do {
		digits[count++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	while (count)
		put(digits[--count]);
}

static inline uint64_t instructions(void)
{
	uint64_t count;
	__asm__ volatile("csrr %0, instret" : "=r"(count)::"memory");
	return count;
}

static void power_off(uint32_t code)
{
	*SYSCON = code;
	for (;;)
		;
}

void bench_main(void)
{
	uint64_t sum = 0;
	uint64_t before = instructions();
	for (int run = 0; run < BENCH_RUNS; run++)
		sum = mix(sum, bench_run());
	uint64_t after = instructions();
	put_text(bench_name);
	put(' ');
	put_hex(sum);
	put(' ');
	put_decimal(after - before);
	put(' ');
	put_decimal(bench_calls);
	put('\n');
	power_off(SYSCON_OFF);
}

void bench_trapped(uint64_t cause, uint64_t pc, uint64_t value)
{
	put_text("trap ");
	put_hex(cause);
	put(' ');
	put_hex(pc);
	put(' ');
	put_hex(value);
	put('\n');
	power_off(SYSCON_FAIL | 1 << 16);
}

/* GCC makes calls to these out of loops and assignments. */
void *memset(void *to, int byte, size_t count)
{
	unsigned char *at = to;
	while (count--)
		*at++ = (unsigned char)byte;
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
	unsigned char *at = to;
	const unsigned char *source = from;
	while (count--)
		*at++ = *source++;
	return to;
}

/*
 * Executes real RISC-V floating-point instructions on vectors, as the reference for the float
 * library. It is compiled for riscv64 and run under an emulator, so that instructions, rounding
 * modes and flags are judged by an implementation that is not ours. It stands on three system
 * calls and no C library, so that any RISC-V compiler can build it.
 *
 * Usage: float-oracle OPERATION < vectors > results. A vector is 32 bytes: registers a, b and c,
 * the rounding mode, and the negations of a fused operation (bit 0 product, bit 1 addend). A
 * result is 16 bytes: the destination register and the flags raised from a clear fflags. Exit
 * status 2 means that the operation is unknown.
 */
#include <stddef.h>
#include <stdint.h>

struct vector {
  uint64_t a, b, c;
  uint32_t rounding_mode, negations;
};

struct result {
  uint64_t value, flags;
};

#define EXECUTE(instruction, after)                                              \
  __asm__ volatile("fmv.d.x ft0, %1\n\tfmv.d.x ft1, %2\n\tfmv.d.x ft2, %3\n\t"   \
                   instruction "\n\t" after                                      \
                   : "=&r"(value)                                                \
                   : "r"(v->a), "r"(v->b), "r"(v->c)                             \
                   : "ft0", "ft1", "ft2")

#define TO_FLOAT(name, instruction)                          \
  static uint64_t run_##name(const struct vector *v) {       \
    uint64_t value;                                          \
    EXECUTE(instruction, "fmv.x.d %0, ft0");                 \
    return value;                                            \
  }

#define TO_INTEGER(name, instruction)                        \
  static uint64_t run_##name(const struct vector *v) {       \
    uint64_t value;                                          \
    EXECUTE(instruction, "");                                \
    return value;                                            \
  }

#define FUSED(name, suffix)                                                       \
  static uint64_t run_##name(const struct vector *v) {                            \
    uint64_t value;                                                               \
    switch (v->negations) {                                                       \
    case 0: EXECUTE("fmadd." suffix " ft0, ft0, ft1, ft2, dyn", "fmv.x.d %0, ft0"); break;  \
    case 1: EXECUTE("fnmsub." suffix " ft0, ft0, ft1, ft2, dyn", "fmv.x.d %0, ft0"); break; \
    case 2: EXECUTE("fmsub." suffix " ft0, ft0, ft1, ft2, dyn", "fmv.x.d %0, ft0"); break;  \
    default: EXECUTE("fnmadd." suffix " ft0, ft0, ft1, ft2, dyn", "fmv.x.d %0, ft0"); break; \
    }                                                                             \
    return value;                                                                 \
  }

#define FORMAT(name, s)                                          \
  TO_FLOAT(name##_add, "fadd." s " ft0, ft0, ft1, dyn")          \
  TO_FLOAT(name##_sub, "fsub." s " ft0, ft0, ft1, dyn")          \
  TO_FLOAT(name##_mul, "fmul." s " ft0, ft0, ft1, dyn")          \
  TO_FLOAT(name##_div, "fdiv." s " ft0, ft0, ft1, dyn")          \
  TO_FLOAT(name##_sqrt, "fsqrt." s " ft0, ft0, dyn")             \
  FUSED(name##_fma, s)                                           \
  TO_FLOAT(name##_min, "fmin." s " ft0, ft0, ft1")               \
  TO_FLOAT(name##_max, "fmax." s " ft0, ft0, ft1")               \
  TO_FLOAT(name##_sgnj, "fsgnj." s " ft0, ft0, ft1")             \
  TO_FLOAT(name##_sgnjn, "fsgnjn." s " ft0, ft0, ft1")           \
  TO_FLOAT(name##_sgnjx, "fsgnjx." s " ft0, ft0, ft1")           \
  TO_INTEGER(name##_eq, "feq." s " %0, ft0, ft1")                \
  TO_INTEGER(name##_lt, "flt." s " %0, ft0, ft1")                \
  TO_INTEGER(name##_le, "fle." s " %0, ft0, ft1")                \
  TO_INTEGER(name##_class, "fclass." s " %0, ft0")               \
  TO_INTEGER(name##_to_i32, "fcvt.w." s " %0, ft0, dyn")         \
  TO_INTEGER(name##_to_u32, "fcvt.wu." s " %0, ft0, dyn")        \
  TO_INTEGER(name##_to_i64, "fcvt.l." s " %0, ft0, dyn")         \
  TO_INTEGER(name##_to_u64, "fcvt.lu." s " %0, ft0, dyn")

FORMAT(f32, "s")
FORMAT(f64, "d")

TO_FLOAT(i32_to_f32, "fcvt.s.w ft0, %1, dyn")
TO_FLOAT(u32_to_f32, "fcvt.s.wu ft0, %1, dyn")
TO_FLOAT(i64_to_f32, "fcvt.s.l ft0, %1, dyn")
TO_FLOAT(u64_to_f32, "fcvt.s.lu ft0, %1, dyn")
TO_FLOAT(i32_to_f64, "fcvt.d.w ft0, %1")
TO_FLOAT(u32_to_f64, "fcvt.d.wu ft0, %1")
TO_FLOAT(i64_to_f64, "fcvt.d.l ft0, %1, dyn")
TO_FLOAT(u64_to_f64, "fcvt.d.lu ft0, %1, dyn")
TO_FLOAT(f32_to_f64, "fcvt.d.s ft0, ft0")
TO_FLOAT(f64_to_f32, "fcvt.s.d ft0, ft0, dyn")

#define ENTRY(name) { #name, run_##name }
#define FORMAT_ENTRIES(name)                                                        \
  ENTRY(name##_add), ENTRY(name##_sub), ENTRY(name##_mul), ENTRY(name##_div),       \
  ENTRY(name##_sqrt), ENTRY(name##_fma), ENTRY(name##_min), ENTRY(name##_max),      \
  ENTRY(name##_sgnj), ENTRY(name##_sgnjn), ENTRY(name##_sgnjx), ENTRY(name##_eq),   \
  ENTRY(name##_lt), ENTRY(name##_le), ENTRY(name##_class), ENTRY(name##_to_i32),    \
  ENTRY(name##_to_u32), ENTRY(name##_to_i64), ENTRY(name##_to_u64)

static const struct {
  const char *name;
  uint64_t (*run)(const struct vector *);
} operations[] = {
  FORMAT_ENTRIES(f32), FORMAT_ENTRIES(f64),
  ENTRY(i32_to_f32), ENTRY(u32_to_f32), ENTRY(i64_to_f32), ENTRY(u64_to_f32),
  ENTRY(i32_to_f64), ENTRY(u32_to_f64), ENTRY(i64_to_f64), ENTRY(u64_to_f64),
  ENTRY(f32_to_f64), ENTRY(f64_to_f32),
};

enum { SYSCALL_READ = 63, SYSCALL_WRITE = 64, SYSCALL_EXIT = 93 };
enum { BATCH = 4096 };

static long system_call(long number, long a, long b, long c) {
  register long a0 __asm__("a0") = a;
  register long a1 __asm__("a1") = b;
  register long a2 __asm__("a2") = c;
  register long a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}

/* Reads until the buffer is full or the input ends; a short count means the end. */
static size_t read_all(void *into, size_t size) {
  size_t done = 0;
  while (done < size) {
    long count = system_call(SYSCALL_READ, 0, (long)into + (long)done, (long)(size - done));
    if (count <= 0) break;
    done += (size_t)count;
  }
  return done;
}

static int write_all(const void *from, size_t size) {
  size_t done = 0;
  while (done < size) {
    long count = system_call(SYSCALL_WRITE, 1, (long)from + (long)done, (long)(size - done));
    if (count <= 0) return 0;
    done += (size_t)count;
  }
  return 1;
}

static int run_all(uint64_t (*run)(const struct vector *)) {
  static struct vector vectors[BATCH];
  static struct result results[BATCH];
  for (;;) {
    size_t count = read_all(vectors, sizeof vectors) / sizeof vectors[0];
    if (count == 0) return 0;
    for (size_t i = 0; i < count; i++) {
      uint64_t flags;
      __asm__ volatile("csrw fcsr, %0" : : "r"((uint64_t)vectors[i].rounding_mode << 5));
      results[i].value = run(&vectors[i]);
      __asm__ volatile("csrr %0, fflags" : "=r"(flags));
      results[i].flags = flags;
    }
    if (!write_all(results, count * sizeof results[0])) return 1;
  }
}

static int same(const char *a, const char *b) {
  while (*a != 0 && *a == *b) {
    a++;
    b++;
  }
  return *a == *b;
}

static int choose_and_run(const char *name) {
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
    if (same(name, operations[i].name)) return run_all(operations[i].run);
  }
  return 2;
}

/* `stack` is what the kernel left: the argument count, then the arguments. */
__attribute__((used)) static void start(const long *stack) {
  int status = stack[0] == 2 ? choose_and_run((const char *)stack[2]) : 2;
  system_call(SYSCALL_EXIT, status, 0, 0);
}

__asm__(
    ".globl _start\n"
    "_start:\n"
    ".option push\n.option norelax\n"
    "  la gp, __global_pointer$\n"
    ".option pop\n"
    "  mv a0, sp\n"
    "  andi sp, sp, -16\n"
    "  call start\n");

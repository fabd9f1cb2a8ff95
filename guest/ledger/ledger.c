/*
 * The ledger: the embedded guest, a bare-metal RV64 program that makes a failover checkable.
 *
 * Clients send numbered transactions as lines on the console. Each is answered with the number of
 * transactions so far, their sum and a rolling hash over all of them in order, so that one that
 * was lost, doubled or reordered shows in every later answer. The ledger never deduplicates and
 * never recovers anything: whatever exactness a client sees, the machine below provides.
 *
 * It works the way real guests do: received bytes arrive by interrupt (UART, PLIC), an idle hart
 * sleeps in WFI, a periodic timer ticks (CLINT), and each transaction dirties a page of RAM.
 * Lines and answers are described in guest/README.md.
 *
 * Board: QEMU's `virt`, M mode, no firmware. Hart 0 only.
 */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;

#define REGISTER8(address) (*(volatile u8 *)(address))
#define REGISTER32(address) (*(volatile u32 *)(address))
#define REGISTER64(address) (*(volatile u64 *)(address))

/* 16550 UART. */
#define UART_RBR REGISTER8(0x10000000) /* received byte (read) */
#define UART_THR REGISTER8(0x10000000) /* byte to send (write) */
#define UART_IER REGISTER8(0x10000001)
#define UART_FCR REGISTER8(0x10000002)
#define UART_LCR REGISTER8(0x10000003)
#define UART_MCR REGISTER8(0x10000004)
#define UART_LSR REGISTER8(0x10000005)
#define IER_RECEIVED 1
#define FCR_ENABLE_AND_CLEAR 7 /* FIFOs on, both cleared, interrupt from the first byte on */
#define LCR_8N1 3
#define MCR_OUT2 8 /* connects the interrupt line on PC wiring; harmless elsewhere */
#define LSR_RECEIVED 1
#define LSR_CAN_SEND 32

/* PLIC, context 0: hart 0 in M mode. */
#define UART_IRQ 10
#define PLIC_PRIORITY(source) REGISTER32(0xc000000 + 4 * (source))
#define PLIC_ENABLE REGISTER32(0xc002000)
#define PLIC_THRESHOLD REGISTER32(0xc200000)
#define PLIC_CLAIM REGISTER32(0xc200004)

/* CLINT. The timebase is 10 MHz, a tick of the ledger 10 ms. */
#define MTIMECMP REGISTER64(0x2004000)
#define MTIME REGISTER64(0x200bff8)
#define TICK_PERIOD 100000

/* "sifive,test1" power switch. */
#define SYSCON REGISTER32(0x100000)
#define SYSCON_PASS 0x5555
#define SYSCON_FAIL 0x3333

#define MIE_TIMER (1ul << 7)
#define MIE_EXTERNAL (1ul << 11)
#define MSTATUS_MIE (1ul << 3)
#define CAUSE_TIMER ((1ul << 63) | 7)
#define CAUSE_EXTERNAL ((1ul << 63) | 11)

#define FNV_OFFSET 0xcbf29ce484222325ul
#define FNV_PRIME 0x100000001b3ul

/* Exit code of an unexpected exception: the ledger has a defect, or the machine has. */
#define EXIT_TRAP 127

/* ---- Received bytes: a ring that the interrupt fills and the main loop empties. */

#define RING_BYTES 4096
static volatile u8 ring[RING_BYTES];
/* Free-running; ring_tail <= ring_head <= ring_tail + RING_BYTES. The interrupt moves the head. */
static volatile u64 ring_head, ring_tail;
/* Whether the interrupt found the ring full and switched itself off. */
static volatile int is_held;
static volatile u64 ticks;

/*
 * Takes what the UART holds. A full ring switches the interrupt off and leaves the rest in the
 * UART, whose sender then waits: no byte is ever dropped here.
 */
static void receive(void) {
  while (UART_LSR & LSR_RECEIVED) {
    if (ring_head - ring_tail == RING_BYTES) {
      UART_IER = 0;
      is_held = 1;
      return;
    }
    ring[ring_head % RING_BYTES] = UART_RBR;
    ring_head = ring_head + 1;
  }
}

/*
 * The next received byte, or -1. Making room lets the UART interrupt again. Whether it must is
 * asked after there is room: the interrupt may fill the ring at any moment before.
 */
static int next_byte(void) {
  if (ring_head == ring_tail) return -1;
  int byte = ring[ring_tail % RING_BYTES];
  ring_tail = ring_tail + 1;
  if (is_held) {
    is_held = 0;
    UART_IER = IER_RECEIVED;
  }
  return byte;
}

/* ---- Output: polled, because an answer is short and the UART of a virtual machine is quick. */

static void put_char(char c) {
  while (!(UART_LSR & LSR_CAN_SEND)) {
  }
  UART_THR = (u8)c;
}

static void put_text(const char *text) {
  while (*text) put_char(*text++);
}

static void put_unsigned(u64 value) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = (char)('0' + value % 10);
    value /= 10;
  } while (value);
  while (count) put_char(digits[--count]);
}

static void put_signed(i64 value) {
  if (value < 0) put_char('-');
  put_unsigned(value < 0 ? 0 - (u64)value : (u64)value);
}

static void put_hex(u64 value) {
  for (int shift = 60; shift >= 0; shift -= 4) put_char("0123456789abcdef"[(value >> shift) & 15]);
}

static void __attribute__((noreturn)) power_off(u32 code) {
  SYSCON = code == 0 ? SYSCON_PASS : SYSCON_FAIL | (code << 16);
  for (;;) asm volatile("wfi");
}

/* Called by trap_vector with interrupts off. */
void trap(u64 cause, u64 pc, u64 value) {
  if (cause == CAUSE_TIMER) {
    ticks = ticks + 1;
    /* From now, not from the deadline: time may have leapt while the machine was stopped. */
    MTIMECMP = MTIME + TICK_PERIOD;
    return;
  }
  if (cause == CAUSE_EXTERNAL) {
    u32 source = PLIC_CLAIM;
    if (source == UART_IRQ) receive();
    if (source != 0) PLIC_CLAIM = source;
    return;
  }
  put_text("E trap ");
  put_hex(cause);
  put_char(' ');
  put_hex(pc);
  put_char(' ');
  put_hex(value);
  put_char('\n');
  power_off(EXIT_TRAP);
}

/* ---- The ledger proper. */

static u64 count;
static i64 sum;
static u64 hash;

/*
 * The journal holds the newest transactions. Neighbours lie in different pages, so that every
 * transaction dirties another page and a replica that misses one of them is found out.
 */
struct entry {
  u64 number;
  i64 amount;
  i64 sum;
  u64 hash; /* after this transaction */
};
#define PAGE_ENTRIES 128ul
#define JOURNAL_PAGES 1024ul
#define JOURNAL_ENTRIES (PAGE_ENTRIES * JOURNAL_PAGES)
static struct entry journal[JOURNAL_PAGES][PAGE_ENTRIES] __attribute__((section(".journal")));

static struct entry *journal_slot(u64 index) {
  return &journal[index % JOURNAL_PAGES][index / JOURNAL_PAGES % PAGE_ENTRIES];
}

/* FNV-1a over the eight bytes of `word`, lowest first. */
static u64 fold(u64 state, u64 word) {
  for (int i = 0; i < 8; i++) {
    state = (state ^ (word & 255)) * FNV_PRIME;
    word >>= 8;
  }
  return state;
}

static void put_state(void) {
  put_unsigned(count);
  put_char(' ');
  put_signed(sum);
  put_char(' ');
  put_hex(hash);
  put_char('\n');
}

static void transact(u64 number, i64 amount) {
  sum = (i64)((u64)sum + (u64)amount);
  hash = fold(fold(hash, number), (u64)amount);
  struct entry *entry = journal_slot(count);
  entry->number = number;
  entry->amount = amount;
  entry->sum = sum;
  entry->hash = hash;
  count++;
  put_text("A ");
  put_unsigned(number);
  put_char(' ');
  put_state();
}

/* Recomputes the chain of hashes and sums through the journal: is RAM what it was? */
static void verify(void) {
  u64 kept = count < JOURNAL_ENTRIES ? count : JOURNAL_ENTRIES;
  u64 bad = 0;
  for (u64 index = count - kept; index < count; index++) {
    const struct entry *entry = journal_slot(index);
    u64 hash_before = FNV_OFFSET;
    i64 sum_before = 0;
    if (index > 0) {
      if (index == count - kept) continue; /* its predecessor is overwritten */
      hash_before = journal_slot(index - 1)->hash;
      sum_before = journal_slot(index - 1)->sum;
    }
    int good = entry->hash == fold(fold(hash_before, entry->number), (u64)entry->amount) &&
               entry->sum == (i64)((u64)sum_before + (u64)entry->amount);
    if (!good) bad++;
  }
  put_text("V ");
  put_unsigned(kept);
  put_char(' ');
  put_unsigned(bad);
  put_char('\n');
}

/* ---- Lines. */

#define LINE_BYTES 128
static char line[LINE_BYTES];
static u64 line_length;
static int line_overflowed;
/* Thousands of iterations the idle loop still spins instead of sleeping. */
static u64 spins_left;

/* Parses decimal digits at *at; 0 where there are none or they exceed 64 bits. */
static int take_unsigned(const char **at, u64 *value) {
  const char *digit = *at;
  u64 result = 0;
  while (*digit >= '0' && *digit <= '9') {
    u64 next = (u64)(*digit - '0');
    if (result > (~0ul - next) / 10) return 0;
    result = result * 10 + next;
    digit++;
  }
  if (digit == *at) return 0;
  *at = digit;
  *value = result;
  return 1;
}

static int take_space(const char **at) {
  if (**at != ' ') return 0;
  (*at)++;
  return 1;
}

static int take_signed(const char **at, i64 *value) {
  u64 magnitude;
  int negative = **at == '-';
  if (negative) (*at)++;
  if (!take_unsigned(at, &magnitude) || magnitude > ~0ul >> 1) return 0;
  *value = negative ? -(i64)magnitude : (i64)magnitude;
  return 1;
}

/* 1 where the line is a letter and one number, and nothing behind it. */
static int takes_number(u64 *value) {
  const char *at = line + 1;
  return take_space(&at) && take_unsigned(&at, value) && *at == 0;
}

static void refuse(const char *why) {
  put_text("E ");
  put_text(why);
  put_char('\n');
}

static void transact_line(void) {
  const char *at = line + 1;
  u64 number;
  i64 amount;
  if (take_space(&at) && take_unsigned(&at, &number) && take_space(&at) &&
      take_signed(&at, &amount) && *at == 0) {
    transact(number, amount);
  } else {
    refuse("want T NUMBER AMOUNT");
  }
}

static void obey(void) {
  u64 value;
  int bare = line[1] == 0;
  if (line[0] == 'T') {
    transact_line();
  } else if (line[0] == 'S' && bare) {
    put_text("S ");
    put_state();
  } else if (line[0] == 'V' && bare) {
    verify();
  } else if (line[0] == 'K' && bare) {
    put_text("K ");
    put_unsigned(ticks);
    put_char('\n');
  } else if (line[0] == 'B' && takes_number(&value)) {
    spins_left = value;
    put_text("B ");
    put_unsigned(value);
    put_char('\n');
  } else if (line[0] == 'X' && takes_number(&value) && value < 0x10000) {
    power_off((u32)value);
  } else {
    refuse("unknown line");
  }
}

static void end_line(void) {
  if (line_overflowed) {
    refuse("line too long");
  } else if (line_length > 0) {
    line[line_length] = 0;
    obey();
  }
  line_length = 0;
  line_overflowed = 0;
}

static void take_byte(int byte) {
  if (byte == '\n' || byte == '\r') {
    end_line();
  } else if (line_length == LINE_BYTES - 1) {
    line_overflowed = 1;
  } else {
    line[line_length++] = (char)byte;
  }
}

/*
 * Sleeps until something is pending. Interrupts are off between looking at the ring and WFI, which
 * wakes on a pending interrupt all the same; so no byte can slip in between and wait for the next.
 */
static void idle(void) {
  if (spins_left > 0) {
    spins_left--;
    for (u32 i = 0; i < 1000; i++) asm volatile("");
    return;
  }
  asm volatile("csrc mstatus, %0" : : "r"(MSTATUS_MIE) : "memory");
  if (ring_head == ring_tail) asm volatile("wfi" : : : "memory");
  asm volatile("csrs mstatus, %0" : : "r"(MSTATUS_MIE) : "memory");
}

static void start_devices(void) {
  UART_IER = 0;
  UART_LCR = LCR_8N1;
  UART_FCR = FCR_ENABLE_AND_CLEAR;
  UART_MCR = MCR_OUT2;
  UART_IER = IER_RECEIVED;
  PLIC_PRIORITY(UART_IRQ) = 1;
  PLIC_THRESHOLD = 0;
  PLIC_ENABLE = 1u << UART_IRQ;
  MTIMECMP = MTIME + TICK_PERIOD;
  asm volatile("csrw mie, %0" : : "r"(MIE_TIMER | MIE_EXTERNAL));
  asm volatile("csrs mstatus, %0" : : "r"(MSTATUS_MIE) : "memory");
}

void __attribute__((noreturn)) ledger_main(void) {
  hash = FNV_OFFSET;
  start_devices();
  put_text("R ");
  put_state();
  for (;;) {
    int byte = next_byte();
    if (byte < 0) {
      idle();
    } else {
      take_byte(byte);
    }
  }
}

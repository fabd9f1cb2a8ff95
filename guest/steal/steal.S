# Two harts that share two words without a lock: what comes out depends on who had the page when.
#
#       hart 0                          hart 1
#       count = 0, flag = 0             while (!count) {}
#       while (!flag) count++           work a while
#       print count, power off          flag = 1
#
# For two harts, M mode, no firmware (`--bios none`); UART and syscon of QEMU's `virt`. Both words
# are in one page, so each turn of the loops may have to take it from the other hart.

        .equ    UART, 0x10000000
        .equ    UART_LINE_STATUS, 5
        .equ    UART_EMPTY, 0x20
        .equ    SYSCON, 0x100000
        .equ    SYSCON_OFF, 0x5555
        .equ    WORK, 3000000

        .section .text.start, "ax"
        .globl  _start
_start:
        csrw    mie, zero
        la      s0, count
        la      s1, flag
        csrr    t0, mhartid
        beqz    t0, first
        li      t1, 1
        bne     t0, t1, sleep

        # Hart 1.
1:      ld      t0, 0(s0)
        beqz    t0, 1b
        li      t1, WORK
2:      addi    t1, t1, -1
        bnez    t1, 2b
        li      t0, 1
        sd      t0, 0(s1)
sleep:  wfi
        j       sleep

        # Hart 0.
first:  ld      t0, 0(s1)
        bnez    t0, 3f
        ld      t1, 0(s0)
        addi    t1, t1, 1
        sd      t1, 0(s0)
        j       first

        # Decimal digits, last one first, on a stack of bytes below `digits`.
3:      ld      t1, 0(s0)
        la      s2, digits
        mv      s3, s2
        li      t2, 10
4:      remu    t3, t1, t2
        addi    t3, t3, '0'
        addi    s3, s3, -1
        sb      t3, 0(s3)
        divu    t1, t1, t2
        bnez    t1, 4b
5:      lbu     a0, 0(s3)
        call    put
        addi    s3, s3, 1
        bltu    s3, s2, 5b
        li      a0, '\n'
        call    put
        li      t0, SYSCON
        li      t1, SYSCON_OFF
        sw      t1, 0(t0)
        j       sleep

put:    li      t0, UART
6:      lbu     t1, UART_LINE_STATUS(t0)
        andi    t1, t1, UART_EMPTY
        beqz    t1, 6b
        sb      a0, 0(t0)
        ret

        .section .data
        .balign 4096
count:  .dword  0
flag:   .dword  0
        .balign 64
        .skip   24
digits:

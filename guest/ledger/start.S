# Entry and trap vector of the ledger: the part that C cannot say.
#
# Hart 0 runs the ledger in M mode; any other hart sleeps for ever with its interrupts off. Traps
# save the caller-saved registers of the interrupted code on its own stack, call `trap` in
# ledger.c, and return. There is no floating point, so there is nothing else to save.

        .section .text.start, "ax"
        .globl  _start
_start:
        csrw    mie, zero
        csrr    t0, mhartid
        bnez    t0, sleep

        .option push
        .option norelax
        la      gp, __global_pointer$
        .option pop
        la      sp, __stack_top

        la      t0, __bss_start
        la      t1, __bss_end
1:      bgeu    t0, t1, 2f
        sd      zero, 0(t0)
        addi    t0, t0, 8
        j       1b

2:      la      t0, trap_vector
        csrw    mtvec, t0
        call    ledger_main
        # ledger_main does not return; if it did, sleeping is the safe thing to do.

sleep:  wfi
        j       sleep

        .equ    FRAME, 16 * 8

        .balign 4
trap_vector:
        addi    sp, sp, -FRAME
        sd      ra, 0(sp)
        sd      t0, 8(sp)
        sd      t1, 16(sp)
        sd      t2, 24(sp)
        sd      a0, 32(sp)
        sd      a1, 40(sp)
        sd      a2, 48(sp)
        sd      a3, 56(sp)
        sd      a4, 64(sp)
        sd      a5, 72(sp)
        sd      a6, 80(sp)
        sd      a7, 88(sp)
        sd      t3, 96(sp)
        sd      t4, 104(sp)
        sd      t5, 112(sp)
        sd      t6, 120(sp)

        csrr    a0, mcause
        csrr    a1, mepc
        csrr    a2, mtval
        call    trap

        ld      ra, 0(sp)
        ld      t0, 8(sp)
        ld      t1, 16(sp)
        ld      t2, 24(sp)
        ld      a0, 32(sp)
        ld      a1, 40(sp)
        ld      a2, 48(sp)
        ld      a3, 56(sp)
        ld      a4, 64(sp)
        ld      a5, 72(sp)
        ld      a6, 80(sp)
        ld      a7, 88(sp)
        ld      t3, 96(sp)
        ld      t4, 104(sp)
        ld      t5, 112(sp)
        ld      t6, 120(sp)
        addi    sp, sp, FRAME
        mret

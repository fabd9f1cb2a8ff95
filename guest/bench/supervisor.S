# Changes of privilege for supervisor.c: M to S and back, and S to U and back by a trap.

        .text

# uint64_t supervisor_enter(uint64_t (*function)(void))
        .globl  supervisor_enter
supervisor_enter:
        addi    sp, sp, -16
        sd      ra, 0(sp)
        la      t0, back
        csrw    mtvec, t0
        li      t0, -1                  # PMP: all of memory open to S and U
        csrw    pmpaddr0, t0
        li      t0, 0x1f
        csrw    pmpcfg0, t0
        li      t0, 0xb1ff              # all exceptions but the call from S
        csrw    medeleg, t0
        csrw    mepc, a0
        li      t0, 3 << 11
        csrc    mstatus, t0
        li      t0, 1 << 11
        csrs    mstatus, t0
        la      t0, trap_entry
        csrw    stvec, t0
        la      ra, 1f
        mret
1:      ecall

        .balign 4
back:   csrr    t0, mcause
        li      t1, 9
        bne     t0, t1, 1f
        ld      ra, 0(sp)
        addi    sp, sp, 16
        ret
1:      csrr    a0, mcause
        csrr    a1, mepc
        csrr    a2, mtval
        call    bench_trapped

# void supervisor_run(struct user *)
        .globl  supervisor_run
supervisor_run:
        addi    sp, sp, -112
        sd      ra, 0(sp)
        sd      s0, 8(sp)
        sd      s1, 16(sp)
        sd      s2, 24(sp)
        sd      s3, 32(sp)
        sd      s4, 40(sp)
        sd      s5, 48(sp)
        sd      s6, 56(sp)
        sd      s7, 64(sp)
        sd      s8, 72(sp)
        sd      s9, 80(sp)
        sd      s10, 88(sp)
        sd      s11, 96(sp)
        la      t0, kernel_stack
        sd      sp, 0(t0)

# Goes on with the user in a0.
resume:
        ld      t0, 0(a0)
        csrw    sepc, t0
        li      t0, 1 << 8              # sstatus.SPP = U
        csrc    sstatus, t0
        csrw    sscratch, a0
        ld      ra, 8(a0)
        ld      sp, 16(a0)
        ld      gp, 24(a0)
        ld      tp, 32(a0)
        ld      t0, 40(a0)
        ld      t1, 48(a0)
        ld      t2, 56(a0)
        ld      s0, 64(a0)
        ld      s1, 72(a0)
        ld      a1, 88(a0)
        ld      a2, 96(a0)
        ld      a3, 104(a0)
        ld      a4, 112(a0)
        ld      a5, 120(a0)
        ld      a6, 128(a0)
        ld      a7, 136(a0)
        ld      s2, 144(a0)
        ld      s3, 152(a0)
        ld      s4, 160(a0)
        ld      s5, 168(a0)
        ld      s6, 176(a0)
        ld      s7, 184(a0)
        ld      s8, 192(a0)
        ld      s9, 200(a0)
        ld      s10, 208(a0)
        ld      s11, 216(a0)
        ld      t3, 224(a0)
        ld      t4, 232(a0)
        ld      t5, 240(a0)
        ld      t6, 248(a0)
        ld      a0, 80(a0)
        sret

        .balign 4
trap_entry:
        csrrw   a0, sscratch, a0
        sd      ra, 8(a0)
        sd      sp, 16(a0)
        sd      gp, 24(a0)
        sd      tp, 32(a0)
        sd      t0, 40(a0)
        sd      t1, 48(a0)
        sd      t2, 56(a0)
        sd      s0, 64(a0)
        sd      s1, 72(a0)
        sd      a1, 88(a0)
        sd      a2, 96(a0)
        sd      a3, 104(a0)
        sd      a4, 112(a0)
        sd      a5, 120(a0)
        sd      a6, 128(a0)
        sd      a7, 136(a0)
        sd      s2, 144(a0)
        sd      s3, 152(a0)
        sd      s4, 160(a0)
        sd      s5, 168(a0)
        sd      s6, 176(a0)
        sd      s7, 184(a0)
        sd      s8, 192(a0)
        sd      s9, 200(a0)
        sd      s10, 208(a0)
        sd      s11, 216(a0)
        sd      t3, 224(a0)
        sd      t4, 232(a0)
        sd      t5, 240(a0)
        sd      t6, 248(a0)
        csrr    t0, sscratch
        sd      t0, 80(a0)
        csrr    t0, sepc
        sd      t0, 0(a0)
        .option push
        .option norelax
        la      gp, __global_pointer$
        .option pop
        la      t0, kernel_stack
        ld      sp, 0(t0)
        csrr    a1, scause
        csrr    a2, stval
        call    supervisor_trap
        bnez    a0, resume

        ld      ra, 0(sp)
        ld      s0, 8(sp)
        ld      s1, 16(sp)
        ld      s2, 24(sp)
        ld      s3, 32(sp)
        ld      s4, 40(sp)
        ld      s5, 48(sp)
        ld      s6, 56(sp)
        ld      s7, 64(sp)
        ld      s8, 72(sp)
        ld      s9, 80(sp)
        ld      s10, 88(sp)
        ld      s11, 96(sp)
        addi    sp, sp, 112
        ret

        .section .bss
        .balign 8
kernel_stack:
        .dword  0

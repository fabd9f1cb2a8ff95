# Entry of every benchmark: the part that C cannot say. Hart 0 runs it in M mode with the FPU on;
# any other hart sleeps for ever.

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

2:      li      t0, 0x2000              # mstatus.FS = initial
        csrs    mstatus, t0
        csrw    fcsr, zero
        li      t0, 7                   # cycle, time and instret for S mode
        csrw    mcounteren, t0
        la      t0, unexpected
        csrw    mtvec, t0
        call    bench_main

sleep:  wfi
        j       sleep

        .balign 4
unexpected:
        csrr    a0, mcause
        csrr    a1, mepc
        csrr    a2, mtval
        call    bench_trapped

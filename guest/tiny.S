/*
 * SPDX-License-Identifier: Apache-2.0
 * Copyright The Odorobo Authors
 *
 * The tiny guest: the smallest machine that a fleet can be rehearsed with. It boots in well under 0.1 s under TCG, idles
 * between ticks, and speaks on COM1:
 *
 *     TINY-START          once, when it runs
 *     COUNTER 0           five times a second, counting up
 *     POWER-BUTTON        when the ACPI power button was pressed (polled at the tick)
 *     BYE                 just before it powers itself off
 *
 * Lines end as those of a Linux guest's terminal do (CR LF): a console that gets a bare line feed stays in its column.
 * What is typed on COM1 is echoed; `q` powers it off from within, as an operating system would.
 *
 * It is a PVH kernel: an ELF file whose note names a 32-bit entry point, with protected mode on and paging off. QEMU
 * and Cloud Hypervisor load it directly. Built by guest/build.sh; the result, tiny.elf, is kept in the repository.
 */

        .set COM1,            0x3f8
        .set PIC1_DATA,       0x21
        .set PIC2_DATA,       0xa1
        .set KEYBOARD_CMD,    0x64
        .set DEBUG_EXIT,      0xf4
        .set LAPIC,           0xfee00000
        /* Where firmware puts the ACPI PM block on q35 and pc. A machine without one reads all ones there. */
        .set PM1_STATUS,      0x600
        .set PM1_ENABLE,      0x602
        /* Cloud Hypervisor has one byte there instead: sleep type 5 and "now". */
        .set CH_SLEEP,        0x600
        .set CH_SLEEP_S5,     0x34
        .set PM1_CONTROL,     0x604
        .set PM1_POWER_BUTTON, 0x100
        .set PM1_SLEEP_S5,    0x2000
        .set TICK_VECTOR,     0x20
        .set SPURIOUS_VECTOR, 0xff
        /* The local APIC's timer runs at 1 GHz in QEMU and KVM: 200 ms. */
        .set TICK,            200000000

        .section .note.pvh, "a", @note
        .align  4
        .long   4, 8, 18                /* size of the name, of the value, XEN_ELFNOTE_PHYS32_ENTRY */
        .asciz  "Xen"
        .long   _start, 0

        .section .text
        .code32
        .globl  _start
_start: cli
        mov     $stack_top, %esp
        lgdt    gdt_pointer
        ljmp    $0x08, $1f
1:      mov     $0x10, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     %eax, %fs
        mov     %eax, %gs
        /* After a reset memory is as it was. */
        movl    $0, counter
        movl    $0, tick_flag

        mov     $on_tick, %eax
        mov     $idt + TICK_VECTOR * 8, %edi
        call    set_gate
        mov     $on_spurious, %eax
        mov     $idt + SPURIOUS_VECTOR * 8, %edi
        call    set_gate
        lidt    idt_pointer

        /* COM1: no interrupts, 115200 8N1, FIFO on and empty. */
        mov     $COM1 + 1, %dx
        xor     %eax, %eax
        out     %al, %dx
        mov     $COM1 + 3, %dx
        mov     $0x80, %al
        out     %al, %dx
        mov     $COM1, %dx
        mov     $1, %al
        out     %al, %dx
        mov     $COM1 + 1, %dx
        xor     %eax, %eax
        out     %al, %dx
        mov     $COM1 + 3, %dx
        mov     $3, %al
        out     %al, %dx
        mov     $COM1 + 2, %dx
        mov     $7, %al
        out     %al, %dx

        mov     $text_start, %esi
        call    put_text

        /* Only the local APIC may interrupt; the power button sets its status bit and is polled. */
        mov     $0xff, %al
        out     %al, $PIC1_DATA
        out     %al, $PIC2_DATA
        mov     $PM1_ENABLE, %dx
        mov     $PM1_POWER_BUTTON, %ax
        out     %ax, %dx
        mov     $LAPIC, %ebx
        movl    $0x100 | SPURIOUS_VECTOR, 0xf0(%ebx)    /* on */
        movl    $0xb, 0x3e0(%ebx)                       /* divide by 1 */
        movl    $0x20000 | TICK_VECTOR, 0x320(%ebx)     /* periodic */
        movl    $TICK, 0x380(%ebx)

        /* The only place where interrupts are on. */
idle:   sti
        hlt
awake:  cli
        mov     tick_flag, %eax
        test    %eax, %eax
        jz      serial_in
        movl    $0, tick_flag
        mov     $text_counter, %esi
        call    put_text
        mov     counter, %eax
        incl    counter
        call    put_decimal
        mov     $text_newline, %esi
        call    put_text

serial_in:
        mov     $COM1 + 5, %dx
        in      %dx, %al
        test    $1, %al
        jz      power_button
        mov     $COM1, %dx
        in      %dx, %al
        cmp     $'q', %al
        je      power_off
        call    put_byte
        jmp     serial_in

power_button:
        mov     $PM1_STATUS, %dx
        in      %dx, %ax
        cmp     $0xffff, %ax
        je      idle
        test    $PM1_POWER_BUTTON, %ax
        jz      idle
        mov     $text_button, %esi
        call    put_text

power_off:
        mov     $text_bye, %esi
        call    put_text
        /* On q35 and pc this only clears events that nobody waits for any more. */
        mov     $CH_SLEEP, %dx
        mov     $CH_SLEEP_S5, %al
        out     %al, %dx
        mov     $PM1_STATUS, %dx
        in      %dx, %ax
        cmp     $0xffff, %ax
        je      no_pm
        mov     $PM1_CONTROL, %dx
        mov     $PM1_SLEEP_S5, %ax
        out     %ax, %dx
        /* The machine is going down, but not at once: nothing may be done that would count as a reset. */
2:      hlt
        jmp     2b

        /* Whatever else ends a machine: a debug-exit device, a reset, a triple fault. */
no_pm:
        mov     $DEBUG_EXIT, %dx
        xor     %eax, %eax
        out     %al, %dx
        mov     $0xfe, %al
        out     %al, $KEYBOARD_CMD
        lidt    no_idt
        int3
        jmp     2b

/* eax: handler, edi: where its interrupt gate goes. */
set_gate:
        mov     %ax, (%edi)
        movw    $0x08, 2(%edi)
        movw    $0x8e00, 4(%edi)
        shr     $16, %eax
        mov     %ax, 6(%edi)
        ret

/*
 * No iret: instruction emulators behind some KVMs cannot do it in protected mode. The interrupted place is always the
 * hlt, so the frame (eip, cs, eflags) is dropped and the loop goes on behind it.
 */
on_tick:
        movl    $1, tick_flag
        movl    $0, LAPIC + 0xb0        /* end of interrupt */
on_spurious:
        add     $12, %esp
        jmp     awake

put_byte:
        push    %eax
        mov     $COM1 + 5, %dx
3:      in      %dx, %al
        test    $0x20, %al
        jz      3b
        pop     %eax
        mov     $COM1, %dx
        out     %al, %dx
        ret

put_text:
        lodsb
        test    %al, %al
        jz      4f
        call    put_byte
        jmp     put_text
4:      ret

put_decimal:
        mov     $10, %ecx
        xor     %edi, %edi
5:      xor     %edx, %edx
        div     %ecx
        push    %edx
        inc     %edi
        test    %eax, %eax
        jnz     5b
6:      pop     %eax
        add     $'0', %al
        call    put_byte
        dec     %edi
        jnz     6b
        ret

text_start:   .asciz "TINY-START\r\n"
text_counter: .asciz "COUNTER "
text_newline: .asciz "\r\n"
text_button:  .asciz "POWER-BUTTON\r\n"
text_bye:     .asciz "BYE\r\n"

        .align  8
gdt:    .quad   0, 0x00cf9b000000ffff, 0x00cf93000000ffff      /* flat code, flat data */
gdt_pointer:
        .word   23
        .long   gdt
idt_pointer:
        .word   256 * 8 - 1
        .long   idt
no_idt: .word   0
        .long   0

        .section .bss
        .align  16
idt:    .skip   2048
tick_flag:
        .skip   4
counter:
        .skip   4
        .skip   4096
stack_top:

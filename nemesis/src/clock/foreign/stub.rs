//! Machine code that shifts the kernel's time, copied into other programs.
//!
//! It reads the clock file in the layout of [`super::super`], one page in front of itself. It shifts only the
//! clocks that can be set; it passes monotonic clocks on unchanged.

#![allow(
    unsafe_code,
    reason = "machine code for other processes is written in the assembler, and lies in a foreign static"
)]

/// The function on which the other functions are built.
pub(super) const CLOCK_GETTIME: &str = "__vdso_clock_gettime";
/// Length of an absolute jump: `mov rax, address; jmp rax`.
pub(super) const JUMP: usize = 12;

std::arch::global_asm!(
    ".pushsection .rodata.nemesis_clock, \"a\", @progbits",
    ".balign 16",
    ".global nemesis_clock_code",
    ".hidden nemesis_clock_code",
    "nemesis_clock_code:",
    ".Lnemesis_clock:",
    // int clock_gettime(clock: edi, time: rsi)
    "    mov eax, 228",
    "    syscall",
    "    test eax, eax",
    "    jnz 9f",
    "    test edi, edi", // CLOCK_REALTIME
    "    jz 2f",
    "    cmp edi, 5", // CLOCK_REALTIME_COARSE
    "    je 2f",
    "    cmp edi, 11", // CLOCK_TAI
    "    jne 9f",
    "2:  mov ecx, 1000000", // retries while the file is being written
    "3:  mov r8, [rip + .Lnemesis_clock - 4096]",
    "    mov r9, [rip + .Lnemesis_clock - 4088]",
    "    mov r11, [rip + .Lnemesis_clock - 4080]",
    "    movabs rax, 0x636c6f636b736574",
    "    xor rax, r8",
    "    xor rax, r9",
    "    xor rax, r11",
    "    cmp rax, [rip + .Lnemesis_clock - 4072]",
    "    je 4f",
    "    pause",
    "    dec ecx",
    "    jnz 3b",
    "    xor eax, eax",
    "    ret",
    "4:  imul r10, [rsi], 1000000000",
    "    add r10, [rsi + 8]",
    "    mov rax, r10",
    "    sub rax, r11",
    "    imul r9",
    "    shrd rax, rdx, 32",
    "    add r10, rax",
    "    add r10, r8",
    "    jns 5f",
    "    xor r10d, r10d",
    "5:  mov rax, r10",
    "    xor edx, edx",
    "    mov ecx, 1000000000",
    "    div rcx",
    "    mov [rsi], rax",
    "    mov [rsi + 8], rdx",
    "    xor eax, eax",
    "9:  ret",
    // time_t time(time: rdi)
    ".balign 16",
    ".Lnemesis_time:",
    "    push rdi",
    "    sub rsp, 16",
    "    xor edi, edi",
    "    mov rsi, rsp",
    "    call .Lnemesis_clock",
    "    mov rax, [rsp]",
    "    add rsp, 16",
    "    pop rdi",
    "    test rdi, rdi",
    "    jz 1f",
    "    mov [rdi], rax",
    "1:  ret",
    // int gettimeofday(time: rdi, zone: rsi)
    ".balign 16",
    ".Lnemesis_gettimeofday:",
    "    push rdi",
    "    sub rsp, 16",
    "    test rsi, rsi",
    "    jz 1f",
    "    xor edi, edi", // the kernel fills in the time zone
    "    mov eax, 96",
    "    syscall",
    "1:  cmp qword ptr [rsp + 16], 0",
    "    je 2f",
    "    xor edi, edi",
    "    mov rsi, rsp",
    "    call .Lnemesis_clock",
    "    mov rdi, [rsp + 16]",
    "    mov rax, [rsp]",
    "    mov [rdi], rax",
    "    mov rax, [rsp + 8]",
    "    xor edx, edx",
    "    mov ecx, 1000",
    "    div rcx",
    "    mov [rdi + 8], rax",
    "2:  xor eax, eax",
    "    add rsp, 16",
    "    pop rdi",
    "    ret",
    // The trap at which a thread stops after a call.
    ".Lnemesis_trap:",
    "    int3",
    ".Lnemesis_end:",
    ".balign 8",
    ".global nemesis_clock_offsets",
    ".hidden nemesis_clock_offsets",
    "nemesis_clock_offsets:",
    "    .quad .Lnemesis_time - .Lnemesis_clock",
    "    .quad .Lnemesis_gettimeofday - .Lnemesis_clock",
    "    .quad .Lnemesis_trap - .Lnemesis_clock",
    "    .quad .Lnemesis_end - .Lnemesis_clock",
    ".popsection",
);

unsafe extern "C" {
    #[link_name = "nemesis_clock_code"]
    static CODE: [u8; 1024];
    #[link_name = "nemesis_clock_offsets"]
    static OFFSETS: [u64; 4];
}

fn offsets() -> [u64; 4] {
    // SAFETY: the assembler puts four words there, and they are never written.
    unsafe { OFFSETS }
}

/// The code; it runs at any address, with the clock file mapped one page in front of it.
pub(super) fn code() -> &'static [u8] {
    let length = usize::try_from(offsets()[3]).unwrap_or(0);
    // SAFETY: the assembler puts this many bytes there, and they are never written.
    unsafe { std::slice::from_raw_parts((&raw const CODE).cast(), length) }
}

/// A function of the library, and the offset of its replacement in the code.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) offset: u64,
}

/// The library functions that read a clock which can be set.
pub(super) fn functions() -> [Function; 3] {
    let [time, of_day, ..] = offsets();
    [
        Function { name: CLOCK_GETTIME, offset: 0 },
        Function { name: "__vdso_time", offset: time },
        Function { name: "__vdso_gettimeofday", offset: of_day },
    ]
}

/// The offset of the trap in the code, where a thread stops after a call.
pub(super) fn trap() -> u64 {
    offsets()[2]
}

/// A jump to an address that changes no register which a caller expects to be preserved.
pub(super) fn jump(to: u64) -> [u8; JUMP] {
    let mut jump = [0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0];
    jump[2..10].copy_from_slice(&to.to_le_bytes());
    jump
}

/* SPDX-License-Identifier: MIT */
/*
 * Emulated writes to page-table entries: every form that is understood, run
 * here by the CPU itself and by the emulator, must leave the same memory,
 * registers and flags. And: nothing else is understood.
 */
/* LINK: arch/x86/mm/pte_insn.c */
#include "harness.h"
#include "../../arch/x86/mm/pte_insn.h"

#include <sys/mman.h>

#define FLAGS_TESTED	0x8d5UL		/* CF PF AF ZF SF OF */

/* rax rcx rdx rbx rsp rbp rsi rdi r8-r15, flags */
struct machine {
	uint64_t r[16], flags;
};

static uint64_t memory[4];		/* the operand is in memory[1] */
static uint8_t *code;
static unsigned long saved_sp;

/*
 * Runs `code` (which returns) with the registers of m; rsp and the base
 * register (rdi, r15) are kept.
 */
static void __attribute__((noinline)) run(struct machine *m)
{
	__asm__ volatile(
		"push %%rbx; push %%rbp; push %%r12; push %%r13; push %%r14; push %%r15\n"
		"push %0\n"
		"mov %%rsp, %c1\n"
		"mov %0, %%rsp\n"		/* never used as a stack: loads only */
		"mov 0(%%rsp), %%rax; mov 8(%%rsp), %%rcx; mov 16(%%rsp), %%rdx\n"
		"mov 24(%%rsp), %%rbx\n"
		"mov 40(%%rsp), %%rbp; mov 48(%%rsp), %%rsi; mov 56(%%rsp), %%rdi\n"
		"mov 64(%%rsp), %%r8; mov 72(%%rsp), %%r9; mov 80(%%rsp), %%r10\n"
		"mov 88(%%rsp), %%r11\n"
		"mov 96(%%rsp), %%r12; mov 104(%%rsp), %%r13; mov 112(%%rsp), %%r14\n"
		"mov 120(%%rsp), %%r15\n"
		"mov %c1, %%rsp\n"
		"push $0x202; popfq\n"
		"call *%c2\n"
		"pushfq\n"
		"xchg %%rax, 8(%%rsp)\n"	/* rax: m; its slot: the result */
		"mov %%rcx, 8(%%rax); mov %%rdx, 16(%%rax); mov %%rbx, 24(%%rax)\n"
		"mov %%rbp, 40(%%rax); mov %%rsi, 48(%%rax); mov %%rdi, 56(%%rax)\n"
		"mov %%r8, 64(%%rax); mov %%r9, 72(%%rax); mov %%r10, 80(%%rax)\n"
		"mov %%r11, 88(%%rax)\n"
		"mov %%r12, 96(%%rax); mov %%r13, 104(%%rax); mov %%r14, 112(%%rax)\n"
		"mov %%r15, 120(%%rax)\n"
		"pop 128(%%rax)\n"
		"pop 0(%%rax)\n"
		"pop %%r15; pop %%r14; pop %%r13; pop %%r12; pop %%rbp; pop %%rbx\n"
		: : "D"(m), "i"(&saved_sp), "i"(&code)
		: "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
}

static uint64_t random_state = 88172645463325252;
static uint64_t rnd(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	/* Often a small or a sparse value. */
	switch (random_state & 7) {
	case 0: return 0;
	case 1: return random_state >> 8 & 1 ? ~0UL : 1;
	case 2: return 1UL << (random_state >> 10 & 63);
	default: return random_state;
	}
}

static uint64_t *reg_of(struct cpu_user_regs *regs, unsigned int i)
{
	uint64_t *all[16] = {
		&regs->rax, &regs->rcx, &regs->rdx, &regs->rbx, &regs->rsp, &regs->rbp,
		&regs->rsi, &regs->rdi, &regs->r8,  &regs->r9,	&regs->r10, &regs->r11,
		&regs->r12, &regs->r13, &regs->r14, &regs->r15,
	};

	return all[i];
}

/* One instruction at code[0..len), its operand at memory[1] + offset through the base register. */
static void compare(unsigned int len, unsigned int base, unsigned int offset)
{
	struct cpu_user_regs regs = { 0 };
	struct machine m;
	struct pte_insn in;
	uint64_t old, result, want[4];

	for (unsigned int i = 0; i < 16; i++)
		m.r[i] = rnd();
	memory[0] = rnd();
	memory[1] = old = rnd();
	memory[2] = rnd();
	if (rnd() & 1)
		m.r[0] = old >> offset * 8;	/* so that cmpxchg matches now and then */
	m.r[base] = (uint64_t)&memory[1] + offset;
	for (unsigned int i = 0; i < 16; i++)
		*reg_of(&regs, i) = m.r[i];
	regs.rflags = 0x10202;
	memcpy(want, memory, sizeof(want));

	assert_true(pte_insn_decode(&in, code, 16));
	assert_int_equal(in.len, len);
	if (pte_insn_result(&in, &regs, old >> offset * 8, &result))
		memcpy((uint8_t *)&want[1] + offset, &result, in.bytes);
	pte_insn_retire(&in, &regs, old >> offset * 8);
	/*
	 * A bit number beyond the operand would go elsewhere: the fault's
	 * address says where, so not here.
	 */
	if (in.op >= PTE_INSN_BTS && !in.has_imm)
		m.r[in.reg] &= in.bytes * 8 - 1;

	run(&m);
	assert_memory_equal(memory, want, sizeof(want));
	for (unsigned int i = 0; i < 16; i++)
		if (i != 4 && !(in.op >= PTE_INSN_BTS && i == in.reg))
			assert_int_equal(*reg_of(&regs, i), m.r[i]);
	assert_int_equal(regs.rip, len);
	assert_int_equal(regs.rflags & 0x10000, 0);
	/* AF after a logic operation and all but CF after a bit operation are undefined. */
	if (in.op >= PTE_INSN_BTS)
		assert_int_equal(regs.rflags & 1, m.flags & 1);
	else if (in.op == PTE_INSN_AND || in.op == PTE_INSN_OR || in.op == PTE_INSN_XOR)
		assert_int_equal(regs.rflags & FLAGS_TESTED & ~0x10UL,
				 m.flags & FLAGS_TESTED & ~0x10UL);
	else if (in.op != PTE_INSN_MOV && in.op != PTE_INSN_XCHG)
		assert_int_equal(regs.rflags & FLAGS_TESTED, m.flags & FLAGS_TESTED);
}

/*
 * opcode bytes, ModRM extension or -1 (a register), immediate: 0 none, 1 a
 * byte, 2 as wide as the operand
 */
struct form {
	uint8_t op[2], nr_op;
	int8_t ext;
	uint8_t imm, byte_op, lock_ok;
};
static const struct form forms[] = {
	{ { 0x00 }, 1, -1, 0, 1, 1 }, { { 0x01 }, 1, -1, 0, 0, 1 }, { { 0x08 }, 1, -1, 0, 1, 1 },
	{ { 0x09 }, 1, -1, 0, 0, 1 }, { { 0x20 }, 1, -1, 0, 1, 1 }, { { 0x21 }, 1, -1, 0, 0, 1 },
	{ { 0x28 }, 1, -1, 0, 1, 1 }, { { 0x29 }, 1, -1, 0, 0, 1 }, { { 0x30 }, 1, -1, 0, 1, 1 },
	{ { 0x31 }, 1, -1, 0, 0, 1 }, { { 0x86 }, 1, -1, 0, 1, 1 }, { { 0x87 }, 1, -1, 0, 0, 1 },
	{ { 0x88 }, 1, -1, 0, 1, 0 }, { { 0x89 }, 1, -1, 0, 0, 0 }, { { 0xc6 }, 1, 0, 1, 1, 0 },
	{ { 0xc7 }, 1, 0, 2, 0, 0 },
	{ { 0x80 }, 1, 0, 1, 1, 1 }, { { 0x80 }, 1, 1, 1, 1, 1 }, { { 0x80 }, 1, 4, 1, 1, 1 },
	{ { 0x80 }, 1, 5, 1, 1, 1 }, { { 0x80 }, 1, 6, 1, 1, 1 }, { { 0x81 }, 1, 0, 2, 0, 1 },
	{ { 0x81 }, 1, 1, 2, 0, 1 }, { { 0x81 }, 1, 4, 2, 0, 1 }, { { 0x81 }, 1, 5, 2, 0, 1 },
	{ { 0x81 }, 1, 6, 2, 0, 1 }, { { 0x83 }, 1, 0, 1, 0, 1 }, { { 0x83 }, 1, 1, 1, 0, 1 },
	{ { 0x83 }, 1, 4, 1, 0, 1 }, { { 0x83 }, 1, 5, 1, 0, 1 }, { { 0x83 }, 1, 6, 1, 0, 1 },
	{ { 0x0f, 0xab }, 2, -1, 0, 0, 1 }, { { 0x0f, 0xb3 }, 2, -1, 0, 0, 1 },
	{ { 0x0f, 0xbb }, 2, -1, 0, 0, 1 }, { { 0x0f, 0xba }, 2, 5, 1, 0, 1 },
	{ { 0x0f, 0xba }, 2, 6, 1, 0, 1 }, { { 0x0f, 0xba }, 2, 7, 1, 0, 1 },
	{ { 0x0f, 0xb0 }, 2, -1, 0, 1, 1 }, { { 0x0f, 0xb1 }, 2, -1, 0, 0, 1 },
	{ { 0x0f, 0xc0 }, 2, -1, 0, 1, 1 }, { { 0x0f, 0xc1 }, 2, -1, 0, 0, 1 },
};

/* Assembles a form with the given prefixes and operands; the length without the return after it. */
static unsigned int assemble(const struct form *f, bool lock, bool opsize, uint8_t rex,
			     unsigned int reg, unsigned int base, unsigned int mod)
{
	unsigned int n = 0, bytes = f->byte_op ? 1 : rex & 8 ? 8 : opsize ? 2 : 4, imm;
	uint64_t v = rnd();

	if (lock)
		code[n++] = f->lock_ok ? 0xf0 : 0x3e;
	if (opsize)
		code[n++] = 0x66;
	if (rex)
		code[n++] = rex | (reg & 8 ? 4 : 0) | (base & 8 ? 1 : 0);
	for (unsigned int i = 0; i < f->nr_op; i++)
		code[n++] = f->op[i];
	code[n++] = (uint8_t)(mod << 6 | (f->ext >= 0 ? (unsigned int)f->ext : reg & 7) << 3 |
			      (base & 7));
	for (unsigned int i = 0; i < (mod == 1 ? 1 : mod == 2 ? 4 : 0); i++)
		code[n++] = 0;
	imm = f->imm == 2 ? min(bytes, 4U) : f->imm;
	memcpy(code + n, &v, imm);
	n += imm;
	code[n] = 0xc3;
	return n;
}

static void test_as_the_cpu(void **state __maybe_unused)
{
	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	assert_ptr_not_equal(code, MAP_FAILED);
	for (unsigned int i = 0; i < ARRAY_SIZE(forms) * 400; i++) {
		const struct form *f = &forms[i % ARRAY_SIZE(forms)];
		const uint64_t r = rnd() ^ rnd() << 1 ^ i;
		const bool rexless = r >> 20 & 1, opsize = r >> 21 & 1;
		const uint8_t rex = rexless ? 0 : (uint8_t)(0x40 | (r >> 22 & 1) << 3);
		const unsigned int base = rexless ? 7 : 15, mod = (unsigned int)(r >> 24) % 3;
		unsigned int reg = (unsigned int)(r >> 28) & (rexless ? 7 : 15), bytes;

		/*
		 * The base and rsp (no stack then) are not used as operands,
		 * nor ah's neighbour as base.
		 */
		while (reg == base || (reg == 4 && !(f->byte_op && rexless)))
			reg = (reg + 1) & (rexless ? 7 : 15);
		bytes = f->byte_op ? 1 : rex & 8 ? 8 : opsize ? 2 : 4;
		compare(assemble(f, r >> 23 & 1, opsize, rex, reg, base, mod), base,
			(unsigned int)(r >> 32) % 8 / bytes * bytes);
	}
	munmap(code, 4096);
}

/* Lengths of the longer address forms, which are never run. */
static void test_addresses(void **state __maybe_unused)
{
	static const struct { uint8_t b[12]; unsigned int len; } cases[] = {
		{ { 0x48, 0x89, 0x05, 1, 2, 3, 4 }, 7 },		/* mov %rax, disp32(%rip) */
		{ { 0x48, 0x89, 0x04, 0x25, 1, 2, 3, 4 }, 8 },		/* mov %rax, disp32 */
		/* mov %rax, (%rbx,%rax,8) */
		{ { 0x48, 0x89, 0x04, 0xc3 }, 4 },
		{ { 0x48, 0x89, 0x44, 0xc3, 8 }, 5 },
		{ { 0x48, 0x89, 0x84, 0xc3, 8, 0, 0, 0 }, 8 },
		{ { 0x48, 0x89, 0x45, 0 }, 4 },				/* mov %rax, 0(%rbp) */
		{ { 0x65, 0x48, 0x89, 0x03 }, 4 },
		{ { 0x48, 0xc7, 0x04, 0x25, 1, 2, 3, 4, 5, 6, 7, 8 }, 12 },
		{ { 0xf0, 0x48, 0x0f, 0xba, 0x73, 8, 1 }, 7 },		/* lock btrq $1, 8(%rbx) */
		{ { 0xf0, 0x80, 0x23, 0xfd }, 4 },			/* lock andb $~2, (%rbx) */
	};
	struct pte_insn in;

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(pte_insn_decode(&in, cases[i].b, 12));
		assert_int_equal(in.len, cases[i].len);
		for (unsigned int n = 0; n < cases[i].len; n++)
			assert_false(pte_insn_decode(&in, cases[i].b, n));
	}
}

/* Register operands, repeats, other opcodes and too long ones. */
static void test_refused(void **state __maybe_unused)
{
	static const uint8_t cases[][16] = {
		{ 0x48, 0x89, 0xc3 },
		{ 0xf3, 0x48, 0xab },
		{ 0xf2, 0x88, 0x03 },
		{ 0x48, 0x8b, 0x03 },
		{ 0x80, 0x3b, 0 },
		{ 0x83, 0x13, 0 },
		{ 0xc7, 0x0b, 0 },
		{ 0x0f, 0xba, 0x23, 0 },
		{ 0x0f, 0xc7, 0x0b },
		{ 0xff, 0x03 },
		{ 0x90 },
		{ 0x66, 0x0f, 0x7f, 0x03 },
		{ 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0, 0xf0,
		  0x48, 0x89, 0x03 },
		{ 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
		  0x66, 0x66, 0x66 },
	};
	struct pte_insn in;

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++)
		assert_false(pte_insn_decode(&in, cases[i], 16));
	for (unsigned int i = 0; i < 1000000; i++) {
		uint64_t b[2] = { rnd(), rnd() };

		if (pte_insn_decode(&in, (uint8_t *)b, 16))
			assert_in_range(in.len, 2, 15);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_as_the_cpu),
		host_test(test_addresses),
		host_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

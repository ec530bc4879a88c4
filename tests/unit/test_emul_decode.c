/* SPDX-License-Identifier: MIT */
/*
 * The decoder of privileged instructions: prefixes, opcodes, registers, code
 * that ends at an unmapped page, and noise, which must never be read beyond
 * fifteen bytes.
 */
/* LINK: arch/x86/pv/emul_decode.c */
#include "harness.h"
#include <x86/emul.h>
#include <xen/xen.h>

static bool decode(struct insn *in, const char *bytes, size_t n, uint16_t cs)
{
	struct cpu_user_regs regs = { .cs = cs };
	uint8_t *copy = host_guest_alloc(n);
	bool ok;

	memcpy(copy, bytes, n);
	regs.rip = (unsigned long)copy;
	ok = insn_decode(in, NULL, &regs);
	host_guest_free(copy);
	return ok;
}
#define DECODE(in, bytes)	decode(in, bytes, sizeof(bytes) - 1, FLAT_RING3_CS64)

static void test_opcodes(void **state)
{
	struct insn in;

	(void)state;
	assert_true(DECODE(&in, "\xec"));
	assert_int_equal(in.opcode, 0xec);
	assert_int_equal(in.pos, 1);
	assert_true(DECODE(&in, "\x0f\x32"));
	assert_int_equal(in.opcode, 0x0f32);
	assert_int_equal(in.pos, 2);
	assert_true(DECODE(&in, "\x66\xf3\x6d"));
	assert_true(in.opsize16 && in.rep);
	assert_int_equal(in.opcode, 0x6d);
	assert_true(DECODE(&in, "\xf0\x0f\x06"));
	assert_true(in.lock);
	assert_true(DECODE(&in, "\x65\x6e"));
	assert_int_equal(in.segment, SEG_GS);
}

static void test_rex(void **state)
{
	struct insn in;

	(void)state;
	/* mov %cr8, %r9 */
	assert_true(DECODE(&in, "\x45\x0f\x20\xc1"));
	assert_true(insn_modrm(&in));
	assert_int_equal(modrm_reg(&in), 8);
	assert_int_equal(modrm_rm(&in), 9);
	/* A REX before another prefix does not count. */
	assert_true(DECODE(&in, "\x45\x66\x0f\x20\xc1"));
	assert_true(insn_modrm(&in));
	assert_int_equal(modrm_reg(&in), 0);
	assert_int_equal(modrm_rm(&in), 1);
}

static void test_registers(void **state)
{
	struct cpu_user_regs r = {
		.rax = 0, .rcx = 1, .rdx = 2, .rbx = 3, .rsp = 4, .rbp = 5, .rsi = 6, .rdi = 7,
		.r8 = 8, .r9 = 9, .r10 = 10, .r11 = 11, .r12 = 12, .r13 = 13, .r14 = 14, .r15 = 15,
	};

	(void)state;
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(*insn_reg(&r, i), i);
}

static void test_ends(void **state)
{
	struct insn in;
	uint8_t b;

	(void)state;
	assert_false(DECODE(&in, "\x66"));
	assert_false(DECODE(&in, "\x0f"));
	assert_true(DECODE(&in, "\x0f\x20"));
	assert_false(insn_modrm(&in));
	assert_true(DECODE(&in, "\xe4"));
	assert_false(insn_byte(&in, &b));
	/* Fifteen bytes are the most that there are. */
	assert_false(DECODE(
		&in, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\xec"));
	assert_true(DECODE(&in, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\xec"));
}

static void test_noise(void **state)
{
	static const uint8_t likely_bytes[8] = { 0x66, 0xf3, 0x48, 0x0f, 0xec, 0x67, 0x65, 0x20 };
	uint64_t x = 88172645463325252;
	struct insn in;
	uint8_t *code;

	(void)state;
	code = host_guest_alloc(16);
	for (unsigned int i = 0; i < 100000; i++) {
		struct cpu_user_regs regs = { .cs = FLAT_RING3_CS64, .rip = (unsigned long)code };

		for (unsigned int j = 0; j < 16; j++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			code[j] = j & 1 ? (uint8_t)x : likely_bytes[x & 7];
		}
		if (insn_decode(&in, NULL, &regs))
			(void)insn_modrm(&in);
		assert_true(in.pos <= INSN_MAX);
	}
	host_guest_free(code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_opcodes),
		host_test(test_rex),
		host_test(test_registers),
		host_test(test_ends),
		host_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

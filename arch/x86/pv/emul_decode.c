/* SPDX-License-Identifier: MIT */
/* The smallest decoder that does, see x86/emul.h. */
#include <core/lib.h>
#include <arch/guest_access.h>
#include <x86/emul.h>
#include <x86/entry.h>
#include <x86/extable.h>
#include <xen/xen.h>

/*
 * Does the selector name 64-bit code? LAR reads the tables that are loaded, the
 * guest's, and faults where their page is not mapped (any more): then it names nothing.
 */
static bool is_code64(uint16_t sel)
{
	unsigned int rights = 0;

	if (likely(sel == FLAT_RING3_CS64))
		return true;
	__asm__ __volatile__(
		"1: lar %1, %0\n"
		"2:\n"
		_ASM_EXTABLE(1b, 2b)
		: "+r"(rights) : "r"((unsigned int)sel) : "cc");
	return rights & (1u << 21);
}

bool insn_byte(struct insn *in, uint8_t *b)
{
	if (in->pos >= in->len)
		return false;
	*b = in->bytes[in->pos++];
	return true;
}

/* True if b is a prefix, which is noted. */
static bool take_prefix(struct insn *in, uint8_t b)
{
	static const uint8_t segments[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };

	for (unsigned int i = 0; i < sizeof(segments); i++) {
		if (b == segments[i]) {
			in->segment = (enum emul_segment)(SEG_ES + i);
			in->rex = 0;
			return true;
		}
	}
	switch (b) {
	case 0x66:
		in->opsize16 = true;
		break;
	case 0x67:
		in->addr_short = true;
		break;
	case 0xf0:
		in->lock = true;
		break;
	case 0xf2:
	case 0xf3:
		in->rep = true;
		break;
	default:
		if (!in->code64 || (b & 0xf0) != 0x40)
			return false;
		in->rex = b;
		return true;
	}
	in->rex = 0;	/* a REX must be the last prefix */
	return true;
}

bool insn_decode(struct insn *in, struct vcpu *v __maybe_unused, const struct cpu_user_regs *regs)
{
	uint8_t b;

	memset(in, 0, sizeof(*in));
	in->code64 = is_code64(regs->cs);
	in->len = INSN_MAX -
		  (unsigned int)raw_copy_from_guest(in->bytes, (void *)regs->rip, INSN_MAX);
	do {
		if (!insn_byte(in, &b))
			return false;
	} while (take_prefix(in, b));
	in->opcode = b;
	if (b == 0x0f) {
		if (!insn_byte(in, &b))
			return false;
		in->opcode = 0x0f00u | b;
	}
	return true;
}

bool insn_modrm(struct insn *in)
{
	return insn_byte(in, &in->modrm);
}

unsigned long *insn_reg(struct cpu_user_regs *r, unsigned int n)
{
	static const uint8_t offsets[16] = {
#define O(reg) offsetof(struct cpu_user_regs, reg)
		O(rax), O(rcx), O(rdx), O(rbx), O(rsp), O(rbp), O(rsi), O(rdi),
		O(r8), O(r9), O(r10), O(r11), O(r12), O(r13), O(r14), O(r15),
#undef O
	};

	return (unsigned long *)((char *)r + offsets[n & 15]);
}

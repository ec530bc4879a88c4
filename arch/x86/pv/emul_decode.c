/* SPDX-License-Identifier: MIT */
/* The smallest decoder that does, see x86/emul.h. */
#include <core/lib.h>
#include <arch/guest_access.h>
#include <x86/context.h>
#include <x86/emul.h>
#include <x86/entry.h>
#include <xen/xen.h>

/* Does the selector name 64-bit code? LAR reads the tables that are loaded, the guest's. */
static bool is_code64(uint16_t sel)
{
	unsigned int rights = 0;

	if (likely(sel == FLAT_RING3_CS64))
		return true;
	__asm__("lar %1, %0" : "+r"(rights) : "r"((unsigned int)sel) : "cc");
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
	in->len = INSN_MAX - (unsigned int)raw_copy_from_guest(in->bytes, (void *)regs->rip, INSN_MAX);
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

static bool insn_displacement(struct insn *in, unsigned int bytes, long *disp)
{
	uint32_t d = 0;
	uint8_t b;

	for (unsigned int i = 0; i < bytes; i++) {
		if (!insn_byte(in, &b))
			return false;
		d |= (uint32_t)b << (8 * i);
	}
	*disp = bytes == 1 ? (int8_t)d : (int32_t)d;
	return true;
}

bool insn_memory_operand(struct insn *in, struct cpu_user_regs *regs, unsigned long *va)
{
	unsigned int mod = in->modrm >> 6, rm = in->modrm & 7;
	unsigned long base = 0, index = 0;
	bool has_base = true, rip_relative = false;
	long disp = 0;

	if (mod == 3)
		return false;
	if (rm == 4) {
		uint8_t sib;

		if (!insn_byte(in, &sib))
			return false;
		if ((sib >> 3 & 7) != 4 || (in->rex & 2))
			index = *insn_reg(regs, (sib >> 3 & 7) | (in->rex & 2u) << 2) << (sib >> 6);
		rm = sib & 7;
		has_base = !(rm == 5 && mod == 0);
	} else if (rm == 5 && mod == 0) {
		has_base = false;
		rip_relative = in->code64;
	}
	if (has_base)
		base = *insn_reg(regs, rm | (in->rex & 1u) << 3);
	if (!insn_displacement(in, mod == 1 ? 1 : mod == 2 || !has_base ? 4 : 0, &disp))
		return false;
	if (rip_relative)
		base = regs->rip + in->pos;
	*va = base + index + (unsigned long)disp;
	if (!in->code64 || in->addr_short)
		*va = (uint32_t)*va;
	if (in->segment == SEG_FS)
		*va += read_fs_base();
	else if (in->segment == SEG_GS)
		*va += read_gs_base();
	return true;
}

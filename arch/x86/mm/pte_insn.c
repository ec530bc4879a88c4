/* SPDX-License-Identifier: MIT */
/* See pte_insn.h. No state and no memory access here, so that all of it runs in a unit test. */
#include "pte_insn.h"

#include <xen/xen.h>

#define FLAG_CF	0x001UL
#define FLAG_PF	0x004UL
#define FLAG_AF	0x010UL
#define FLAG_ZF	0x040UL
#define FLAG_SF	0x080UL
#define FLAG_OF	0x800UL
#define FLAG_RF	0x10000UL
#define ARITH_FLAGS	(FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* The general registers by their number in instructions. */
static const uint8_t reg_offset[16] = {
	offsetof(struct cpu_user_regs, rax), offsetof(struct cpu_user_regs, rcx),
	offsetof(struct cpu_user_regs, rdx), offsetof(struct cpu_user_regs, rbx),
	offsetof(struct cpu_user_regs, rsp), offsetof(struct cpu_user_regs, rbp),
	offsetof(struct cpu_user_regs, rsi), offsetof(struct cpu_user_regs, rdi),
	offsetof(struct cpu_user_regs, r8), offsetof(struct cpu_user_regs, r9),
	offsetof(struct cpu_user_regs, r10), offsetof(struct cpu_user_regs, r11),
	offsetof(struct cpu_user_regs, r12), offsetof(struct cpu_user_regs, r13),
	offsetof(struct cpu_user_regs, r14), offsetof(struct cpu_user_regs, r15),
};

static uint64_t low_bytes(uint64_t v, unsigned int bytes)
{
	return bytes == 8 ? v : v & ((1UL << (bytes * 8)) - 1);
}

/* ---- Decoding ---- */

struct cursor {
	const uint8_t *p, *end;
	bool cut;		/* ran out of bytes */
};

static uint8_t next_byte(struct cursor *c)
{
	if (c->p < c->end)
		return *c->p++;
	c->cut = true;
	return 0;
}

/* Little-endian, sign-extended. */
static uint64_t next_imm(struct cursor *c, unsigned int bytes)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < bytes; i++)
		v |= (uint64_t)next_byte(c) << (8 * i);
	return bytes == 8 ? v : (uint64_t)((int64_t)(v << (64 - 8 * bytes)) >> (64 - 8 * bytes));
}

/* Passes over ModRM's address part. False: the operand is a register. */
static bool skip_address(struct cursor *c, uint8_t modrm)
{
	const unsigned int mod = modrm >> 6, rm = modrm & 7;
	unsigned int disp = mod == 1 ? 1 : mod == 2 ? 4 : 0;

	if (mod == 3)
		return false;
	if (rm == 4) {
		if ((next_byte(c) & 7) == 5 && mod == 0)
			disp = 4;
	} else if (rm == 5 && mod == 0) {
		disp = 4;	/* relative to rip */
	}
	for (; disp; disp--)
		(void)next_byte(c);
	return true;
}

/* What an opcode means: op by opcode, or by the ModRM extension in `group`. */
enum { IMM_NONE, IMM_8, IMM_FULL, IMM_BIT };
struct opcode {
	uint8_t op;
	uint8_t byte_op;	/* operand is a byte */
	uint8_t imm;
	uint8_t group;		/* 1: arithmetic, 2: mov, 3: bit */
};

static const struct opcode one_byte[256] = {
	[0x00] = { PTE_INSN_ADD, 1, 0, 0 },	[0x01] = { PTE_INSN_ADD, 0, 0, 0 },
	[0x08] = { PTE_INSN_OR, 1, 0, 0 },	[0x09] = { PTE_INSN_OR, 0, 0, 0 },
	[0x20] = { PTE_INSN_AND, 1, 0, 0 },	[0x21] = { PTE_INSN_AND, 0, 0, 0 },
	[0x28] = { PTE_INSN_SUB, 1, 0, 0 },	[0x29] = { PTE_INSN_SUB, 0, 0, 0 },
	[0x30] = { PTE_INSN_XOR, 1, 0, 0 },	[0x31] = { PTE_INSN_XOR, 0, 0, 0 },
	[0x80] = { 0, 1, IMM_8, 1 },		[0x81] = { 0, 0, IMM_FULL, 1 },
	[0x83] = { 0, 0, IMM_8, 1 },
	[0x86] = { PTE_INSN_XCHG, 1, 0, 0 },	[0x87] = { PTE_INSN_XCHG, 0, 0, 0 },
	[0x88] = { PTE_INSN_MOV, 1, 0, 0 },	[0x89] = { PTE_INSN_MOV, 0, 0, 0 },
	[0xc6] = { 0, 1, IMM_8, 2 },		[0xc7] = { 0, 0, IMM_FULL, 2 },
};

static struct opcode two_byte(uint8_t b)
{
	switch (b) {
	case 0xab: return (struct opcode){ PTE_INSN_BTS, 0, 0, 0 };
	case 0xb3: return (struct opcode){ PTE_INSN_BTR, 0, 0, 0 };
	case 0xbb: return (struct opcode){ PTE_INSN_BTC, 0, 0, 0 };
	case 0xba: return (struct opcode){ 0, 0, IMM_BIT, 3 };
	case 0xb0: return (struct opcode){ PTE_INSN_CMPXCHG, 1, 0, 0 };
	case 0xb1: return (struct opcode){ PTE_INSN_CMPXCHG, 0, 0, 0 };
	case 0xc0: return (struct opcode){ PTE_INSN_XADD, 1, 0, 0 };
	case 0xc1: return (struct opcode){ PTE_INSN_XADD, 0, 0, 0 };
	default: return (struct opcode){ 0, 0, 0, 0 };
	}
}

static uint8_t group_op(unsigned int group, unsigned int ext)
{
	static const uint8_t ops[4][8] = {
		[1] = { PTE_INSN_ADD, PTE_INSN_OR, 0, 0, PTE_INSN_AND, PTE_INSN_SUB,
			PTE_INSN_XOR, 0 },
		[2] = { PTE_INSN_MOV },
		[3] = { 0, 0, 0, 0, 0, PTE_INSN_BTS, PTE_INSN_BTR, PTE_INSN_BTC },
	};

	return ops[group][ext];
}

/* Prefixes: operand size, lock and segment ones mean little here; repeats are not for us. */
static uint8_t skip_prefixes(struct cursor *c, bool *opsize)
{
	for (;;) {
		uint8_t b = next_byte(c);

		switch (b) {
		case 0x66:
			*opsize = true;
			/* fall through */
		case 0xf0: case 0x26: case 0x2e: case 0x36: case 0x3e:
		case 0x64: case 0x65: case 0x67:
			if (!c->cut)
				continue;
			return 0;
		default:
			return b;
		}
	}
}

bool pte_insn_decode(struct pte_insn *in, const uint8_t *code, unsigned int n)
{
	struct cursor c = { code, code + min(n, 15U), false };
	bool opsize = false;
	uint8_t b = skip_prefixes(&c, &opsize), rex = 0, modrm;
	struct opcode o;

	if ((b & 0xf0) == 0x40) {
		rex = b;
		b = next_byte(&c);
	}
	o = b == 0x0f ? two_byte(next_byte(&c)) : one_byte[b];
	if (!o.op && !o.group)
		return false;
	modrm = next_byte(&c);
	if (o.group)
		o.op = group_op(o.group, (modrm >> 3) & 7);
	if (!o.op || !skip_address(&c, modrm))
		return false;

	in->op = o.op;
	in->bytes = o.byte_op ? 1 : rex & 8 ? 8 : opsize ? 2 : 4;
	in->rex = rex;
	in->reg = ((modrm >> 3) & 7) | (rex & 4 ? 8 : 0);
	in->has_imm = o.imm;
	if (o.imm == IMM_FULL)
		in->imm = next_imm(&c, min(in->bytes, 4U));
	else if (o.imm)
		in->imm = next_imm(&c, 1);
	in->len = (unsigned int)(c.p - code);
	return !c.cut;
}

/* ---- Executing ---- */

static uint64_t *reg_ptr(const struct cpu_user_regs *regs, unsigned int reg)
{
	return (uint64_t *)((uint8_t *)(uintptr_t)regs + reg_offset[reg]);
}

/* Without REX, byte registers 4 to 7 are ah, ch, dh, bh. */
static bool is_high_byte(const struct pte_insn *in)
{
	return in->bytes == 1 && !in->rex && in->reg >= 4;
}

uint64_t pte_insn_source(const struct pte_insn *in, const struct cpu_user_regs *regs)
{
	if (in->has_imm)
		return low_bytes(in->imm, in->bytes);
	if (is_high_byte(in))
		return (*reg_ptr(regs, in->reg - 4) >> 8) & 0xff;
	return low_bytes(*reg_ptr(regs, in->reg), in->bytes);
}

/* Stores the register operand; 32-bit ones clear the upper half. */
static void set_reg(const struct pte_insn *in, struct cpu_user_regs *regs, unsigned int reg,
		    uint64_t v)
{
	uint64_t *r;

	if (is_high_byte(in) && reg == in->reg && reg >= 4) {
		r = reg_ptr(regs, reg - 4);
		*r = (*r & ~0xff00UL) | (v & 0xff) << 8;
		return;
	}
	r = reg_ptr(regs, reg);
	if (in->bytes >= 4)
		*r = low_bytes(v, in->bytes);
	else
		*r = (*r & ~((1UL << (in->bytes * 8)) - 1)) | low_bytes(v, in->bytes);
}

static uint64_t bit_mask(const struct pte_insn *in, const struct cpu_user_regs *regs)
{
	return 1UL << (pte_insn_source(in, regs) & (in->bytes * 8 - 1));
}

bool pte_insn_result(const struct pte_insn *in, const struct cpu_user_regs *regs, uint64_t old,
		     uint64_t *result)
{
	const uint64_t src = pte_insn_source(in, regs);
	uint64_t r = src;

	switch (in->op) {
	case PTE_INSN_CMPXCHG:
		if (low_bytes(regs->rax, in->bytes) != low_bytes(old, in->bytes))
			return false;
		break;
	case PTE_INSN_XADD:
	case PTE_INSN_ADD:
		r = old + src;
		break;
	case PTE_INSN_OR:
		r = old | src;
		break;
	case PTE_INSN_AND:
		r = old & src;
		break;
	case PTE_INSN_SUB:
		r = old - src;
		break;
	case PTE_INSN_XOR:
		r = old ^ src;
		break;
	case PTE_INSN_BTS:
		r = old | bit_mask(in, regs);
		break;
	case PTE_INSN_BTR:
		r = old & ~bit_mask(in, regs);
		break;
	case PTE_INSN_BTC:
		r = old ^ bit_mask(in, regs);
		break;
	default:
		break;
	}
	*result = low_bytes(r, in->bytes);
	return true;
}

/* Flags of a (+ or -) b = r, all of the operand's size; logic operations clear CF, OF and AF. */
static uint64_t arith_flags(uint64_t a, uint64_t b, uint64_t r, unsigned int bytes, int sign)
{
	const uint64_t top = 1UL << (bytes * 8 - 1);
	uint64_t f = 0;

	if (!r)
		f |= FLAG_ZF;
	if (r & top)
		f |= FLAG_SF;
	if (!__builtin_parityl(r & 0xff))
		f |= FLAG_PF;
	if (!sign)
		return f;
	if ((a ^ b ^ r) & 0x10)
		f |= FLAG_AF;
	if (sign > 0 ? r < a : a < b)
		f |= FLAG_CF;
	if ((sign > 0 ? ~(a ^ b) & (a ^ r) : (a ^ b) & (a ^ r)) & top)
		f |= FLAG_OF;
	return f;
}

static void set_flags(struct cpu_user_regs *regs, uint64_t which, uint64_t f)
{
	regs->rflags = (regs->rflags & ~which) | f;
}

void pte_insn_retire(const struct pte_insn *in, struct cpu_user_regs *regs, uint64_t old)
{
	const uint64_t src = pte_insn_source(in, regs);
	const uint64_t acc = low_bytes(regs->rax, in->bytes);
	uint64_t result = 0;
	bool stored = pte_insn_result(in, regs, old, &result);

	old = low_bytes(old, in->bytes);
	regs->rip += in->len;
	regs->rflags &= ~FLAG_RF;

	switch (in->op) {
	case PTE_INSN_XCHG:
		set_reg(in, regs, in->reg, old);
		break;
	case PTE_INSN_CMPXCHG:
		set_flags(regs, ARITH_FLAGS,
			  arith_flags(acc, old, low_bytes(acc - old, in->bytes), in->bytes, -1));
		if (!stored)
			set_reg(in, regs, 0, old);
		break;
	case PTE_INSN_XADD:
		set_reg(in, regs, in->reg, old);
		/* fall through */
	case PTE_INSN_ADD:
		set_flags(regs, ARITH_FLAGS, arith_flags(old, src, result, in->bytes, 1));
		break;
	case PTE_INSN_SUB:
		set_flags(regs, ARITH_FLAGS, arith_flags(old, src, result, in->bytes, -1));
		break;
	case PTE_INSN_OR:
	case PTE_INSN_AND:
	case PTE_INSN_XOR:
		set_flags(regs, ARITH_FLAGS, arith_flags(old, src, result, in->bytes, 0));
		break;
	case PTE_INSN_BTS:
	case PTE_INSN_BTR:
	case PTE_INSN_BTC:
		set_flags(regs, FLAG_CF,
			  old >> (src & (in->bytes * 8 - 1)) & 1 ? FLAG_CF : 0);
		break;
	default:
		break;
	}
}

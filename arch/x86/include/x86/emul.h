/* SPDX-License-Identifier: MIT */
/*
 * Decoding the few privileged instructions that a PV guest executes and we
 * emulate. No memory operand is ever decoded, but for the strings of INS and
 * OUTS. The state is a copy of the instruction's bytes, read once.
 */
#ifndef X86_EMUL_H
#define X86_EMUL_H

#include <core/types.h>

struct cpu_user_regs;
struct vcpu;

#define INSN_MAX	15

enum emul_segment { SEG_DEFAULT, SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

struct insn {
	uint8_t bytes[INSN_MAX];
	unsigned int len;	/* bytes that could be read */
	unsigned int pos;	/* consumed so far */
	bool code64;		/* else 32-bit code */
	bool opsize16, addr_short, rep, lock;
	uint8_t rex;
	enum emul_segment segment;
	unsigned int opcode;	/* second byte + 0x0f00 for two-byte opcodes */
	uint8_t modrm;
};

/* Reads prefixes and opcode at regs->rip. False: unreadable or too long. */
bool insn_decode(struct insn *in, struct vcpu *v, const struct cpu_user_regs *regs);
/* The next byte; false at the end of what is readable. */
bool insn_byte(struct insn *in, uint8_t *b);
bool insn_modrm(struct insn *in);
/* General register n (0 to 15). */
unsigned long *insn_reg(struct cpu_user_regs *regs, unsigned int n);

static inline unsigned int modrm_reg(const struct insn *in)
{
	return (in->modrm >> 3 & 7) | (in->rex & 4) << 1;
}
static inline unsigned int modrm_rm(const struct insn *in)
{
	return (in->modrm & 7) | (in->rex & 1) << 3;
}

/* What emulating came to. */
enum emul_result {
	EMUL_FAULT,		/* the guest gets the exception that brought us here */
	EMUL_DONE,		/* advance over the instruction */
	EMUL_RETRY,		/* execute it again */
	EMUL_TAKEN,		/* regs are set, or another exception is queued */
};

/* ---- emul_io.c ---- */
/* its kernel or user space, whichever runs, has IOPL */
bool emul_iopl_allows(const struct vcpu *v);
enum emul_result emul_in_out(struct vcpu *v, struct insn *in);
enum emul_result emul_string_io(struct vcpu *v, struct insn *in);

/* ---- msr.c: false = #GP ---- */
bool pv_read_msr(struct vcpu *v, uint32_t msr, uint64_t *val);
bool pv_write_msr(struct vcpu *v, uint32_t msr, uint64_t val);

#endif

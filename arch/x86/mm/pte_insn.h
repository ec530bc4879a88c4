/* SPDX-License-Identifier: MIT */
/*
 * The instructions that kernels use on page-table entries, decoded: a store, an
 * exchange, or a locked arithmetic or bit operation, with memory as its
 * destination (Intel SDM volume 2). Nothing else is understood, by design.
 *
 * The address is not computed: the fault says where the operand is.
 */
#ifndef X86_MM_PTE_INSN_H
#define X86_MM_PTE_INSN_H

#include <core/types.h>

struct cpu_user_regs;

enum pte_insn_op {
	PTE_INSN_NONE,
	PTE_INSN_MOV,
	PTE_INSN_XCHG,
	PTE_INSN_CMPXCHG,
	PTE_INSN_XADD,
	PTE_INSN_ADD,
	PTE_INSN_OR,
	PTE_INSN_AND,
	PTE_INSN_SUB,
	PTE_INSN_XOR,
	PTE_INSN_BTS,
	PTE_INSN_BTR,
	PTE_INSN_BTC,
};

struct pte_insn {
	enum pte_insn_op op;
	unsigned int bytes;	/* of the operand: 1, 2, 4, 8 */
	unsigned int len;	/* of the instruction */
	bool has_imm;
	bool rex;		/* byte registers 4-7 are the low bytes of rsp.. */
	unsigned int reg;	/* the register operand */
	uint64_t imm;		/* sign-extended */
};

/* From `n` bytes of code. False: none of those above, or cut off. */
bool pte_insn_decode(struct pte_insn *in, const uint8_t *code, unsigned int n);
/* The source operand, of in->bytes. */
uint64_t pte_insn_source(const struct pte_insn *in, const struct cpu_user_regs *regs);
/*
 * What memory that holds `old` becomes. False: nothing is stored (cmpxchg that
 * does not match). Registers are not changed.
 */
bool pte_insn_result(const struct pte_insn *in, const struct cpu_user_regs *regs, uint64_t old,
		     uint64_t *result);
/* After the store (or not): registers, flags and rip as the instruction leaves them. */
void pte_insn_retire(const struct pte_insn *in, struct cpu_user_regs *regs, uint64_t old);

#endif

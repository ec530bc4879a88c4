/* SPDX-License-Identifier: MIT */
/*
 * Page faults that are not the guest's to see: writes of its kernel to leaf
 * tables, which are mapped read-only. The instruction is carried out on its
 * behalf, as an update of the entry with all its checks; whatever is not such a
 * write, or is not allowed, goes to the guest as a page fault.
 *
 * The hardware domain's writes to device memory that it may only read are
 * dropped.
 */
#include "private.h"
#include "pte_insn.h"

#include <core/guest_access.h>
#include <x86/pv.h>
#include <x86/rangeset.h>

#define PF_PRESENT	0x01u
#define PF_WRITE	0x02u
#define PF_RESERVED	0x08u
#define PF_FETCH	0x10u

#define EFLAGS_TF	0x100UL
#define TRAP_DEBUG	1
#define MAX_INSN	16U	/* one more than the longest, to copy whole words */

/* The instruction at rip; its bytes are read once. */
static bool fetch_insn(struct pte_insn *in, const struct cpu_user_regs *regs)
{
	uint8_t code[MAX_INSN];
	unsigned long left = raw_copy_from_guest(code, (const void *)regs->rip, sizeof(code));

	return pte_insn_decode(in, code, MAX_INSN - (unsigned int)left);
}

/* `part` put in place of the bytes of `full` that an operand at va covers. */
static uint64_t splice(uint64_t full, uint64_t part, unsigned long va, unsigned int bytes)
{
	const unsigned int shift = (unsigned int)(va & 7) * 8;
	uint64_t mask;

	if (likely(bytes == 8))
		return part;
	mask = ((1UL << (bytes * 8)) - 1) << shift;
	return (full & ~mask) | (part << shift);
}

/* Carries the instruction out on the entry. False: let the guest fault. */
static bool write_entry_for(struct domain *d, pte_t *p, unsigned long va, const struct pte_insn *in,
			    struct cpu_user_regs *regs)
{
	pte_t old;
	int rc;

	do {
		uint64_t part, result;

		old.pte = read_once(p->pte);
		part = old.pte >> (va & 7) * 8;
		if (!pte_insn_result(in, regs, part, &result)) {
			rc = 0;
		} else {
			const pte_t new = { splice(old.pte, result, va, in->bytes) };

			rc = in->op == PTE_INSN_MOV ? mod_l1_entry(p, new, false, d, d) :
						      cmpxchg_l1_entry(p, old, new, d);
		}
		/* Changed under us: only the CPU's accessed and dirty bits can be. */
	} while (unlikely(rc == -EAGAIN));
	if (unlikely(rc))
		return false;
	pte_insn_retire(in, regs, old.pte >> (va & 7) * 8);
	return true;
}

/* leaf maps va read-only: if the frame behind is a leaf table, the write is one to an entry. */
static bool emulate_table_write(struct vcpu *v, unsigned long va, pte_t leaf,
				struct cpu_user_regs *regs)
{
	struct page_info *table = get_locked_l1(pte_mfn(leaf), v->domain);
	struct pte_insn in;
	bool done = false;

	if (!table)
		return false;
	/* Only stores that lie within one entry, aligned. */
	if (likely(fetch_insn(&in, regs)) && likely(!(va & (in.bytes - 1)))) {
		pte_t *p = (pte_t *)(page_to_virt(table) + (va & ~PAGE_MASK & ~7UL));

		done = write_entry_for(v->domain, p, va, &in, regs);
	}
	put_locked_l1(table);
	return done;
}

/* leaf maps va read-only, to device memory where that is on purpose: the store is passed over. */
static bool drop_device_write(const struct vcpu *v, unsigned long va, pte_t leaf,
			      struct cpu_user_regs *regs)
{
	const unsigned long mfn = mfn_x(pte_mfn(leaf));
	struct pte_insn in;

	if (!v->domain->is_hardware || !rangeset_contains(mmio_ro_ranges, mfn, mfn) ||
	    !is_iomem_page(pte_mfn(leaf)))
		return false;
	if (!fetch_insn(&in, regs) || in.op != PTE_INSN_MOV || (va & (in.bytes - 1)))
		return false;
	pte_insn_retire(&in, regs, 0);
	return true;
}

bool mm_fixup_guest_fault(struct vcpu *v, unsigned long va, unsigned int error_code,
			  struct cpu_user_regs *regs)
{
	pte_t leaf;
	mfn_t table;
	bool done = false;

	if ((error_code & (PF_PRESENT | PF_WRITE | PF_RESERVED | PF_FETCH)) !=
		    (PF_PRESENT | PF_WRITE) ||
	    !guest_kernel_mode(v, regs))
		return false;
	if (!guest_walk_l1e(v, va, &leaf, &table) ||
	    (leaf.pte & (PTE_PRESENT | PTE_RW)) != PTE_PRESENT)
		return false;

	if (likely(test_bit(VMASST_TYPE_writable_pagetables, &v->domain->vm_assist)))
		done = emulate_table_write(v, va, leaf, regs);
	if (!done)
		done = drop_device_write(v, va, leaf, regs);
	if (done && unlikely(regs->rflags & EFLAGS_TF))
		pv_inject_hw_exception(TRAP_DEBUG, -1);
	return done;
}

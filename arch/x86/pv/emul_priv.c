/* SPDX-License-Identifier: MIT */
/*
 * Privileged instructions of a PV kernel (which runs in ring 3, so they fault
 * with #GP) and the CPUID that it asks of us explicitly (#UD). Linux uses
 * hypercalls where speed matters; what is here is what its boot and its
 * drivers execute all the same. The set is closed: all else is the guest's.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/lib.h>
#include <arch/domain.h>
#include <arch/flush.h>
#include <arch/guest_access.h>
#include <arch/map.h>
#include <x86/asm.h>
#include <x86/context.h>
#include <x86/cpu_policy.h>
#include <x86/debugreg.h>
#include <x86/emul.h>
#include <x86/entry.h>
#include <x86/mm.h>
#include <x86/pv.h>
#include <x86/time.h>

/* ---- control and debug registers ---- */

static bool read_cr(const struct vcpu *v, unsigned int cr, unsigned long *val)
{
	switch (cr) {
	case 0:
		*val = (v->arch.ctrlreg[0] & CR0_TS) | (read_cr0() & ~CR0_TS);
		return true;
	case 2:
		*val = v->arch.ctrlreg[2];
		return true;
	case 3:
		*val = xen_pfn_to_cr3(mfn_x(v->arch.guest_table));
		return true;
	case 4:
		*val = v->arch.ctrlreg[4];
		return true;
	}
	return false;
}

static void set_task_switched(struct vcpu *v, bool ts)
{
	if (ts) {
		v->arch.ctrlreg[0] |= CR0_TS;
		stts();
	} else {
		v->arch.ctrlreg[0] &= ~CR0_TS;
		clts();
	}
}

static enum emul_result load_cr3(struct vcpu *v, unsigned long val)
{
	struct page_info *pg = get_page_from_gfn(v->domain, _gfn(xen_cr3_to_pfn(val)));
	int rc;

	if (!pg)
		return EMUL_FAULT;
	rc = new_guest_cr3(page_to_mfn(pg));
	put_page(pg);
	return rc == 0 ? EMUL_DONE : rc == -ERESTART ? EMUL_RETRY : EMUL_FAULT;
}

static enum emul_result write_cr(struct vcpu *v, unsigned int cr, unsigned long val)
{
	switch (cr) {
	case 0:
		if ((val ^ read_cr0()) & ~CR0_TS) {
			gprintk(XENLOG_G_WARNING, "attempt to change CR0 to %08lx\n", val);
			return EMUL_FAULT;
		}
		set_task_switched(v, val & CR0_TS);
		return EMUL_DONE;
	case 2:
		v->arch.ctrlreg[2] = val;
		v->vcpu_info->arch.cr2 = val;
		return EMUL_DONE;
	case 3:
		return load_cr3(v, val);
	case 4:
		v->arch.ctrlreg[4] = pv_fixup_guest_cr4(v->domain, val);
		load_tsc_controls(v);
		return EMUL_DONE;
	}
	return EMUL_FAULT;
}

static enum emul_result emul_mov_cr(struct vcpu *v, struct insn *in)
{
	struct cpu_user_regs *regs = &v->arch.regs;
	unsigned long *reg;

	if (!insn_modrm(in))
		return EMUL_FAULT;
	reg = insn_reg(regs, modrm_rm(in));
	if (in->opcode == 0x0f20)
		return read_cr(v, modrm_reg(in), reg) ? EMUL_DONE : EMUL_FAULT;
	return write_cr(v, modrm_reg(in), *reg);
}

static enum emul_result emul_mov_dr(struct vcpu *v, struct insn *in)
{
	struct cpu_user_regs *regs = &v->arch.regs;
	unsigned long *reg;
	unsigned int dr;
	long rc;

	if (!insn_modrm(in))
		return EMUL_FAULT;
	reg = insn_reg(regs, modrm_rm(in));
	dr = modrm_reg(in);
	if (in->opcode == 0x0f23) {
		rc = set_debugreg(v, dr, *reg);
	} else {
		rc = dr > 7 || ((dr == 4 || dr == 5) && (v->arch.ctrlreg[4] & CR4_DE)) ?
		     -ENODEV : 0;
		if (!rc)
			*reg = v->arch.dr[dr == 4 || dr == 5 ? dr + 2 : dr];
	}
	if (rc == -ENODEV) {
		pv_inject_hw_exception(TRAP_ud, -1);
		return EMUL_TAKEN;
	}
	return rc ? EMUL_FAULT : EMUL_DONE;
}

/* ---- MSRs, CPUID, TSC ---- */

static enum emul_result emul_msr(struct vcpu *v, const struct insn *in)
{
	struct cpu_user_regs *regs = &v->arch.regs;
	uint32_t msr = (uint32_t)regs->rcx;
	uint64_t val;

	if (in->opcode == 0x0f30) {
		val = (uint64_t)(uint32_t)regs->rdx << 32 | (uint32_t)regs->rax;
		return pv_write_msr(v, msr, val) ? EMUL_DONE : EMUL_FAULT;
	}
	if (!pv_read_msr(v, msr, &val))
		return EMUL_FAULT;
	regs->rax = (uint32_t)val;
	regs->rdx = val >> 32;
	return EMUL_DONE;
}

static void cpuid_into_regs(struct vcpu *v)
{
	struct cpu_user_regs *regs = &v->arch.regs;
	struct cpuid_regs r;

	guest_cpuid(v, (uint32_t)regs->rax, (uint32_t)regs->rcx, &r);
	regs->rax = r.a;
	regs->rbx = r.b;
	regs->rcx = r.c;
	regs->rdx = r.d;
}

static enum emul_result emul_rdtsc(struct vcpu *v, bool with_aux)
{
	struct cpu_user_regs *regs = &v->arch.regs;
	uint64_t tsc;

	if (!guest_kernel_mode(v, regs) && (v->arch.ctrlreg[4] & CR4_TSD))
		return EMUL_FAULT;
	tsc = v->domain->arch.vtsc ? vtsc_read(v->domain) : rdtsc();
	regs->rax = (uint32_t)tsc;
	regs->rdx = tsc >> 32;
	if (with_aux)
		regs->rcx = v->arch.tsc_aux;
	return EMUL_DONE;
}

static enum emul_result emul_xsetbv(struct vcpu *v)
{
	struct cpu_user_regs *regs = &v->arch.regs;
	uint64_t val = (uint64_t)(uint32_t)regs->rdx << 32 | (uint32_t)regs->rax;

	if ((uint32_t)regs->rcx || !(v->arch.ctrlreg[4] & CR4_OSXSAVE))
		return EMUL_FAULT;
	return guest_xsetbv(v, val) ? EMUL_FAULT : EMUL_DONE;
}

/* 0f 01: RDTSCP and XSETBV. */
static enum emul_result emul_group7(struct vcpu *v, struct insn *in)
{
	if (!insn_modrm(in))
		return EMUL_FAULT;
	if (in->modrm == 0xf9)
		return emul_rdtsc(v, true);
	if (in->modrm == 0xd1 && guest_kernel_mode(v, &v->arch.regs))
		return emul_xsetbv(v);
	return EMUL_FAULT;
}

static enum emul_result emulate(struct vcpu *v, struct insn *in)
{
	struct cpu_user_regs *regs = &v->arch.regs;

	/* What user space may do too, if it has the right. */
	switch (in->opcode) {
	case 0xe4: case 0xe5: case 0xe6: case 0xe7: case 0xec: case 0xed: case 0xee: case 0xef:
		return emul_in_out(v, in);
	case 0x6c: case 0x6d: case 0x6e: case 0x6f:
		return emul_string_io(v, in);
	case 0xfa: case 0xfb:
		/*
		 * CLI and STI with the I/O privilege do nothing: a POPF that
		 * undoes them cannot be seen.
		 */
		return emul_iopl_allows(v) ? EMUL_DONE : EMUL_FAULT;
	case 0x0f01:
		return emul_group7(v, in);
	case 0x0f31:
		return emul_rdtsc(v, false);
	case 0x0fa2:
		if (!guest_kernel_mode(v, regs) && (v->arch.msr_misc_features & 1))
			return EMUL_FAULT;
		cpuid_into_regs(v);
		return EMUL_DONE;
	}
	if (!guest_kernel_mode(v, regs))
		return EMUL_FAULT;
	switch (in->opcode) {
	case 0x0f06:
		set_task_switched(v, false);
		return EMUL_DONE;
	case 0x0f09:
		/*
		 * Only who has device memory has a reason; for others caches
		 * are coherent anyway.
		 */
		if (v->domain->is_hardware)
			flush_cache_all();
		return EMUL_DONE;
	case 0x0f20: case 0x0f22:
		return emul_mov_cr(v, in);
	case 0x0f21: case 0x0f23:
		return emul_mov_dr(v, in);
	case 0x0f30: case 0x0f32:
		return emul_msr(v, in);
	}
	return EMUL_FAULT;
}

/* After an emulated instruction, what the CPU does after one that it executed. */
static void retire(struct vcpu *v, struct cpu_user_regs *regs, unsigned int len)
{
	regs->rip += len;
	regs->rflags &= ~X86_EFLAGS_RF;
	if (regs->rflags & X86_EFLAGS_TF) {
		v->arch.dr[6] |= 1UL << 14;
		pv_inject_hw_exception(TRAP_db, -1);
	}
}

bool pv_emulate_privileged_op(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;
	struct insn in;

	if (!insn_decode(&in, v, regs))
		return false;
	if (unlikely(in.lock)) {
		pv_inject_hw_exception(TRAP_ud, -1);
		return true;
	}
	switch (emulate(v, &in)) {
	case EMUL_FAULT:
		return false;
	case EMUL_DONE:
		retire(v, regs, in.pos);
		break;
	case EMUL_RETRY:
	case EMUL_TAKEN:
		break;
	}
	return true;
}

/* "ud2a; .ascii "xen"; cpuid": CPUID that reaches us even where the CPU cannot fault it. */
bool pv_emulate_forced_invalid_op(struct cpu_user_regs *regs)
{
	static const uint8_t signature[8] = { 0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2 };
	struct vcpu *v = current;
	uint8_t bytes[8] = { 0 };

	if (raw_copy_from_guest(bytes, (void *)regs->rip, 7) || memcmp(bytes, signature, 8))
		return false;
	if (!guest_kernel_mode(v, regs) && (v->arch.msr_misc_features & 1)) {
		regs->rip += 5;
		pv_inject_hw_exception(TRAP_gp, 0);
		return true;
	}
	cpuid_into_regs(v);
	retire(v, regs, 7);
	return true;
}

/* ---- hypercall page: for kernels that call instead of executing SYSCALL themselves ---- */

void pv_hypercall_page_fill(void *page)
{
	/* push %rcx; push %r11; mov $n, %eax; syscall; pop %r11; pop %rcx; ret */
	static const uint8_t call[] = {
		0x51, 0x41, 0x53, 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3,
	};
	/* iret: rcx, r11 and rax are the frame's (struct iret_context): push; mov; syscall */
	static const uint8_t iret[] = {
		0x51, 0x41, 0x53, 0x50, 0xb8, __HYPERVISOR_iret, 0, 0, 0, 0x0f, 0x05,
	};
	uint8_t *p = page;

	memset(page, 0xcc, PAGE_SIZE);
	for (unsigned int i = 0; i < PAGE_SIZE / 32; i++) {
		memcpy(p + i * 32, call, sizeof(call));
		p[i * 32 + 4] = (uint8_t)i;
	}
	memset(p + __HYPERVISOR_iret * 32, 0xcc, 32);
	memcpy(p + __HYPERVISOR_iret * 32, iret, sizeof(iret));
}

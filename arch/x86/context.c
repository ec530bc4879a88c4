/* SPDX-License-Identifier: MIT */
/*
 * Leaving one vcpu and entering another. General registers are in v->arch
 * already (entry.S pushes them there). What is left is saved when a vcpu stops
 * running, and stays loaded too: while the idle vcpu runs, the CPU keeps the
 * page tables and registers of the last guest (`loaded_vcpu`), and returning
 * to it loads nothing. Whoever needs v to be on no CPU, because it continues
 * elsewhere or its page tables go, calls sync_vcpu_execstate(v).
 */
#include <core/domain.h>
#include <core/lib.h>
#include <core/sched.h>
#include <arch/atomic.h>
#include <arch/domain.h>
#include <arch/flush.h>
#include <arch/percpu.h>
#include <arch/spinlock.h>
#include <arch/time.h>
#include <x86/context.h>
#include <x86/cpufeature.h>
#include <x86/debugreg.h>
#include <x86/entry.h>
#include <x86/extable.h>
#include <x86/mm.h>
#include <x86/pv.h>

bool use_fsgsbase __ro_after_init;
static bool have_tsc_aux __ro_after_init;

static DEFINE_PER_CPU(struct vcpu *, loaded_vcpu);
static DEFINE_PER_CPU(uint64_t, tsc_aux_loaded);
static DEFINE_PER_CPU(bool, tsd_loaded);

void __init context_init(void)
{
	use_fsgsbase = read_cr4() & CR4_FSGSBASE;
	have_tsc_aux = cpu_has(X86_FEATURE_RDTSCP);
}

struct vcpu *loaded_vcpu_here(void)
{
	return this_cpu(loaded_vcpu);
}

/* ---- segments ---- */

#define READ_SELECTOR(seg) ({ unsigned int sel_; \
	__asm__ __volatile__("mov %%" #seg ", %0" : "=r"(sel_)); (uint16_t)sel_; })

/* Null selectors need no load, the bases are written afterwards anyway. False: it is null now. */
#define LOAD_SELECTOR(seg, sel) ({ bool ok_ = true; unsigned int s_ = (sel); \
	if (s_ | READ_SELECTOR(seg)) \
		__asm__ __volatile__( \
			"1: mov %1, %%" #seg "\n2:\n" \
			".pushsection .fixup, \"ax\"\n" \
			"3: xor %1, %1\n\tmov %1, %%" #seg "\n\tmovb $0, %b0\n\tjmp 2b\n" \
			".popsection\n" \
			_ASM_EXTABLE(1b, 3b) : "+q"(ok_), "+r"(s_)); \
	ok_; })

/*
 * The guest loads selectors, and with FSGSBASE bases, without our knowing. It
 * cannot execute SWAPGS, so the base that is not in use is as we know it.
 */
static void save_segments(struct vcpu *v)
{
	struct cpu_user_regs *r = &v->arch.regs;
	unsigned long gs = read_gs_base();

	r->ds = READ_SELECTOR(ds);
	r->es = READ_SELECTOR(es);
	r->fs = READ_SELECTOR(fs);
	r->gs = READ_SELECTOR(gs);
	v->arch.fs_base = read_fs_base();
	if (v->arch.flags & TF_kernel_mode)
		v->arch.gs_base_kernel = gs;
	else
		v->arch.gs_base_user = gs;
}

/* False if a selector was refused. The LDT is loaded. */
static bool load_segments(struct vcpu *v)
{
	const struct cpu_user_regs *r = &v->arch.regs;
	unsigned long gs = v->arch.gs_base_kernel, other = v->arch.gs_base_user;
	bool ok;

	if (!(v->arch.flags & TF_kernel_mode)) {
		gs = v->arch.gs_base_user;
		other = v->arch.gs_base_kernel;
	}
	ok = LOAD_SELECTOR(ds, r->ds);
	ok &= LOAD_SELECTOR(es, r->es);
	ok &= LOAD_SELECTOR(fs, r->fs);
	ok &= LOAD_SELECTOR(gs, r->gs);
	write_fs_base(v->arch.fs_base);
	if (use_fsgsbase) {
		write_gs_base(other);
		__asm__ __volatile__("swapgs");
	} else {
		wrmsr(MSR_KERNEL_GS_BASE, other);
	}
	write_gs_base(gs);
	return ok;
}

/* ---- the rest ---- */

static void save_state(struct vcpu *v)
{
	save_segments(v);
	if (unlikely(v->arch.dr[7] & DR7_ACTIVE_MASK))
		write_dr7(DR7_DEFAULT);
	fpu_save(v);
}

void load_tsc_controls(const struct vcpu *v)
{
	bool tsd = v->domain->arch.vtsc || (v->arch.ctrlreg[4] & CR4_TSD);

	if (unlikely(tsd != this_cpu(tsd_loaded))) {
		this_cpu(tsd_loaded) = tsd;
		write_cr4(tsd ? read_cr4() | CR4_TSD : read_cr4() & ~CR4_TSD);
	}
	if (have_tsc_aux && v->arch.tsc_aux != this_cpu(tsc_aux_loaded)) {
		this_cpu(tsc_aux_loaded) = v->arch.tsc_aux;
		wrmsr(MSR_TSC_AUX, v->arch.tsc_aux);
	}
}

/* The CPU gives up what it holds of v; v may be on its way to another CPU already. */
static void forget(struct vcpu *v, unsigned int cpu, const struct domain *next)
{
	if (!v)
		return;
	(void)atomic_cmpxchg(&v->dirty_cpu, cpu, VCPU_CPU_CLEAN);
	if (v->domain != next)
		cpumask_clear_cpu(cpu, &v->domain->dirty_cpumask);
}

static void load_state(struct vcpu *v, unsigned int cpu)
{
	struct vcpu *old = this_cpu(loaded_vcpu);

	/* First the mask: from here on flushes of the domain must reach this CPU. */
	if (!old || old->domain != v->domain)
		cpumask_set_cpu(cpu, &v->domain->dirty_cpumask);
	v->dirty_cpu = cpu;
	this_cpu(loaded_vcpu) = v;
	v->arch.host_sp = (unsigned long)get_cpu_info();
	set_guest_frame(v);
	pv_load_descriptors(v);
	write_ptbase(v);
	if (old != v)
		forget(old, cpu, v->domain);
	load_tsc_controls(v);
	fpu_load(v);
}

/* ---- lazy state ---- */

/* This CPU idles on some guest's page tables: takes the hypervisor's own. Interrupts off. */
static void drop_lazy_state(void)
{
	struct vcpu *v = this_cpu(loaded_vcpu);

	if (!v || !is_idle_vcpu(current))
		return;
	this_cpu(loaded_vcpu) = NULL;
	load_ldt(0);
	write_cr3(mfn_to_paddr(idle_l4_mfn()));
	flush_tlb_local();
	forget(v, smp_processor_id(), NULL);
}

static void drop_lazy_state_ipi(void *arg __maybe_unused)
{
	drop_lazy_state();
}

void sync_local_execstate(void)
{
	unsigned long flags = local_irq_save();

	drop_lazy_state();
	local_irq_restore(flags);
}

void sync_vcpu_execstate(struct vcpu *v)
{
	unsigned int cpu = read_once(v->dirty_cpu);
	cpumask_t mask;

	if (cpu == VCPU_CPU_CLEAN)
		return;
	if (cpu == smp_processor_id()) {
		sync_local_execstate();
		return;
	}
	cpumask_clear(&mask);
	cpumask_set_cpu(cpu, &mask);
	on_selected_cpus(&mask, drop_lazy_state_ipi, NULL, true);
}

/* ---- the switch ---- */

static __noreturn void leave_on_empty_stack(bool idle)
{
	struct cpu_info *sp = get_cpu_info();

	if (idle)
		__asm__ __volatile__("mov %0, %%rsp\n\tsti\n\tcall idle_loop"
				     :: "r"(sp) : "memory");
	else
		__asm__ __volatile__("mov %0, %%rsp\n\tjmp ret_to_guest" :: "r"(sp) : "memory");
	__builtin_unreachable();
}

void context_switch(struct vcpu *prev, struct vcpu *next)
{
	struct cpu_info *info = get_cpu_info();
	unsigned int cpu = info->processor_id;
	bool idle = is_idle_vcpu(next), load;

	lock_check_none();
	if (!idle && unlikely(next->dirty_cpu != cpu && next->dirty_cpu != VCPU_CPU_CLEAN)) {
		/*
		 * Another CPU idles on its page tables. It must be able to ask
		 * the same of us meanwhile.
		 */
		local_irq_enable();
		sync_vcpu_execstate(next);
		local_irq_disable();
	}
	if (!is_idle_vcpu(prev))
		save_state(prev);
	info->current_vcpu = next;
	load = !idle && (this_cpu(loaded_vcpu) != next || next->dirty_cpu != cpu);
	if (!idle) {
		if (load)
			load_state(next, cpu);
		else
			fpu_resume(next);
		if (unlikely(next->arch.dr[7] & DR7_ACTIVE_MASK))
			debugreg_load(next);
	}
	context_saved(prev);
	if (load) {
		const struct cpu_user_regs *r = &next->arch.regs;

		local_irq_enable();	/* a page of the LDT may have to be taken */
		if (unlikely(!load_segments(next)))
			pv_failsafe(next, r->ds, r->es, r->fs, r->gs);
	}
	if (!idle) {
		update_vcpu_system_time(next);
		if (next->runstate_guest)
			update_runstate_area(next);
	}
	leave_on_empty_stack(idle);
}

void continue_running(struct vcpu *v)
{
	leave_on_empty_stack(is_idle_vcpu(v));
}

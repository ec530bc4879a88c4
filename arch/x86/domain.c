/* SPDX-License-Identifier: MIT */
/* Birth, end and small questions about domains and vcpus, on this machine. */
#include <core/domain.h>
#include <core/errno.h>
#include <core/event.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <core/sched.h>
#include <core/xmalloc.h>
#include <arch/atomic.h>
#include <arch/domain.h>
#include <arch/irq.h>
#include <x86/context.h>
#include <x86/cpu_policy.h>
#include <x86/debugreg.h>
#include <x86/entry.h>
#include <x86/mm.h>
#include <x86/platform.h>
#include <x86/pv.h>
#include <x86/rangeset.h>
#include <x86/shadow.h>
#include <x86/time.h>
#include <xen/features.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/vcpu.h>

#define MAX_VCPUS	128u

/* ---- domains ---- */

int arch_sanitise_domain_config(struct xen_domctl_createdomain *cfg)
{
	if (cfg->flags & (XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_s3_integrity |
			  XEN_DOMCTL_CDF_nested_virt | XEN_DOMCTL_CDF_iommu))
		return -EINVAL;
	if (cfg->max_vcpus > MAX_VCPUS || cfg->vmtrace_size)
		return -EINVAL;
	if (cfg->arch.emulation_flags & ~XEN_X86_EMU_PIT)
		return -EINVAL;
	if (cfg->arch.misc_flags & ~XEN_X86_MSR_RELAXED)
		return -EINVAL;
	cfg->flags |= XEN_DOMCTL_CDF_oos_off;
	return 0;
}

int arch_domain_create(struct domain *d, const struct xen_domctl_createdomain *cfg)
{
	int rc = -ENOMEM;

	spin_lock_init(&d->arch.pirq_lock, LOCK_PIRQ);
	d->arch.msr_relaxed = cfg->arch.misc_flags & XEN_X86_MSR_RELAXED;
	d->arch.iomem_caps = rangeset_new();
	d->arch.ioport_caps = rangeset_new();
	d->arch.irq_caps = rangeset_new();
	if (d->arch.iomem_caps && d->arch.ioport_caps && d->arch.irq_caps)
		rc = domain_policy_create(d);
	if (!rc)
		rc = tsc_set_info(d, 0, 0, 0, 0)	/* mode 0: native where safe */;
	if (rc)
		arch_domain_destroy(d);
	return rc;
}

void arch_domain_destroy(struct domain *d)
{
	domain_policy_destroy(d);
	rangeset_destroy(d->arch.iomem_caps);
	rangeset_destroy(d->arch.ioport_caps);
	rangeset_destroy(d->arch.irq_caps);
	d->arch.iomem_caps = d->arch.ioport_caps = d->arch.irq_caps = NULL;
	xfree(d->arch.e820);
	d->arch.e820 = NULL;
}

/* Every step can be repeated: a preempted call begins anew and finds less to do. */
int arch_domain_relinquish(struct domain *d)
{
	struct vcpu *v;
	int rc;

	for_each_vcpu(d, v) {
		sync_vcpu_execstate(v);
		unmap_vcpu_info(v);
		pv_destroy_ldt(v);
		pv_destroy_gdt(v);
		rc = vcpu_destroy_pagetables(v);
		if (rc)
			return rc;
	}
	log_dirty_teardown(d);
	pirqs_release(d);
	return mm_relinquish_memory(d);
}

void arch_domain_shutdown(struct domain *d __maybe_unused) { }
void arch_domain_pause(struct domain *d __maybe_unused) { }
void arch_domain_unpause(struct domain *d __maybe_unused) { }
void arch_domain_creation_finished(struct domain *d __maybe_unused) { }

/* ---- vcpus ---- */

#define CR4_GUEST_CHOICE	(CR4_TSD | CR4_DE | CR4_FSGSBASE | CR4_OSXSAVE)
#define CR4_GUEST_SEES		(CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT)

unsigned long pv_fixup_guest_cr4(const struct domain *d, unsigned long wanted)
{
	const struct cpu_policy *p = d->arch.cpu_policy;

	if (!policy_has(p, X86_FEATURE_DE))
		wanted &= ~CR4_DE;
	if (!policy_has(p, X86_FEATURE_FSGSBASE))
		wanted &= ~CR4_FSGSBASE;
	if (!policy_has(p, X86_FEATURE_XSAVE))
		wanted &= ~CR4_OSXSAVE;
	return (wanted & CR4_GUEST_CHOICE) | (read_cr4() & CR4_GUEST_SEES);
}

static void registers_reset(struct vcpu *v)
{
	memset(&v->arch.regs, 0, sizeof(v->arch.regs));
	v->arch.regs.rflags = guest_rflags(0);
	memset(v->arch.dr, 0, sizeof(v->arch.dr));
	v->arch.dr[6] = DR6_DEFAULT;
	v->arch.dr[7] = DR7_DEFAULT;
	v->arch.ctrlreg[0] = read_cr0() & ~CR0_TS;
}

int arch_vcpu_create(struct vcpu *v)
{
	v->dirty_cpu = VCPU_CPU_CLEAN;
	v->arch.flags = TF_kernel_mode;
	v->arch.guest_table = v->arch.guest_table_user = INVALID_MFN;
	registers_reset(v);
	if (v->is_idle)
		return 0;
	v->arch.ctrlreg[4] = pv_fixup_guest_cr4(v->domain, 0);
	v->arch.trap_table = alloc_xenheap_page();
	if (!v->arch.trap_table)
		return -ENOMEM;
	if (fpu_create(v)) {
		free_xenheap_page(v->arch.trap_table);
		v->arch.trap_table = NULL;
		return -ENOMEM;
	}
	return 0;
}

void arch_vcpu_destroy(struct vcpu *v)
{
	fpu_destroy(v);
	if (v->arch.trap_table)
		free_xenheap_page(v->arch.trap_table);
	v->arch.trap_table = NULL;
}

int arch_vcpu_reset(struct vcpu *v)
{
	sync_vcpu_execstate(v);
	pv_destroy_ldt(v);
	pv_destroy_gdt(v);
	return vcpu_destroy_pagetables(v);
}

static long get_physid(struct vcpu *v, unsigned long arg)
{
	struct vcpu_get_physid id;

	if (!v->domain->is_hardware || !v->domain->is_pinned)
		return -EINVAL;
	id.phys_id = (uint64_t)x86_cpu_to_apicid[v->vcpu_id] | (uint64_t)v->vcpu_id << 32;
	return raw_copy_to_guest((void *)arg, &id, sizeof(id)) ? -EFAULT : 0;
}

long arch_vcpu_op(unsigned int cmd, struct vcpu *v, unsigned long arg)
{
	struct vcpu_register_time_memory_area area;

	switch (cmd) {
	case VCPUOP_send_nmi:
		if (arg)
			return -EINVAL;
		if (!atomic_xchg(&v->arch.nmi_pending, true)) {
			vcpu_unblock(v);
			vcpu_kick(v);
		}
		return 0;
	case VCPUOP_register_vcpu_time_memory_area:
		if (raw_copy_from_guest(&area, (void *)arg, sizeof(area)))
			return -EFAULT;
		return register_time_area(v, (unsigned long)area.addr.p);
	case VCPUOP_get_physid:
		return get_physid(v, arg);
	}
	return -ENOSYS;
}

/* ---- event upcalls ---- */

void vcpu_mark_events_pending(struct vcpu *v)
{
	if (!__atomic_exchange_n(&v->vcpu_info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST))
		vcpu_kick(v);
}

bool vcpu_event_delivery_is_enabled(const struct vcpu *v)
{
	return !read_once(v->vcpu_info->evtchn_upcall_mask);
}

void vcpu_set_event_delivery(struct vcpu *v, bool enabled)
{
	write_once(v->vcpu_info->evtchn_upcall_mask, !enabled);
}

bool local_events_need_delivery(void)
{
	const struct vcpu *v = current;

	if (is_idle_vcpu(v))
		return false;
	return read_once(v->vcpu_info->evtchn_upcall_pending) && vcpu_event_delivery_is_enabled(v);
}

/* ---- what guests ask about us ---- */

bool arch_get_features(unsigned int submap, uint32_t *bits)
{
	const struct domain *d = current->domain;

	*bits = 0;
	if (submap)
		return false;
	*bits = 1u << XENFEAT_mmu_pt_update_preserve_ad | 1u << XENFEAT_highmem_assist |
		1u << XENFEAT_gnttab_map_avail_bits | 1u << XENFEAT_memory_op_vnode_supported |
		1u << XENFEAT_direct_mapped;
	if (d->vm_assist & (1UL << VMASST_TYPE_pae_extended_cr3))
		*bits |= 1u << XENFEAT_pae_pgdir_above_4gb;
	if (d->is_hardware)
		*bits |= 1u << XENFEAT_dom0;
	return true;
}

const char *arch_capabilities(void)
{
	return "xen-3.0-x86_64";
}

unsigned long arch_virt_start(void)
{
	return HYPERVISOR_VIRT_START;
}

unsigned long arch_vm_assist_valid(void)
{
	return 1UL << VMASST_TYPE_4gb_segments | 1UL << VMASST_TYPE_4gb_segments_notify |
		1UL << VMASST_TYPE_writable_pagetables | 1UL << VMASST_TYPE_pae_extended_cr3 |
		1UL << VMASST_TYPE_architectural_iopl | 1UL << VMASST_TYPE_runstate_update_flag |
		1UL << VMASST_TYPE_m2p_strict;
}

/* ---- others ---- */

/* SYSCALL is two bytes long; argument registers in the order of the ABI. */
void arch_hypercall_rewind(struct vcpu *v, unsigned int op, unsigned int nr,
			   const unsigned long *args)
{
	struct cpu_user_regs *r = &v->arch.regs;

	r->rip -= 2;
	r->rax = op;
	switch (nr) {
	case 5:
		r->r8 = args[4];
		/* fall through */
	case 4:
		r->r10 = args[3];
		/* fall through */
	case 3:
		r->rdx = args[2];
		/* fall through */
	case 2:
		r->rsi = args[1];
		/* fall through */
	default:
		r->rdi = args[0];
	}
}

void arch_dump_domain(struct domain *d)
{
	struct vcpu *v;

	printk("    tsc_mode=%u khz=%u incarnation=%u%s\n", d->arch.tsc_mode, d->arch.tsc_khz,
	       d->arch.tsc_incarnation, d->arch.vtsc ? " (emulated)" : "");
	for_each_vcpu(d, v)
		printk("    vcpu%u: cr3=%016lx user=%016lx rip=%016lx\n", v->vcpu_id, v->arch.load_cr3[v->arch.flags & TF_kernel_mode],
		       mfn_eq(v->arch.guest_table_user, INVALID_MFN) ? 0 :
		       mfn_x(v->arch.guest_table_user) << PAGE_SHIFT, v->arch.regs.rip);
}

/* ---- hypercalls that a PV guest asks in vain ---- */

/*
 * Parameters exist for HVM domains only; the arguments are checked in the order
 * that callers know.
 */
DEFINE_HYPERCALL(hvm_op)
{
	struct xen_hvm_param param;

	if (a1 != HVMOP_get_param && a1 != HVMOP_set_param)
		return -ENOSYS;
	if (raw_copy_from_guest(&param, (void *)a2, sizeof(param)))
		return -EFAULT;
	if (param.index < HVM_NR_PARAMS && !domain_by_any_id(param.domid))
		return -ESRCH;
	return -EINVAL;
}

DEFINE_HYPERCALL(xenpmu_op)
{
	return -EOPNOTSUPP;
}

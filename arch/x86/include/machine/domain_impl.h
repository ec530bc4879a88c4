/* SPDX-License-Identifier: MIT */
/* The x86 part of struct domain and struct vcpu. */
#ifndef MACHINE_DOMAIN_IMPL_H
#define MACHINE_DOMAIN_IMPL_H

#include <core/types.h>
#include <core/mm.h>
#include <core/timer.h>
#include <arch/spinlock.h>
#include <xen/xen.h>
#include <xen/physdev.h>

struct pirq_map;
struct cpu_policy;
struct rangeset;
struct msi_desc;
struct e820_entry;

#define PV_IOBITMAP_BYTES	8192

struct arch_domain {
	/* mm */
	unsigned int relmem_step;	/* mm_relinquish_memory: the pass it is in */
	unsigned long relmem_left;	/* and how many pages that pass still has to look at */
	/* guards the two below; all zero is a valid initial state */
	spinlock_t e820_lock;
	struct e820_entry *e820;	/* XENMEM_set_memory_map; NULL = none */
	unsigned int nr_e820;
	uint32_t shadow_mb;		/* (domctl) XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION; 0 = our choice */

	/* pirqs: irq.c, physdev.c */
	spinlock_t pirq_lock;		/* guards all below */
	struct pirq_map **pirq;		/* [nr_pirqs], NULL = unused */
	unsigned int nr_pirqs;
	mfn_t pirq_eoi_map_mfn;		/* PHYSDEVOP_pirq_eoi_gmfn */
	unsigned long *pirq_eoi_map;
	bool auto_unmask;

	/* privilege: emul_io.c */
	struct rangeset *iomem_caps;	/* frames of I/O memory that it may map */
	struct rangeset *ioport_caps;
	struct rangeset *irq_caps;
	unsigned int pci_cf8;		/* last value written to port 0xcf8 */
	uint8_t cmos_index;		/* the same for port 0x70 */

	/* cpuid and MSR policy: cpu_policy.c */
	struct cpu_policy *cpu_policy;
	bool msr_relaxed;		/* XEN_X86_MSR_RELAXED: unknown MSRs read 0 */

	/* time: time.c */
	uint32_t tsc_mode;
	uint32_t tsc_khz;
	uint32_t tsc_incarnation;
	uint64_t vtsc_offset;
	bool vtsc;			/* RDTSC is trapped */
};

struct shadow;
struct trap_info;

/* vcpu->arch.flags */
#define TF_kernel_mode		(1u << 0)	/* the guest's kernel runs (else its user space) */

struct arch_vcpu {
	/*
	 * What the guest was doing: entries from the guest push straight into
	 * this frame, so a context switch copies no registers. &regs.es must be
	 * 16-byte aligned. es, ds, fs, gs are only valid while not running.
	 * A fault of the exit's own iret pushes into the frame and the room
	 * below it; entry.S moves the registers back then.
	 */
	unsigned long frame_room[7] __aligned(16);
	struct cpu_user_regs regs;
	unsigned long host_sp;		/* stack of the CPU that runs it: its struct cpu_info */

	unsigned int flags;		/* TF_ */
	/* What the exit to the guest has to deliver first; entry.S looks at all of it at once. */
	union {
		struct {
			bool nmi_pending, mce_pending;
			bool exception_pending;	/* exc_* below */
			bool frame_replaced;	/* a hypercall set rip: no short way out */
		};
		uint32_t exit_work;
	};
	uint8_t async_mask;		/* bit 0: in NMI handler, bit 1: in #MC handler */
	uint8_t async_old_mask[2];	/* async_mask before each of them */
	uint8_t exc_vector;
	bool exc_has_code;
	uint32_t exc_error_code;
	/* mm */
	mfn_t guest_table;		/* kernel's L4, type and reference held; INVALID_MFN none */
	mfn_t guest_table_user;		/* user's L4, INVALID_MFN none */
	/* What CR3 is while it runs, [TF_kernel_mode]: the machine address of these, or of a shadow. */
	unsigned long load_cr3[2];
	struct shadow *shadow;		/* (o) in use; NULL: it runs on the guest's own tables */
	struct shadow *shadow_mem;	/* (domctl) allocated */
	/*
	 * A page table whose release was put off or preempted (mm/deferred.c), NULL
	 * none. It holds a general reference, and a type reference, or with
	 * _partial what PGT_partial stands for.
	 */
	struct page_info *old_guest_table;
	bool old_guest_table_partial;

	/* descriptors: descriptors.c */
	mfn_t gdt_frames[14];
	unsigned int gdt_ents;
	unsigned int nr_gdt_frames;
	unsigned long ldt_base;
	unsigned int ldt_ents;
	mfn_t ldt_frames[16];		/* mapped into the CPU window; INVALID_MFN not yet */
	uint16_t ldt_mapped;		/* bit n: ldt_frames[n] is there, with a reference */

	/* trap entry points of the guest */
	struct trap_info *trap_table;	/* [256] */
	unsigned long event_callback_eip, failsafe_callback_eip, syscall_callback_eip;
	unsigned long syscall32_callback_eip, sysenter_callback_eip;
	uint16_t syscall32_callback_cs, sysenter_callback_cs;
	bool syscall32_disables_events, sysenter_disables_events;
	/* VGCF_failsafe_disables_events, _syscall_disables_events, _i387_valid */
	unsigned long vgc_flags;

	/* registers that are not in regs */
	unsigned long kernel_ss, kernel_sp;
	unsigned long fs_base, gs_base_kernel, gs_base_user;
	unsigned long ctrlreg[8];	/* the guest's view of CR0, CR2, CR4 */
	unsigned long dr[8];
	unsigned long dr7_emul;
	uint64_t xcr0, xcr0_accum;
	void *fpu;			/* XSAVE (or FXSAVE) image, 64-byte aligned */
	unsigned int iopl;		/* virtual IOPL << 12 */
	unsigned char *iobmp;		/* guest virtual address of its I/O bitmap */
	unsigned int iobmp_limit;

	/* time */
	/* of the time_record last published, see pvclock.c; 0 = none */
	unsigned long time_generation;
	struct vcpu_time_info pending_system_time;
	unsigned long time_info_guest;	/* register_vcpu_time_memory_area: guest virtual address */
	uint64_t tsc_aux;
	uint64_t msr_misc_features;	/* CPUID faulting etc. */
};

#endif

/* SPDX-License-Identifier: MIT */
/* State of a vcpu that lives in the CPU while it runs: segment bases, FPU, timestamp rights. */
#ifndef X86_CONTEXT_H
#define X86_CONTEXT_H

#include <core/types.h>
#include <x86/asm.h>

#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101
#define MSR_KERNEL_GS_BASE	0xc0000102
#define MSR_TSC_AUX		0xc0000103
#define MSR_MISC_FEATURES	0x140		/* bit 0: CPUID faults in user space */

struct vcpu;
struct domain;

/* FSGSBASE instructions are in use (cpu_init set CR4 for them). */
extern bool use_fsgsbase;

static inline unsigned long read_fs_base(void)
{
	unsigned long v;

	if (!use_fsgsbase)
		return rdmsr(MSR_FS_BASE);
	__asm__ __volatile__("rdfsbase %0" : "=r"(v));
	return v;
}
static inline unsigned long read_gs_base(void)
{
	unsigned long v;

	if (!use_fsgsbase)
		return rdmsr(MSR_GS_BASE);
	__asm__ __volatile__("rdgsbase %0" : "=r"(v));
	return v;
}
static inline void write_fs_base(unsigned long v)
{
	if (use_fsgsbase)
		__asm__ __volatile__("wrfsbase %0" :: "r"(v));
	else
		wrmsr(MSR_FS_BASE, v);
}
static inline void write_gs_base(unsigned long v)
{
	if (use_fsgsbase)
		__asm__ __volatile__("wrgsbase %0" :: "r"(v));
	else
		wrmsr(MSR_GS_BASE, v);
}

/*
 * The vcpu whose state, page tables included, this CPU holds; not `current`
 * while idle runs lazily.
 */
struct vcpu *loaded_vcpu_here(void);
/* CR4.TSD and TSC_AUX as v wants them. */
void load_tsc_controls(const struct vcpu *v);
void context_init(void);		/* once, after cpu_init of the boot CPU */

/* ---- clear_page.c: whole pages in vector registers, from here on ---- */
void vector_pages_init(void);

/* ---- fpu.c ---- */
int fpu_create(struct vcpu *v);		/* 0 or -ENOMEM */
void fpu_destroy(struct vcpu *v);
void fpu_reset(struct vcpu *v);		/* the image becomes that of a CPU after reset */
void fpu_save(struct vcpu *v);		/* v is loaded on this CPU; CR0.TS is clear afterwards */
void fpu_load(struct vcpu *v);
/* Does XCR0 as it is loaded now have AVX, and not AVX-512, whose registers a VEX write clears above? */
bool fpu_avx_enabled(void);
void fpu_resume(struct vcpu *v);	/* the registers are still v's: just XCR0 and CR0.TS */
/* The 512 bytes of FXSAVE format of a vcpu that does not run. */
void fpu_get_fxsave(const struct vcpu *v, void *to);
void fpu_set_fxsave(struct vcpu *v, const void *from);
/* Bytes of an XSAVE image with the components of xcr0, in the standard form. */
unsigned int xsave_size(uint64_t xcr0);
/*
 * May this image become the state of a vcpu with that xcr0, which has enabled
 * xcr0_accum since it began? 0, -EINVAL, -EOPNOTSUPP (compacted), -EIO.
 */
int xsave_check(const void *image, unsigned int size, uint64_t xcr0, uint64_t xcr0_accum);
/*
 * The image of a vcpu that does not run, without components that its guest
 * never enabled (we always save all): 0 or -EFAULT.
 */
int xsave_to_guest(void *to, const struct vcpu *v, unsigned int size);
/* A guest's XSETBV, to 0 of v == current: 0, or -EINVAL. */
int guest_xsetbv(struct vcpu *v, uint64_t value);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * FPU, SSE, AVX ... state of vcpus, switched eagerly: what belongs to another
 * vcpu is never in the registers. XSAVEOPT, XSAVE or FXSAVE, in the standard
 * form, which is also what the tools exchange. Guests choose XCR0, but save
 * and load always cover every component, or a guest could enable one and find
 * there what another left.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/lib.h>
#include <core/xmalloc.h>
#include <arch/percpu.h>
#include <x86/context.h>
#include <x86/cpufeature.h>
#include <x86/debugreg.h>
#include <x86/extable.h>

#define XSTATE_FP	1UL
#define XSTATE_SSE	2UL
#define XSTATE_YMM	4UL
#define XSTATE_ZMM	0xe0UL		/* opmask, ZMM_Hi256, Hi16_ZMM */
#define FXSAVE_BYTES	512
#define XSAVE_MIN	(FXSAVE_BYTES + 64)
#define MXCSR_DEFAULT	0x1f80
#define FCW_DEFAULT	0x37f

struct xsave_image {
	uint16_t fcw, fsw;
	uint8_t ftw, reserved1;
	uint16_t fop;
	uint64_t fip, fdp;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t registers[FXSAVE_BYTES - 32];
	uint64_t xstate_bv, xcomp_bv, reserved[6];
};

static DEFINE_PER_CPU(uint64_t, xcr0_loaded);

static unsigned int image_bytes(void)
{
	return host_xcr0 ? host_xsave_size : FXSAVE_BYTES;
}

void fpu_reset(struct vcpu *v)
{
	struct xsave_image *x = v->arch.fpu;

	memset(x, 0, image_bytes());
	x->fcw = FCW_DEFAULT;
	x->mxcsr = MXCSR_DEFAULT;
}

int fpu_create(struct vcpu *v)
{
	v->arch.fpu = xmalloc_bytes(image_bytes(), 64);
	if (!v->arch.fpu)
		return -ENOMEM;
	fpu_reset(v);
	v->arch.xcr0 = v->arch.xcr0_accum = host_xcr0 ? XSTATE_FP : 0;
	return 0;
}

void fpu_destroy(struct vcpu *v)
{
	xfree(v->arch.fpu);
	v->arch.fpu = NULL;
}

static void set_xcr0(uint64_t value)
{
	if (this_cpu(xcr0_loaded) == value)
		return;
	this_cpu(xcr0_loaded) = value;
	__asm__ __volatile__("xsetbv"
			     :: "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

bool fpu_avx_enabled(void)
{
	return (this_cpu(xcr0_loaded) & (XSTATE_YMM | XSTATE_ZMM)) == XSTATE_YMM;
}

void fpu_save(struct vcpu *v)
{
	if (unlikely(v->arch.ctrlreg[0] & CR0_TS))
		clts();
	if (!host_xcr0) {
		__asm__ __volatile__("fxsaveq (%0)" :: "r"(v->arch.fpu) : "memory");
		return;
	}
	set_xcr0(host_xcr0);
	if (cpu_has(X86_FEATURE_XSAVEOPT))
		__asm__ __volatile__("xsaveopt64 (%0)" :: "r"(v->arch.fpu), "a"(~0U), "d"(~0U)
				     : "memory");
	else
		__asm__ __volatile__("xsave64 (%0)" :: "r"(v->arch.fpu), "a"(~0U), "d"(~0U)
				     : "memory");
}

/* False if the CPU refuses the image: tools wrote it. */
static bool try_restore(const void *image)
{
	bool ok = true;

	if (!host_xcr0)
		__asm__ __volatile__(
			"1: fxrstorq (%1)\n2:\n"
			".pushsection .fixup, \"ax\"\n3: movb $0, %0\n\tjmp 2b\n.popsection\n"
			_ASM_EXTABLE(1b, 3b) : "+q"(ok) : "r"(image) : "memory");
	else
		__asm__ __volatile__(
			"1: xrstor64 (%1)\n2:\n"
			".pushsection .fixup, \"ax\"\n3: movb $0, %b0\n\tjmp 2b\n.popsection\n"
			_ASM_EXTABLE(1b, 3b)
			: "+q"(ok) : "r"(image), "a"(~0U), "d"(~0U) : "memory");
	return ok;
}

/*
 * AMD's older CPUs restore the addresses of the last x87 instruction and of its operand only with an
 * exception pending: a guest would see where another has been. Unless that is so, an instruction of
 * ours comes last; the state that it changes is restored next.
 */
static inline void overwrite_pointers(const struct xsave_image *x)
{
	if (boot_cpu.vendor != VENDOR_INTEL && !cpu_has(X86_FEATURE_RSTR_FP_ERR_PTRS) &&
	    !(x->fsw & ~x->fcw & 0x3f))
		__asm__ __volatile__("fnclex\n\tffree %%st(7)\n\tfildl %0" :: "m"(*(const uint32_t *)x));
}

void fpu_load(struct vcpu *v)
{
	if (host_xcr0)
		set_xcr0(host_xcr0);
	overwrite_pointers(v->arch.fpu);
	if (unlikely(!try_restore(v->arch.fpu))) {
		gprintk(XENLOG_G_WARNING, "invalid FPU state, reset\n");
		fpu_reset(v);
		(void)try_restore(v->arch.fpu);
	}
	fpu_resume(v);
}

void fpu_resume(struct vcpu *v)
{
	if (host_xcr0)
		set_xcr0(v->arch.xcr0 ? v->arch.xcr0 : XSTATE_FP);
	if (unlikely(v->arch.ctrlreg[0] & CR0_TS))
		stts();
}

void fpu_get_fxsave(const struct vcpu *v, void *to)
{
	const struct xsave_image *x = v->arch.fpu;
	struct xsave_image *out = to;

	memcpy(to, x, FXSAVE_BYTES);
	if (!host_xcr0)
		return;
	/* A component in its initial state is not in the image: what is there is old. */
	if (!(x->xstate_bv & XSTATE_FP)) {
		memset(to, 0, 24);
		memset(out->registers, 0, 128);
		out->fcw = FCW_DEFAULT;
	}
	if (!(x->xstate_bv & XSTATE_SSE)) {
		memset(out->registers + 128, 0, 256);
		out->mxcsr = MXCSR_DEFAULT;
	}
}

void fpu_set_fxsave(struct vcpu *v, const void *from)
{
	struct xsave_image *x = v->arch.fpu;

	memcpy(x, from, FXSAVE_BYTES);
	if (host_xcr0) {
		memset(&x->xstate_bv, 0, 64);
		x->xstate_bv = XSTATE_FP | XSTATE_SSE;
	}
}

unsigned int xsave_size(uint64_t xcr0)
{
	unsigned int size = XSAVE_MIN;

	for (unsigned int i = 2; i < 63; i++) {
		uint32_t a, b, c, d;

		if (!(xcr0 & (1UL << i)))
			continue;
		cpuid_count(0xd, i, &a, &b, &c, &d);
		size = max(size, a + b);
	}
	return size;
}

static bool xcr0_valid(uint64_t x)
{
	if (!(x & XSTATE_FP) || (x & ~host_xcr0))
		return false;
	if ((x & XSTATE_YMM) && !(x & XSTATE_SSE))
		return false;
	if ((x & XSTATE_ZMM) && ((x & XSTATE_ZMM) != XSTATE_ZMM || !(x & XSTATE_YMM)))
		return false;
	return !(x & 0x18) || (x & 0x18) == 0x18;	/* the two parts of MPX */
}

int xsave_check(const void *image, unsigned int size, uint64_t xcr0, uint64_t xcr0_accum)
{
	const struct xsave_image *x = image;

	if (size < XSAVE_MIN || (x->xstate_bv & ~xcr0_accum) || (xcr0 & ~xcr0_accum) ||
	    !xcr0_valid(xcr0) || !xcr0_valid(xcr0_accum))
		return -EINVAL;
	if (x->xcomp_bv)
		return -EOPNOTSUPP;
	for (unsigned int i = 0; i < ARRAY_SIZE(x->reserved); i++)
		if (x->reserved[i])
			return -EIO;
	return size != xsave_size(xcr0_accum) || x->mxcsr & ~0xffffu ? -EINVAL : 0;
}

int xsave_to_guest(void *to, const struct vcpu *v, unsigned int size)
{
	const struct xsave_image *x = v->arch.fpu;
	const uint64_t known = x->xstate_bv & v->arch.xcr0_accum;

	if (raw_copy_to_guest(to, x, size) ||
	    raw_copy_to_guest((char *)to + offsetof(struct xsave_image, xstate_bv), &known,
			      sizeof(known)))
		return -EFAULT;
	return 0;
}

int guest_xsetbv(struct vcpu *v, uint64_t value)
{
	if (!host_xcr0 || !xcr0_valid(value))
		return -EINVAL;
	v->arch.xcr0 = value;
	v->arch.xcr0_accum |= value;
	set_xcr0(value);
	return 0;
}

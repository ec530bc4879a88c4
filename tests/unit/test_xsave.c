/* SPDX-License-Identifier: MIT */
/*
 * XSAVE images that tools bring: what is taken, what is refused and how, and
 * that what we give is something that we take.
 *
 * LINK: arch/x86/fpu.c
 */
#include "harness.h"
#include <x86/context.h>
#include <x86/cpufeature.h>

#define FP_SSE	3UL
#define PKRU	(1UL << 9)

struct cpuinfo boot_cpu;
uint64_t host_xcr0;
unsigned int host_xsave_size;

static union {
	uint8_t bytes[4096];
	struct {
		uint8_t legacy[24];
		uint32_t mxcsr, mxcsr_mask;
		uint8_t registers[480];
		uint64_t xstate_bv, xcomp_bv, reserved[6];
	};
} image __attribute__((aligned(64)));

static void scene(uint64_t xcr0)
{
	memset(&image, 0, sizeof(image));
	host_xcr0 = xcr0;
	host_xsave_size = 4096;
	image.mxcsr = 0x1f80;
	image.xstate_bv = FP_SSE;
}

static int check(uint64_t xcr0, uint64_t accum)
{
	return xsave_check(&image, 576, xcr0, accum);
}

static void test_check(void **state __maybe_unused)
{
	scene(FP_SSE | PKRU);
	assert_int_equal(check(1, FP_SSE), 0);
	assert_int_equal(check(FP_SSE, FP_SSE), 0);
	assert_int_equal(xsave_check(&image, 575, 1, FP_SSE), -EINVAL);
	assert_int_equal(xsave_check(&image, 640, 1, FP_SSE), -EINVAL);
	assert_int_equal(xsave_check(&image, 0, 1, FP_SSE), -EINVAL);
	/* XCR0 as no CPU has it, or not part of what was ever enabled. */
	assert_int_equal(check(0, FP_SSE), -EINVAL);
	assert_int_equal(check(2, FP_SSE), -EINVAL);
	assert_int_equal(check(7, FP_SSE), -EINVAL);
	assert_int_equal(check(1, 2), -EINVAL);
	assert_int_equal(check(1, 0), -EINVAL);
	assert_int_equal(check(~0UL, ~0UL), -EINVAL);
	/* A component that was never enabled, or that the host does not have. */
	assert_int_equal(check(1, 1), -EINVAL);
	image.xstate_bv = FP_SSE | PKRU;
	assert_int_equal(check(1, FP_SSE), -EINVAL);
	scene(FP_SSE);
	assert_int_equal(check(1, FP_SSE | PKRU), -EINVAL);
	image.xcomp_bv = 1UL << 63;
	assert_int_equal(check(1, FP_SSE), -EOPNOTSUPP);
	for (unsigned int i = 0; i < 6; i++) {
		scene(FP_SSE);
		image.reserved[i] = 1;
		assert_int_equal(check(1, FP_SSE), -EIO);
	}
	scene(FP_SSE);
	image.mxcsr = 0x10000;
	assert_int_equal(check(1, FP_SSE), -EINVAL);
}

/* Our images hold all components; a vcpu's own must pass the check above. */
static void test_get(void **state __maybe_unused)
{
	struct domain *d = host_domain_create(1, 1, false);
	struct vcpu *v = d->vcpu[0];
	uint8_t *out = host_guest_alloc(576);

	scene(FP_SSE | PKRU);
	image.xstate_bv = FP_SSE | PKRU;
	v->arch.fpu = &image;
	v->arch.xcr0 = 1;
	v->arch.xcr0_accum = FP_SSE;
	for_each_fault(n, host_fail_copy) {
		int rc = xsave_to_guest(out, v, 576);

		assert_int_equal(rc, host_fault_fired() ? -EFAULT : 0);
	}
	assert_int_equal(xsave_check(out, 576, 1, FP_SSE), 0);
	assert_int_equal(image.xstate_bv, FP_SSE | PKRU);
	v->arch.fpu = NULL;
}

/* A vcpu finds its own state, and in no case the address of the last instruction before. */
static void test_load(void **state __maybe_unused)
{
	static struct {
		uint16_t fcw, fsw;
		uint32_t tag_and_op;
		uint64_t fip, fdp;
		uint8_t rest[488];
	} out __attribute__((aligned(16)));
	struct domain *d = host_domain_create(1, 1, false);
	struct vcpu *v = d->vcpu[0];
	uint64_t before;

	host_xcr0 = 0;
	v->arch.fpu = &image;
	fpu_reset(v);
	image.registers[0] = 0x55;	/* of st(0) */
	for (unsigned int vendor = VENDOR_OTHER; vendor <= VENDOR_HYGON; vendor++) {
		boot_cpu.vendor = (enum cpu_vendor)vendor;
		__asm__ __volatile__("fldpi\n\tfstp %%st(0)\n\tfxsaveq %0" : "=m"(out));
		before = out.fip;
		fpu_load(v);
		__asm__ __volatile__("fxsaveq %0\n\tfninit" : "=m"(out));
		assert_true(!before || out.fip != before);	/* some CPUs tell none without an exception */
		assert_int_equal(out.fcw, 0x37f);
		assert_int_equal(out.fsw | out.tag_and_op, 0);
		assert_memory_equal(out.rest + 8, image.registers, 384);
	}
	boot_cpu.vendor = VENDOR_OTHER;
	v->arch.fpu = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_check), host_test(test_get), host_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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

int main(void)
{
	const struct CMUnitTest tests[] = { host_test(test_check), host_test(test_get) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * The TSC that a domain sees when it is saved on one host and restored on
 * another whose TSC has another rate and began at another time: it goes on
 * where it was, at its old rate; and hosts that are alike need no emulation.
 *
 * LINK: arch/x86/pvclock.c arch/x86/time_scale.c xen-core/lib/math.c
 */
#include "harness.h"
#include <arch/domain.h>
#include <arch/time.h>
#include <x86/platform.h>
#include <x86/time.h>

uint32_t cpu_khz;
static bool safe;
static struct time_record record;
static struct domain *d;

const struct time_record *this_time_record(void) { return &record; }
bool host_tsc_is_safe(void) { return safe; }
bool tsc_is_stable(void) { return safe; }
bool kernel_addresses_begin(struct vcpu *v __maybe_unused) { return false; }
void kernel_addresses_end(struct vcpu *v __maybe_unused, bool changed __maybe_unused) { }

/* We are on a host that has been up for `up` and has that rate. */
static void host(uint32_t khz, s_time_t up)
{
	static unsigned long generation;

	cpu_khz = khz;
	safe = true;
	host_now = up;
	record.stime = up;
	record.tsc = (uint64_t)up / 1000000 * khz;
	set_time_scale(&record.scale, (uint64_t)khz * 1000);
	record.to_ticks = scale_reciprocal(record.scale);
	record.generation = ++generation;
}

static void scene(void)
{
	d = host_domain_create(1, 1, false);
	d->vcpu[0]->vcpu_info = host_guest_alloc(sizeof(struct vcpu_info));
	host(2600000, SECONDS(1000));
	assert_int_equal(tsc_set_info(d, 0, 0, 0, 0), 0);
	assert_false(d->arch.vtsc);
}

/* Nanoseconds that the guest computes for TSC value t from what is published. */
static uint64_t guest_time(uint64_t t)
{
	const struct vcpu_time_info *i = &d->vcpu[0]->vcpu_info->time;
	struct time_scale s;

	force_update_vcpu_system_time(d->vcpu[0]);
	s = (struct time_scale){ i->tsc_to_system_mul, i->tsc_shift };
	return i->system_time + scale_delta(t - i->tsc_timestamp, &s);
}

static void test_other_rate(void **state __maybe_unused)
{
	uint32_t mode, khz, incarnation;
	uint64_t elapsed, before, after, second;

	scene();
	/* A guest with a virtual TSC, whose rate is easily compared. */
	assert_int_equal(tsc_set_info(d, 1, SECONDS(500), 0, 0), 0);
	assert_true(d->arch.vtsc);
	before = vtsc_read(d);
	assert_in_range(before, 500 * 2600000000UL - 10000, 500 * 2600000000UL + 10000);
	tsc_get_info(d, &mode, &elapsed, &khz, &incarnation);
	assert_int_equal(elapsed, SECONDS(500));
	assert_int_equal(khz, 2600000);

	for (uint32_t rate = 800000; rate < 5000000; rate += 333333) {
		host(rate, SECONDS(3));		/* a host that has just been started */
		assert_int_equal(tsc_set_info(d, mode, elapsed, khz, incarnation), 0);
		assert_true(d->arch.vtsc);
		assert_int_equal(d->arch.tsc_incarnation, incarnation + 1);
		after = vtsc_read(d);
		assert_in_range(after, before, before + 10000);
		/* A second later it has gone on at its old rate. */
		host_now += SECONDS(1);
		second = vtsc_read(d);
		assert_in_range(second - after, 2600000000UL - 100, 2600000000UL + 100);
		/* And what the guest computes from it is system time. */
		assert_in_range(guest_time(second), (uint64_t)host_now - 100,
				(uint64_t)host_now + 100);
	}
}

/*
 * A domain moves to hosts of other rates, which have been up for longer than it has, with
 * the record that they compute by taken at boot: neither its TSC nor its time jumps, and
 * both run at their rates however long.
 */
static void test_old_hosts(void **state __maybe_unused)
{
	static const uint32_t rates[] = { 2000000, 3700123, 1234567, 2600000 };
	uint64_t elapsed, last, now;
	uint32_t mode, khz, incarnation;

	scene();
	/* Almost a month on the first host, natively. */
	host(2600000, SECONDS(2500000) + 12345678);
	record.stime = SECONDS(1);
	record.tsc = 2600000000UL;
	elapsed = (uint64_t)host_now;
	last = (uint64_t)host_now / 1000 * 2600 + 678 * 26 / 10;
	khz = 2600000;
	mode = incarnation = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(rates); i++) {
		host(rates[i], SECONDS(9000000));
		record.stime = SECONDS(1);
		record.tsc = rates[i] * 1000UL;
		mode = rates[i] == khz;		/* at last home, and still emulated */
		assert_int_equal(tsc_set_info(d, mode, elapsed, khz, incarnation), 0);
		assert_true(d->arch.vtsc);
		now = vtsc_read(d);
		assert_in_range(now, last, last + 3);
		for (unsigned int j = 0; j < 5; j++) {
			assert_in_range(guest_time(vtsc_read(d)), (uint64_t)host_now - 2,
					(uint64_t)host_now + 2);
			host_now += SECONDS(1000000);
			last = now;
			now = vtsc_read(d);
			assert_in_range(now - last, 2600000000000000UL - 3, 2600000000000000UL + 3);
		}
		tsc_get_info(d, &mode, &elapsed, &khz, &incarnation);
		assert_int_equal(khz, 2600000);
		last = vtsc_read(d);
	}
}

static void test_default_mode(void **state __maybe_unused)
{
	uint32_t mode, khz, incarnation;
	uint64_t elapsed;

	scene();
	tsc_get_info(d, &mode, &elapsed, &khz, &incarnation);
	assert_int_equal(khz, 2600000);
	/* Measured a little differently: the same. */
	host(2600050, SECONDS(10));
	assert_int_equal(tsc_set_info(d, mode, elapsed, khz, incarnation), 0);
	assert_false(d->arch.vtsc);
	/* Clearly another: emulated, from where it was. */
	host(2601000, SECONDS(10));
	assert_int_equal(tsc_set_info(d, mode, elapsed, khz, incarnation), 0);
	assert_true(d->arch.vtsc);
	assert_true(vtsc_read(d) + 10000 > elapsed / 1000000 * khz);
	/* And home again. */
	tsc_get_info(d, &mode, &elapsed, &khz, &incarnation);
	assert_int_equal(khz, 2600000);
	host(2600000, SECONDS(2000));
	assert_int_equal(tsc_set_info(d, mode, elapsed, khz, incarnation), 0);
	assert_false(d->arch.vtsc);
	/* CPUs that do not agree are never shown. */
	safe = false;
	assert_int_equal(tsc_set_info(d, mode, elapsed, khz, incarnation), 0);
	assert_true(d->arch.vtsc);
}

static void test_modes(void **state __maybe_unused)
{
	uint32_t mode, khz, incarnation;
	uint64_t elapsed;

	scene();
	assert_int_equal(tsc_set_info(d, 3, 0, 0, 0), -EINVAL);
	assert_int_equal(tsc_set_info(d, 2, 77, 1000, 5), 0);
	assert_false(d->arch.vtsc);
	tsc_get_info(d, &mode, &elapsed, &khz, &incarnation);
	assert_int_equal(mode, 2);
	assert_int_equal(elapsed + khz, 0);
	assert_int_equal(incarnation, 6);
	/* Whatever a tool says, nothing breaks: the least, the most. */
	assert_int_equal(tsc_set_info(d, 1, ~0UL, 1, 0), 0);
	(void)vtsc_read(d);
	(void)guest_time(0);
	assert_int_equal(tsc_set_info(d, 1, 1UL << 63, ~0U, ~0U), 0);
	(void)vtsc_read(d);
	(void)guest_time(0);
	d->is_hardware = true;
	assert_int_equal(tsc_set_info(d, 1, 0, 0, 0), 0);
	assert_false(d->arch.vtsc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(test_other_rate), host_test(test_old_hosts), host_test(test_default_mode), host_test(test_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Time as PV guests compute it: TSC, scale and offset in vcpu_info (and, if
 * asked, in an area of the guest's own), guarded by a version that is odd
 * while they are being written. A vcpu's copy is written again only when it
 * gets onto a CPU with another time_record, or that record changes.
 *
 * A domain may also get a virtual TSC of fixed rate (tsc_mode): then RDTSC
 * traps, and what is published speaks of the virtual one.
 */
#include <core/domain.h>
#include <core/errno.h>
#include <core/lib.h>
#include <arch/barrier.h>
#include <arch/domain.h>
#include <arch/guest_access.h>
#include <arch/time.h>
#include <x86/asm.h>
#include <x86/cpufeature.h>
#include <x86/platform.h>
#include <x86/pv.h>
#include <x86/time.h>

/* tsc_mode in the tools' configuration, domctl and CPUID leaves. */
#define TSC_MODE_DEFAULT		0
#define TSC_MODE_ALWAYS_EMULATE		1
#define TSC_MODE_NEVER_EMULATE		2

/*
 * Hosts whose rates differ by less, in parts per million, have the same TSC:
 * that is how well it is measured, and what clocks are disciplined for anyway.
 */
#define SAME_RATE_PPM			100

static bool same_rate(uint32_t a, uint32_t b)
{
	const uint32_t diff = a > b ? a - b : b - a;

	return (uint64_t)diff * 1000000 <= (uint64_t)b * SAME_RATE_PPM;
}

static struct time_scale vtsc_scale(const struct domain *d)
{
	struct time_scale s;

	set_time_scale(&s, (uint64_t)d->arch.tsc_khz * 1000);
	return s;
}

/* Exact: a scale's error would grow with the domain's age, and be a jump on another host. */
static uint64_t stime_to_vtsc(const struct domain *d, s_time_t stime)
{
	s_time_t ns = (s_time_t)((uint64_t)stime - d->arch.vtsc_offset);

	if (ns < 0)
		return 0;
	return (uint64_t)ns / 1000000 * d->arch.tsc_khz +
	       (uint64_t)ns % 1000000 * d->arch.tsc_khz / 1000000;
}

uint64_t vtsc_read(const struct domain *d)
{
	return stime_to_vtsc(d, NOW());
}

static void fill_time_info(const struct vcpu *v, struct vcpu_time_info *t)
{
	const struct time_record *r = this_time_record();
	const struct domain *d = v->domain;
	struct time_scale scale = r->scale;
	s_time_t now;

	t->tsc_timestamp = r->tsc;
	t->system_time = (uint64_t)r->stime;
	if (d->arch.vtsc) {
		/* Our record may be from before the domain's TSC began, and the scale is not exact. */
		now = NOW();
		scale = vtsc_scale(d);
		t->system_time = (uint64_t)now;
		t->tsc_timestamp = stime_to_vtsc(d, now);
	}
	t->tsc_to_system_mul = scale.mul;
	t->tsc_shift = scale.shift;
	t->flags = tsc_is_stable() && !d->arch.vtsc ? XEN_PVCLOCK_TSC_STABLE_BIT : 0;
}

/*
 * The area that the guest registered by a virtual address; v is current. False
 * if it is not mapped now.
 */
static bool copy_to_area(struct vcpu *v, const struct vcpu_time_info *t)
{
	struct vcpu_time_info *area = (struct vcpu_time_info *)v->arch.time_info_guest;
	uint32_t odd = t->version | 1, even = odd + 1;
	struct vcpu_time_info body = *t;
	bool changed = kernel_addresses_begin(v), ok;

	body.version = odd;
	ok = !raw_copy_to_guest(&area->version, &odd, sizeof(odd));
	smp_wmb();			/* odd before the contents change */
	ok = ok && !raw_copy_to_guest(area, &body, sizeof(body));
	smp_wmb();			/* contents before even */
	ok = ok && !raw_copy_to_guest(&area->version, &even, sizeof(even));
	kernel_addresses_end(v, changed);
	return ok;
}

void force_update_vcpu_system_time(struct vcpu *v)
{
	struct vcpu_time_info *mine = &v->arch.pending_system_time, *u = &v->vcpu_info->time;
	uint32_t version = (mine->version + 2) & ~1u;

	fill_time_info(v, mine);
	mine->version = version;
	write_once(u->version, version - 1);
	smp_wmb();			/* odd before the contents change */
	u->tsc_timestamp = mine->tsc_timestamp;
	u->system_time = mine->system_time;
	u->tsc_to_system_mul = mine->tsc_to_system_mul;
	u->tsc_shift = mine->tsc_shift;
	u->flags = mine->flags;
	smp_wmb();			/* contents complete before version is even */
	write_once(u->version, version);
	/* A virtual TSC's scale is an approximation, so it is begun anew at each switch. */
	v->arch.time_generation = v->domain->arch.vtsc ? 0 : this_time_record()->generation;
	if (v->arch.time_info_guest && v == current && !copy_to_area(v, mine))
		v->arch.time_generation = 0;	/* tried again at the next switch */
}

void update_vcpu_system_time(struct vcpu *v)
{
	if (likely(v->arch.time_generation == this_time_record()->generation))
		return;
	force_update_vcpu_system_time(v);
}

int register_time_area(struct vcpu *v, unsigned long guest_va)
{
	if (guest_va && !guest_range_okay((void *)guest_va, 1, sizeof(struct vcpu_time_info)))
		return -EFAULT;
	v->arch.time_info_guest = guest_va;
	if (guest_va)
		force_update_vcpu_system_time(v);
	return 0;
}

/* ---- TSC modes ---- */

void tsc_get_info(struct domain *d, uint32_t *mode, uint64_t *elapsed_nsec, uint32_t *khz,
		  uint32_t *incarnation)
{
	int64_t elapsed;

	*incarnation = d->arch.tsc_incarnation;
	*mode = d->arch.tsc_mode;
	*elapsed_nsec = 0;
	*khz = 0;
	if (d->arch.tsc_mode == TSC_MODE_NEVER_EMULATE)
		return;
	if (d->arch.vtsc) {
		elapsed = (int64_t)((uint64_t)NOW() - d->arch.vtsc_offset);
		*khz = d->arch.tsc_khz;
	} else {
		elapsed = (int64_t)muldiv64(rdtsc(), 1000000, cpu_khz);
		*khz = cpu_khz;
	}
	*elapsed_nsec = elapsed > 0 ? (uint64_t)elapsed : 0;
}

int tsc_set_info(struct domain *d, uint32_t mode, uint64_t elapsed_nsec, uint32_t khz,
		 uint32_t incarnation)
{
	struct vcpu *v;

	if (d->is_hardware) {		/* it always has the real one */
		d->arch.vtsc = false;
		d->arch.tsc_khz = cpu_khz;
		return 0;
	}
	switch (mode) {
	case TSC_MODE_DEFAULT:
	case TSC_MODE_ALWAYS_EMULATE:
		d->arch.vtsc_offset = (uint64_t)NOW() - elapsed_nsec;
		d->arch.tsc_khz = khz ? khz : cpu_khz;
		d->arch.vtsc = mode == TSC_MODE_ALWAYS_EMULATE || !host_tsc_is_safe() ||
			       !same_rate(d->arch.tsc_khz, cpu_khz);
		break;
	case TSC_MODE_NEVER_EMULATE:
		d->arch.vtsc = false;
		break;
	default:
		return -EINVAL;
	}
	d->arch.tsc_mode = mode;
	d->arch.tsc_incarnation = incarnation + 1;
	for_each_vcpu(d, v)
		v->arch.time_generation = 0;
	return 0;
}

void tsc_cpuid_leaf(const struct domain *d, unsigned int subleaf, uint32_t out[4])
{
	struct time_scale scale = this_time_record()->scale;
	uint64_t offset = this_time_record()->tsc -
			  (uint64_t)muldiv64((uint64_t)this_time_record()->stime, cpu_khz, 1000000);

	out[0] = out[1] = out[2] = out[3] = 0;
	switch (subleaf) {
	case 0:
		out[0] = d->arch.vtsc | (uint32_t)(host_tsc_is_safe() << 1) |
			 (uint32_t)(cpu_has(X86_FEATURE_RDTSCP) << 2);
		out[1] = d->arch.tsc_mode;
		out[2] = d->arch.tsc_khz;
		out[3] = d->arch.tsc_incarnation;
		break;
	case 1:
		if (d->arch.vtsc) {
			scale = vtsc_scale(d);
			offset = 0;	/* RDTSC has it already */
		}
		out[0] = (uint32_t)offset;
		out[1] = (uint32_t)(offset >> 32);
		out[2] = scale.mul;
		out[3] = (uint32_t)(int32_t)scale.shift;
		break;
	case 2:
		out[0] = cpu_khz;
		break;
	}
}

/* SPDX-License-Identifier: MIT */
/* Time: see time.h; the record's protocol is that of struct vcpu_time_info in <xen/xen.h>. */
#include <guest/cpu.h>
#include <guest/event.h>
#include <guest/time.h>

/* delta ticks scaled to ns: shift, then multiply by a 32-bit fraction. */
static uint64_t scale(uint64_t delta, uint32_t mul, int8_t shift)
{
	delta = shift < 0 ? delta >> -shift : delta << shift;
	return ((unsigned __int128)delta * mul) >> 32;
}

uint64_t time_now(void)
{
	volatile struct vcpu_time_info *t = &this_vcpu_info()->time;
	uint32_t version;
	uint64_t now;

	do {
		version = t->version;
		barrier();
		now = t->system_time +
		      scale(rdtsc() - t->tsc_timestamp, t->tsc_to_system_mul, t->tsc_shift);
		barrier();
	} while ((version & 1) || version != t->version);
	return now;
}

uint64_t time_wall(void)
{
	volatile struct shared_info *s = shared_info;
	uint32_t version;
	uint64_t base;

	do {
		version = s->wc_version;
		barrier();
		base = ((uint64_t)s->wc_sec_hi << 32 | s->wc_sec) * SECOND + s->wc_nsec;
		barrier();
	} while ((version & 1) || version != s->wc_version);
	return base + time_now();
}

long time_set_singleshot(uint64_t deadline, unsigned int flags)
{
	struct vcpu_set_singleshot_timer op = { .timeout_abs_ns = deadline, .flags = flags };

	return vcpu_op(VCPUOP_set_singleshot_timer, this_cpu()->id, &op);
}

void time_delay(uint64_t ns)
{
	uint64_t end = time_now() + ns;

	while (time_now() < end)
		sched_op(SCHEDOP_yield, NULL);
}

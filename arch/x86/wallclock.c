/* SPDX-License-Identifier: MIT */
/*
 * Wall-clock time: UTC at system time 0, read once from the CMOS clock and set
 * since by dom0 (XENPF_settime). Guests find it in shared_info, plus their own
 * offset; a version that is odd while it is being written guards it.
 */
#include <core/domain.h>
#include <core/lib.h>
#include <arch/barrier.h>
#include <arch/spinlock.h>
#include <arch/time.h>
#include <x86/asm.h>
#include <x86/platform.h>
#include <x86/time.h>

static DEFINE_SPINLOCK(wc_lock, LOCK_ANY);
static uint64_t wc_nsec_at_boot;	/* wc_lock: ns of UTC since 1970 at system time 0 */

void update_domain_wallclock_time(struct domain *d)
{
	struct shared_info *s = d->shared_info;
	uint64_t sec, base;
	uint32_t version, nsec;

	if (!s)
		return;
	spin_lock(&wc_lock);
	base = wc_nsec_at_boot;
	nsec = (uint32_t)(base % 1000000000);
	sec = base / 1000000000 + d->time_offset_seconds;
	version = read_once(s->wc_version) | 1;
	write_once(s->wc_version, version);
	smp_wmb();			/* version odd before the contents change */
	write_once(s->wc_sec, (uint32_t)sec);
	write_once(s->wc_nsec, nsec);
	write_once(s->wc_sec_hi, (uint32_t)(sec >> 32));
	smp_wmb();			/* contents complete before version is even */
	write_once(s->wc_version, version + 1);
	spin_unlock(&wc_lock);
}

void domain_set_time_offset(struct domain *d, int64_t seconds)
{
	d->time_offset_seconds = (uint64_t)seconds;
	update_domain_wallclock_time(d);
}

/* It was secs.nsecs UTC at system time `base`. */
void do_settime(uint64_t secs, uint64_t nsecs, uint64_t base)
{
	struct domain *d;

	spin_lock(&wc_lock);
	wc_nsec_at_boot = secs * 1000000000 + nsecs - base;
	spin_unlock(&wc_lock);
	for_each_domain(d)
		if (!d->is_system)
			update_domain_wallclock_time(d);
}

/* ---- CMOS ---- */

struct cmos_time { uint8_t sec, min, hour, day, month, year, status_b; };

static uint8_t __init cmos_read(uint8_t reg)
{
	outb(reg, 0x70);
	return inb(0x71);
}

static void __init cmos_read_all(struct cmos_time *t)
{
	for (unsigned int i = 0; i < 5000 && (cmos_read(0x0a) & 0x80); i++)
		udelay(1);		/* update in progress, at most 2 ms */
	t->sec = cmos_read(0);
	t->min = cmos_read(2);
	t->hour = cmos_read(4);
	t->day = cmos_read(7);
	t->month = cmos_read(8);
	t->year = cmos_read(9);
	t->status_b = cmos_read(0x0b);
}

static unsigned int __init from_bcd(uint8_t v, bool binary)
{
	return binary ? v : (v >> 4) * 10u + (v & 15u);
}

/* Days since 1970-01-01 of a date in the Gregorian calendar. */
static uint64_t __init days_from_date(unsigned int y, unsigned int m, unsigned int d)
{
	if (m <= 2) {
		m += 12;
		y--;
	}
	return 365ULL * y + y / 4 - y / 100 + y / 400 + (153 * (m - 3) + 2) / 5 + d - 719469;
}

void __init wallclock_init(void)
{
	struct cmos_time a, b;
	unsigned int hour;
	bool bin;
	uint64_t sec;

	cmos_read_all(&a);
	for (unsigned int try = 0; try < 5; try++) {	/* twice the same: no update in between */
		cmos_read_all(&b);
		if (!memcmp(&a, &b, sizeof(a)))
			break;
		a = b;
	}
	bin = a.status_b & 4;
	hour = from_bcd(a.hour & 0x7f, bin);
	if (!(a.status_b & 2))			/* 12-hour clock, bit 7 = pm */
		hour = hour % 12 + (a.hour & 0x80 ? 12 : 0);
	sec = days_from_date((from_bcd(a.year, bin) < 70 ? 2000 : 1900) + from_bcd(a.year, bin),
			     from_bcd(a.month, bin), from_bcd(a.day, bin)) * 86400 +
	      hour * 3600 + from_bcd(a.min, bin) * 60 + from_bcd(a.sec, bin);
	wc_nsec_at_boot = sec * 1000000000 - (uint64_t)NOW();
}

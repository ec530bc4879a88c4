/* SPDX-License-Identifier: MIT */
/*
 * The current guest's memory is whatever a test registered: each copy is
 * checked against those areas, stops at their end as a fault would, and can be
 * made to fail. A test's areas come from malloc, so ASan guards their ends too.
 */
#include <core/lib.h>
#include <arch/guest_access.h>
#include <host/host.h>
#include <stdlib.h>

#define MAX_AREAS	4096

static struct area {
	unsigned long start, size;
	bool writable, allocated;
} areas[MAX_AREAS];
static unsigned int nr_areas;		/* one more than the last in use since the last reset */

static struct area *area_of(unsigned long a)
{
	for (unsigned int i = 0; i < nr_areas; i++)
		if (areas[i].size && a - areas[i].start < areas[i].size)
			return &areas[i];
	return NULL;
}

void host_guest_map(void *p, size_t size, bool writable)
{
	for (unsigned int i = 0; i < MAX_AREAS; i++)
		if (!areas[i].size) {
			areas[i] = (struct area){ (unsigned long)p, size, writable, false };
			nr_areas = max(nr_areas, i + 1);
			return;
		}
	BUG();
}

void *host_guest_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	BUG_ON(!p);
	host_guest_map(p, size ? size : 1, true);
	area_of((unsigned long)p)->allocated = true;
	return p;
}

void host_guest_free(void *p)
{
	struct area *a = area_of((unsigned long)p);

	BUG_ON(!a || a->start != (unsigned long)p || !a->allocated);
	free(p);
	a->size = 0;
}

void host_guest_unmap_all(void)
{
	for (unsigned int i = 0; i < nr_areas; i++) {
		if (areas[i].size && areas[i].allocated)
			free((void *)areas[i].start);
		areas[i] = (struct area){ 0 };
	}
	nr_areas = 0;
}

void host_guest_reset(void) { host_guest_unmap_all(); }

bool guest_range_okay(const void *p, unsigned long nr, size_t size)
{
	unsigned long a = (unsigned long)p, end, bytes;

	if (__builtin_mul_overflow(nr, size, &bytes) || __builtin_add_overflow(a, bytes, &end))
		return false;
	return end <= 0xffff800000000000 || a >= 0xffff880000000000;
}

/* How many of n bytes at a can be reached; areas that touch count as one. */
static size_t reachable(unsigned long a, size_t n, bool write)
{
	size_t done = 0;

	if (!guest_range_okay((void *)a, n, 1))
		return 0;
	while (done < n) {
		const struct area *r = area_of(a + done);

		if (!r || (write && !r->writable))
			break;
		done += min(n - done, (size_t)(r->start + r->size - (a + done)));
	}
	return done;
}

unsigned long raw_copy_from_guest(void *dst, const void *guest, size_t n)
{
	size_t ok;

	if (in_irq())
		bug_at(__FILE__, __LINE__, "guest copy in interrupt context");
	if (host_copy_fails())
		return n;
	ok = reachable((unsigned long)guest, n, false);
	memcpy(dst, guest, ok);
	memset((char *)dst + ok, 0, n - ok);
	return n - ok;
}

unsigned long raw_copy_to_guest(void *guest, const void *src, size_t n)
{
	size_t ok;

	if (in_irq())
		bug_at(__FILE__, __LINE__, "guest copy in interrupt context");
	if (host_copy_fails())
		return n;
	ok = reachable((unsigned long)guest, n, true);
	memcpy(guest, src, ok);
	return n - ok;
}

unsigned long raw_clear_guest(void *guest, size_t n)
{
	size_t ok;

	if (host_copy_fails())
		return n;
	ok = reachable((unsigned long)guest, n, true);
	memset(guest, 0, ok);
	return n - ok;
}

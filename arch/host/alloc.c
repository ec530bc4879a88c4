/* SPDX-License-Identifier: MIT */
/*
 * Allocation under test: the page heap is the real one (page_alloc.c) over the
 * fake RAM; small objects come from malloc, so that ASan sees overruns and
 * uses after free, unless a test links heap.c. The linker's --wrap puts the
 * functions here in front of the real ones, which lets any of them fail on
 * purpose.
 */
#include <core/lib.h>
#include <core/hypercall.h>
#include <core/mm.h>
#include <core/xmalloc.h>
#include <host/host.h>
#include <stdlib.h>

static unsigned int fail_alloc, fail_copy, preempt_at;
static bool fired;
long host_xmalloc_blocks;

void host_fail_alloc(unsigned int n) { fail_alloc = n; fired = false; }
void host_fail_copy(unsigned int n) { fail_copy = n; fired = false; }
void host_preempt_at(unsigned int n) { preempt_at = n; fired = false; }
bool host_fault_fired(void) { return fired; }

static bool counts_down(unsigned int *n)
{
	if (!*n || --*n)
		return false;
	fired = true;
	return true;
}

bool host_alloc_fails(void) { return counts_down(&fail_alloc); }
bool host_copy_fails(void) { return counts_down(&fail_copy); }

__attribute__((weak)) bool hypercall_preempt_check(void) { return counts_down(&preempt_at); }

/* ---- the page heap, with failures ---- */
void *__real_alloc_xenheap_pages(unsigned int order, unsigned int memflags);
void *__real_alloc_xenheap_page(void);
struct page_info *__real_alloc_domheap_pages(struct domain *d, unsigned int order,
					     unsigned int memflags);
void *__wrap_alloc_xenheap_pages(unsigned int order, unsigned int memflags);
void *__wrap_alloc_xenheap_page(void);
struct page_info *__wrap_alloc_domheap_pages(struct domain *d, unsigned int order,
					     unsigned int memflags);

void *__wrap_alloc_xenheap_pages(unsigned int order, unsigned int memflags)
{
	return host_alloc_fails() ? NULL : __real_alloc_xenheap_pages(order, memflags);
}
void *__wrap_alloc_xenheap_page(void)
{
	return host_alloc_fails() ? NULL : __real_alloc_xenheap_page();
}
struct page_info *__wrap_alloc_domheap_pages(struct domain *d, unsigned int order,
					     unsigned int memflags)
{
	return host_alloc_fails() ? NULL : __real_alloc_domheap_pages(d, order, memflags);
}

/* ---- small objects ---- */
__attribute__((weak)) void *xmalloc_bytes(size_t size, size_t align)
{
	void *p;

	if (host_alloc_fails())
		return NULL;
	if (align < 16)
		align = 16;
	p = aligned_alloc(align, ROUNDUP(size ? size : 1, align));
	BUG_ON(!p);
	memset(p, 0xa5, size);
	host_xmalloc_blocks++;
	return p;
}
__attribute__((weak)) void *xzalloc_bytes(size_t size, size_t align)
{
	void *p = xmalloc_bytes(size, align);

	if (p)
		memset(p, 0, size);
	return p;
}
__attribute__((weak)) void xfree(void *p)
{
	if (!p)
		return;
	host_xmalloc_blocks--;
	free(p);
}
__attribute__((weak)) void *xmalloc_array_bytes(size_t size, size_t n, size_t align)
{
	size_t bytes;

	return __builtin_mul_overflow(size, n, &bytes) ? NULL : xmalloc_bytes(bytes, align);
}
__attribute__((weak)) void *xzalloc_array_bytes(size_t size, size_t n, size_t align)
{
	size_t bytes;

	return __builtin_mul_overflow(size, n, &bytes) ? NULL : xzalloc_bytes(bytes, align);
}

/* ---- start of day ---- */
void host_heap_reset(void)
{
	fail_alloc = fail_copy = preempt_at = 0;
	fired = false;
	host_xmalloc_blocks = 0;
	heap_init();
	/* Frame 0 stays out: no frame number 0 is ever handed out, as on metal. */
	heap_add_range(PAGE_SIZE, HOST_RAM_FRAMES << PAGE_SHIFT);
}

/* SPDX-License-Identifier: MIT */
/*
 * Small objects. Each size class carves pages of the heap into equal slots; a
 * page's own page_info says its class, how many slots are in use and where its
 * free list starts, so objects carry no header. Free slots link to each other
 * by offset. Pages with a free slot are on their class's list; a page without
 * objects goes back to the page heap at once, so that what a domain used is
 * all there again when it is gone.
 *
 * Larger objects take whole pages, and give back those that rounding up to a
 * power of two added.
 *
 * xmalloc_lock is never held over a call into the page heap.
 */
#include <core/lib.h>
#include <core/mm.h>
#include <core/xmalloc.h>
#include <arch/spinlock.h>

/* Multiples of 16, each fitting a page a whole number of times with little left over. */
static const uint16_t class_size[] = {
	16, 32, 48, 64, 96, 128, 192, 256, 336, 400, 512, 672, 816, 1024, 1360, 2048,
};
#define NR_CLASSES	ARRAY_SIZE(class_size)
#define NO_SLOT		0xffffU

/* How heap.c uses the page_info of its pages; type_info is free in pages that no guest sees. */
struct slab {
	uint16_t kind;		/* SLAB or LARGE: anything else is not ours */
	uint16_t class;
	uint16_t in_use;
	uint16_t first_free;	/* offset in the page, NO_SLOT = none */
};
_Static_assert(sizeof(struct slab) == sizeof(unsigned long), "fits type_info");
#define KIND_SLAB	0x51abU
#define KIND_LARGE	0x1a46U	/* tlbflush_stamp then holds the number of pages */

static DEFINE_SPINLOCK(xmalloc_lock, LOCK_XMALLOC);
static struct page_list partial[NR_CLASSES];	/* (xmalloc_lock) pages with a free slot */

static struct slab *slab_of(struct page_info *pg) { return (struct slab *)&pg->type_info; }

/* The smallest class that holds size with that alignment; NR_CLASSES if none. */
static unsigned int find_class(size_t size, size_t align)
{
	unsigned int c;

	for (c = 0; c < NR_CLASSES; c++)
		if (class_size[c] >= size && !(class_size[c] & (align - 1)))
			break;
	return c;
}

static void *slab_pop(struct page_info *pg)
{
	struct slab *s = slab_of(pg);
	char *page = page_to_virt(pg);
	void *slot = page + s->first_free;

	s->first_free = *(uint16_t *)slot;
	s->in_use++;
	if (s->first_free == NO_SLOT)
		page_list_del(pg, &partial[s->class]);
	return slot;
}

/* A page cut into slots, on no list. NULL if there is no memory. */
static struct page_info *slab_new(unsigned int class)
{
	char *page = alloc_xenheap_pages(0, 0);
	unsigned int size = class_size[class], off;
	struct page_info *pg;

	if (!page)
		return NULL;
	for (off = 0; off + size <= PAGE_SIZE; off += size)
		*(uint16_t *)(page + off) = (uint16_t)(
			off + 2 * size <= PAGE_SIZE ? off + size : NO_SLOT);
	pg = virt_to_page(page);
	*slab_of(pg) = (struct slab){ KIND_SLAB, (uint16_t)class, 0, 0 };
	return pg;
}

static void *alloc_small(unsigned int class)
{
	struct page_info *pg;
	unsigned long flags;
	void *p = NULL;

	spin_lock_irqsave(&xmalloc_lock, flags);
	pg = page_list_first(&partial[class]);
	if (likely(pg))
		p = slab_pop(pg);
	spin_unlock_irqrestore(&xmalloc_lock, flags);
	if (likely(p))
		return p;
	pg = slab_new(class);
	if (!pg)
		return NULL;
	spin_lock_irqsave(&xmalloc_lock, flags);
	page_list_add(pg, &partial[class]);
	p = slab_pop(pg);
	spin_unlock_irqrestore(&xmalloc_lock, flags);
	return p;
}

static void *alloc_large(size_t size)
{
	unsigned long pages = PFN_UP(size);
	unsigned int order;
	struct page_info *pg;
	char *p;

	if (pages > 1UL << MAX_ORDER)
		return NULL;
	order = get_order_from_pages(pages);
	p = alloc_xenheap_pages(order, 0);
	if (!p)
		return NULL;
	for (unsigned long i = pages; i < 1UL << order; i++)
		free_xenheap_page(p + (i << PAGE_SHIFT));
	pg = virt_to_page(p);
	*slab_of(pg) = (struct slab){ KIND_LARGE, 0, 0, 0 };
	pg->tlbflush_stamp = (uint32_t)pages;
	return p;
}

void *xmalloc_bytes(size_t size, size_t align)
{
	unsigned int class;

	ASSERT(align <= PAGE_SIZE && !(align & (align - 1)));
	if (size > GB(2))
		return NULL;
	class = find_class(size, align ? align : 1);
	return class < NR_CLASSES ? alloc_small(class) : alloc_large(size);
}

void *xzalloc_bytes(size_t size, size_t align)
{
	void *p = xmalloc_bytes(size, align);

	if (p)
		memset(p, 0, size);
	return p;
}

void *xmalloc_array_bytes(size_t size, size_t n, size_t align)
{
	size_t bytes;

	return __builtin_mul_overflow(size, n, &bytes) ? NULL : xmalloc_bytes(bytes, align);
}

void *xzalloc_array_bytes(size_t size, size_t n, size_t align)
{
	size_t bytes;

	return __builtin_mul_overflow(size, n, &bytes) ? NULL : xzalloc_bytes(bytes, align);
}

static void free_small(struct page_info *pg, void *p)
{
	struct slab *s = slab_of(pg);
	unsigned int off = (unsigned long)p & (PAGE_SIZE - 1);
	unsigned long flags;
	bool empty;

	BUG_ON(off % class_size[s->class]);
	spin_lock_irqsave(&xmalloc_lock, flags);
	BUG_ON(!s->in_use);
	if (s->first_free == NO_SLOT)
		page_list_add(pg, &partial[s->class]);
	*(uint16_t *)p = s->first_free;
	s->first_free = (uint16_t)off;
	empty = --s->in_use == 0;
	if (empty)
		page_list_del(pg, &partial[s->class]);
	spin_unlock_irqrestore(&xmalloc_lock, flags);
	if (empty) {
		pg->type_info = 0;
		free_xenheap_page(page_to_virt(pg));
	}
}

void xfree(void *p)
{
	struct page_info *pg;
	unsigned long pages;

	if (!p)
		return;
	pg = virt_to_page(p);
	BUG_ON(!(pg->count_info & PGC_xen_heap));
	if (slab_of(pg)->kind == KIND_SLAB) {
		free_small(pg, p);
		return;
	}
	BUG_ON(slab_of(pg)->kind != KIND_LARGE || (unsigned long)p & (PAGE_SIZE - 1));
	pages = pg->tlbflush_stamp;
	pg->type_info = 0;
	for (unsigned long i = 0; i < pages; i++)
		free_xenheap_page((char *)p + (i << PAGE_SHIFT));
}

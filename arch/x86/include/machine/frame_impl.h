/* SPDX-License-Identifier: MIT */
#ifndef MACHINE_FRAME_IMPL_H
#define MACHINE_FRAME_IMPL_H

#include <x86/layout.h>

extern unsigned long max_page;			/* one more than the highest RAM frame */
extern unsigned long image_phys_offset;		/* physical address of the image - IMAGE_START */

#define frame_table	((struct page_info *)FRAMETABLE_START)
#define PAGE_INFO_SHIFT	5			/* sizeof(struct page_info) == 32 */

static inline void *mfn_to_virt(mfn_t m)
{
	return (void *)(DIRECTMAP_START + (mfn_x(m) << PAGE_SHIFT));
}
/* Direct-map addresses only; image addresses: image_virt_to_mfn(). */
static inline mfn_t virt_to_mfn(const void *v)
{
	return _mfn(((unsigned long)v - DIRECTMAP_START) >> PAGE_SHIFT);
}
static inline struct page_info *mfn_to_page(mfn_t m)
{
	return (struct page_info *)(FRAMETABLE_START + (mfn_x(m) << PAGE_INFO_SHIFT));
}
static inline mfn_t page_to_mfn(const struct page_info *p)
{
	return _mfn(((unsigned long)p - FRAMETABLE_START) >> PAGE_INFO_SHIFT);
}
static inline bool mfn_valid(mfn_t m) { return mfn_x(m) < max_page; }
static inline unsigned long max_page_nr(void) { return max_page; }
static inline mfn_t image_virt_to_mfn(const void *v)
{
	return _mfn(((unsigned long)v + image_phys_offset) >> PAGE_SHIFT);
}

#endif

/* SPDX-License-Identifier: MIT */
/* Frame numbers, their page_info, their place in the direct map. */
#ifndef ARCH_FRAME_H
#define ARCH_FRAME_H

#include <core/types.h>

struct page_info;

/*
 * The port gives, inline:
 *   void *mfn_to_virt(mfn_t);  mfn_t virt_to_mfn(const void *);	direct map
 *   struct page_info *mfn_to_page(mfn_t);  mfn_t page_to_mfn(const struct page_info *);
 *   bool mfn_valid(mfn_t);				has a page_info
 *   unsigned long max_page_nr(void);			one more than the highest RAM frame
 */
#include <machine/frame_impl.h>

#define virt_to_page(v)	mfn_to_page(virt_to_mfn(v))
#define page_to_virt(p)	mfn_to_virt(page_to_mfn(p))

#endif

/* SPDX-License-Identifier: MIT */
/* RAM is an array, and frame 0 its first page; every conversion is bounds-checked. */
#ifndef MACHINE_FRAME_IMPL_H
#define MACHINE_FRAME_IMPL_H

#define HOST_RAM_FRAMES		16384UL		/* 64 MiB */
#define PAGE_INFO_SHIFT		5		/* sizeof(struct page_info) == 32 */

extern unsigned char *const host_ram;		/* HOST_RAM_FRAMES pages */
extern unsigned char host_frame_table[];	/* HOST_RAM_FRAMES struct page_info */
extern unsigned long max_page;
void host_bad_frame(const char *what, unsigned long value) __noreturn;

#define frame_table	((struct page_info *)host_frame_table)

static inline void *mfn_to_virt(mfn_t m)
{
	if (unlikely(mfn_x(m) >= HOST_RAM_FRAMES))
		host_bad_frame("mfn_to_virt", mfn_x(m));
	return host_ram + (mfn_x(m) << PAGE_SHIFT);
}
static inline mfn_t virt_to_mfn(const void *v)
{
	unsigned long off = (unsigned long)v - (unsigned long)host_ram;

	if (unlikely(off >= HOST_RAM_FRAMES << PAGE_SHIFT))
		host_bad_frame("virt_to_mfn", (unsigned long)v);
	return _mfn(off >> PAGE_SHIFT);
}
static inline struct page_info *mfn_to_page(mfn_t m)
{
	if (unlikely(mfn_x(m) >= HOST_RAM_FRAMES))
		host_bad_frame("mfn_to_page", mfn_x(m));
	return (struct page_info *)(void *)(host_frame_table + (mfn_x(m) << PAGE_INFO_SHIFT));
}
static inline mfn_t page_to_mfn(const struct page_info *p)
{
	unsigned long off = (unsigned long)p - (unsigned long)host_frame_table;

	if (unlikely(off >= HOST_RAM_FRAMES << PAGE_INFO_SHIFT || off & 31))
		host_bad_frame("page_to_mfn", (unsigned long)p);
	return _mfn(off >> PAGE_INFO_SHIFT);
}
static inline bool mfn_valid(mfn_t m) { return mfn_x(m) < max_page; }
static inline unsigned long max_page_nr(void) { return max_page; }

#endif

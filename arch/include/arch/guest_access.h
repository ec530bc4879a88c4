/* SPDX-License-Identifier: MIT */
/* Raw copies to and from the current guest's virtual memory. Typed forms: core/guest_access.h. */
#ifndef ARCH_GUEST_ACCESS_H
#define ARCH_GUEST_ACCESS_H

#include <core/types.h>

/*
 * Bytes *not* copied, 0 = all. An address in the hypervisor's range, a
 * non-canonical one, or a wrapping range copies nothing; an unmapped or
 * read-only page stops the copy there. Never from interrupt context.
 */
unsigned long raw_copy_from_guest(void *dst, const void *guest, size_t n);
unsigned long raw_copy_to_guest(void *guest, const void *src, size_t n);
unsigned long raw_clear_guest(void *guest, size_t n);
/* Does [p, p + nr * size) lie outside the hypervisor's range, without wrapping? */
bool guest_range_okay(const void *p, unsigned long nr, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Copies between the hypervisor and the memory of the current guest, by guest
 * handle: a struct with one typed pointer, so that a guest's pointer can never
 * be dereferenced by mistake. All return the number of *bytes or elements not
 * copied*, 0 for success, as said; addresses are checked by the raw functions
 * in arch/guest_access.h.
 */
#ifndef CORE_GUEST_ACCESS_H
#define CORE_GUEST_ACCESS_H

#include <core/types.h>
#include <arch/guest_access.h>
#include <xen/xen.h>

/* A handle to void made from a hypercall's register argument. */
#define GUEST_PTR(type, reg)	((__guest_handle_##type){ .p = (void *)(reg) })

/*
 * copy_from_guest(ptr, handle, nr): nr elements of the handle's type; false = success.
 * The _offset forms start at element off. `nr` must be bounded by the caller.
 */
#define copy_from_guest_offset(ptr, hnd, off, nr) ({ \
	const __typeof__(*(ptr)) *cfg_d_ __maybe_unused = (ptr); \
	(void)(cfg_d_ == (hnd).p); \
	raw_copy_from_guest((ptr), (hnd).p + (off), sizeof(*(ptr)) * (nr)) != 0; })
#define copy_to_guest_offset(hnd, off, ptr, nr) ({ \
	(void)((ptr) == (hnd).p); \
	raw_copy_to_guest((hnd).p + (off), (ptr), sizeof(*(ptr)) * (nr)) != 0; })
#define copy_from_guest(ptr, hnd, nr)	copy_from_guest_offset(ptr, hnd, 0, nr)
#define copy_to_guest(hnd, ptr, nr)	copy_to_guest_offset(hnd, 0, ptr, nr)
/* One field of a structure that the handle points to. */
#define copy_field_to_guest(hnd, ptr, field) \
	(raw_copy_to_guest(&(hnd).p->field, &(ptr)->field, sizeof((ptr)->field)) != 0)
#define copy_field_from_guest(ptr, hnd, field) \
	(raw_copy_from_guest(&(ptr)->field, &(hnd).p->field, sizeof((ptr)->field)) != 0)
#define guest_handle_is_null(hnd)	((hnd).p == NULL)
#define guest_handle_add_offset(hnd, nr)	((hnd).p += (nr))
#define guest_handle_okay(hnd, nr) \
	guest_range_okay((hnd).p, (unsigned long)(nr), sizeof(*(hnd).p))

#endif

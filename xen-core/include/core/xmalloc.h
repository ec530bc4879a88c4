/* SPDX-License-Identifier: MIT */
/*
 * Small objects: size classes carved from heap pages; larger ones take whole
 * pages. Memory is returned zeroed by the z forms. Any context but NMI and #MC.
 */
#ifndef CORE_XMALLOC_H
#define CORE_XMALLOC_H

#include <core/types.h>

void *xmalloc_bytes(size_t size, size_t align);		/* NULL when out of memory */
void *xzalloc_bytes(size_t size, size_t align);
void xfree(void *p);					/* NULL is fine */

#define xmalloc(type)		((type *)xmalloc_bytes(sizeof(type), __alignof__(type)))
#define xzalloc(type)		((type *)xzalloc_bytes(sizeof(type), __alignof__(type)))
#define xmalloc_array(type, n)	((type *)xmalloc_array_bytes(sizeof(type), n, __alignof__(type)))
#define xzalloc_array(type, n)	((type *)xzalloc_array_bytes(sizeof(type), n, __alignof__(type)))
void *xmalloc_array_bytes(size_t size, size_t n, size_t align);	/* NULL on overflow too */
void *xzalloc_array_bytes(size_t size, size_t n, size_t align);

#endif

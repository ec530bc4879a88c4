/* SPDX-License-Identifier: MIT */
/*
 * The few types and functions that every file of pvlib and of the drivers needs, freestanding or not.
 *
 * Errors are negative XEN_E* numbers of <xen/errno.h>, which on Linux are the errno values. The mem*
 * and print functions below are the C library's on Linux and guest/string.c's in a bare guest.
 */
#ifndef PV_TYPES_H
#define PV_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>

#define PV_PAGE_SHIFT	12
#define PV_PAGE_SIZE	4096U

#define PV_ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PV_PRINTF(f, a)		__attribute__((format(printf, f, a)))

/* The structure that has @member at @pointer. */
#define PV_CONTAINER(pointer, type, member) \
	((type *)(void *)((char *)(pointer) - offsetof(type, member)))

/* One access to memory that another domain (or a signal) may change meanwhile. */
#define PV_READ_ONCE(x)		(*(const volatile __typeof__(x) *)&(x))
#define PV_WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))

/* Compiler barrier; and x86's ordering: loads among loads and stores among stores need no more. */
#define pv_barrier()	__asm__ volatile("" ::: "memory")
#define pv_rmb()	pv_barrier()
#define pv_wmb()	pv_barrier()
#define pv_mb()		__sync_synchronize()

void *memcpy(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t most);
int snprintf(char *to, size_t room, const char *format, ...) PV_PRINTF(3, 4);
int vsnprintf(char *to, size_t room, const char *format, va_list args);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The store as drivers use it: keys below a directory, read into bounded buffers and checked, since
 * whoever wrote them may be hostile.
 *
 * A path is given as directory and key, joined by a slash; a NULL key means the directory itself.
 */
#ifndef PV_STORE_H
#define PV_STORE_H

#include <pv/port.h>

/* The value as a NUL-terminated string; its length. -XEN_ENOENT, -XEN_E2BIG: @room is too small. */
int pv_store_read(struct pv_domain *domain, uint32_t tx, const char *dir, const char *key,
		  char *value, size_t room);

/*
 * A decimal number from @low to @high and nothing else. -XEN_ENOENT: no such key; -XEN_EINVAL: other
 * text, or out of range (*value is untouched in both cases, so it can hold a default).
 */
int pv_store_read_number(struct pv_domain *domain, uint32_t tx, const char *dir, const char *key,
			 uint64_t low, uint64_t high, uint64_t *value);

int pv_store_write(struct pv_domain *domain, uint32_t tx, const char *dir, const char *key,
		   const char *value);
int pv_store_printf(struct pv_domain *domain, uint32_t tx, const char *dir, const char *key,
		    const char *format, ...) PV_PRINTF(5, 6);
int pv_store_remove(struct pv_domain *domain, uint32_t tx, const char *dir, const char *key);

/* Names of children, NUL-separated in @names; their count. */
int pv_store_list(struct pv_domain *domain, uint32_t tx, const char *dir, char *names, size_t room);

/* Transactions: on -XEN_EAGAIN of the end all is to be done again. */
int pv_store_begin(struct pv_domain *domain, uint32_t *tx);
int pv_store_end(struct pv_domain *domain, uint32_t tx, bool commit);

/* A decimal number without sign or blanks, checked for overflow and range. -XEN_EINVAL. */
int pv_parse_number(const char *text, uint64_t low, uint64_t high, uint64_t *value);

#endif

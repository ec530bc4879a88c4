/* SPDX-License-Identifier: MIT */
/* Sets of numbers as sorted ranges: I/O memory frames, ports, irqs that a domain may use. */
#ifndef X86_RANGESET_H
#define X86_RANGESET_H

#include <core/types.h>

struct rangeset;
struct rangeset *rangeset_new(void);			/* NULL without memory */
void rangeset_destroy(struct rangeset *r);
/* inclusive; 0 or -ENOMEM */
int rangeset_add(struct rangeset *r, unsigned long s, unsigned long e);
int rangeset_remove(struct rangeset *r, unsigned long s, unsigned long e);
bool rangeset_contains(struct rangeset *r, unsigned long s, unsigned long e);
bool rangeset_overlaps(struct rangeset *r, unsigned long s, unsigned long e);

#endif

/* SPDX-License-Identifier: MIT */
/* The hypervisor's own symbol table, linked in: for backtraces and platform_op get_symbol. */
#ifndef CORE_SYMBOLS_H
#define CORE_SYMBOLS_H

#include <core/types.h>

/* Name of the function that holds addr, and offset and size in it; NULL if none. */
const char *symbol_lookup(unsigned long addr, unsigned long *offset, unsigned long *size);
/* The n-th symbol in address order; false past the end. */
bool symbol_get(unsigned int n, unsigned long *addr, const char **name);

#endif

/* SPDX-License-Identifier: MIT */
/* The generated symbol table's arrays, sorted by address; core/symbols.h is the way to use them. */
#ifndef BOOT_SYMTAB_H
#define BOOT_SYMTAB_H

#include <core/types.h>

extern const unsigned int symtab_count;
extern const uint32_t symtab_addr[];	/* offsets from IMAGE_START */
extern const uint32_t symtab_name[];	/* offsets into symtab_names */
extern const char symtab_names[];

#endif

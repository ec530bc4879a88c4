/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's symbol table. The build links the image once, lists its
 * functions, and links again with the list in read-only data (sorted by
 * address, addresses relative to the image's first byte).
 */
#include <core/symbols.h>

extern const char _start[];
extern const uint32_t symtab_addr[];
extern const uint32_t symtab_name[];
extern const char symtab_names[];
extern const unsigned int symtab_count;

const char *symbol_lookup(unsigned long addr, unsigned long *offset, unsigned long *size)
{
	unsigned long rel = addr - (unsigned long)_start;
	unsigned int lo = 0, hi = symtab_count;

	if (addr < (unsigned long)_start || !hi || rel < symtab_addr[0] ||
	    rel > (unsigned long)symtab_addr[hi - 1] + 0x10000)
		return NULL;
	while (hi - lo > 1) {
		unsigned int mid = (lo + hi) / 2;

		if (symtab_addr[mid] <= rel)
			lo = mid;
		else
			hi = mid;
	}
	*offset = rel - symtab_addr[lo];
	*size = lo + 1 < symtab_count ? symtab_addr[lo + 1] - symtab_addr[lo] : 0;
	return symtab_names + symtab_name[lo];
}

bool symbol_get(unsigned int n, unsigned long *addr, const char **name)
{
	if (n >= symtab_count)
		return false;
	*addr = (unsigned long)_start + symtab_addr[n];
	*name = symtab_names + symtab_name[n];
	return true;
}

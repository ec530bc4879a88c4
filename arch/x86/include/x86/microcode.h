/* SPDX-License-Identifier: MIT */
/*
 * Microcode containers: which patch of a file fits a CPU. Pure functions, so
 * that tests can feed them.
 */
#ifndef X86_MICROCODE_H
#define X86_MICROCODE_H

#include <core/types.h>

/*
 * Finds the newest patch for a CPU with this signature (CPUID 1 eax), platform
 * bits (Intel: 1 << MSR 0x17 bits 50-52) and revision. *patch and *rev are set.
 * 0; -ENOENT nothing newer in it; -EINVAL the file is damaged.
 */
int microcode_find_intel(const uint8_t *buf, size_t len, uint32_t sig, uint32_t pf, uint32_t have,
			 const uint8_t **patch, uint32_t *rev);
int microcode_find_amd(const uint8_t *buf, size_t len, uint32_t sig, uint32_t have,
		       const uint8_t **patch, uint32_t *rev);
/* A file in an uncompressed newc cpio archive; NULL if it is not there. */
const uint8_t *cpio_find(const uint8_t *buf, size_t len, const char *path, size_t *size);
/* On each CPU that comes up: what was loaded on the others. */
void microcode_apply_cpu(void);

#endif

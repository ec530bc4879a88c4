/* SPDX-License-Identifier: MIT */
/* What xen_version reports, and what the build puts in (build/version.c). */
#ifndef CORE_VERSION_H
#define CORE_VERSION_H

#define KRYPTON_ABI_MAJOR	4
#define KRYPTON_ABI_MINOR	17

extern const char krypton_version[];		/* "0.1" */
extern const char krypton_extraversion[];	/* ".0-krypton", at most 15 characters */
extern const char krypton_compiler[];
extern const char krypton_compile_by[];
extern const char krypton_compile_domain[];
extern const char krypton_compile_date[];
extern const char krypton_changeset[];

#endif

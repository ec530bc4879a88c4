/* SPDX-License-Identifier: MIT */
/*
 * Included before everything (Makefile): all symbols, declared or defined, are
 * the image's own, so the compiler may address each relative to rip.
 */
#ifndef __ASSEMBLY__
#pragma GCC visibility push(hidden)
#endif

/* SPDX-License-Identifier: MIT */
/* The decoders' own headers, and what we give them in place of a C library. */
#ifndef PV_UNPACK_LIBS_H
#define PV_UNPACK_LIBS_H

#include <lzma.h>
#include <zstd.h>
#include <zlib.h>
#include <lz4.h>

/*
 * The libraries' malloc, calloc, free, memcpy, __stack_chk_fail and zstd's
 * (weak) trace hooks are renamed to these (unpack.mk).
 */
void *unpack_malloc(size_t size);
void *unpack_calloc(size_t n, size_t size);
void unpack_free(void *p);
void *unpack_memcpy(void *dst, const void *src, size_t n);
void unpack_stack_chk_fail(void);
unsigned long long unpack_trace_begin(const ZSTD_DCtx *ctx);	/* 0: no tracing */
void unpack_trace_end(unsigned long long ctx, const void *trace);

#endif

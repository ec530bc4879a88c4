/* SPDX-License-Identifier: MIT */
/*
 * Unpacking kernels with the distribution's own decoders, linked as one object
 * whose code and data are all init memory (arch/x86/pv/unpack.mk). They are
 * built for user space, so while they run:
 *   - interrupts are off: they use the red zone below the stack pointer;
 *   - SSE may be used: nobody's registers are live during boot;
 *   - %fs points to a scratch page: their stack protector reads %fs:0x28.
 * Their malloc is ours, from whole pages; nothing is left behind.
 */
#include <core/errno.h>
#include <core/lib.h>
#include <arch/cpu.h>
#include <x86/asm.h>
#include "dom0_private.h"
#include "unpack_libs.h"

#define MSR_FS_BASE	0xc0000100
#define MAX_BLOCKS	32

/* What the decoders have allocated; few and large. */
static struct { void *p; unsigned long pages; } blocks[MAX_BLOCKS] __initdata;

void *__init unpack_malloc(size_t size)
{
	for (unsigned int i = 0; i < MAX_BLOCKS; i++)
		if (!blocks[i].p) {
			blocks[i].pages = PFN_UP(size ? size : 1);
			blocks[i].p = alloc_boot_pages(blocks[i].pages);
			return blocks[i].p;
		}
	return NULL;
}

void *__init unpack_calloc(size_t n, size_t size)
{
	void *p = size && n > ~0UL / size ? NULL : unpack_malloc(n * size);

	if (p)
		memset(p, 0, n * size);
	return p;
}

void __init unpack_free(void *p)
{
	for (unsigned int i = 0; p && i < MAX_BLOCKS; i++)
		if (blocks[i].p == p) {
			free_boot_pages(p, blocks[i].pages);
			blocks[i].p = NULL;
		}
}

static void __init free_all(void)
{
	for (unsigned int i = 0; i < MAX_BLOCKS; i++)
		unpack_free(blocks[i].p);
}

typedef uint64_t __attribute__((may_alias, aligned(1))) u64_any;
typedef uint32_t __attribute__((may_alias, aligned(1))) u32_any;
typedef uint16_t __attribute__((may_alias, aligned(1))) u16_any;

/*
 * memcpy for the decoders, which make millions of short copies: no loop below
 * 32 bytes, the two ends overlap instead.
 */
void *__init unpack_memcpy(void *dst, const void *src, size_t n)
{
	char *d = dst, *d_end = d + n;
	const char *s = src, *s_end = s + n;

#define MOVE(type, to, from)	(*(type *)(to) = *(const type *)(from))
	if (n >= 16) {
		uint64_t a = *(const u64_any *)(s_end - 16), b = *(const u64_any *)(s_end - 8);

		for (; n > 32; n -= 32, d += 32, s += 32) {
			MOVE(u64_any, d, s);
			MOVE(u64_any, d + 8, s + 8);
			MOVE(u64_any, d + 16, s + 16);
			MOVE(u64_any, d + 24, s + 24);
		}
		if (n > 16) {
			MOVE(u64_any, d, s);
			MOVE(u64_any, d + 8, s + 8);
		}
		*(u64_any *)(d_end - 16) = a;
		*(u64_any *)(d_end - 8) = b;
	} else if (n >= 8) {
		uint64_t b = *(const u64_any *)(s_end - 8);

		MOVE(u64_any, d, s);
		*(u64_any *)(d_end - 8) = b;
	} else if (n >= 4) {
		uint32_t b = *(const u32_any *)(s_end - 4);

		MOVE(u32_any, d, s);
		*(u32_any *)(d_end - 4) = b;
	} else if (n) {
		char b = s_end[-1];

		if (n > 1)
			MOVE(u16_any, d, s);
		d_end[-1] = b;
	}
#undef MOVE
	return dst;
}

void __init unpack_stack_chk_fail(void)
{
	panic("A decompressor overran its stack\n");
}

unsigned long long __init unpack_trace_begin(const ZSTD_DCtx *ctx __maybe_unused)
{
	return 0;
}

void __init unpack_trace_end(unsigned long long ctx __maybe_unused,
			     const void *trace __maybe_unused)
{
}

size_t __init unpacked_size(const uint8_t *payload, size_t len)
{
	uint32_t v;

	memcpy(&v, payload + len - sizeof(v), sizeof(v));
	return v;
}

/* Each: 0 if exactly out_len bytes came out, else -EINVAL or -ENOMEM. */
static int __init unpack_xz(const uint8_t *in, size_t len, uint8_t *out, size_t out_len)
{
	uint64_t memlimit = GB(1);
	size_t in_pos = 0, out_pos = 0;
	lzma_ret rc = lzma_stream_buffer_decode(&memlimit, 0, NULL, in, &in_pos, len, out,
						&out_pos, out_len);

	if (rc == LZMA_MEM_ERROR || rc == LZMA_MEMLIMIT_ERROR)
		return -ENOMEM;
	return rc == LZMA_OK && out_pos == out_len ? 0 : -EINVAL;
}

static int __init unpack_zstd(const uint8_t *in, size_t len, uint8_t *out, size_t out_len)
{
	/* A frame knows its own length; what follows it is the size word. */
	size_t frame = ZSTD_findFrameCompressedSize(in, len);

	if (ZSTD_isError(frame))
		return -EINVAL;
	return ZSTD_decompress(out, out_len, in, frame) == out_len ? 0 : -EINVAL;
}

static int __init unpack_gzip(const uint8_t *in, size_t len, uint8_t *out, size_t out_len)
{
	z_stream s;
	int rc;

	memset(&s, 0, sizeof(s));
	s.next_in = (Bytef *)(uintptr_t)in;
	s.avail_in = (uInt)len;
	s.next_out = out;
	s.avail_out = (uInt)out_len;
	if (inflateInit2(&s, 16 + MAX_WBITS) != Z_OK)	/* 16: gzip wrapping */
		return -ENOMEM;
	rc = inflate(&s, Z_FINISH);
	inflateEnd(&s);
	return rc == Z_STREAM_END && s.total_out == out_len ? 0 : -EINVAL;
}

/* The legacy frame: magic, then blocks of a length word and at most 8 MiB unpacked. */
static int __init unpack_lz4(const uint8_t *in, size_t len, uint8_t *out, size_t out_len)
{
	size_t at = 4, done = 0;

	while (done < out_len && at + 4 <= len) {
		uint32_t block;
		int n;

		memcpy(&block, in + at, sizeof(block));
		at += 4;
		if (block == 0x184c2102)	/* frames may follow one another */
			continue;
		if (!block || block > len - at)
			return -EINVAL;
		n = LZ4_decompress_safe((const char *)in + at, (char *)out + done, (int)block,
					(int)min(out_len - done, (size_t)MB(8)));
		if (n <= 0)
			return -EINVAL;
		at += block;
		done += (size_t)n;
	}
	return done == out_len ? 0 : -EINVAL;
}

static const struct format {
	const char *magic;
	uint8_t magic_len;
	uint8_t trailer;		/* bytes after the stream that are not its own */
	int (*fn)(const uint8_t *in, size_t len, uint8_t *out, size_t out_len);
} formats[] __initconst = {
	{ "\xfd" "7zXZ", 6, 4, unpack_xz },
	{ "\x28\xb5\x2f\xfd", 4, 4, unpack_zstd },
	{ "\x1f\x8b", 2, 0, unpack_gzip },
	{ "\x02\x21\x4c\x18", 4, 4, unpack_lz4 },
};

int __init unpack(const uint8_t *payload, size_t len, uint8_t *out, size_t out_len,
		  const char **why)
{
	static uint8_t fs_scratch[64] __initdata __aligned(64);
	const struct format *f = NULL;
	unsigned long flags, fs_base;
	int rc;

	for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++)
		if (len > 8 && !memcmp(payload, formats[i].magic, formats[i].magic_len))
			f = &formats[i];
	if (!f) {
		*why = "its compression is unknown (xz, zstd, gzip and lz4 are known)";
		return -EOPNOTSUPP;
	}
	flags = local_irq_save();
	fs_base = rdmsr(MSR_FS_BASE);
	wrmsr(MSR_FS_BASE, (unsigned long)fs_scratch);
	rc = f->fn(payload, len - f->trailer, out, out_len);
	wrmsr(MSR_FS_BASE, fs_base);
	local_irq_restore(flags);
	free_all();
	*why = rc == -ENOMEM ? "there is too little memory to unpack it" : "it is damaged";
	return rc;
}

/* SPDX-License-Identifier: MIT */
/*
 * bzImages for tests of the guest's image loader: an ELF file packed each way, behind a boot
 * sector.
 */
#ifndef TESTS_TOOLS_PACKED_KERNEL_H
#define TESTS_TOOLS_PACKED_KERNEL_H

#include <assert.h>
#include <lz4.h>
#include <lzma.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum packing { PACK_XZ, PACK_ZSTD, PACK_GZIP, PACK_LZ4, PACKINGS };

#define PACK_ROOM	(128U << 10)
#define BZ_SETUP_BYTES	1024U

static inline size_t pack_xz(const uint8_t *in, size_t length, uint8_t *out)
{
	size_t used = 0;

	assert(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, in, length, out, &used,
				       PACK_ROOM) == LZMA_OK);
	return used;
}

static inline size_t pack_zstd(const uint8_t *in, size_t length, uint8_t *out)
{
	size_t used = ZSTD_compress(out, PACK_ROOM, in, length, 1);

	assert(!ZSTD_isError(used));
	return used;
}

static inline size_t pack_gzip(const uint8_t *in, size_t length, uint8_t *out)
{
	z_stream stream = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)length,
			    .next_out = out, .avail_out = PACK_ROOM };

	assert(deflateInit2(&stream, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	assert(deflate(&stream, Z_FINISH) == Z_STREAM_END);
	deflateEnd(&stream);
	return stream.total_out;
}

/* Linux's legacy frame, in two blocks. */
static inline size_t pack_lz4(const uint8_t *in, size_t length, uint8_t *out)
{
	size_t used = 4, half = length / 2;

	memcpy(out, "\x02\x21\x4c\x18", 4);
	for (size_t at = 0; at < length; at += half) {
		size_t part = length - at < half + 2 ? length - at : half;
		int packed = LZ4_compress_default((const char *)in + at, (char *)out + used + 4,
						  (int)part, (int)(PACK_ROOM - used - 4));
		uint32_t word = (uint32_t)packed;

		assert(packed > 0);
		memcpy(out + used, &word, 4);
		used += 4 + word;
		if (part != half)
			break;
	}
	return used;
}

/* A bzImage of @elf in @out (PACK_ROOM): its length. */
static inline size_t make_bzimage(uint8_t *out, const uint8_t *elf, size_t length,
				  enum packing packing)
{
	static size_t (*const packers[PACKINGS])(const uint8_t *, size_t, uint8_t *) = {
		pack_xz, pack_zstd, pack_gzip, pack_lz4,
	};
	uint8_t *payload = malloc(PACK_ROOM);
	uint32_t size, unpacked = (uint32_t)length, offset = 0x40;

	assert(payload);
	size = (uint32_t)packers[packing](elf, length, payload);
	if (packing != PACK_GZIP) {	/* gzip has its own */
		memcpy(payload + size, &unpacked, 4);
		size += 4;
	}
	memset(out, 0, BZ_SETUP_BYTES + offset);
	out[0x1f1] = BZ_SETUP_BYTES / 512 - 1;
	memcpy(out + 0x202, "HdrS\x0f\x02", 6);
	memcpy(out + 0x248, &offset, 4);
	memcpy(out + 0x24c, &size, 4);
	memcpy(out + BZ_SETUP_BYTES + offset, payload, size);
	free(payload);
	return BZ_SETUP_BYTES + offset + size;
}

#endif

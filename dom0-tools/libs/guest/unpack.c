/* SPDX-License-Identifier: MIT */
/*
 * Unpacking kernels: a Linux bzImage's payload by the distribution's decoders (files.mk links them
 * into the library). The size that an image claims is believed up to a limit, the rest is checked.
 *
 * Sources: Linux Documentation/arch/x86/boot.rst (protocol 2.08 on), lib/decompress_unlz4.c.
 */
#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include "private.h"

/* Offsets in the boot sector of a bzImage. */
#define BZ_SETUP_SECTORS	0x1f1
#define BZ_MAGIC		0x202
#define BZ_VERSION		0x206
#define BZ_PAYLOAD_OFFSET	0x248
#define BZ_PAYLOAD_LENGTH	0x24c

/* No kernel unpacks to more; keeps a damaged one from taking all memory. */
#define UNPACKED_MAX		MIB(512)

#define LZ4_LEGACY_MAGIC	0x184c2102
#define LZ4_BLOCK_MAX		MIB(8)

static uint32_t load32(const uint8_t *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

int guest_packed_part(const void *bytes, size_t length, const uint8_t **part, size_t *part_length)
{
	const uint8_t *image = bytes;
	uint64_t start, size;
	unsigned int sectors;

	if (length >= 18 && image[0] == 0x1f && image[1] == 0x8b) {
		*part = image;
		*part_length = length;
		return 0;
	}
	if (length < BZ_PAYLOAD_LENGTH + 4 || memcmp(image + BZ_MAGIC, "HdrS", 4))
		return -ENOEXEC;
	if (image[BZ_VERSION] + (image[BZ_VERSION + 1] << 8) < 0x208)
		return -EINVAL;
	sectors = image[BZ_SETUP_SECTORS] ? image[BZ_SETUP_SECTORS] : 4;
	start = (sectors + 1) * 512ULL + load32(image + BZ_PAYLOAD_OFFSET);
	size = load32(image + BZ_PAYLOAD_LENGTH);
	if (size < 16 || start > length || size > length - start)
		return -EINVAL;
	*part = image + start;
	*part_length = size;
	return 0;
}

/* ---- decoders: 0 if exactly @room bytes came out, else -EINVAL or -ENOMEM ---- */

static int unpack_xz(const uint8_t *in, size_t length, uint8_t *out, size_t room)
{
	uint64_t limit = GIB(1);
	size_t in_at = 0, out_at = 0;
	lzma_ret rc = lzma_stream_buffer_decode(&limit, 0, NULL, in, &in_at, length, out, &out_at,
						room);

	if (rc == LZMA_MEM_ERROR || rc == LZMA_MEMLIMIT_ERROR)
		return -ENOMEM;
	return rc == LZMA_OK && out_at == room ? 0 : -EINVAL;
}

static int unpack_zstd(const uint8_t *in, size_t length, uint8_t *out, size_t room)
{
	/* A frame knows its own length. */
	size_t frame = ZSTD_findFrameCompressedSize(in, length);

	if (ZSTD_isError(frame))
		return -EINVAL;
	return ZSTD_decompress(out, room, in, frame) == room ? 0 : -EINVAL;
}

static int unpack_gzip(const uint8_t *in, size_t length, uint8_t *out, size_t room)
{
	z_stream stream;
	int rc;

	memset(&stream, 0, sizeof(stream));
	stream.next_in = (Bytef *)(uintptr_t)in;
	stream.avail_in = (uInt)length;
	stream.next_out = out;
	stream.avail_out = (uInt)room;
	if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)	/* 16: gzip's wrapping */
		return -ENOMEM;
	rc = inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	return rc == Z_STREAM_END && stream.total_out == room ? 0 : -EINVAL;
}

/* The legacy frame: a magic word, then blocks, each a length word and at most 8 MiB unpacked. */
static int unpack_lz4(const uint8_t *in, size_t length, uint8_t *out, size_t room)
{
	size_t at = 4, done = 0;

	while (done < room && length - at >= 4) {
		uint32_t block = load32(in + at);
		size_t most = room - done < LZ4_BLOCK_MAX ? room - done : LZ4_BLOCK_MAX;
		int bytes;

		at += 4;
		if (block == LZ4_LEGACY_MAGIC)	/* frames may follow one another */
			continue;
		if (!block || block > length - at || block > INT32_MAX)
			return -EINVAL;
		bytes = LZ4_decompress_safe((const char *)in + at, (char *)out + done, (int)block,
					    (int)most);
		if (bytes <= 0)
			return -EINVAL;
		at += block;
		done += (size_t)bytes;
	}
	return done == room ? 0 : -EINVAL;
}

/* Linux's build appends the unpacked size to streams that do not end in it (gzip's does). */
static const struct format {
	const char *magic;
	unsigned int magic_length;
	unsigned int trailer;
	int (*unpack)(const uint8_t *in, size_t length, uint8_t *out, size_t room);
} formats[] = {
	{ "\xfd" "7zXZ", 6, 4, unpack_xz },
	{ "\x28\xb5\x2f\xfd", 4, 4, unpack_zstd },
	{ "\x1f\x8b", 2, 0, unpack_gzip },
	{ "\x02\x21\x4c\x18", 4, 4, unpack_lz4 },
};

int guest_unpack(const uint8_t *part, size_t length, uint8_t **out, size_t *out_length,
		 const char **why)
{
	const struct format *format = NULL;
	size_t size;
	int rc;

	for (size_t i = 0; length >= 16 && i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!memcmp(part, formats[i].magic, formats[i].magic_length))
			format = &formats[i];
	if (!format) {
		*why = "its compression is unknown (xz, zstd, gzip and lz4 are known)";
		return -EOPNOTSUPP;
	}
	size = load32(part + length - 4);
	if (!size || size > UNPACKED_MAX) {
		*why = "it says that it unpacks to nothing, or to over 512 MiB";
		return -EFBIG;
	}
	*out = malloc(size);
	rc = *out ? format->unpack(part, length - format->trailer, *out, size) : -ENOMEM;
	if (!rc) {
		*out_length = size;
		return 0;
	}
	free(*out);
	*why = rc == -ENOMEM ? "there is too little memory to unpack it" : "it is damaged";
	return rc;
}

/* SPDX-License-Identifier: MIT */
/*
 * Reading microcode files. They come from dom0 or the boot loader, and a CPU
 * takes only signed patches, but a damaged file must neither crash us nor reach
 * a CPU: lengths and checksums are checked first.
 * Sources: Intel SDM 3A 9.11; AMD's container as in the Linux firmware files.
 */
#include <core/errno.h>
#include <core/lib.h>
#include <x86/microcode.h>

struct intel_header {
	uint32_t header_version, revision, date, signature, checksum, loader_version, flags;
	uint32_t data_size, total_size, reserved[3];
};
struct intel_ext_header {
	uint32_t count, checksum, reserved[3];
};
struct intel_ext_entry {
	uint32_t signature, flags, checksum;
};

static uint32_t word_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0, w;

	for (size_t i = 0; i + 4 <= len; i += 4) {
		memcpy(&w, p + i, 4);
		sum += w;
	}
	return sum;
}

/* Is h, of total bytes, for that CPU: by its header, or by its table of further ones. */
static bool intel_matches(const uint8_t *p, const struct intel_header *h, size_t data, size_t total,
			  uint32_t sig, uint32_t pf)
{
	struct intel_ext_header x;
	struct intel_ext_entry e;
	size_t off = sizeof(*h) + data;

	if (h->signature == sig && ((h->flags & pf) || h->flags == pf))
		return true;
	if (off + sizeof(x) > total)
		return false;
	memcpy(&x, p + off, sizeof(x));
	off += sizeof(x);
	for (uint32_t i = 0; i < x.count && off + sizeof(e) <= total; i++, off += sizeof(e)) {
		memcpy(&e, p + off, sizeof(e));
		if (e.signature == sig && ((e.flags & pf) || e.flags == pf))
			return true;
	}
	return false;
}

int microcode_find_intel(const uint8_t *buf, size_t len, uint32_t sig, uint32_t pf, uint32_t have,
			 const uint8_t **patch, uint32_t *rev)
{
	struct intel_header h;
	int rc = -ENOENT;

	for (size_t off = 0; off < len; ) {
		size_t data, total;

		if (len - off < sizeof(h))
			return -EINVAL;
		memcpy(&h, buf + off, sizeof(h));
		data = h.data_size ? h.data_size : 2000;
		total = h.data_size ? h.total_size : 2048;
		if (h.header_version != 1 || h.loader_version != 1 || (total & 1023) ||
		    (data & 3) || total < sizeof(h) || data > total - sizeof(h) ||
		    total > len - off)
			return -EINVAL;
		if (word_sum(buf + off, sizeof(h) + data))
			return -EINVAL;
		if ((int32_t)h.revision > (int32_t)have &&
		    intel_matches(buf + off, &h, data, total, sig, pf)) {
			have = *rev = h.revision;
			*patch = buf + off + sizeof(h);
			rc = 0;
		}
		off += total;
	}
	return rc;
}

#define AMD_MAGIC	0x00414d44u
#define AMD_EQUIV_TYPE	0u
#define AMD_PATCH_TYPE	1u

struct amd_equiv {
	uint32_t installed_cpu, fixed_errata_mask, fixed_errata_compare;
	uint16_t equiv_cpu, reserved;
} __packed;

/* The short name of a CPU in patch headers; 0 if the table does not know it. */
static uint16_t amd_equiv_id(const uint8_t *table, size_t len, uint32_t sig)
{
	struct amd_equiv e;

	for (size_t i = 0; i + sizeof(e) <= len; i += sizeof(e)) {
		memcpy(&e, table + i, sizeof(e));
		if (e.installed_cpu == sig)
			return e.equiv_cpu;
	}
	return 0;
}

int microcode_find_amd(const uint8_t *buf, size_t len, uint32_t sig, uint32_t have,
		       const uint8_t **patch, uint32_t *rev)
{
	uint32_t word[3];
	uint16_t equiv = 0, for_cpu;
	uint32_t id;
	int rc = -ENOENT;
	size_t off = 0;

	while (off < len) {
		if (len - off < 8)
			return -EINVAL;
		memcpy(word, buf + off, 8);
		if (word[0] == AMD_MAGIC) {	/* a container starts: magic, type 0, size, table */
			if (len - off < 12)
				return -EINVAL;
			memcpy(word, buf + off, 12);
			if (word[1] != AMD_EQUIV_TYPE || word[2] > len - off - 12)
				return -EINVAL;
			equiv = amd_equiv_id(buf + off + 12, word[2], sig);
			off += 12 + (size_t)word[2];
			continue;
		}
		if (word[0] != AMD_PATCH_TYPE || word[1] < 64 || word[1] > len - off - 8)
			return -EINVAL;
		memcpy(&id, buf + off + 8 + 4, 4);
		memcpy(&for_cpu, buf + off + 8 + 24, 2);
		if (equiv && for_cpu == equiv && id > have) {
			have = *rev = id;
			*patch = buf + off + 8;
			rc = 0;
		}
		off += 8 + (size_t)word[1];
	}
	return rc;
}

/* Eight hexadecimal digits; ~0 if they are not. */
static uint32_t cpio_hex(const uint8_t *p)
{
	uint32_t v = 0;

	for (unsigned int i = 0; i < 8; i++) {
		uint8_t c = p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v << 4 | (uint32_t)((c | 32) - 'a' + 10);
		else
			return ~0u;
	}
	return v;
}

const uint8_t *cpio_find(const uint8_t *buf, size_t len, const char *path, size_t *size)
{
	size_t off = 0, want = strlen(path) + 1;

	while (len - off >= 110 && !memcmp(buf + off, "070701", 6)) {
		uint32_t file = cpio_hex(buf + off + 54), name = cpio_hex(buf + off + 94);
		size_t data = ROUNDUP(off + 110 + (size_t)name, 4ul);

		if (name > 4096 || file == ~0u || data > len || file > len - data)
			return NULL;
		if (name == want && !memcmp(buf + off + 110, path, want)) {
			*size = file;
			return buf + data;
		}
		off = ROUNDUP(data + file, 4ul);
		if (off > len)
			break;
	}
	return NULL;
}

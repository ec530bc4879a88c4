/* SPDX-License-Identifier: MIT */
/*
 * A guest's memory on its way into a stream, a batch at a time: types from the hypervisor, contents
 * straight from the guest's own pages, only page tables by way of a copy.
 *
 * While the guest runs a page may change its owner, its type or its place between any two steps;
 * whatever does not fit is left for a later round. Once it stands still that is an error.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include "private.h"
#include <xen/domctl.h>

#define PROGRESS_BATCHES 4U /* of up to 4 MiB each */

int saver_pages_init(struct saver *s)
{
	s->mfns = malloc(BATCH_PAGES * sizeof(*s->mfns));
	s->words = malloc(BATCH_PAGES * sizeof(*s->words));
	s->tables = malloc(BATCH_PAGES * PAGE_BYTES); /* touched as far as there are tables */
	s->pages = malloc(BATCH_PAGES * sizeof(*s->pages));
	s->errors = malloc(BATCH_PAGES * sizeof(*s->errors));
	return s->mfns && s->words && s->tables && s->pages && s->errors ? 0 : -ENOMEM;
}

void saver_pages_free(struct saver *s)
{
	free(s->mfns);
	free(s->words);
	free(s->tables);
	free(s->pages);
	free(s->errors);
}

/* The pfn cannot be sent now. */
static void defer(struct saver *s, uint64_t pfn)
{
	if (!s->still)
		bit_set(s->later, pfn);
}

/*
 * Types of the batch: s->words[] has pfns and gets types, s->mfns[] is reduced to the frames with
 * contents, their number is the result. What is the guest's no more leaves the list.
 */
static int classify(struct saver *s)
{
	xen_pfn_t types[BATCH_PAGES];
	unsigned int i, kept = 0, with_data = 0;
	int rc;

	memcpy(types, s->mfns, s->count * sizeof(types[0]));
	rc = ctl_getpageframeinfo(s->save->ctl, s->save->domid, s->count, types);
	if (rc)
		return tools_fail(s->error, rc, "hypervisor",
				  "the hypervisor does not tell page types of domain %u: %s",
				  s->save->domid, strerror(-rc));
	for (i = 0; i < s->count; i++) {
		uint64_t pfn = s->words[i];
		uint32_t type = (uint32_t)types[i];

		/* Plain memory, as nearly all is. */
		if (!type) {
			s->mfns[with_data++] = s->mfns[i];
			s->words[kept++] = pfn;
			bit_set(s->sent, pfn);
			continue;
		}
		if (!stream_type_known(type))
			return tools_fail(s->error, -EINVAL, "hypervisor",
					  "pfn 0x%" PRIx64 " has an unknown type 0x%x", pfn, type);
		if (type == XEN_DOMCTL_PFINFO_XTAB) {
			defer(s, pfn);
			if (!bit_test(s->sent, pfn))
				continue;
			bit_clear(s->sent, pfn);
		}
		if (stream_type_has_data(type)) {
			s->mfns[with_data++] = s->mfns[i];
			bit_set(s->sent, pfn);
		}
		s->words[kept++] = stream_word(pfn, type);
	}
	s->count = kept;
	return (int)with_data;
}

/* One page with contents at @page: 1: *@out is what to send; 0: not now; -errno. */
static int convert(struct saver *s, uint64_t word, const uint8_t *page, unsigned int slot,
		   const void **out)
{
	struct stream_lookup lookup = { frames_mfn_to_pfn, &s->frames };
	uint8_t *copy = s->tables + slot * PAGE_BYTES;
	int rc;

	*out = page;
	if (!stream_type_level(stream_word_type(word)))
		return 1;
	*out = copy;
	rc = stream_table_to_pfns(page, copy, stream_word_type(word), stream_word_pfn(word),
				  s->still ? STREAM_FOREIGN_FAIL : STREAM_FOREIGN_DEFER, &lookup,
				  s->error);
	return rc == -EAGAIN ? 0 : rc < 0 ? rc : 1;
}

/* The contents: s->pages[] is filled for the words that stay. */
static int take_contents(struct saver *s, const uint8_t *view)
{
	unsigned int i, kept = 0, with_data = 0, n = 0;
	int rc;

	for (i = 0; i < s->count; i++) {
		uint64_t word = s->words[i];

		if (stream_word_plain(word) && !s->errors[n]) {
			s->pages[with_data++] = view + n++ * PAGE_BYTES;
			s->words[kept++] = word;
			continue;
		}
		if (!stream_type_has_data(stream_word_type(word))) {
			s->words[kept++] = word;
			continue;
		}
		rc = s->errors[n] ? 0 : convert(s, word, view + n * PAGE_BYTES, n,
						&s->pages[with_data]);
		if (s->errors[n] && s->still)
			return tools_fail(s->error, s->errors[n], "map-failed",
					  "domain %u: pfn 0x%" PRIx64 " cannot be mapped: %s",
					  s->save->domid, stream_word_pfn(word),
					  strerror(-s->errors[n]));
		n++;
		if (rc < 0)
			return rc;
		if (rc) {
			s->words[kept++] = word;
			with_data++;
		} else {
			defer(s, stream_word_pfn(word));
		}
	}
	s->count = kept;
	s->save->pages += with_data;
	return 0;
}

static int send_batch(struct saver *s)
{
	int data = classify(s), rc = data < 0 ? data : 0;
	void *view = NULL;

	if (data > 0) {
		rc = foreignmemory_map(s->save->fm, s->save->domid, PROT_READ, (size_t)data,
				       s->mfns, s->errors, &view);
		if (rc)
			return tools_fail(s->error, rc, "map-failed",
					  "%d pages of domain %u cannot be mapped: %s", data,
					  s->save->domid, strerror(-rc));
		rc = take_contents(s, view);
	}
	if (!rc && s->count)
		rc = stream_write_pages(s->writer, s->count, s->words, s->pages, s->error);
	if (view && !s->ends)
		foreignmemory_unmap(s->save->fm, view, (size_t)data);
	s->progress.pages_done += s->count;
	s->count = 0;
	return rc;
}

/* One pfn into the batch. What went is a word of its own; what never was is nothing. */
static void add(struct saver *s, uint64_t pfn)
{
	uint64_t mfn = s->frames.p2m[pfn];

	if (mfn == INVALID_MFN && !bit_test(s->sent, pfn))
		return;
	s->words[s->count] = pfn;
	s->mfns[s->count++] = mfn;
}

int saver_send_range(struct saver *s, uint64_t first, uint64_t end)
{
	unsigned int batches = 0;
	uint64_t left, bits;
	int rc = 0;

	for (; first < end && !rc; first += 64) {
		left = end - first;
		bits = s->to_send[first / 64] & (left < 64 ? (1ULL << left) - 1 : ~0ULL);
		s->to_send[first / 64] = 0;
		for (; bits && !rc; bits &= bits - 1) {
			add(s, first + (uint64_t)__builtin_ctzll(bits));
			if (s->count < BATCH_PAGES)
				continue;
			rc = send_batch(s);
			if (!rc && ++batches % PROGRESS_BATCHES == 0)
				rc = saver_progress(s, s->progress.phase);
		}
	}
	return rc || !s->count ? rc : send_batch(s);
}

/* SPDX-License-Identifier: MIT */
/*
 * Memory out of a stream into a fresh domain: frames are had from the hypervisor as pfns come, and
 * their contents are read straight into them. Page tables get their machine frames when all that
 * they name is there: most of them at the end of a round. Nothing is pinned before the end.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include "private.h"
#include <xen/domctl.h>

#define BLOCK_ORDER 9U /* 2 MiB at once, where the pages of a batch are neighbours */
#define BLOCK_PAGES (1UL << BLOCK_ORDER)

/* ---- how many pfns there are ---- */

/* Tables are as long as the sender says, vcpus as many, and he may be wrong. */
int restorer_limit(struct restorer *r)
{
	struct xen_domctl_getdomaininfo info;
	domid_t domid = r->restore->build->domid;
	int rc = ctl_getdomaininfo(r->restore->ctl, domid, &info);

	if (rc)
		return tools_fail(r->error, rc, "no-domain", "domain %u: %s", domid, strerror(-rc));
	r->most = move_most_pages(&info) + SPARSE_PFNS;
	r->most_vcpus = info.max_vcpu_id + 1;	/* wraps to none */
	return 0;
}

/* From vcpus' records on all pfns are known; before, the list may grow (the guest did). */
static int grow(struct restorer *r, uint64_t count)
{
	uint64_t *p2m, *list, *pending, pages = (count + PER_PAGE - 1) / PER_PAGE, i;
	uint32_t *types;

	if (count <= r->count)
		return 0;
	p2m = realloc(r->p2m, count * sizeof(*p2m));
	r->p2m = p2m ? p2m : r->p2m;
	types = realloc(r->types, count * sizeof(*types));
	r->types = types ? types : r->types;
	list = realloc(r->list_pfns, pages * sizeof(*list));
	r->list_pfns = list ? list : r->list_pfns;
	pending = bits_alloc(count);
	if (!p2m || !types || !list || !pending) {
		free(pending);
		return -ENOMEM;
	}
	if (r->pending)
		memcpy(pending, r->pending, (r->count / 64 + 1) * sizeof(*pending));
	free(r->pending);
	r->pending = pending;
	for (i = r->count; i < count; i++) {
		p2m[i] = INVALID_MFN;
		types[i] = XEN_DOMCTL_PFINFO_XTAB;
	}
	for (i = r->list_pages; i < pages; i++)
		list[i] = STREAM_NO_FRAME;
	r->count = count;
	r->list_pages = pages;
	return 0;
}

int restorer_p2m_frames(struct restorer *r, const struct stream_item *item)
{
	int rc;

	if (item->p2m.end_pfn >= r->most)
		return tools_fail(r->error, -E2BIG, "bad-stream",
				  "pfns up to 0x%x are more than domain %u may have",
				  item->p2m.end_pfn, r->restore->build->domid);
	rc = grow(r, item->p2m.end_pfn + 1ULL);
	if (rc)
		return tools_fail(r->error, rc, "no-memory",
				  "no table for a domain of %" PRIu64 " pages: %s",
				  item->p2m.end_pfn + (uint64_t)1, strerror(-rc));
	memcpy(r->list_pfns + item->p2m.start_pfn / PER_PAGE, item->p2m.pfns,
	       item->p2m.count * sizeof(*r->list_pfns));
	return 0;
}

uint64_t restorer_pfn_to_mfn(void *cookie, uint64_t pfn)
{
	const struct restorer *r = cookie;

	return pfn < r->count ? r->p2m[pfn] : STREAM_NO_FRAME;
}

uint32_t restorer_type_of(void *cookie, uint64_t pfn)
{
	const struct restorer *r = cookie;

	return pfn < r->count ? r->types[pfn] : XEN_DOMCTL_PFINFO_XTAB;
}

/* ---- frames from the hypervisor ---- */

/* @count single frames for @pfns. */
static int populate_each(struct restorer *r, const uint64_t *pfns, uint32_t count)
{
	xen_pfn_t extents[BATCH_PAGES];
	domid_t domid = r->restore->build->domid;
	long got;
	uint32_t i;

	for (i = 0; i < count; i++)
		extents[i] = pfns[i];
	got = count ? ctl_populate_physmap(r->restore->ctl, domid, 0, 0, count, extents) : 0;
	for (i = 0; got > 0 && i < (uint32_t)got; i++)
		r->p2m[pfns[i]] = extents[i];
	if (got == (long)count)
		return 0;
	return tools_hint(r->error,
			  tools_fail(r->error, -ENOMEM, "no-memory",
				     "the hypervisor has no more memory for domain %u, or it may "
				     "not have more",
				     domid),
			  "free memory by stopping or shrinking another guest");
}

/* A block of neighbours that are all wanted, as one; false: not to be had so. */
static bool populate_block(struct restorer *r, uint64_t pfn)
{
	xen_pfn_t extent = pfn;
	uint64_t i;

	if (ctl_populate_physmap(r->restore->ctl, r->restore->build->domid, BLOCK_ORDER, 0, 1,
				 &extent) != 1)
		return false;
	for (i = 0; i < BLOCK_PAGES; i++)
		r->p2m[pfn + i] = extent + i;
	return true;
}

static bool wants_frame(const struct restorer *r, uint64_t word)
{
	return r->p2m[stream_word_pfn(word)] == INVALID_MFN &&
	       (stream_word_plain(word) || stream_type_populated(stream_word_type(word)));
}

static bool is_block(const struct restorer *r, const uint64_t *words, uint32_t left)
{
	uint64_t pfn = stream_word_pfn(words[0]), i;

	if (left < BLOCK_PAGES || pfn % BLOCK_PAGES ||
	    stream_word_pfn(words[BLOCK_PAGES - 1]) != pfn + BLOCK_PAGES - 1)
		return false;
	for (i = 0; i < BLOCK_PAGES; i++)
		if (stream_word_pfn(words[i]) != pfn + i || !wants_frame(r, words[i]))
			return false;
	return true;
}

static int populate(struct restorer *r, const uint64_t *words, uint32_t count)
{
	uint64_t pfns[BATCH_PAGES];
	uint32_t i, n = 0;
	int rc;

	for (i = 0; i < count; i++) {
		if (is_block(r, words + i, count - i) &&
		    populate_block(r, stream_word_pfn(words[i]))) {
			i += BLOCK_PAGES - 1;
			continue;
		}
		if (!wants_frame(r, words[i]))
			continue;
		pfns[n++] = stream_word_pfn(words[i]);
		/* A pfn twice in one list is one frame. */
		r->p2m[pfns[n - 1]] = 0;
		if (n < BATCH_PAGES)
			continue;
		rc = populate_each(r, pfns, n);
		if (rc)
			return rc;
		n = 0;
	}
	return populate_each(r, pfns, n);
}

/* ---- contents ---- */

/* Tables that waited for what they name. @last: now all must be there. */
static int convert_batch(struct restorer *r, const uint64_t *pfns, uint32_t count, bool last)
{
	struct stream_lookup lookup = { restorer_pfn_to_mfn, r };
	uint64_t copy[PER_PAGE];
	uint8_t *page;
	uint32_t i;
	void *view;
	int rc;

	for (i = 0; i < count; i++)
		r->mfns[i] = r->p2m[pfns[i]];
	rc = move_map(r->restore->fm, r->restore->build->domid, PROT_READ | PROT_WRITE, count,
		      r->mfns, "its page tables", &view, r->error);
	if (rc)
		return rc;
	page = view;
	for (i = 0; i < count && !rc; i++, page += PAGE_BYTES) {
		rc = stream_table_to_mfns(page, copy, r->types[pfns[i]], pfns[i], &lookup,
					  last ? r->error : NULL);
		if (!rc) {
			memcpy(page, copy, PAGE_BYTES);
			bit_clear(r->pending, pfns[i]);
		} else if (rc == -ERANGE && !last) {
			rc = 0;
		}
	}
	foreignmemory_unmap(r->restore->fm, view, count);
	return rc;
}

int restorer_convert_tables(struct restorer *r, bool last)
{
	uint64_t pfns[BATCH_PAGES], pfn;
	uint32_t n = 0;
	int rc = 0;

	for (pfn = 0; pfn < r->count && !rc; pfn++) {
		if (!(pfn % 64) && !r->pending[pfn / 64]) {
			pfn += 63;
			continue;
		}
		if (!bit_test(r->pending, pfn))
			continue;
		pfns[n++] = pfn;
		if (n == BATCH_PAGES) {
			rc = convert_batch(r, pfns, n, last);
			n = 0;
		}
	}
	return rc || !n ? rc : convert_batch(r, pfns, n, last);
}

static int fill(struct restorer *r, uint32_t count, uint32_t with_data)
{
	struct foreignmemory *fm = r->restore->fm;
	domid_t domid = r->restore->build->domid;
	uint32_t i, n = 0;
	void *view;
	int rc;

	for (i = 0; i < count; i++) {
		uint64_t pfn = stream_word_pfn(r->words[i]);

		if (stream_word_plain(r->words[i])) {
			r->types[pfn] = 0;
			bit_clear(r->pending, pfn);
			r->mfns[n++] = r->p2m[pfn];
			continue;
		}
		r->types[pfn] = stream_word_type(r->words[i]);
		if (stream_type_level(r->types[pfn]))
			bit_set(r->pending, pfn);
		else
			bit_clear(r->pending, pfn);
		if (stream_type_has_data(r->types[pfn]))
			r->mfns[n++] = r->p2m[pfn];
	}
	if (!with_data)
		return 0;
	rc = move_map(fm, domid, PROT_READ | PROT_WRITE, with_data, r->mfns, "its new memory",
		      &view, r->error);
	if (rc)
		return rc;
	rc = source_pages(r->restore->source, view, with_data, r->error);
	foreignmemory_unmap(fm, view, with_data);
	return rc;
}

/* Copies a part of the list; how many of it have contents, or -ERANGE. */
static int take_words(struct restorer *r, const uint64_t *words, uint32_t count)
{
	uint32_t i;
	int with_data = 0;

	memcpy(r->words, words, count * sizeof(*words));
	for (i = 0; i < count; i++) {
		if (stream_word_pfn(words[i]) >= r->count)
			return tools_fail(r->error, -ERANGE, "bad-stream",
					  "pfn 0x%" PRIx64 " is behind the last one",
					  (uint64_t)stream_word_pfn(words[i]));
		with_data += stream_word_plain(words[i]) ||
			     stream_type_has_data(stream_word_type(words[i]));
	}
	return with_data;
}

int restorer_pages(struct restorer *r, const struct stream_item *item)
{
	uint32_t done, part, count = item->pages.count;
	const uint64_t *words = item->pages.words;
	int rc = 0, with_data;

	/* From the top again: a round is over. */
	if (stream_word_pfn(words[0]) < r->last_pfn)
		rc = restorer_convert_tables(r, false);
	r->last_pfn = stream_word_pfn(words[count - 1]);
	for (done = 0; done < count && !rc; done += part) {
		part = count - done < BATCH_PAGES ? count - done : BATCH_PAGES;
		with_data = take_words(r, words + done, part);
		rc = with_data < 0 ? with_data : populate(r, r->words, part);
		rc = rc ? rc : fill(r, part, (uint32_t)with_data);
		r->restore->pages += rc ? 0 : (uint32_t)with_data;
	}
	/* A short list ends a round, as a rule: better now than when the guest stands still. */
	r->unconverted += count;
	if (rc || count >= BATCH_PAGES || r->unconverted < BATCH_PAGES)
		return rc;
	r->unconverted = 0;
	return restorer_convert_tables(r, false);
}

static int give_back(struct restorer *r, xen_pfn_t *frames, unsigned long count)
{
	domid_t domid = r->restore->build->domid;

	if (!count ||
	    ctl_decrease_reservation(r->restore->ctl, domid, count, frames) == (long)count)
		return 0;
	return tools_fail(r->error, -EBUSY, "hypervisor",
			  "memory that domain %u gave up cannot be freed", domid);
}

int restorer_drop_absent(struct restorer *r)
{
	const uint32_t *types = r->types;
	const uint64_t count = r->count;
	xen_pfn_t frames[BATCH_PAGES];
	unsigned long n = 0;
	uint64_t pfn;
	int rc;

	for (pfn = 0; pfn < count; pfn++) {
		/* Nearly all are plain memory. */
		if (!types[pfn] || r->p2m[pfn] == INVALID_MFN || stream_type_populated(types[pfn]))
			continue;
		frames[n++] = r->p2m[pfn];
		r->p2m[pfn] = INVALID_MFN;
		if (n < BATCH_PAGES)
			continue;
		rc = give_back(r, frames, n);
		if (rc)
			return rc;
		n = 0;
	}
	return give_back(r, frames, n);
}

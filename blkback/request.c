/* SPDX-License-Identifier: MIT */
/*
 * What a frontend's request asks, with every field checked. A value that no correct frontend sends
 * fails the device; one that can be an honest mistake (beyond the end, a write to a read-only disk, an
 * operation that we lack) is answered with an error.
 */
#include "private.h"

static int bad_field(struct request *r, const char *field, uint64_t value)
{
	return pv_xenbus_fail(&r->queue->device->bus, "queue %u request %llx: %s is %llu",
			      r->queue->index, (unsigned long long)r->entry->id, field,
			      (unsigned long long)value);
}

static int refuse(struct request *r, int16_t status)
{
	r->status = status;
	return 0;
}

/* Where it is on the medium, from @sector in the agreed unit. */
static void place(struct request *r, blkif_sector_t sector)
{
	unsigned int shift = r->queue->device->unit_shift;

	r->first = sector << shift;
	if (sector > UINT64_MAX >> shift)
		r->first = UINT64_MAX;		/* beyond every end */
}

static bool beyond_end(const struct request *r)
{
	uint64_t size = r->queue->device->info.bytes;

	return r->first > size || r->bytes > size - r->first;
}

static int decode_discard(struct request *r)
{
	const struct blkif_request_discard *slot = &r->entry->slot.discard;
	struct blkback *b = r->queue->device;

	if (slot->flag & ~BLKIF_DISCARD_SECURE)
		return bad_field(r, "flag", slot->flag);
	if (!b->discard || (slot->flag & BLKIF_DISCARD_SECURE))
		return refuse(r, BLKIF_RSP_EOPNOTSUPP);
	place(r, slot->sector_number);
	r->bytes = slot->nr_sectors << b->unit_shift;
	if (slot->nr_sectors > UINT64_MAX >> b->unit_shift || beyond_end(r))
		return refuse(r, BLKIF_RSP_ERROR);
	r->steps = STEP_DATA;
	return r->bytes ? 0 : bad_field(r, "nr_sectors", 0);
}

static int decode_indirect(struct request *r)
{
	const struct blkif_request_indirect *slot = &r->entry->slot.indirect;

	if (!slot->nr_segments || slot->nr_segments > MAX_SEGMENTS)
		return bad_field(r, "nr_segments", slot->nr_segments);
	r->nr_segments = slot->nr_segments;
	place(r, slot->sector_number);
	return 0;
}

static int decode_direct(struct request *r)
{
	const struct blkif_request *slot = &r->entry->slot.request;

	if (slot->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		return bad_field(r, "nr_segments", slot->nr_segments);
	if (!slot->nr_segments && slot->operation <= BLKIF_OP_WRITE)
		return bad_field(r, "nr_segments", 0);
	r->nr_segments = slot->nr_segments;
	memcpy(r->segments, slot->seg, r->nr_segments * sizeof(slot->seg[0]));
	place(r, slot->sector_number);
	return 0;
}

/* What to do with the medium, and whether this disk lets us. */
static int plan(struct request *r)
{
	r->steps = r->nr_segments ? STEP_DATA : 0;
	if (r->operation == BLKIF_OP_WRITE_BARRIER)
		r->steps |= STEP_FLUSH_FIRST | STEP_FLUSH_LAST;
	if (r->operation == BLKIF_OP_FLUSH_DISKCACHE)
		r->steps |= STEP_FLUSH_FIRST;
	if (r->nr_segments && request_writes(r) && r->queue->device->info.read_only)
		return refuse(r, BLKIF_RSP_ERROR);
	return 0;
}

int request_decode(struct request *r)
{
	struct record_entry *e = r->entry;
	uint8_t operation = e->slot.request.operation;
	int rc;

	r->status = BLKIF_RSP_OKAY;
	r->failed = r->mapped = false;
	r->nr_segments = 0;
	r->buffer = NO_BUFFER;
	r->bytes = 0;
	r->steps = 0;
	r->operation = operation;
	e->id = e->slot.request.id;	/* the same place in all three forms */
	e->operation = operation;
	switch (operation) {
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
	case BLKIF_OP_WRITE_BARRIER:
	case BLKIF_OP_FLUSH_DISKCACHE:
		rc = decode_direct(r);
		break;
	case BLKIF_OP_INDIRECT:
		r->operation = e->operation = e->slot.indirect.indirect_op;
		if (r->operation > BLKIF_OP_WRITE)
			return bad_field(r, "indirect_op", r->operation);
		rc = decode_indirect(r);
		break;
	case BLKIF_OP_DISCARD:
		return decode_discard(r);
	case BLKIF_OP_RESERVED_1:
		return refuse(r, BLKIF_RSP_EOPNOTSUPP);
	default:
		return bad_field(r, "operation", operation);
	}
	return rc ? rc : plan(r);
}

int request_check_segments(struct request *r)
{
	unsigned int shift = r->queue->device->unit_shift;
	unsigned int last_in_page = (PV_PAGE_SIZE >> shift) - 1;

	r->bytes = 0;
	for (unsigned int i = 0; i < r->nr_segments; i++) {
		const struct blkif_request_segment *s = &r->segments[i];

		if (s->last_sect > last_in_page)
			return bad_field(r, "last_sect", s->last_sect);
		if (s->first_sect > s->last_sect)
			return bad_field(r, "first_sect", s->first_sect);
		r->bytes += (uint64_t)(s->last_sect - s->first_sect + 1) << shift;
	}
	if (r->nr_segments && beyond_end(r))
		return refuse(r, BLKIF_RSP_ERROR);
	return 0;
}

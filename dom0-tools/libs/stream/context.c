/* SPDX-License-Identifier: MIT */
/*
 * The frame numbers in a PV vcpu's context, on their way into a migration stream and out of it.
 * Which fields they are is the ABI's (<xen/arch-x86/xen.h>, struct vcpu_guest_context) and, for
 * the start info in rdx, SCHEDOP_shutdown's.
 */
#include <errno.h>
#include <inttypes.h>
#include <tools/stream.h>
#include <xen/xen.h>

#define PAGE_SHIFT	      12
#define FRAME_MAX	      0xffffffffffULL /* 40 bits, as in a page table's entry */
#define GDT_ENTRIES_PER_FRAME 512U
#define GUEST_TABLE_PRESENT   1ULL /* in ctrlreg[1]: there is one */
#define LEVEL_TOP	      4U

/* One way or the other, with what both need. */
struct translation {
	uint32_t vcpu;
	const struct stream_lookup *lookup;
	uint32_t (*type_of)(void *cookie, uint64_t pfn); /* NULL: types are not looked at */
	const char *from;				 /* "mfn", "pfn" */
	struct tools_error *error;
};

/* *@frame becomes the other kind; it must be of page table @level (0: no table). */
static int translate(const struct translation *t, const char *what, uint64_t *frame,
		     unsigned int level)
{
	uint64_t found = t->lookup->find(t->lookup->cookie, *frame);
	uint32_t type;

	if (found > FRAME_MAX)
		return tools_fail(t->error, -ERANGE, "bad-context",
				  "vcpu %u: %s has %s 0x%" PRIx64
				  ", which is not memory of this domain",
				  t->vcpu, what, t->from, *frame);
	if (t->type_of) {
		type = t->type_of(t->lookup->cookie, *frame);
		if (!stream_type_has_data(type) || stream_type_level(type) != level)
			return tools_fail(t->error, -EINVAL, "bad-context",
					  "vcpu %u: %s has pfn 0x%" PRIx64
					  " of type 0x%x, not of level %u",
					  t->vcpu, what, *frame, type >> 28, level);
	}
	*frame = found;
	return 0;
}

/* All frames of @context; it is changed at the end, if nothing was wrong. */
static int translate_context(const struct translation *t, struct vcpu_guest_context *context)
{
	uint64_t info = context->user_regs.rdx, kernel = context->ctrlreg[3] >> PAGE_SHIFT;
	uint64_t user = context->ctrlreg[1] >> PAGE_SHIFT, gdt[FIRST_RESERVED_GDT_PAGE];
	/* An mfn is there or 0; the stream says by a bit whether there is a pfn. */
	bool has_user = t->type_of ? context->ctrlreg[1] & GUEST_TABLE_PRESENT :
				     context->ctrlreg[1];
	unsigned int frames;
	int rc;

	if (context->gdt_ents > FIRST_RESERVED_GDT_ENTRY)
		return tools_fail(t->error, -ERANGE, "bad-context",
				  "vcpu %u: a GDT of %lu entries, at most %u", t->vcpu,
				  context->gdt_ents, FIRST_RESERVED_GDT_ENTRY);
	frames = ((unsigned int)context->gdt_ents + GDT_ENTRIES_PER_FRAME - 1) /
		 GDT_ENTRIES_PER_FRAME;
	rc = t->vcpu ? 0 : translate(t, "its start info", &info, 0);
	for (unsigned int i = 0; !rc && i < frames; i++) {
		gdt[i] = context->gdt_frames[i];
		rc = translate(t, "its GDT", &gdt[i], 0);
	}
	if (!rc)
		rc = translate(t, "its page table (cr3)", &kernel, LEVEL_TOP);
	if (!rc && has_user)
		rc = translate(t, "its page table for user mode", &user, LEVEL_TOP);
	if (rc)
		return rc;
	if (!t->vcpu)
		context->user_regs.rdx = info;
	for (unsigned int i = 0; i < frames; i++)
		context->gdt_frames[i] = gdt[i];
	context->ctrlreg[3] = kernel << PAGE_SHIFT;
	if (has_user)
		context->ctrlreg[1] = user << PAGE_SHIFT | (t->type_of ? 0 : GUEST_TABLE_PRESENT);
	return 0;
}

int stream_context_to_pfns(struct vcpu_guest_context *context, uint32_t vcpu,
			   const struct stream_lookup *mfn_to_pfn, struct tools_error *error)
{
	struct translation t = {
		.vcpu = vcpu, .lookup = mfn_to_pfn, .from = "mfn", .error = error
	};

	return translate_context(&t, context);
}

int stream_context_to_mfns(struct vcpu_guest_context *context, uint32_t vcpu,
			   const struct stream_lookup *pfn_to_mfn,
			   uint32_t (*type_of)(void *cookie, uint64_t pfn),
			   struct tools_error *error)
{
	struct translation t = { .vcpu = vcpu,
				 .lookup = pfn_to_mfn,
				 .type_of = type_of,
				 .from = "pfn",
				 .error = error };
	int rc = translate_context(&t, context);

	if (!rc)
		context->flags |= VGCF_online;
	return rc;
}

/* SPDX-License-Identifier: MIT */
/*
 * All of a restored domain that is not memory. What vcpus were is kept until the stream has ended:
 * only then their page tables exist.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include "private.h"
#include <xen/grant_table.h>

#define PINS 128U
#define EVTCHN_WORDS (sizeof(((struct shared_info *)0)->evtchn_mask) / sizeof(xen_ulong_t))

static int refused(struct restorer *r, int rc, const char *what)
{
	return tools_fail(r->error, rc, "refused", "the hypervisor refuses domain %u's %s: %s",
			  r->restore->build->domid, what, strerror(-rc));
}

static void *copy_of(const void *bytes, size_t length)
{
	void *copy = malloc(length ? length : 1);

	return copy ? memcpy(copy, bytes, length) : NULL;
}

/* ---- records as they come ---- */

static struct vcpu_state *vcpu_slot(struct restorer *r, uint32_t vcpu)
{
	struct vcpu_state *vcpus;

	if (vcpu >= r->nr_vcpus) {
		vcpus = realloc(r->vcpus, (vcpu + 1) * sizeof(*vcpus));
		if (!vcpus)
			return NULL;
		memset(vcpus + r->nr_vcpus, 0, (vcpu + 1 - r->nr_vcpus) * sizeof(*vcpus));
		r->vcpus = vcpus;
		r->nr_vcpus = vcpu + 1;
	}
	return &r->vcpus[vcpu];
}

/* The later of two records of a kind counts (a checkpointed stream has several). */
static int keep_vcpu(struct restorer *r, const struct stream_item *item)
{
	struct vcpu_state *vcpu;
	void *copy;

	if (item->vcpu.vcpu >= r->most_vcpus)
		return tools_fail(r->error, -EINVAL, "bad-stream",
				  "it has state of vcpu %u: domain %u has %u", item->vcpu.vcpu,
				  r->restore->build->domid, r->most_vcpus);
	vcpu = vcpu_slot(r, item->vcpu.vcpu);
	copy = vcpu ? calloc(1, item->vcpu.length + sizeof(*vcpu->extended)) : NULL;
	if (!copy)
		return -ENOMEM;
	memcpy(copy, item->vcpu.context, item->vcpu.length);
	switch (item->type) {
	case STREAM_REC_X86_PV_VCPU_BASIC:
		free(vcpu->basic);
		vcpu->basic = copy;
		break;
	case STREAM_REC_X86_PV_VCPU_EXTENDED:
		free(vcpu->extended);
		vcpu->extended = copy;
		break;
	case STREAM_REC_X86_PV_VCPU_XSAVE:
		free(vcpu->xsave);
		vcpu->xsave = copy;
		vcpu->xsave_bytes = item->vcpu.length;
		break;
	default:
		free(vcpu->msrs);
		vcpu->msrs = copy;
		vcpu->nr_msrs = (uint32_t)(item->vcpu.length / sizeof(*vcpu->msrs));
	}
	return 0;
}

/* CPUID and MSRs that the guest saw must be there here, too: asked before any memory comes. */
static int set_policy(struct restorer *r)
{
	uint32_t bad[3] = { ~0U, ~0U, ~0U };
	domid_t domid = r->restore->build->domid;
	int rc;

	if (!r->policy.nr_leaves && !r->policy.nr_msrs)
		return 0;
	rc = ctl_set_cpu_policy(r->restore->ctl, domid, &r->policy, bad);
	if (!rc)
		return 0;
	if (bad[2] != ~0U)
		tools_fail(r->error, rc, "cpu-policy",
			   "this host's CPU cannot be what domain %u has seen: MSR 0x%x", domid,
			   bad[2]);
	else
		tools_fail(r->error, rc, "cpu-policy",
			   "this host's CPU cannot be what domain %u has seen: CPUID leaf 0x%x "
			   "subleaf 0x%x",
			   domid, bad[0], bad[1]);
	return tools_hint(r->error, rc,
			  "it needs a CPU with at least the features of its old host");
}

static int set_time(struct restorer *r, const struct stream_item *item)
{
	int rc = ctl_settscinfo(r->restore->ctl, r->restore->build->domid, item->tsc.mode,
				item->tsc.nsec, item->tsc.khz, item->tsc.incarnation);

	return rc ? refused(r, rc, "time") : 0;
}

int restorer_record(struct restorer *r, const struct stream_item *item)
{
	switch (item->type) {
	case STREAM_REC_X86_PV_P2M_FRAMES:
		return restorer_p2m_frames(r, item);
	case STREAM_REC_X86_CPUID_POLICY:
		free(r->policy.leaves);
		r->policy.leaves = copy_of(item->body, item->length);
		r->policy.nr_leaves = (uint32_t)(item->length / sizeof(*r->policy.leaves));
		return r->policy.leaves ? 0 : -ENOMEM;
	case STREAM_REC_X86_MSR_POLICY:
		free(r->policy.msrs);
		r->policy.msrs = copy_of(item->body, item->length);
		r->policy.nr_msrs = (uint32_t)(item->length / sizeof(*r->policy.msrs));
		return r->policy.msrs ? 0 : -ENOMEM;
	case STREAM_REC_STATIC_DATA_END:
		return set_policy(r);
	case STREAM_REC_SHARED_INFO:
		free(r->shared);
		r->shared = copy_of(item->body, item->length);
		return r->shared ? 0 : -ENOMEM;
	case STREAM_REC_X86_TSC_INFO:
		return set_time(r, item);
	case STREAM_REC_X86_PV_VCPU_BASIC:
	case STREAM_REC_X86_PV_VCPU_EXTENDED:
	case STREAM_REC_X86_PV_VCPU_XSAVE:
	case STREAM_REC_X86_PV_VCPU_MSRS:
		return keep_vcpu(r, item);
	default:
		return 0;
	}
}

/* ---- when all is here ---- */

/* A page of the guest that @what names by @pfn, to be plain memory. */
static int plain_page(struct restorer *r, uint64_t pfn, const char *what, xen_pfn_t *mfn)
{
	*mfn = restorer_pfn_to_mfn(r, pfn);
	if (*mfn == STREAM_NO_FRAME || stream_type_level(r->types[pfn]))
		return tools_fail(r->error, -EINVAL, "bad-stream",
				  "%s: pfn 0x%" PRIx64 " is no plain memory of the domain", what,
				  pfn);
	return 0;
}

/* What the guest looks at first: where store and console are now. */
static int start_info(struct restorer *r, xen_pfn_t frame, xen_pfn_t shared_frame)
{
	struct light_build *build = r->restore->build;
	struct start_info *info;
	void *view;
	int rc = move_map(r->restore->fm, build->domid, PROT_READ | PROT_WRITE, 1, &frame,
			  "its start info", &view, r->error);

	if (rc)
		return rc;
	info = view;
	rc = plain_page(r, info->store_mfn, "the store's page", &build->store_mfn);
	rc = rc ? rc : plain_page(r, info->console.domU.mfn, "the console's page",
				  &build->console_mfn);
	if (!rc) {
		info->store_mfn = build->store_mfn;
		info->store_evtchn = build->store_port;
		info->console.domU.mfn = build->console_mfn;
		info->console.domU.evtchn = build->console_port;
		info->nr_pages = r->count;
		info->shared_info = shared_frame * PAGE_BYTES;
		info->flags = 0;
	}
	foreignmemory_unmap(r->restore->fm, view, 1);
	return rc;
}

/* The guest's shared info anew: its event channels are all closed. */
static int shared_info(struct restorer *r, xen_pfn_t frame)
{
	struct shared_info *to;
	unsigned int i;
	void *view;
	int rc;

	if (!r->shared)
		return tools_fail(r->error, -EINVAL, "bad-stream", "it has no SHARED_INFO");
	rc = move_map(r->restore->fm, r->restore->build->domid, PROT_READ | PROT_WRITE, 1, &frame,
		      "its shared info", &view, r->error);
	if (rc)
		return rc;
	to = view;
	memcpy(to->vcpu_info, r->shared->vcpu_info, sizeof(to->vcpu_info));
	memcpy(&to->arch, &r->shared->arch, sizeof(to->arch));
	to->arch.pfn_to_mfn_frame_list_list = 0;
	for (i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
		to->vcpu_info[i].evtchn_pending_sel = 0;
	for (i = 0; i < EVTCHN_WORDS; i++) {
		to->evtchn_pending[i] = 0;
		to->evtchn_mask[i] = ~(xen_ulong_t)0;
	}
	foreignmemory_unmap(r->restore->fm, view, 1);
	return 0;
}

/* The guest's own table of its frames, in its memory. */
static int guest_table(struct restorer *r)
{
	uint64_t i, first, before = STREAM_NO_FRAME, n;
	xen_pfn_t mfn;
	void *view;
	int rc;

	for (i = 0; i < r->list_pages; i++) {
		/* Where nothing is, the same page again. */
		if (r->list_pfns[i] == before)
			continue;
		before = r->list_pfns[i];
		rc = plain_page(r, r->list_pfns[i], "the guest's table of frames", &mfn);
		rc = rc ? rc : move_map(r->restore->fm, r->restore->build->domid,
					PROT_READ | PROT_WRITE, 1, &mfn,
					"its table of frames", &view, r->error);
		if (rc)
			return rc;
		first = i * PER_PAGE;
		n = r->count - first < PER_PAGE ? r->count - first : PER_PAGE;
		memcpy(view, r->p2m + first, n * sizeof(*r->p2m));
		foreignmemory_unmap(r->restore->fm, view, 1);
	}
	return 0;
}

static int pin_tables(struct restorer *r)
{
	static const unsigned int commands[] = { 0, MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE,
						 MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE };
	const uint32_t *types = r->types;
	const uint64_t count = r->count;
	struct mmuext_op ops[PINS];
	unsigned int n = 0;
	uint64_t pfn;
	int rc = 0;

	for (pfn = 0; pfn < count; pfn++) {
		if (!types[pfn] || !stream_type_pinned(types[pfn]))
			continue;
		ops[n++] = (struct mmuext_op){ .cmd = commands[stream_type_level(types[pfn])],
					       .arg1.mfn = r->p2m[pfn] };
		if (n == PINS) {
			rc = ctl_mmuext(r->restore->ctl, r->restore->build->domid, ops, n);
			n = 0;
			if (rc)
				break;
		}
	}
	if (!rc && n)
		rc = ctl_mmuext(r->restore->ctl, r->restore->build->domid, ops, n);
	return rc ? refused(r, rc, "page tables") : 0;
}

static int set_vcpu(struct restorer *r, uint32_t id)
{
	struct vcpu_state *vcpu = &r->vcpus[id];
	struct ctl *ctl = r->restore->ctl;
	domid_t domid = r->restore->build->domid;
	const char *what = "registers";
	int rc = 0;

	if (vcpu->basic)
		rc = ctl_setvcpucontext(ctl, domid, id, vcpu->basic);
	if (!rc && vcpu->extended) {
		what = "extended registers";
		rc = ctl_set_ext_vcpucontext(ctl, domid, id, vcpu->extended);
	}
	if (!rc && vcpu->xsave) {
		what = "vector state (XSAVE)";
		rc = ctl_setvcpuextstate(ctl, domid, id, vcpu->xsave, vcpu->xsave_bytes);
	}
	if (!rc && vcpu->nr_msrs) {
		what = "MSRs";
		rc = ctl_set_vcpu_msrs(ctl, domid, id, vcpu->msrs, vcpu->nr_msrs);
	}
	return rc ? refused(r, rc, what) : 0;
}

/* Contexts with machine frames; vcpu 0 brings the start info's. */
static int convert_contexts(struct restorer *r, xen_pfn_t shared_frame)
{
	struct stream_lookup lookup = { restorer_pfn_to_mfn, r };
	uint32_t i;
	int rc = 0;

	if (!r->nr_vcpus || !r->vcpus[0].basic)
		return tools_fail(r->error, -EINVAL, "bad-stream", "it has no state of vcpu 0");
	for (i = 0; i < r->nr_vcpus && !rc; i++)
		if (r->vcpus[i].basic)
			rc = stream_context_to_mfns(r->vcpus[i].basic, i, &lookup, restorer_type_of,
						    r->error);
	return rc ? rc : start_info(r, r->vcpus[0].basic->user_regs.rdx, shared_frame);
}

static void seed(grant_entry_v1_t *entry, domid_t domid, xen_pfn_t frame)
{
	entry->domid = domid;
	entry->frame = (uint32_t)frame;
	entry->flags = GTF_permit_access;
}

/* The reserved grants, by which console and store daemons map their pages. */
static int grants(struct restorer *r)
{
	struct light_build *build = r->restore->build;
	grant_entry_v1_t *table;
	xen_pfn_t frame;
	void *view;
	int rc = foreignmemory_map_resource(r->restore->fm, build->domid,
					    XENMEM_resource_grant_table,
					    XENMEM_resource_grant_table_id_shared, 0, 1,
					    PROT_READ | PROT_WRITE, &view);

	if (rc == -EOPNOTSUPP) {
		rc = ctl_gnttab_setup_table(r->restore->ctl, build->domid, 1, &frame);
		rc = rc ? rc : foreignmemory_map(r->restore->fm, build->domid,
						 PROT_READ | PROT_WRITE, 1, &frame, NULL, &view);
	}
	if (rc)
		return refused(r, rc, "grant table");
	table = view;
	seed(&table[GNTTAB_RESERVED_CONSOLE], build->console_domid, build->console_mfn);
	seed(&table[GNTTAB_RESERVED_XENSTORE], build->store_domid, build->store_mfn);
	foreignmemory_unmap(r->restore->fm, view, 1);
	return 0;
}

int restorer_finish(struct restorer *r)
{
	struct xen_domctl_getdomaininfo info;
	uint32_t i;
	int rc = ctl_getdomaininfo(r->restore->ctl, r->restore->build->domid, &info);

	if (rc)
		return refused(r, rc, "name");
	rc = restorer_drop_absent(r);
	rc = rc ? rc : restorer_convert_tables(r, true);
	rc = rc ? rc : guest_table(r);
	rc = rc ? rc : shared_info(r, info.shared_info_frame);
	rc = rc ? rc : convert_contexts(r, info.shared_info_frame);
	rc = rc ? rc : pin_tables(r);
	for (i = 0; i < r->nr_vcpus && !rc; i++)
		rc = set_vcpu(r, i);
	return rc ? rc : grants(r);
}

void restorer_state_free(struct restorer *r)
{
	uint32_t i;

	for (i = 0; i < r->nr_vcpus; i++) {
		free(r->vcpus[i].basic);
		free(r->vcpus[i].extended);
		free(r->vcpus[i].xsave);
		free(r->vcpus[i].msrs);
	}
	free(r->vcpus);
	free(r->policy.leaves);
	free(r->policy.msrs);
	free(r->shared);
}

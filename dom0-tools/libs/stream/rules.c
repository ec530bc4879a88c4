/* SPDX-License-Identifier: MIT */
/*
 * The rules of libxc's migration stream: which record may stand where, and how long it is. One
 * table that reader and writer both ask, so that neither can do what the other refuses. Source:
 * docs/specs/libxc-migration-stream of Xen 4.17, and what its restorer insists on.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include "private.h"

#define PFNS_PER_P2M_FRAME (STREAM_PAGE_BYTES / 8)
#define EXTENDED_MAX	   128U /* the union of a domctl */
#define XSAVE_MIN	   16U	/* xcr0 and xcr0_accum */
/* What a reader keeps until the end: several times what any CPU has (AMX: 11 KiB). */
#define STATE_MAX	   65536U

/* What has been seen; the names are for messages. */
enum {
	SEEN_INFO = 1U << 0,
	SEEN_STATIC_END = 1U << 1,
	SEEN_CPUID = 1U << 2,
	SEEN_MSR = 1U << 3,
	SEEN_FRAMES = 1U << 4,
	SEEN_PAGES = 1U << 5,
	SEEN_SHARED = 1U << 6,
	SEEN_TSC = 1U << 7,
	SEEN_VCPU = 1U << 8,
	SEEN_VCPU0 = 1U << 9,
	SEEN_VERIFY = 1U << 10,
	SEEN_END = 1U << 11,
};
/* A checkpoint gives these anew. */
#define SEEN_PER_CHECKPOINT (SEEN_SHARED | SEEN_TSC | SEEN_VCPU | SEEN_VCPU0 | SEEN_VERIFY)
#define SEEN_WHOLE                                                                                 \
	(SEEN_INFO | SEEN_STATIC_END | SEEN_FRAMES | SEEN_PAGES | SEEN_SHARED | SEEN_VCPU |        \
	 SEEN_VCPU0)

static const char *const seen_names[] = {
	"X86_PV_INFO",
	"STATIC_DATA_END",
	"X86_CPUID_POLICY",
	"X86_MSR_POLICY",
	"X86_PV_P2M_FRAMES",
	"PAGE_DATA",
	"SHARED_INFO",
	"X86_TSC_INFO",
	"X86_PV_VCPU",
	"X86_PV_VCPU_BASIC of vcpu 0",
	"VERIFY",
	"END",
};

struct record_rule {
	const char *name;
	const char *refused;  /* why a PV domain's image never has it */
	unsigned int needs;   /* SEEN_*: all of these before */
	unsigned int forbids; /* none of these before */
	unsigned int sets;
	uint32_t min, max; /* length of the body */
	uint32_t unit;	   /* it is a multiple of; 0: any */
	uint32_t version;  /* of the image, at least */
};

#define VCPU_RULE(record)                                                                          \
	{                                                                                          \
		.name = record, .needs = SEEN_FRAMES | SEEN_PAGES, .sets = SEEN_VCPU,              \
		.min = VCPU_HEAD_BYTES, .max = STATE_MAX                                           \
	}

static const struct record_rule rules_of[STREAM_REC_COUNT] = {
	[STREAM_REC_END] = { .name = "END", .needs = SEEN_WHOLE, .sets = SEEN_END },
	[STREAM_REC_PAGE_DATA] = { .name = "PAGE_DATA",
				   .needs = SEEN_INFO | SEEN_STATIC_END | SEEN_FRAMES,
				   .forbids = SEEN_VCPU,
				   .sets = SEEN_PAGES,
				   .min = 16,
				   .max = STREAM_RECORD_MAX,
				   .unit = 8 },
	[STREAM_REC_X86_PV_INFO] = { .name = "X86_PV_INFO",
				     .forbids = SEEN_INFO | SEEN_STATIC_END,
				     .sets = SEEN_INFO,
				     .min = 8,
				     .max = 8 },
	[STREAM_REC_X86_PV_P2M_FRAMES] = { .name = "X86_PV_P2M_FRAMES",
					   .needs = SEEN_INFO | SEEN_STATIC_END,
					   .forbids = SEEN_VCPU,
					   .sets = SEEN_FRAMES,
					   .min = 16,
					   .max = STREAM_BODY_MAX,
					   .unit = 8 },
	[STREAM_REC_X86_PV_VCPU_BASIC] = VCPU_RULE("X86_PV_VCPU_BASIC"),
	[STREAM_REC_X86_PV_VCPU_EXTENDED] = VCPU_RULE("X86_PV_VCPU_EXTENDED"),
	[STREAM_REC_X86_PV_VCPU_XSAVE] = VCPU_RULE("X86_PV_VCPU_XSAVE"),
	[STREAM_REC_X86_PV_VCPU_MSRS] = VCPU_RULE("X86_PV_VCPU_MSRS"),
	[STREAM_REC_SHARED_INFO] = { .name = "SHARED_INFO",
				     .needs = SEEN_INFO,
				     .forbids = SEEN_SHARED,
				     .sets = SEEN_SHARED,
				     .min = STREAM_PAGE_BYTES,
				     .max = STREAM_PAGE_BYTES },
	[STREAM_REC_X86_TSC_INFO] = { .name = "X86_TSC_INFO",
				      .forbids = SEEN_TSC,
				      .sets = SEEN_TSC,
				      .min = 24,
				      .max = 24 },
	[STREAM_REC_HVM_CONTEXT] = { .name = "HVM_CONTEXT", .refused = "not of a PV domain" },
	[STREAM_REC_HVM_PARAMS] = { .name = "HVM_PARAMS", .refused = "not of a PV domain" },
	[STREAM_REC_TOOLSTACK] = { .name = "TOOLSTACK", .refused = "no longer in use" },
	[STREAM_REC_VERIFY] = { .name = "VERIFY",
				.needs = SEEN_PAGES,
				.forbids = SEEN_VERIFY | SEEN_VCPU,
				.sets = SEEN_VERIFY },
	[STREAM_REC_CHECKPOINT] = { .name = "CHECKPOINT", .needs = SEEN_WHOLE },
	[STREAM_REC_CHECKPOINT_DIRTY_PFN_LIST] = { .name = "CHECKPOINT_DIRTY_PFN_LIST",
						   .refused = "only for the back channel of COLO" },
	[STREAM_REC_STATIC_DATA_END] = { .name = "STATIC_DATA_END",
					 .needs = SEEN_INFO,
					 .forbids = SEEN_STATIC_END,
					 .sets = SEEN_STATIC_END,
					 .version = 3 },
	[STREAM_REC_X86_CPUID_POLICY] = { .name = "X86_CPUID_POLICY",
					  .forbids = SEEN_CPUID | SEEN_STATIC_END,
					  .sets = SEEN_CPUID,
					  .min = 24,
					  .max = STATE_MAX,
					  .unit = 24,
					  .version = 3 },
	[STREAM_REC_X86_MSR_POLICY] = { .name = "X86_MSR_POLICY",
					.forbids = SEEN_MSR | SEEN_STATIC_END,
					.sets = SEEN_MSR,
					.min = 16,
					.max = STATE_MAX,
					.unit = 16,
					.version = 3 },
};

const char *stream_record_name(uint32_t type)
{
	if (type < STREAM_REC_COUNT)
		return rules_of[type].name;
	return type & STREAM_OPTIONAL ? "unknown optional" : "unknown";
}

int stream_fault(const struct stream_at *at, struct tools_error *error, int result,
		 const char *format, ...)
{
	const char *code = result == -EOPNOTSUPP ? "unsupported-stream" :
			   result == -ENOMEM	 ? "no-memory" :
			   result == -ENODATA	 ? "truncated-stream" :
						   "bad-stream";
	char cause[256];
	va_list args;

	va_start(args, format);
	vsnprintf(cause, sizeof(cause), format, args);
	va_end(args);
	if (at->name)
		return tools_fail(error, result, code,
				  "%s %s (type 0x%08x) at byte %" PRIu64 ": %s", at->what, at->name,
				  at->type, at->offset, cause);
	return tools_fail(error, result, code, "%s at byte %" PRIu64 ": %s", at->what, at->offset,
			  cause);
}

int stream_rules_open(struct stream_rules *rules, const struct stream_options *options)
{
	static const struct stream_options none;

	if (!options)
		options = &none;
	memset(rules, 0, sizeof(*rules));
	rules->checkpoints = options->checkpoints;
	rules->strict = options->strict;
	rules->max_vcpus = options->max_vcpus ? options->max_vcpus : STREAM_VCPUS_MAX;
	if (rules->max_vcpus > STREAM_VCPUS_MAX)
		return -EINVAL;
	rules->vcpus = calloc(1, rules->max_vcpus);
	return rules->vcpus ? 0 : -ENOMEM;
}

void stream_rules_close(struct stream_rules *rules)
{
	free(rules->vcpus);
	rules->vcpus = NULL;
}

/* The first of some SEEN_* bits. */
static const char *first_name(unsigned int seen)
{
	return seen_names[__builtin_ctz(seen)];
}

static int check_length(const struct record_rule *rule, const struct stream_at *at, uint32_t length,
			struct tools_error *error)
{
	if (length >= rule->min && length <= rule->max && !(rule->unit && length % rule->unit))
		return 0;
	if (rule->min == rule->max)
		return stream_fault(at, error, -EINVAL, "its length is %u, not %u", length,
				    rule->min);
	if (rule->unit)
		return stream_fault(at, error, -EINVAL,
				    "its length is %u, not a multiple of %u from %u to %u", length,
				    rule->unit, rule->min, rule->max);
	return stream_fault(at, error, -EINVAL, "its length is %u, not from %u to %u", length,
			    rule->min, rule->max);
}

int stream_rules_header(struct stream_rules *rules, const struct stream_at *at, uint32_t length,
			bool *inferred, struct tools_error *error)
{
	const struct record_rule *rule;
	unsigned int missing;

	*inferred = false;
	if (length > STREAM_RECORD_MAX)
		return stream_fault(at, error, -EINVAL, "its length is %u, the most is %u", length,
				    STREAM_RECORD_MAX);
	if (rules->seen & SEEN_END)
		return stream_fault(at, error, -EINVAL, "it comes after END");
	if (at->type >= STREAM_REC_COUNT) {
		if (at->type & STREAM_OPTIONAL)
			return 0;
		return stream_fault(at, error, -EOPNOTSUPP, "a mandatory record that is not known");
	}
	rule = &rules_of[at->type];
	if (rule->refused)
		return stream_fault(at, error, -EOPNOTSUPP, "%s", rule->refused);
	if (at->type == STREAM_REC_CHECKPOINT && !rules->checkpoints)
		return stream_fault(at, error, -EOPNOTSUPP, "not in a stream without checkpoints");
	if (rules->version < rule->version)
		return stream_fault(at, error, -EINVAL, "not in version %u of the stream",
				    rules->version);
	missing = rule->needs & ~rules->seen;
	/* Version 2 ends its static part where memory begins. */
	if ((missing & SEEN_STATIC_END) && rules->version < 3 && (rules->seen & SEEN_INFO)) {
		rules->seen |= SEEN_STATIC_END;
		missing &= ~SEEN_STATIC_END;
		*inferred = true;
	}
	if (missing)
		return stream_fault(at, error, -EINVAL, "no %s before it", first_name(missing));
	if ((rules->seen & rule->forbids & rule->sets) != 0)
		return stream_fault(at, error, -EINVAL, "a second one");
	if (rules->seen & rule->forbids)
		return stream_fault(at, error, -EINVAL, "it comes after %s",
				    first_name(rules->seen & rule->forbids));
	return check_length(rule, at, length, error) ? -EINVAL : 1;
}

/* ---- contents ---- */

static int reserved(const struct stream_rules *rules, const struct stream_at *at, uint64_t value,
		    struct tools_error *error)
{
	if (!rules->strict || !value)
		return 0;
	return stream_fault(at, error, -EINVAL, "reserved bits are set: 0x%" PRIx64, value);
}

static int check_info(const struct stream_rules *rules, const struct stream_at *at,
		      const uint8_t *body, struct tools_error *error)
{
	if (body[0] == 4 && body[1] == 3)
		return stream_fault(at, error, -EOPNOTSUPP, "a 32-bit guest");
	if (body[0] != 8 || body[1] != 4)
		return stream_fault(at, error, -EINVAL,
				    "no guest has %u bytes of width and %u levels of page tables",
				    body[0], body[1]);
	return reserved(rules, at, load64(body, 0) >> 16, error);
}

static int check_frames(struct stream_rules *rules, const struct stream_at *at, const uint8_t *body,
			uint32_t length, struct tools_error *error)
{
	uint32_t start = load32(body, 0), end = load32(body, 4);
	uint64_t frames = (uint64_t)end / PFNS_PER_P2M_FRAME - start / PFNS_PER_P2M_FRAME + 1;
	uint64_t max_pfn = end > rules->max_pfn ? end : rules->max_pfn;

	if (start > end)
		return stream_fault(at, error, -EINVAL,
				    "it begins at pfn 0x%x, behind its end 0x%x", start, end);
	if (length != 8 + frames * 8)
		return stream_fault(at, error, -EINVAL,
				    "its length is %u, not %" PRIu64 " for pfns 0x%x to 0x%x",
				    length, 8 + frames * 8, start, end);
	for (uint64_t i = 0; i < frames; i++) {
		uint64_t pfn = load64(body, 8 + i * 8);

		if (pfn > max_pfn)
			return stream_fault(at, error, -EINVAL,
					    "frame %" PRIu64 " of the p2m has pfn 0x%" PRIx64
					    ", the largest of the domain is 0x%" PRIx64,
					    i, pfn, max_pfn);
	}
	rules->max_pfn = max_pfn;
	return 0;
}

/* Size of a vcpu's context by kind of record. */
static int check_context(const struct stream_at *at, uint32_t length, struct tools_error *error)
{
	switch (at->type) {
	case STREAM_REC_X86_PV_VCPU_BASIC:
		if (length != sizeof(struct vcpu_guest_context))
			return stream_fault(at, error, -EINVAL, "the context has %u bytes, not %zu",
					    length, sizeof(struct vcpu_guest_context));
		break;
	case STREAM_REC_X86_PV_VCPU_EXTENDED:
		if (length > EXTENDED_MAX)
			return stream_fault(at, error, -EINVAL,
					    "the context has %u bytes, at most %u", length,
					    EXTENDED_MAX);
		break;
	case STREAM_REC_X86_PV_VCPU_XSAVE:
		if (length < XSAVE_MIN)
			return stream_fault(at, error, -EINVAL,
					    "the context has %u bytes, at least %u", length,
					    XSAVE_MIN);
		break;
	default:
		if (length % sizeof(xen_domctl_vcpu_msr_t))
			return stream_fault(at, error, -EINVAL,
					    "the context has %u bytes, no multiple of %zu", length,
					    sizeof(xen_domctl_vcpu_msr_t));
		break;
	}
	return 0;
}

/* 1: a context; 0: an empty record, which old senders wrote; -errno. */
static int check_vcpu(struct stream_rules *rules, const struct stream_at *at, const uint8_t *body,
		      uint32_t length, struct tools_error *error)
{
	uint32_t vcpu = load32(body, 0);
	uint8_t kind;
	int rc = reserved(rules, at, load32(body, 4), error);

	if (rc)
		return rc;
	if (length == VCPU_HEAD_BYTES)
		return 0;
	if (vcpu >= rules->max_vcpus)
		return stream_fault(at, error, -EINVAL, "vcpu %u, the domain has at most %u", vcpu,
				    rules->max_vcpus);
	rc = check_context(at, length - VCPU_HEAD_BYTES, error);
	if (rc)
		return rc;
	kind = (uint8_t)(1U << (at->type == STREAM_REC_X86_PV_VCPU_MSRS ?
					3 :
					at->type - STREAM_REC_X86_PV_VCPU_BASIC));
	if (rules->vcpus[vcpu] & kind)
		return stream_fault(at, error, -EINVAL, "a second one of vcpu %u", vcpu);
	rules->vcpus[vcpu] |= kind;
	if (!vcpu && at->type == STREAM_REC_X86_PV_VCPU_BASIC)
		rules->seen |= SEEN_VCPU0;
	return 1;
}

int stream_rules_body(struct stream_rules *rules, const struct stream_at *at, const void *body,
		      uint32_t length, struct tools_error *error)
{
	int rc = 0, content = 1;

	switch (at->type) {
	case STREAM_REC_X86_PV_INFO:
		rc = check_info(rules, at, body, error);
		break;
	case STREAM_REC_X86_PV_P2M_FRAMES:
		rc = check_frames(rules, at, body, length, error);
		break;
	case STREAM_REC_X86_PV_VCPU_BASIC:
	case STREAM_REC_X86_PV_VCPU_EXTENDED:
	case STREAM_REC_X86_PV_VCPU_XSAVE:
	case STREAM_REC_X86_PV_VCPU_MSRS:
		content = check_vcpu(rules, at, body, length, error);
		rc = content < 0 ? content : 0;
		break;
	case STREAM_REC_X86_TSC_INFO:
		rc = reserved(rules, at, load32(body, 20), error);
		break;
	case STREAM_REC_CHECKPOINT:
		rules->seen &= ~SEEN_PER_CHECKPOINT;
		memset(rules->vcpus, 0, rules->max_vcpus);
		break;
	}
	if (rc)
		return rc;
	rules->seen |= rules_of[at->type].sets;
	return content;
}

int stream_rules_page_head(const struct stream_rules *rules, const struct stream_at *at,
			   const void *head, uint32_t length, uint32_t *count,
			   struct tools_error *error)
{
	*count = load32(head, 0);
	if (!*count)
		return stream_fault(at, error, -EINVAL, "no pages in it");
	if ((length - PAGES_HEAD_BYTES) / 8 < *count)
		return stream_fault(at, error, -EINVAL, "its length is %u, too short for %u pfns",
				    length, *count);
	if (*count > STREAM_PAGES_MAX)
		return stream_fault(at, error, -EINVAL, "%u pfns in it, the most are %u", *count,
				    STREAM_PAGES_MAX);
	return reserved(rules, at, load32(head, 4), error);
}

int stream_rules_page_words(struct stream_rules *rules, const struct stream_at *at,
			    const uint64_t *words, uint32_t count, uint32_t length,
			    uint32_t *with_data, struct tools_error *error)
{
	uint64_t expected;
	uint32_t data = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t pfn = stream_word_pfn(words[i]);
		uint32_t type = stream_word_type(words[i]);
		int rc;

		if (stream_word_plain(words[i]) && pfn <= rules->max_pfn) {
			data++;
			continue;
		}
		rc = reserved(rules, at, words[i] & ~STREAM_PFN_MASK & ~STREAM_TYPE_MASK, error);
		if (rc)
			return rc;
		if (pfn > rules->max_pfn)
			return stream_fault(at, error, -EINVAL,
					    "page %u has pfn 0x%" PRIx64
					    ", the largest of the domain is 0x%" PRIx64,
					    i, pfn, rules->max_pfn);
		if (!stream_type_known(type))
			return stream_fault(at, error, -EINVAL,
					    "page %u (pfn 0x%" PRIx64 ") has the unknown type 0x%x",
					    i, pfn, type >> 28);
		data += stream_type_has_data(type);
	}
	expected = PAGES_HEAD_BYTES + count * 8ULL + (uint64_t)data * STREAM_PAGE_BYTES;
	if (length != expected)
		return stream_fault(at, error, -EINVAL,
				    "its length is %u, not %" PRIu64 " for %u pfns and %u pages",
				    length, expected, count, data);
	*with_data = data;
	rules->seen |= SEEN_PAGES;
	return 0;
}

int stream_rules_padding(const struct stream_rules *rules, const struct stream_at *at,
			 const void *body, uint32_t length, struct tools_error *error)
{
	const uint8_t *bytes = body;

	for (size_t i = length; rules->strict && i < stream_padded(length); i++)
		if (bytes[i])
			return stream_fault(at, error, -EINVAL, "its padding is not zero");
	return 0;
}

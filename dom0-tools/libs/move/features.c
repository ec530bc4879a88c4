/* SPDX-License-Identifier: MIT */
/*
 * Whether a guest could live on another host's CPU, asked before it goes: its CPU features travel
 * as a member of the question's configuration, and the target compares them with the most that it
 * offers. A real migration needs no such member: the policy in its stream is tried before any
 * memory is there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tools/json.h>
#include "private.h"
#include <xen/sysctl.h>

#define MEMBER "kl_cpu_features"

/* Registers of CPUID that are sets of features: bits that may not be missing. */
static const struct word {
	uint32_t leaf, subleaf;
	char reg;
} words[] = {
	{ 1, 0, 'c' }, { 1, 0, 'd' }, { 7, 0, 'b' }, { 7, 0, 'c' }, { 7, 0, 'd' }, { 7, 1, 'a' },
	{ 7, 1, 'b' }, { 7, 1, 'd' }, { 7, 2, 'd' }, { 0xd, 1, 'a' }, { 0x80000001, 0, 'c' },
	{ 0x80000001, 0, 'd' }, { 0x80000007, 0, 'd' }, { 0x80000008, 0, 'b' },
	{ 0x80000021, 0, 'a' },
};

static uint32_t word_of(const struct ctl_cpu_policy *policy, const struct word *word)
{
	uint32_t i;

	for (i = 0; i < policy->nr_leaves; i++) {
		const xen_cpuid_leaf_t *leaf = &policy->leaves[i];

		if (leaf->leaf == word->leaf &&
		    (leaf->subleaf == word->subleaf ||
		     (!word->subleaf && leaf->subleaf == XEN_CPUID_NO_SUBLEAF)))
			return word->reg == 'a' ? leaf->a :
			       word->reg == 'b' ? leaf->b :
			       word->reg == 'c' ? leaf->c :
						  leaf->d;
	}
	return 0;
}

static void free_policy(struct ctl_cpu_policy *policy)
{
	free(policy->leaves);
	free(policy->msrs);
}

/* Of @domid, or (0) the most that a PV guest may have here. 0: to be freed with free_policy(). */
static int get_policy(struct ctl *ctl, domid_t domid, struct ctl_cpu_policy *policy)
{
	int rc;

	memset(policy, 0, sizeof(*policy));
	rc = ctl_cpu_policy_size(ctl, &policy->nr_leaves, &policy->nr_msrs);
	if (rc)
		return rc;
	policy->leaves = calloc(policy->nr_leaves + 1, sizeof(*policy->leaves));
	policy->msrs = calloc(policy->nr_msrs + 1, sizeof(*policy->msrs));
	if (!policy->leaves || !policy->msrs)
		rc = -ENOMEM;
	else if (domid)
		rc = ctl_get_cpu_policy(ctl, domid, policy);
	else
		rc = ctl_system_cpu_policy(ctl, XEN_SYSCTL_cpu_policy_pv_max, policy);
	if (rc)
		free_policy(policy);
	return rc;
}

char *features_into(struct ctl *ctl, domid_t domid, const char *config)
{
	struct json_value *tree = json_parse(config, strlen(config), NULL);
	struct json_writer w = { .compact = true };
	struct ctl_cpu_policy policy;
	struct strbuf text = { 0 };
	unsigned int i;

	if (tree && !get_policy(ctl, domid, &policy)) {
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			strbuf_printf(&text, "%" PRIx32 ".%" PRIx32 ".%c=%" PRIx32 " ",
				      words[i].leaf, words[i].subleaf, words[i].reg,
				      word_of(&policy, &words[i]));
		if (text.text)
			json_set_string(tree, MEMBER, text.text);
		free_policy(&policy);
	}
	if (tree)
		json_write(&w, NULL, tree);
	json_free(tree);
	strbuf_free(&text);
	return strbuf_take(&w.out);
}

unsigned int features_missing(struct ctl *ctl, const char *config, size_t length,
			      struct strbuf *problems)
{
	struct json_value *tree = json_parse(config, length, NULL);
	const struct json_value *member = tree ? json_member(tree, MEMBER) : NULL;
	const char *at = member && member->type == JSON_STRING ? member->text : "";
	struct ctl_cpu_policy policy;
	unsigned int count = 0;
	struct word word;
	uint32_t has, lacks;
	int used;

	if (*at && !get_policy(ctl, 0, &policy)) {
		while (sscanf(at, "%" SCNx32 ".%" SCNx32 ".%c=%" SCNx32 "%n", &word.leaf,
			      &word.subleaf, &word.reg, &has, &used) == 4) {
			at += used;
			lacks = has & ~word_of(&policy, &word);
			if (!lacks)
				continue;
			strbuf_printf(problems,
				      "- cpu: CPUID leaf 0x%" PRIx32 ".%" PRIu32
				      ", e%cx: the guest has "
				      "seen 0x%" PRIx32 ", which is not to be had here\n",
				      word.leaf, word.subleaf, word.reg, lacks);
			count++;
		}
		free_policy(&policy);
	}
	json_free(tree);
	return count;
}

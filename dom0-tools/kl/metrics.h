/* SPDX-License-Identifier: MIT */
/*
 * What the parts of `kl metrics` share: the text under way and the domains it is about.
 */
#ifndef KL_METRICS_H
#define KL_METRICS_H

#include "snapshot.h"

struct metrics {
	struct kl_snapshot snap;
	struct strbuf out;
};

/* The two lines that begin a family; names get the prefix "xen_". */
void kl_metrics_family(struct metrics *m, const char *name, const char *type, const char *help);
/* A label's value: backslash, quote and newline escaped, other control bytes dropped. */
void kl_metrics_label(struct metrics *m, const char *text);
/*
 * "xen_NAME{domid="..",name=".."" of the domain at index @i: more labels or "} VALUE\n" are to
 * follow.
 */
void kl_metrics_domain(struct metrics *m, const char *name, unsigned int i);

/* Traffic of the domains' network cards, from this Linux's counters. */
void kl_metrics_network(struct metrics *m);
/* The store's own figures and what of its quotas each domain uses, if this xenstored tells. */
void kl_metrics_store(struct kl *kl, struct metrics *m);

/* The text, which is changed, as JSON in fresh memory; NULL: out of memory. */
char *kl_metrics_json(char *text);

#endif

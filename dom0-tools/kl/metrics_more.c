/* SPDX-License-Identifier: MIT */
/*
 * kl metrics, continued: network cards (vifD.N in /proc/net/dev, whose receiving is the guest's
 * sending) and the store (its control commands "stats" and "quota"). What is not to be had is left
 * out.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "metrics.h"
#include "top.h"

#define MAX_CARDS 4096

struct card {
	unsigned int index;	/* in the snapshot */
	unsigned int device;
	uint64_t figures[4];	/* guest's: received bytes, packets; sent bytes, packets */
};

bool kl_parse_card(const char *line, unsigned int *domid, unsigned int *device, uint64_t figures[4])
{
	uint64_t skipped[6];

	return sscanf(line,
		      " vif%u.%u: %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		      " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
		      domid, device, &figures[2], &figures[3], &skipped[0], &skipped[1],
		      &skipped[2], &skipped[3], &skipped[4], &skipped[5], &figures[0],
		      &figures[1]) == 12;
}

/* A line that is a card of one of our domains. */
static bool parse_card(const struct metrics *m, const char *line, struct card *card)
{
	unsigned int domid;

	if (!kl_parse_card(line, &domid, &card->device, card->figures))
		return false;
	for (card->index = 0; card->index < m->snap.count; card->index++)
		if (m->snap.info[card->index].domain == domid)
			return true;
	return false;
}

void kl_metrics_network(struct metrics *m)
{
	static const struct { const char *name, *help; } families[] = {
		{ "domain_network_receive_bytes_total", "Bytes the guest has received." },
		{ "domain_network_receive_packets_total", "Packets the guest has received." },
		{ "domain_network_transmit_bytes_total", "Bytes the guest has sent." },
		{ "domain_network_transmit_packets_total", "Packets the guest has sent." },
	};
	struct card *cards = calloc(MAX_CARDS, sizeof(*cards));
	FILE *f = fopen("/proc/net/dev", "re");
	char line[512];
	unsigned int i, j, count = 0;

	while (cards && f && count < MAX_CARDS && fgets(line, sizeof(line), f))
		count += parse_card(m, line, &cards[count]);
	for (j = 0; count && j < 4; j++) {
		kl_metrics_family(m, families[j].name, "counter", families[j].help);
		for (i = 0; i < count; i++) {
			kl_metrics_domain(m, families[j].name, cards[i].index);
			strbuf_printf(&m->out, ",device=\"%u\"} %" PRIu64 "\n", cards[i].device,
				      cards[i].figures[j]);
		}
	}
	if (f)
		fclose(f);
	free(cards);
}

/* A figure's name as Prometheus wants it. */
static void clean(char *name)
{
	for (; *name; name++)
		if (!isalnum((unsigned char)*name))
			*name = '_';
}

static bool is_counter(const char *name)
{
	return !strcmp(name, "requests") || !strcmp(name, "events") ||
	       !strcmp(name, "events_dropped") || !strcmp(name, "commits_refused") ||
	       !strcmp(name, "requests_delayed");
}

/* "name value" a line. */
static void own_figures(struct metrics *m, char *text)
{
	char *line, *place, name[64];
	uint64_t value;

	for (line = strtok_r(text, "\n", &place); line; line = strtok_r(NULL, "\n", &place)) {
		char full[96];
		bool counter;

		if (sscanf(line, "%63s %" SCNu64, name, &value) != 2)
			continue;
		clean(name);
		counter = is_counter(name);
		snprintf(full, sizeof(full), "store_%s%s", name, counter ? "_total" : "");
		kl_metrics_family(m, full, counter ? "counter" : "gauge",
				  "Of xenstored, as its control command stats tells.");
		strbuf_printf(&m->out, "xen_%s %" PRIu64 "\n", full, value);
	}
}

/* "name : value" a line, for the domain at @i. */
static void used_by(struct metrics *m, unsigned int i, char *text)
{
	char *line, *place, name[64];
	uint64_t value;

	for (line = strtok_r(text, "\n", &place); line; line = strtok_r(NULL, "\n", &place)) {
		if (sscanf(line, "%63s : %" SCNu64, name, &value) != 2 || !strcmp(name, "Domain"))
			continue;
		clean(name);
		kl_metrics_domain(m, "domain_store_used", i);
		strbuf_printf(&m->out, ",what=\"%s\"} %" PRIu64 "\n", name, value);
	}
}

void kl_metrics_store(struct kl *kl, struct metrics *m)
{
	char command[32], *answer;
	unsigned int i;

	if (!kl->store || store_control(kl->store, "stats", 6, &answer))
		return;
	own_figures(m, answer);
	free(answer);
	kl_metrics_family(m, "domain_store_used", "gauge",
			  "What the domain uses of the store's quotas.");
	for (i = 0; i < m->snap.count; i++) {
		int length = sprintf(command, "quota%c%u", 0, m->snap.info[i].domain) + 1;

		if (store_control(kl->store, command, length, &answer))
			continue;
		used_by(m, i, answer);
		free(answer);
	}
}

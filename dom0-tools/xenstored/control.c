/* SPDX-License-Identifier: MIT */
/*
 * XS_CONTROL: what xenstore-control asks of the daemon, in the words of Xen's own, and "stats".
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "port.h"
#include "xsd.h"

#define ARGS_MAX 8

struct command {
	const char *name;
	int (*run)(struct request *r, unsigned int argc, const char **argv);
	const char *args;
};

static int say(struct request *r, const char *text)
{
	reply(r, text, strlen(text) + 1);
	return 0;
}

static int ctl_check(struct request *r, unsigned int argc,
		     const char **argv __attribute__((unused)))
{
	char text[64];
	unsigned int bad;

	if (argc)
		return -EINVAL;
	bad = xsd_check(r->x);
	if (!bad)
		return say(r, "OK");
	snprintf(text, sizeof(text), "%u inconsistencies, see the log", bad);
	return say(r, text);
}

static int ctl_log(struct request *r, unsigned int argc, const char **argv)
{
	if (argc != 1 || (strcmp(argv[0], "on") && strcmp(argv[0], "off")))
		return -EINVAL;
	r->x->tracing = !strcmp(argv[0], "on");
	port_log_to(r->x->port, argv[0]);
	return say(r, "OK");
}

static int ctl_logfile(struct request *r, unsigned int argc, const char **argv)
{
	if (argc != 1 || argv[0][0] != '/')
		return -EINVAL;
	port_log_to(r->x->port, argv[0]);
	return say(r, "OK");
}

static int ctl_print(struct request *r, unsigned int argc, const char **argv)
{
	if (argc != 1)
		return -EINVAL;
	xsd_log(r->x, "control: %s", argv[0]);
	return say(r, "OK");
}

static int ctl_memreport(struct request *r, unsigned int argc,
			 const char **argv __attribute__((unused)))
{
	struct xsd *x = r->x;

	if (argc > 1)
		return -EINVAL;
	xsd_log(x,
		"memory: %lu KiB resident; %u nodes, %u connections, %u domains, %u watched paths, "
		"%u transactions; journal %zu KiB, of which state %zu KiB",
		port_memory(x->port) / 1024, x->nodes.count + 1, x->conn_count, x->domains.count,
		x->groups.count, x->open_tx, x->journal.tail / 1024, x->journal.snapshot / 1024);
	return say(r, "OK");
}

static int ctl_stats(struct request *r, unsigned int argc,
		     const char **argv __attribute__((unused)))
{
	struct xsd *x = r->x;
	char text[640];

	if (argc)
		return -EINVAL;
	snprintf(text, sizeof(text),
		 "requests %" PRIu64 "\nevents %" PRIu64 "\nevents_dropped %" PRIu64
		 "\ncommits_refused %" PRIu64 "\nrequests_delayed %" PRIu64
		 "\nnodes %u\nconnections %u\ndomains %u\nwatched_paths %u\ntransactions %u\n"
		 "journal_bytes %zu\nresident_bytes %lu\nrefusing_for_room %u\n",
		 x->count_requests, x->count_events, x->count_dropped, x->count_eagain,
		 x->count_stalls, x->nodes.count + 1, x->conn_count, x->domains.count,
		 x->groups.count, x->open_tx, x->journal.tail, port_memory(x->port),
		 room_left(x) != ROOM_AMPLE);
	return say(r, text);
}

static int show_limits(struct request *r)
{
	char text[1024];
	int n = sprintf(text, "Quota settings:\n");

	for (unsigned int i = 0; i < QUOTA_KINDS; i++)
		n += snprintf(text + n, sizeof(text) - n, "%-17s: %8u %s\n", quota_name(i),
			      r->x->quota[i], quota_text(i));
	return say(r, text);
}

static int show_domain(struct request *r, const char *which)
{
	static const enum quota_kind kinds[] = { QUOTA_NODES, QUOTA_WATCHES, QUOTA_TRANSACTIONS };
	struct domain *d;
	char text[512], *end;
	unsigned long domid = strtoul(which, &end, 10);
	int n;

	if (*end || end == which)
		return -EINVAL;
	d = domain_find(r->x, domid);
	if (!d)
		return -ENOENT;
	n = sprintf(text, "Domain %lu:\n", domid);
	for (unsigned int i = 0; i < 3; i++)
		n += sprintf(text + n, "%-16s: %8u\n", quota_name(kinds[i]), d->used[kinds[i]]);
	n += sprintf(text + n, "%-16s: %8u\n", "outstanding",
		     d->conn ? d->conn->queued_replies : 0);
	sprintf(text + n, "%-16s: %8u\n", "memory", d->used[QUOTA_MEMORY]);
	return say(r, text);
}

static int set_limit(struct request *r, const char *name, const char *value)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (*end || n < 1 || n > INT32_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < QUOTA_KINDS; i++) {
		if (strcmp(name, quota_name(i)))
			continue;
		quota_set(r->x, i, n);
		return say(r, "OK");
	}
	return -EINVAL;
}

static int ctl_quota(struct request *r, unsigned int argc, const char **argv)
{
	if (!argc)
		return show_limits(r);
	if (!strcmp(argv[0], "set"))
		return argc == 3 ? set_limit(r, argv[1], argv[2]) : -EINVAL;
	return argc == 1 ? show_domain(r, argv[0]) : -EINVAL;
}

/* Warnings come at 80 % of every hard limit: there is nothing to set. */
static int ctl_quota_soft(struct request *r, unsigned int argc,
			  const char **argv __attribute__((unused)))
{
	char text[128];

	if (argc)
		return -EINVAL;
	snprintf(text, sizeof(text), "Quota settings:\n%-17s: %8u %s\n", "memory",
		 r->x->quota[QUOTA_MEMORY] / 5 * 4, "80 % of the hard limit, as for all others");
	return say(r, text);
}

/*
 * The keeper process starts the new binary on the same journal and sockets, so that there is
 * nothing to wait for: transactions stay open over it.
 */
static int ctl_live_update(struct request *r, unsigned int argc, const char **argv)
{
	struct xsd *x = r->x;

	if (!argc)
		return -EINVAL;
	if (!strcmp(argv[0], "-f")) {
		if (argc < 2 || argv[1][0] != '/' || strlen(argv[1]) >= sizeof(x->live_path))
			return -EINVAL;
		strcpy(x->live_path, argv[1]);
		return say(r, "OK");
	}
	if (!strcmp(argv[0], "-a")) {
		x->live_path[0] = 0;
		return say(r, "OK");
	}
	if (!strcmp(argv[0], "-s")) {
		x->live_update = true;
		return say(r, "OK");
	}
	return say(r, "only -f, -s and -a are supported");
}

static int ctl_help(struct request *r, unsigned int argc, const char **argv);

static const struct command commands[] = {
	{ "check", ctl_check, "" },
	{ "log", ctl_log, "on|off" },
	{ "logfile", ctl_logfile, "<file>" },
	{ "memreport", ctl_memreport, "[<file>]" },
	{ "print", ctl_print, "<string>" },
	{ "quota", ctl_quota, "[set <name> <val>|<domid>]" },
	{ "quota-soft", ctl_quota_soft, "" },
	{ "stats", ctl_stats, "" },
	{ "live-update", ctl_live_update, "-f <file>|-s|-a" },
	{ "help", ctl_help, "" },
};

static int ctl_help(struct request *r, unsigned int argc, const char **argv __attribute__((unused)))
{
	char text[512];
	int n = sprintf(text, "commands:\n");

	if (argc)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		n += snprintf(text + n, sizeof(text) - n, "%-12s %s\n", commands[i].name,
			      commands[i].args);
	return say(r, text);
}

int request_control(struct request *r)
{
	const char *argv[ARGS_MAX];
	unsigned int argc = 0, at = 0;

	while (at < r->msg.len && argc < ARGS_MAX) {
		const char *nul = memchr(r->body + at, 0, r->msg.len - at);

		if (!nul)
			return -EINVAL;
		argv[argc++] = r->body + at;
		at = nul + 1 - r->body;
	}
	if (!argc || at < r->msg.len)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[0], commands[i].name))
			return commands[i].run(r, argc - 1, argv + 1);
	return -EINVAL;
}

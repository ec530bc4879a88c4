/* SPDX-License-Identifier: MIT */
/*
 * kl migrate DOMAIN HOST: the domain moves to another host while it runs. Over ssh, or a command of
 * the user's, or TCP.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tools/json.h>
#include <tools/light.h>
#include "moving.h"

struct migrate_verb {
	struct kl *kl;
	const char *ssh, *host, *port, *config_file, *remote;
	char *rune; /* what carries the link, NULL: TCP */
	bool no_monitor, paused, keep_domid;
	struct moving_progress progress;
	struct move_send send;
};

enum { OPT_DEBUG = 256, OPT_LIVE, OPT_NON_LIVE, OPT_TCP, OPT_REMOTE, OPT_ROUNDS, OPT_BANDWIDTH,
       OPT_TIMEOUT, OPT_CHECK, OPT_AUTO_CONVERGE };

static const struct option long_options[] = {
	{ "debug", 0, NULL, OPT_DEBUG },
	{ "live", 0, NULL, OPT_LIVE },
	{ "non-live", 0, NULL, OPT_NON_LIVE },
	{ "tcp", 1, NULL, OPT_TCP },
	{ "remote", 1, NULL, OPT_REMOTE },
	{ "rounds", 1, NULL, OPT_ROUNDS },
	{ "bandwidth", 1, NULL, OPT_BANDWIDTH },
	{ "timeout", 1, NULL, OPT_TIMEOUT },
	{ "check", 0, NULL, OPT_CHECK },
	{ "auto-converge", 0, NULL, OPT_AUTO_CONVERGE },
	{ NULL, 0, NULL, 0 },
};

/* An option whose value is a number. KL_OK, or the user was told. */
static int take_number(struct migrate_verb *v, int opt)
{
	static const struct {
		const char *name;
		uint64_t most;
	} numbers[] = {
		[OPT_ROUNDS] = { "--rounds", UINT32_MAX },
		[OPT_BANDWIDTH] = { "--bandwidth", UINT32_MAX },
		[OPT_TIMEOUT] = { "--timeout", MOVING_MAX_SECONDS },
	};
	uint64_t value;
	int status = kl_number(v->kl, numbers[opt].name, numbers[opt].most, &value);

	if (status)
		return status;
	if (opt == OPT_ROUNDS)
		v->send.max_rounds = (unsigned int)value;
	else if (opt == OPT_BANDWIDTH)
		v->send.bytes_per_second = value << 20;
	else
		v->send.suspend_ms = (unsigned int)value * 1000;
	return KL_OK;
}

static int read_options(struct migrate_verb *v, int argc, char **argv)
{
	struct move_send *send = &v->send;
	int opt;

	v->ssh = "ssh";
	v->remote = v->kl->program;
	send->live = true;
	while ((opt = kl_getopt(v->kl, argc, argv, "FC:s:epD", long_options, 2)) >= 0) {
		switch (opt) {
		case 'C':
			v->config_file = optarg;
			break;
		case 's':
			v->ssh = optarg;
			break;
		case 'e':
			v->no_monitor = true;
			break;
		case 'p':
			v->paused = true;
			break;
		case 'D':
			v->keep_domid = true;
			break;
		case OPT_NON_LIVE:
			send->live = false;
			break;
		case OPT_TCP:
			v->port = optarg;
			break;
		case OPT_REMOTE:
			v->remote = optarg;
			break;
		case OPT_ROUNDS:
		case OPT_BANDWIDTH:
		case OPT_TIMEOUT:
			v->kl->status = take_number(v, opt);
			if (v->kl->status)
				return KL_STOP;
			break;
		case OPT_CHECK:
			send->check = true;
			break;
		case OPT_AUTO_CONVERGE:
			send->brake = true;
			break;
		}
	}
	v->host = argv[optind + 1];
	return opt;
}

static void say(void *cookie, const char *line)
{
	struct migrate_verb *v = cookie;

	kl_progress(v->kl, NULL);
	if (!v->kl->json)
		kl_warn(v->kl, "%s", line);
}

static int on_progress(void *cookie, const struct move_progress *now)
{
	struct migrate_verb *v = cookie;

	return moving_progress(&v->progress, now);
}

static int open_link(void *cookie, struct move_link *link, struct tools_error *error)
{
	struct migrate_verb *v = cookie;

	return v->rune ? move_link_command(link, v->rune, error) :
			 move_link_connect(link, v->host, v->port, v->send.light->cancel_fd, error);
}

static int make_rune(struct migrate_verb *v)
{
	if (v->port)
		return KL_OK;
	v->rune = *v->ssh ? tools_asprintf("exec %s %s %s migrate-receive%s%s", v->ssh, v->host,
					   v->remote, v->no_monitor ? " -e" : "",
					   v->paused ? " -p" : "") :
			    tools_asprintf("%s", v->host);
	return v->rune ? KL_OK : kl_error(v->kl, "no-memory", "out of memory");
}

static const char *where_name(enum move_where where)
{
	static const char *const names[] = { [MOVE_HERE] = "here", [MOVE_THERE] = "there",
					     [MOVE_STUCK] = "suspended-here",
					     [MOVE_UNKNOWN] = "unknown" };

	return names[where];
}

/* One line: how it ended, where the domain is, what it took. */
static void print_result(struct migrate_verb *v, const struct tools_error *e, bool ok)
{
	struct json_writer w = { .compact = true };
	const struct move_save *save = &v->send.save;
	unsigned int i;
	char *text;

	json_open_object(&w, NULL);
	json_string(&w, "result", ok ? v->send.check ? "would-go" : "migrated" : "failed");
	json_string(&w, "name", v->send.name);
	json_string(&w, "where", where_name(v->send.where));
	json_bool(&w, "resumable_here",
		  v->send.where == MOVE_STUCK || v->send.where == MOVE_UNKNOWN);
	if (!ok) {
		json_string(&w, "code", e->code);
		json_string(&w, "message", e->text);
	}
	json_uint(&w, "total_ms", v->send.total_ms);
	json_uint(&w, "downtime_ms", v->send.down_ms);
	json_uint(&w, "bytes", save->bytes);
	json_uint(&w, "pages", save->pages);
	json_open_array(&w, "round_pages");
	for (i = 0; i < save->rounds && i <= MOVE_MAX_ROUNDS; i++)
		json_uint(&w, NULL, save->round_pages[i]);
	json_close_array(&w);
	json_close_object(&w);
	text = strbuf_take(&w.out);
	if (text)
		fputs(text, stdout);
	free(text);
}

static void tell_end(struct migrate_verb *v, const struct tools_error *e, bool ok)
{
	struct kl *kl = v->kl;

	if (kl->json) {
		print_result(v, e, ok);
		return;
	}
	if (ok && v->send.check) {
		kl_warn(kl, "%s could move to %s", v->send.name, v->host);
	} else if (ok) {
		kl_warn(kl, "%llu MiB in %u rounds, %llu ms in all, %llu ms of standstill",
			(unsigned long long)v->send.save.bytes >> 20, v->send.save.rounds,
			(unsigned long long)v->send.total_ms, (unsigned long long)v->send.down_ms);
		kl_warn(kl, "Migration successful.");
	} else {
		kl_fail(kl, e);
		if (v->send.where == MOVE_HERE && !v->send.check)
			kl_warn(kl, "Migration failed; %s runs here.", v->send.name);
		else if (v->send.where == MOVE_STUCK)
			kl_warn(kl, "Migration failed; %s is suspended here and nowhere else: "
				"%s resume %s", v->send.name, kl->program, v->send.name);
		else if (v->send.where == MOVE_THERE)
			kl_warn(kl, "%s runs at the target; what is left of it here must not run: "
				"%s destroy %u", v->send.name, kl->program, v->send.domid);
	}
}

static int migrate(struct migrate_verb *v)
{
	struct tools_error e = { 0 };
	struct move_link link;
	int rc;

	if (make_rune(v))
		return KL_FAILED;
	kl_catch_interrupts(v->kl);
	v->send.light = v->kl->light;
	v->send.light->cancel_fd = v->kl->cancel_fd;
	v->send.link = &link;
	v->send.progress = on_progress;
	v->send.say = say;
	v->send.reconnect = open_link;
	v->send.cookie = v;
	moving_progress_init(&v->progress, v->kl, "migrating");
	v->progress.json_lines = v->kl->json;
	rc = open_link(v, &link, &e);
	if (!rc) {
		if (!v->send.check)
			moving_announce(v->kl, "migration stream", v->send.config);
		rc = move_send(&v->send, &e);
		kl_progress(v->kl, NULL);
		move_link_close(&link);
	}
	tell_end(v, &e, !rc);
	strbuf_free(&v->send.problems);
	free(v->rune);
	return rc ? KL_FAILED : KL_OK;
}

int cmd_migrate(struct kl *kl, int argc, char **argv)
{
	struct migrate_verb v = { .kl = kl };
	struct light_config config;
	char *text = NULL, *name;
	int status;

	if (read_options(&v, argc, argv) == KL_STOP)
		return kl->status;
	if (kl_find_domain(kl, argv[optind], &v.send.domid) || !kl_light(kl) ||
	    !kl_foreignmemory(kl))
		return KL_FAILED;
	if (!v.send.domid)
		return kl_error(kl, "not-allowed", "domain 0 cannot be moved");
	kl->light->fm = kl->fm;
	name = kl_domain_name(kl, v.send.domid);
	if (!name)
		return kl_error(kl, "no-domain", "domain %s has no name", argv[optind]);
	light_config_init(&config);
	status = moving_config(kl, v.send.domid, v.config_file, v.keep_domid, &config, &text);
	v.send.name = name;
	v.send.config = text;
	if (!status)
		status = migrate(&v);
	free(text);
	free(name);
	light_config_free(&config);
	return status;
}

int cmd_migrate_cancel(struct kl *kl, int argc, char **argv)
{
	static const struct option options[] = { { "timeout", 1, NULL, OPT_TIMEOUT },
						 { NULL, 0, NULL, 0 } };
	struct xen_domctl_getdomaininfo info;
	struct tools_error e = { 0 };
	uint64_t seconds = 60;
	domid_t domid;
	int opt;

	while ((opt = kl_getopt(kl, argc, argv, "", options, 1)) >= 0)
		if (kl_number(kl, "--timeout", MOVING_MAX_SECONDS, &seconds))
			return KL_FAILED;
	if (opt == KL_STOP)
		return kl->status;
	if (kl_find_domain(kl, argv[optind], &domid) || !kl_light(kl))
		return KL_FAILED;
	if (move_cancel(kl->light, domid, (unsigned int)seconds * 1000, &e))
		return kl_fail(kl, &e);
	if (ctl_getdomaininfo(kl->ctl, domid, &info) || info.flags & XEN_DOMINF_dying)
		return kl_error(kl, "too-late", "%s has gone by now", argv[optind]);
	return KL_OK;
}

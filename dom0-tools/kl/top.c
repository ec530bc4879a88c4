/* SPDX-License-Identifier: MIT */
/*
 * kl top: domains by CPU use, renewed every few seconds. On a terminal the screen is kept, sorted
 * by use, and q ends it; with -b, or into a file, one table after the other is printed. xentop is
 * run instead if it is installed and no option is given, since it can do more; a kl that is called
 * xentop is this verb.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <tools/json.h>
#include "top.h"

/* CPU time of @domid in the last round, or 0: it was not there. */
static uint64_t time_before(const struct top *t, domid_t domid, uint64_t now)
{
	unsigned int i;

	for (i = 0; i < t->last.count; i++)
		if (t->last.info[i].domain == domid)
			return t->last.info[i].cpu_time;
	return t->last.count ? 0 : now;
}

static int by_use(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	if (x->percent != y->percent)
		return x->percent < y->percent ? 1 : -1;
	return (int)x->index - (int)y->index;
}

/* A round as one line of JSON. */
static int print_json(struct kl *kl, const struct top *t, const struct kl_snapshot *s,
		      const struct top_row *rows)
{
	struct json_writer w = { .compact = true };
	unsigned int i;

	json_open_object(&w, NULL);
	json_uint(&w, "time", time(NULL));
	json_uint(&w, "cpus", t->cpus);
	json_uint(&w, "memory_kib", t->host_kib);
	json_uint(&w, "free_kib", t->free_kib);
	json_open_array(&w, "domains");
	for (i = 0; i < s->count; i++) {
		const struct xen_domctl_getdomaininfo *d = &s->info[rows[i].index];

		json_open_object(&w, NULL);
		json_string(&w, "name", kl_shown_name(s, rows[i].index));
		json_uint(&w, "domid", d->domain);
		json_double(&w, "cpu_seconds", d->cpu_time / 1e9);
		json_double(&w, "cpu_percent", rows[i].percent);
		json_uint(&w, "memory_kib", PAGES_TO_KIB(d->tot_pages));
		json_uint(&w, "vcpus", d->nr_online_vcpus);
		json_bool(&w, "running", d->flags & XEN_DOMINF_running);
		json_bool(&w, "blocked", d->flags & XEN_DOMINF_blocked);
		json_bool(&w, "paused", d->flags & XEN_DOMINF_paused);
		json_bool(&w, "shutdown", d->flags & XEN_DOMINF_shutdown);
		json_bool(&w, "dying", d->flags & XEN_DOMINF_dying);
		json_close_object(&w);
	}
	json_close_array(&w);
	json_close_object(&w);
	return kl_print_json(kl, &w);
}

/* One table. */
static int round_once(struct kl *kl, struct top *t)
{
	struct xen_sysctl_physinfo host;
	struct kl_snapshot s;
	uint64_t now = tools_now_ms(), passed = now - t->last_ms;
	struct top_row *rows;
	int status = KL_OK;
	unsigned int i;

	if (kl_check(kl, ctl_physinfo(kl->ctl, &host), "cannot ask for the host") ||
	    kl_snapshot(kl, &s))
		return KL_FAILED;
	t->host_kib = PAGES_TO_KIB(host.total_pages);
	t->free_kib = PAGES_TO_KIB(host.free_pages);
	t->cpus = host.nr_cpus;
	t->cpu_khz = host.cpu_khz;
	rows = calloc(s.count + 1, sizeof(*rows));
	if (!rows || kl_snapshot_names(kl, &s)) {
		free(rows);
		kl_snapshot_free(&s);
		return KL_FAILED;
	}
	for (i = 0; i < s.count; i++) {
		uint64_t was = time_before(t, s.info[i].domain, s.info[i].cpu_time);

		rows[i].index = i;
		if (passed && s.info[i].cpu_time > was)
			rows[i].percent = (s.info[i].cpu_time - was) / (passed * 1e4);
	}
	if (!t->batch) {
		fputs("\033[H\033[J", stdout);
		qsort(rows, s.count, sizeof(*rows), by_use);
	}
	status = kl->json ? print_json(kl, t, &s, rows) : top_table(kl, t, &s, rows);
	fflush(stdout);
	free(rows);
	kl_snapshot_free(&t->last);
	t->last = s;
	t->last_ms = now;
	return ferror(stdout) ? KL_FAILED : status;
}

/* Waits for the next round: true to go on, false on q, ^C or the end of input. */
static bool wait_round(struct kl *kl, const struct top *t)
{
	struct pollfd fds[2] = {
		{ .fd = kl->cancel_fd, .events = POLLIN },
		{ .fd = t->batch ? -1 : STDIN_FILENO, .events = POLLIN },
	};
	char key;

	if (poll(fds, 2, t->delay_ms) <= 0)
		return !kl_interrupted();
	if (fds[1].revents && read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q')
		return !kl_interrupted();
	return false;
}

static int run(struct kl *kl, struct top *t)
{
	struct termios old, raw;
	bool terminal = !t->batch && !tcgetattr(STDIN_FILENO, &old);
	int status = KL_OK;

	kl_catch_interrupts(kl);
	if (terminal) {
		raw = old;
		raw.c_lflag &= ~(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	while (!status && t->rounds) {
		status = round_once(kl, t);
		if (t->rounds > 0 && !--t->rounds)
			break;
		if (!status && !wait_round(kl, t))
			break;
	}
	if (terminal)
		tcsetattr(STDIN_FILENO, TCSANOW, &old);
	kl_snapshot_free(&t->last);
	return status;
}

static int take_delay(struct kl *kl, struct top *t)
{
	char *end;
	double seconds = strtod(optarg, &end);

	/* Not what is no number at all, either. */
	if (end == optarg || *end || !(seconds >= 0.001 && seconds <= 1e6))
		return kl_error(kl, "bad-argument",
				"-d needs seconds from 0.001 to 1000000, not \"%s\"", optarg);
	t->delay_ms = seconds * 1000;
	return KL_OK;
}

int cmd_top(struct kl *kl, int argc, char **argv)
{
	static const struct option longs[] = { { "batch", 0, NULL, 'b' },
					       { "delay", 1, NULL, 'd' },
					       { "iterations", 1, NULL, 'i' },
					       { "full-name", 0, NULL, 'f' },
					       { 0 } };
	struct top t = { .delay_ms = 3000, .rounds = -1 };
	bool plain = true;
	uint64_t rounds;
	int opt;

	while ((opt = kl_getopt(kl, argc, argv, "bd:i:f", longs, 0)) >= 0) {
		plain = false;
		if (opt == 'b') {
			t.batch = true;
		} else if (opt == 'f') {
			t.full_names = true;
		} else if (opt == 'd') {
			if (take_delay(kl, &t))
				return KL_FAILED;
		} else {
			if (kl_number(kl, "-i", INT32_MAX, &rounds))
				return KL_FAILED;
			if (!rounds)
				return kl_error(kl, "bad-argument", "-i needs one at least");
			t.rounds = (long)rounds;
		}
	}
	if (opt == KL_STOP)
		return kl->status;
	if (plain && isatty(STDOUT_FILENO) && !kl->json && strcmp(kl->program, "xentop"))
		execlp("xentop", "xentop", NULL);
	t.batch |= !isatty(STDOUT_FILENO) || kl->json;
	if (t.batch && plain)
		t.rounds = 1;
	if (!kl_ctl(kl))
		return KL_FAILED;
	return run(kl, &t);
}

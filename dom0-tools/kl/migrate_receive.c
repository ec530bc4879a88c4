/* SPDX-License-Identifier: MIT */
/*
 * kl migrate-receive: takes a domain from standard input (what ssh or socat connects there), or
 * from the one sender that connects to a port. Standard output is the way back: nothing else goes
 * there.
 */
#include <stdlib.h>
#include <unistd.h>
#include <tools/light.h>
#include "moving.h"

struct receive_verb {
	struct kl *kl;
	const char *port, *address;
	struct moving_progress progress;
	struct move_receive receive;
};

enum { OPT_TCP = 256, OPT_BIND };

static const struct option long_options[] = {
	{ "tcp", 1, NULL, OPT_TCP },
	{ "bind", 1, NULL, OPT_BIND },
	{ NULL, 0, NULL, 0 },
};

static void say(void *cookie, const char *line)
{
	struct receive_verb *v = cookie;

	kl_progress(v->kl, NULL);
	kl_warn(v->kl, "%s", line);
}

static int on_progress(void *cookie, const struct move_progress *now)
{
	struct receive_verb *v = cookie;

	/* Of the two ends it is the sender that shows a line. */
	v->progress.phase = now->phase;
	return kl_interrupted() && !v->receive.started ? -1 : 0;
}

static int receive(struct receive_verb *v)
{
	struct tools_error e = { 0 };
	struct move_link link = { .in = STDIN_FILENO, .out = STDOUT_FILENO };
	int rc;

	kl_catch_interrupts(v->kl);
	if (v->port && move_link_listen(&link, v->address, v->port, v->kl->cancel_fd, &e))
		return kl_fail(v->kl, &e);
	v->receive.light = v->kl->light;
	v->receive.light->cancel_fd = v->kl->cancel_fd;
	v->receive.light->fm = v->kl->fm;
	v->receive.link = &link;
	v->receive.say = say;
	v->receive.progress = on_progress;
	v->receive.cookie = v;
	rc = move_receive(&v->receive, &e);
	if (rc)
		kl_fail(v->kl, &e);
	if (rc && !v->receive.started && !v->receive.only_asked)
		kl_warn(v->kl, "migration target: Domain creation failed; nothing of it is here.");
	if (v->port)
		move_link_close(&link);
	return rc ? KL_FAILED : KL_OK;
}

int cmd_migrate_receive(struct kl *kl, int argc, char **argv)
{
	struct receive_verb v = { .kl = kl };
	int opt;

	while ((opt = kl_getopt(kl, argc, argv, "Fedp", long_options, 0)) >= 0) {
		switch (opt) {
		case 'e':
			v.receive.no_monitor = true;
			break;
		case 'p':
			v.receive.keep_paused = true;
			break;
		case OPT_TCP:
			v.port = optarg;
			break;
		case OPT_BIND:
			v.address = optarg;
			break;
		}
	}
	if (opt == KL_STOP)
		return kl->status;
	kl->json = false; /* errors go to standard error, whoever called */
	if (!kl_light(kl) || !kl_foreignmemory(kl))
		return KL_FAILED;
	return receive(&v);
}

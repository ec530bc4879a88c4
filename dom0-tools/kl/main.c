/* SPDX-License-Identifier: MIT */
/*
 * kl's entry: global options, the verb, its exit status. `kl [-vfNtT] [--json] VERB ...`, the same
 * as xl's; --json may stand before the verb or among its arguments (before a "--").
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "kl.h"

/* Takes every --json out of the arguments, so that no verb has to know it. */
static int take_json(struct kl *kl, int argc, char **argv)
{
	int from, to = 1;

	for (from = 1; from < argc; from++) {
		if (!strcmp(argv[from], "--"))
			break;
		if (!strcmp(argv[from], "--json"))
			kl->json = true;
		else
			argv[to++] = argv[from];
	}
	while (from < argc)
		argv[to++] = argv[from++];
	argv[to] = NULL;
	return to;
}

/* Options before the verb; the index of the verb, or KL_STOP. */
static int global_options(struct kl *kl, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "+vfNtT")) >= 0) {
		switch (opt) {
		case 'v':
			kl->verbosity++;
			break;
		case 'N':
			kl->dry_run = true;
			break;
		case 'f':
			kl->force = true;
			break;
		case 't':
			kl->progress_cr = true;
			break;
		case 'T':
			kl->timestamps = true;
			break;
		default:
			kl_error(kl, "bad-option", "unknown global option");
			return KL_STOP;
		}
	}
	return optind;
}

static int run(struct kl *kl, int argc, char **argv)
{
	const struct kl_command *c = kl_lookup(argv[0]);

	if (!c)
		return kl_error(kl, "no-such-command",
				"command not implemented: %s (see '%s help')", argv[0],
				kl->program);
	kl->command = c;
	if (kl->dry_run && !c->dry_run)
		return kl_error(kl, "no-dry-run",
				"command does not implement -N (dryrun) option");
	if (!c->run)
		return kl_error(kl, "unsupported", "%s is not supported: %s", c->name, c->refusal);
	optind = 1;
	opterr = 0;
	return c->run(kl, argc, argv);
}

/* What was printed must have arrived, or a script that reads us goes on with half of it. */
static int flushed(int status)
{
	if (fflush(stdout) || ferror(stdout)) {
		perror("stdout");
		return KL_FAILED;
	}
	return status;
}

int main(int argc, char **argv)
{
	struct kl kl = { .program = "kl", .cancel_fd = -1 };
	const char *base = strrchr(argv[0] ? argv[0] : "kl", '/');
	int first, status;

	tools_keep_standard_files();
	base = base ? base + 1 : argv[0];
	if (base && !strcmp(base, "xl"))
		kl.program = "xl";
	if (base && !strcmp(base, "xentop"))
		kl.program = "xentop";
	signal(SIGPIPE, SIG_IGN);
	/* whoever ignores it has us ignore it, and no child's status comes */
	signal(SIGCHLD, SIG_DFL);
	argc = take_json(&kl, argc, argv);
	if (!strcmp(kl.program, "xentop")) {
		argv[0] = "top";
		first = 0;
	} else {
		first = global_options(&kl, argc, argv);
	}
	if (first == KL_STOP)
		return KL_FAILED;
	if (first >= argc) {
		if (kl.json)
			return kl_error(&kl, "usage", "no subcommand is given");
		kl_help(&kl, NULL);
		return KL_FAILED;
	}
	status = run(&kl, argc - first, argv + first);
	kl_close(&kl);
	return flushed(status);
}

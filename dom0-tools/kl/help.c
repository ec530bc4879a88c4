/* SPDX-License-Identifier: MIT */
/*
 * Help texts and the options of verbs, in xl's layout: `kl help`, `kl help VERB`, `kl VERB -h`.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tools/json.h>
#include "kl.h"

static void help_all(struct kl *kl)
{
	unsigned int i;

	printf("Usage %s [-vfNtT] [--json] <subcommand> [args]\n\n", kl->program);
	printf("%s full list of subcommands:\n\n", kl->program);
	for (i = 0; i < kl_command_count; i++) {
		const struct kl_command *c = &kl_commands[i];

		if (!c->run)
			continue;
		printf(" %-19s ", c->name);
		if (strlen(c->name) > 19)
			printf("\n %-19s ", "");
		printf("%s\n", c->summary);
	}
}

void kl_help(struct kl *kl, const char *command)
{
	const struct kl_command *c;

	if (!command || !strcmp(command, "help")) {
		help_all(kl);
		return;
	}
	c = kl_lookup(command);
	if (!c) {
		printf("command \"%s\" not implemented\n", command);
		return;
	}
	if (!c->run) {
		printf("%s is not supported: %s\n", c->name, c->refusal);
		return;
	}
	printf("Usage: %s [-vtT%s%s]%s %s %s\n\n%s.\n\n", kl->program, c->modifies ? "f" : "",
	       c->dry_run ? "N" : "", c->json ? " [--json]" : "", c->name, c->usage ? c->usage : "",
	       c->summary);
	if (c->options)
		printf("Options:\n\n%s\n", c->options);
}

/* All verbs, or one, also those that are refused. */
static int help_json(struct kl *kl, const char *command)
{
	const struct kl_command *only = command ? kl_lookup(command) : NULL;
	struct json_writer w = { 0 };
	unsigned int i;

	if (command && !only)
		return kl_error(kl, "no-such-command", "command \"%s\" not implemented", command);
	json_open_array(&w, NULL);
	for (i = 0; i < kl_command_count; i++) {
		const struct kl_command *c = &kl_commands[i];

		if (only && c != only)
			continue;
		json_open_object(&w, NULL);
		json_string(&w, "name", c->name);
		json_bool(&w, "supported", c->run);
		json_string(&w, "summary", c->run ? c->summary : c->refusal);
		json_string(&w, "usage", c->usage);
		json_string(&w, "options", c->options);
		json_bool(&w, "dry_run", c->dry_run);
		json_bool(&w, "json", c->json);
		json_close_object(&w);
	}
	json_close_array(&w);
	return kl_print_json(kl, &w);
}

int cmd_help(struct kl *kl, int argc, char **argv)
{
	if (kl->json)
		return help_json(kl, argc > 1 ? argv[1] : NULL);
	kl_help(kl, argc > 1 ? argv[1] : NULL);
	return KL_OK;
}

/* Ends option reading: everything there is to say was said. */
static int stop(struct kl *kl, int status)
{
	kl->status = status;
	return KL_STOP;
}

int kl_getopt(struct kl *kl, int argc, char **argv, const char *shorts, const struct option *longs,
	      int required)
{
	static const struct option none[] = { { 0 } };
	char letters[64];
	int opt;

	snprintf(letters, sizeof(letters), ":h%s", shorts);
	opterr = 0;
	opt = getopt_long(argc, argv, letters, longs ? longs : none, NULL);
	/* musl's optind is beyond the end then. */
	if (opt == ':') {
		kl_error(kl, "bad-option", "option `%s' requires an argument.", argv[argc - 1]);
		return stop(kl, KL_USAGE);
	}
	/* --help is unknown to the verb's own table, so it arrives as a mistake. */
	if (opt == 'h' || (opt == '?' && optind > 1 && !strcmp(argv[optind - 1], "--help"))) {
		kl_help(kl, kl->command->name);
		return stop(kl, KL_OK);
	}
	if (opt == '?') {
		if (optopt)
			kl_error(kl, "bad-option", "option `%c' not supported.", optopt);
		else
			kl_error(kl, "bad-option", "option `%s' not supported.", argv[optind - 1]);
		return stop(kl, KL_USAGE);
	}
	if (opt >= 0)
		return opt;
	if (argc - optind >= required)
		return -1;
	return stop(kl,
		    kl_misuse(kl, KL_USAGE, "'%s %s' requires at least %d argument%s.", kl->program,
			      kl->command->name, required, required > 1 ? "s" : ""));
}

int kl_number(struct kl *kl, const char *option, uint64_t most, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(optarg, &end, 10);
	if (isdigit((unsigned char)*optarg) && !*end && !errno && *value <= most)
		return KL_OK;
	return kl_error(kl, "bad-argument", "%s needs a number up to %llu, not \"%s\"", option,
			(unsigned long long)most, optarg);
}

bool kl_arguments(struct kl *kl, int argc, char **argv, int required)
{
	/* It knows help only, which is said by then. */
	return kl_getopt(kl, argc, argv, "", NULL, required) != KL_STOP;
}

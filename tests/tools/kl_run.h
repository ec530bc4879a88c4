/* SPDX-License-Identifier: MIT */
/*
 * Runs kl's verbs in the test's own process, against a small hypervisor and the fake store, and keeps
 * what they print. Include it once, after cmocka.h.
 */
#ifndef TESTS_TOOLS_KL_RUN_H
#define TESTS_TOOLS_KL_RUN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fake_kl.h>
#include <fake_store.h>
#include "../../dom0-tools/kl/top.h"

#define MAX_WORDS 16

static char *out, *err;	/* of the last run */

/* Runs "verb arguments" as main would; the exit status. --json first asks for JSON. */
static inline int run(const char *line)
{
	struct kl kl = { .program = "kl", .cancel_fd = -1 };
	char *words = strdup(line), *place, *argv[MAX_WORDS + 1] = { NULL }, *word;
	FILE *old_out = stdout, *old_err = stderr;
	size_t n_out, n_err;
	int argc = 0, status = 127;

	free(out);
	free(err);
	for (word = strtok_r(words, " ", &place); word && argc < MAX_WORDS;
	     word = strtok_r(NULL, " ", &place)) {
		if (!strcmp(word, "--json"))
			kl.json = true;
		else if (!strcmp(word, "-N"))
			kl.dry_run = true;
		else
			argv[argc++] = word;
	}
	stdout = open_memstream(&out, &n_out);
	stderr = open_memstream(&err, &n_err);
	kl.command = kl_lookup(argv[0]);
	optind = 0;
	if (kl.command && kl.command->run)
		status = kl.command->run(&kl, argc, argv);
	kl_close(&kl);
	fclose(stdout);
	fclose(stderr);
	stdout = old_out;
	stderr = old_err;
	free(words);
	return status;
}

static inline int setup(void **state __attribute__((unused)))
{
	fake_store_reset();
	fake_kl_reset();
	return 0;
}

static inline int teardown(void **state __attribute__((unused)))
{
	free(out);
	free(err);
	out = err = NULL;
	assert_int_equal(fake_store_handles(), 0);
	assert_int_equal(fake_store_transactions(), 0);
	return 0;
}

#endif

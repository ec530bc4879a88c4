/* SPDX-License-Identifier: MIT */
/*
 * xenstore: the store from a shell, for hotplug scripts and curious people where Xen's own tools
 * are not installed. Called as xenstore-read, xenstore-write and so on, or as `xenstore read`.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tools/store.h>

struct settings {
	bool prefix;		/* -p: paths before values, or permissions in a listing */
	bool flat;		/* -f: full paths */
	bool tidy;		/* -t: empty parents go, too */
	bool recursive;		/* -r */
	bool silent;		/* -s */
	bool raw;		/* -R: values as they are */
	int times;		/* -n: events to wait for; -1: all */
};

struct verb {
	const char *name, *letters, *usage;
	int (*run)(struct store *store, const struct settings *settings, int count, char **words);
	int min_words;
};

static int complain(const char *what, const char *path, int error)
{
	fprintf(stderr, "xenstore: %s %s: %s\n", what, path, strerror(-error));
	return 1;
}

/* A value with what a terminal cannot show as backslash escapes. */
static void print_value(const char *value, size_t length, bool raw)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)value[i];

		if (raw || (isprint(c) && c != '\\'))
			putchar(c);
		else if (c == '\n' || c == '\t' || c == '\r' || c == '\\')
			printf("\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : c == '\r' ? 'r' : '\\');
		else
			printf("\\%03o", c);
	}
}

static int run_read(struct store *store, const struct settings *settings, int count, char **words)
{
	for (int i = 0; i < count; i++) {
		char *value;
		size_t length;
		int error = store_read(store, 0, words[i], &value, &length);

		if (error < 0)
			return complain("cannot read", words[i], error);
		if (settings->prefix)
			printf("%s: ", words[i]);
		print_value(value, length, settings->raw);
		putchar('\n');
		free(value);
	}
	return 0;
}

/* "\n", "\\", "\017", "\x0f" of an argument become bytes, in place; the length, or -EINVAL. */
static int unescape(char *text)
{
	char *out = text;

	for (const char *p = text; *p;) {
		char digits[4] = "";

		if (*p != '\\') {
			*out++ = *p++;
			continue;
		}
		p++;
		if (*p == 'n' || *p == 't' || *p == 'r' || *p == '\\') {
			*out++ = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p == 'r' ? '\r' : '\\';
			p++;
		} else if (*p == 'x' && isxdigit((unsigned char)p[1]) &&
			   isxdigit((unsigned char)p[2])) {
			memcpy(digits, p + 1, 2);
			*out++ = (char)strtoul(digits, NULL, 16);
			p += 3;
		} else if (isdigit((unsigned char)p[0]) && isdigit((unsigned char)p[1]) &&
			   isdigit((unsigned char)p[2])) {
			memcpy(digits, p, 3);
			*out++ = (char)strtoul(digits, NULL, 8);
			p += 3;
		} else {
			return -EINVAL;
		}
	}
	return (int)(out - text);
}

static int run_write(struct store *store, const struct settings *settings, int count, char **words)
{
	if (count % 2 != 0) {
		fprintf(stderr, "xenstore: %s has no value\n", words[count - 1]);
		return 1;
	}
	for (int i = 0; i < count; i += 2) {
		int length = settings->raw ? (int)strlen(words[i + 1]) : unescape(words[i + 1]);
		int error = length < 0 ? length :
			    store_write(store, 0, words[i], words[i + 1], (size_t)length);

		if (error < 0)
			return complain("cannot write", words[i], error);
	}
	return 0;
}

/* Removes @path's parents as long as they are empty and have no value. */
static void remove_parents(struct store *store, char *path)
{
	char *slash, *value, **names;
	size_t length;
	int n;

	while ((slash = strrchr(path, '/')) && slash != path) {
		*slash = 0;
		if (store_read(store, 0, path, &value, &length) < 0)
			return;
		free(value);
		n = store_list(store, 0, path, &names);
		if (n >= 0)
			free(names);
		if (n != 0 || length > 0 || store_rm(store, 0, path) < 0)
			return;
	}
}

static int run_rm(struct store *store, const struct settings *settings, int count, char **words)
{
	for (int i = 0; i < count; i++) {
		int error = store_rm(store, 0, words[i]);

		if (error < 0)
			return complain("cannot remove", words[i], error);
		if (settings->tidy)
			remove_parents(store, words[i]);
	}
	return 0;
}

static int run_list(struct store *store, const struct settings *settings, int count, char **words)
{
	for (int i = 0; i < count; i++) {
		char **names;
		int n = store_list(store, 0, words[i], &names);

		if (n < 0)
			return settings->silent ? 1 : complain("cannot list", words[i], n);
		for (int k = 0; k < n; k++)
			if (settings->prefix)
				printf("%s/%s\n", words[i], names[k]);
			else
				puts(names[k]);
		free(names);
	}
	return 0;
}

static void print_permissions(struct store *store, const char *path)
{
	struct store_perm *perms;
	int n = store_get_perms(store, 0, path, &perms);

	for (int i = 0; i < n; i++)
		printf("%s%c%u", i ? "," : "   (", perms[i].access, perms[i].domid);
	if (n > 0)
		putchar(')');
	if (n >= 0)
		free(perms);
}

static void show_tree(struct store *store, const struct settings *settings, const char *path,
		      unsigned int depth)
{
	char **names;
	int n = store_list(store, 0, path, &names);

	for (int i = 0; i < n; i++) {
		char child[XENSTORE_ABS_PATH_MAX + 1], *value;
		size_t length;

		if ((size_t)snprintf(child, sizeof(child), "%s/%s", strcmp(path, "/") ? path : "",
				     names[i]) >= sizeof(child))
			continue;
		if (store_read(store, 0, child, &value, &length) < 0)
			continue;
		printf("%*s%s = \"", settings->flat ? 0 : (int)depth, "",
		       settings->flat ? child : names[i]);
		print_value(value, length, false);
		putchar('"');
		free(value);
		if (settings->prefix)
			print_permissions(store, child);
		putchar('\n');
		show_tree(store, settings, child, depth + 1);
	}
	if (n >= 0)
		free(names);
}

static int run_ls(struct store *store, const struct settings *settings, int count, char **words)
{
	static char root[] = "/";
	char *whole[] = { root };

	if (count == 0)
		count = 1, words = whole;
	for (int i = 0; i < count; i++) {
		char *value;
		int error = store_read(store, 0, words[i], &value, NULL);

		if (error < 0)
			return complain("cannot list", words[i], error);
		free(value);
		show_tree(store, settings, words[i], 0);
	}
	return 0;
}

static int run_exists(struct store *store, const struct settings *settings, int count, char **words)
{
	(void)settings;
	for (int i = 0; i < count; i++) {
		char *value;

		if (store_read(store, 0, words[i], &value, NULL) < 0)
			return 1;
		free(value);
	}
	return 0;
}

static int run_watch(struct store *store, const struct settings *settings, int count, char **words)
{
	char *buffer, *path, *token;

	for (int i = 0; i < count; i++) {
		int error = store_watch(store, words[i], "t");

		if (error < 0)
			return complain("cannot watch", words[i], error);
	}
	for (int left = settings->times; left != 0; left -= left > 0) {
		int error = store_wait_event(store, 0, &buffer, &path, &token);

		if (error < 0)
			return complain("lost", "the store", error);
		puts(path);
		fflush(stdout);
		free(buffer);
	}
	return 0;
}

static int change_permissions(struct store *store, const struct settings *settings,
			      const char *path, const struct store_perm *perms, unsigned int n)
{
	int error = store_set_perms(store, 0, path, perms, n);
	char **names;
	int children;

	if (error < 0)
		return complain("cannot change", path, error);
	if (!settings->recursive)
		return 0;
	children = store_list(store, 0, path, &names);
	for (int i = 0; i < children; i++) {
		char child[XENSTORE_ABS_PATH_MAX + 1];

		snprintf(child, sizeof(child), "%s/%s", path, names[i]);
		change_permissions(store, settings, child, perms, n);
	}
	if (children >= 0)
		free(names);
	return 0;
}

static int run_chmod(struct store *store, const struct settings *settings, int count, char **words)
{
	struct store_perm perms[16];

	if (count - 1 > (int)(sizeof(perms) / sizeof(perms[0])))
		return complain("too many permissions for", words[0], -E2BIG);
	for (int i = 1; i < count; i++) {
		char *end;
		unsigned long domid = strtoul(words[i] + 1, &end, 10);

		if (!strchr("nrwb", words[i][0]) || end == words[i] + 1 || *end || domid > 0x7fff)
			return complain("no permission", words[i], -EINVAL);
		perms[i - 1] = (struct store_perm){ .access = words[i][0],
						    .domid = (domid_t)domid };
	}
	return change_permissions(store, settings, words[0], perms, (unsigned int)count - 1);
}

/* What the daemon does for its administrator; "help" lists it. */
static int run_control(struct store *store, const struct settings *settings, int count,
		       char **words)
{
	char command[XENSTORE_PAYLOAD_MAX], *answer;
	size_t length = 0, more;
	int error;

	(void)settings;
	for (int i = 0; i < count; i++, length += more) {
		more = strlen(words[i]) + 1;
		if (more > sizeof(command) - length)
			return complain("too long:", words[0], -E2BIG);
		memcpy(command + length, words[i], more);
	}
	error = store_control(store, command, length, &answer);
	if (error < 0)
		return complain("the daemon refuses (`xenstore control help' lists what it knows)",
				words[0], error);
	if (*answer)
		puts(answer);
	free(answer);
	return 0;
}

static const struct verb verbs[] = {
	{ "read", "pR", "[-p] [-R] PATH...", run_read, 1 },
	{ "write", "R", "[-R] PATH VALUE...", run_write, 2 },
	{ "rm", "t", "[-t] PATH...", run_rm, 1 },
	{ "list", "ps", "[-p] PATH...", run_list, 1 },
	{ "ls", "fp", "[-f] [-p] [PATH]...", run_ls, 0 },
	{ "exists", "", "PATH...", run_exists, 1 },
	{ "watch", "n:", "[-n COUNT] PATH...", run_watch, 1 },
	{ "chmod", "r", "[-r] PATH PERMISSION...", run_chmod, 2 },
	{ "control", "+", "COMMAND [ARGUMENT]...", run_control, 1 },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static _Noreturn void usage(void)
{
	fputs("Usage:\n", stderr);
	for (unsigned int i = 0; i < VERBS; i++)
		fprintf(stderr, "  xenstore %s %s\n", verbs[i].name, verbs[i].usage);
	exit(1);
}

static const struct verb *find(const char *name)
{
	for (unsigned int i = 0; i < VERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const char *self = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	struct settings settings = { .times = -1 };
	const struct verb *verb = NULL;
	struct store *store;
	int letter, error;

	if (strncmp(self, "xenstore-", 9) == 0) {
		verb = find(self + 9);
	} else if (argc > 1) {
		verb = find(argv[1]);
		argc--, argv++;
	}
	if (!verb)
		usage();
	while ((letter = getopt(argc, argv, verb->letters)) != -1) {
		switch (letter) {
		case 'p': settings.prefix = true; break;
		case 'f': settings.flat = true; break;
		case 't': settings.tidy = true; break;
		case 'r': settings.recursive = true; break;
		case 's': settings.silent = true; break;
		case 'R': settings.raw = true; break;
		case 'n': settings.times = atoi(optarg); break;
		default: usage();
		}
	}
	if (argc - optind < verb->min_words)
		usage();
	error = store_open(&store);
	if (error < 0) {
		fprintf(stderr, "xenstore: cannot reach xenstored: %s\n", strerror(-error));
		return 1;
	}
	error = verb->run(store, &settings, argc - optind, argv + optind);
	store_close(store);
	return error;
}

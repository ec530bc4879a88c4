/* SPDX-License-Identifier: MIT */
/*
 * kl set-parameters "NAME=VALUE noNAME ...": what the hypervisor lets one change of its command
 * line at run time. 4.17 has these as files below /params of its own file system (<xen/hypfs.h>).
 */
#include <errno.h>
#include <stdlib.h>
#include <stdint.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/hypfs.h>
#include "kl.h"

#define VALUE_ROOM 1024

/* The hypervisor's two arguments: memory that stays where it is. */
struct hypfs {
	char path[XEN_HYPFS_MAX_PATHLEN];
	union {
		struct xen_hypfs_direntry entry;
		char value[VALUE_ROOM];
		uint64_t number;
	};
};

static int hypfs_op(struct kl *kl, unsigned int op, struct hypfs *h, size_t bytes)
{
	return call_hypercall(ctl_call(kl->ctl), __HYPERVISOR_hypfs_op, op, (unsigned long)h->path,
			      strlen(h->path) + 1, (unsigned long)h->value, bytes);
}

static int parse_bool(const char *text, uint64_t *value)
{
	static const char *const words[] = {
		"0", "1", "no", "yes", "off", "on", "false", "true", "disable", "enable"
	};
	unsigned int i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcmp(words[i], text)) {
			*value = i & 1;
			return 0;
		}
	}
	return -EINVAL;
}

/* Puts @text into the form of @entry's type; the number of bytes or -errno. */
static int encode(struct hypfs *h, const struct xen_hypfs_direntry *entry, const char *text)
{
	uint64_t value;
	char *rest;

	memset(h->value, 0, sizeof(h->value));
	if (!entry->max_write_len)
		return -EACCES;
	if (entry->encoding != XEN_HYPFS_ENC_PLAIN)
		return -EOPNOTSUPP;
	if (entry->type == XEN_HYPFS_TYPE_STRING) {
		if (strlen(text) >= sizeof(h->value))
			return -E2BIG;
		strcpy(h->value, text);
		return strlen(text) + 1;
	}
	if (entry->content_len > sizeof(value))
		return -EOPNOTSUPP;
	if (entry->type == XEN_HYPFS_TYPE_BOOL) {
		if (parse_bool(text, &value))
			return -EINVAL;
	} else if (entry->type == XEN_HYPFS_TYPE_UINT || entry->type == XEN_HYPFS_TYPE_INT) {
		value = strtoull(text, &rest, 0);
		if (rest == text || *rest)
			return -EINVAL;
	} else {
		return -EOPNOTSUPP;
	}
	h->number = value;
	return entry->content_len;
}

static int set_one(struct kl *kl, struct hypfs *h, const char *name, const char *value)
{
	struct xen_hypfs_direntry entry;
	int bytes, err;

	if (snprintf(h->path, sizeof(h->path), "/params/%s", name) >= (int)sizeof(h->path))
		return -ENAMETOOLONG;
	err = hypfs_op(kl, XEN_HYPFS_OP_read, h, sizeof(entry));
	if (err && err != -ENOBUFS)
		return err;
	entry = h->entry;
	bytes = encode(h, &entry, value);
	return bytes < 0 ? bytes : hypfs_op(kl, XEN_HYPFS_OP_write_contents, h, bytes);
}

/* "name=value" or "noname"; @word is changed. */
static int set_word(struct kl *kl, struct hypfs *h, char *word)
{
	char *value = strchr(word, '=');

	if (value) {
		*value++ = '\0';
		return set_one(kl, h, word, value);
	}
	if (!strncmp(word, "no", 2))
		return set_one(kl, h, word + 2, "no");
	return -EINVAL;
}

int cmd_set_parameters(struct kl *kl, int argc, char **argv)
{
	struct hypfs *h;
	char *words, *word, *place;
	int status = KL_OK;

	if (!kl_arguments(kl, argc, argv, 1))
		return kl->status;
	if (!kl_ctl(kl))
		return KL_FAILED;
	h = call_alloc(ctl_call(kl->ctl), sizeof(*h));
	words = strdup(argv[optind]);
	if (!h || !words)
		status = kl_check(kl, -ENOMEM, "cannot set parameters: %s", argv[optind]);
	for (word = words ? strtok_r(words, " \t", &place) : NULL; word && !status;
	     word = strtok_r(NULL, " \t", &place))
		status = kl_check(kl, set_word(kl, h, word), "cannot set parameters: %s", word);
	free(words);
	if (h)
		call_free(ctl_call(kl->ctl), h, sizeof(*h));
	return status;
}

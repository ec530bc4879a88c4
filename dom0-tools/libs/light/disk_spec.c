/* SPDX-License-Identifier: MIT */
/*
 * Disk specifications: xl-disk-configuration(5), positional (target, format, vdev, access),
 * key=value, `target=` which takes the rest, and the prefixes of older tools (phy: file: tap:aio:
 * raw: nbd: ...), and one key that xl does not know, patience=SECONDS. Also what the vif list
 * takes, which is key=value throughout.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "private.h"

struct disk_scan {
	struct light_disk *disk;
	struct tools_error *error;
	bool had_prefix, access_set;
};

static int bad(const struct disk_scan *s, const char *found, const char *wanted)
{
	return tools_fail(s->error, -EINVAL, "bad-config", "disk: found `%.60s', wanted %s", found,
			  wanted);
}

static int set_string(const struct disk_scan *s, char **field, const char *value, const char *what)
{
	char *copy;

	if (*field && **field)
		return tools_fail(s->error, -EINVAL, "bad-config",
				  "disk: found `%.60s', but %s was given before (`%.60s')", value,
				  what, *field);
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static int set_enum(const struct disk_scan *s, int *field, const char *value,
		    const char *const *names, const char *what)
{
	int i;

	for (i = 1; names[i]; i++)
		if (!strcmp(value, names[i]))
			break;
	if (!names[i])
		return bad(s, value, what);
	if (*field && *field != i)
		return bad(s, value, "it only once, or the same value again");
	*field = i;
	return 0;
}

static int set_format(const struct disk_scan *s, const char *value)
{
	static const char *const names[] = {
		"", "qcow", "qcow2", "vhd", "raw", "empty", "qed", NULL
	};

	return set_enum(s, &s->disk->format, *value ? value : "raw", names,
			"a format: raw, qcow2, qcow, vhd, qed or empty");
}

static int set_access(const struct disk_scan *s, const char *value)
{
	s->disk->shared = !strcmp(value, "w!") || !strcmp(value, "!");
	if (!strcmp(value, "r") || !strcmp(value, "ro"))
		s->disk->readwrite = 0;
	else if (!strcmp(value, "w") || !strcmp(value, "rw") || !*value || s->disk->shared)
		s->disk->readwrite = 1;
	else
		return bad(s, value, "an access: r, ro, w, rw or w!");
	return 0;
}

/* "hdc:cdrom": 1 if it was one, 0 not, -errno. */
static int vdev_with_type(const struct disk_scan *s, char *word)
{
	char *colon = strrchr(word, ':');
	int rc;

	if (!colon)
		return 0;
	*colon++ = 0;
	rc = set_string(s, &s->disk->vdev, word, "vdev");
	if (rc)
		return rc;
	if (strcmp(colon, "cdrom") && strcmp(colon, "disk"))
		return bad(s, colon, "cdrom or disk after the vdev");
	s->disk->is_cdrom = !strcmp(colon, "cdrom");
	return 1;
}

static int set_positional(struct disk_scan *s, char *word)
{
	struct light_disk *disk = s->disk;
	int rc;

	if (!disk->pdev_path)
		return set_string(s, &disk->pdev_path, word, "the target");
	if (!s->had_prefix && !disk->format) {
		rc = *disk->pdev_path ? 0 : vdev_with_type(s, word);
		if (rc == 1)
			disk->format = LIGHT_FORMAT_EMPTY;
		return rc < 0 ? rc : rc ? 0 : set_format(s, word);
	}
	if (!disk->vdev) {
		rc = vdev_with_type(s, word);
		return rc < 0 ? rc : rc ? 0 : set_string(s, &disk->vdev, word, "vdev");
	}
	if (s->access_set)
		return bad(s, word, "nothing more: target, format, vdev and access are given");
	s->access_set = true;
	return set_access(s, word);
}

static int set_flag(const struct disk_scan *s, const char *word)
{
	struct light_disk *disk = s->disk;

	if (!strcmp(word, "cdrom"))
		disk->is_cdrom = 1;
	else if (!strcmp(word, "direct-io-safe"))
		disk->direct_io_safe = true;
	else if (!strcmp(word, "discard"))
		disk->discard = LIGHT_YES;
	else if (!strcmp(word, "no-discard"))
		disk->discard = LIGHT_NO;
	else if (!strcmp(word, "trusted"))
		disk->trusted = LIGHT_YES;
	else if (!strcmp(word, "untrusted"))
		disk->trusted = LIGHT_NO;
	else if (!strcmp(word, "no-colo"))
		return 0;
	else if (!strcmp(word, "colo"))
		return bad(s, word, "a disk without COLO replication, which is not offered");
	else
		return 1;
	return 0;
}

static int set_devtype(const struct disk_scan *s, const char *value)
{
	if (strcmp(value, "cdrom") && strcmp(value, "disk"))
		return bad(s, value, "a devtype: disk or cdrom");
	s->disk->is_cdrom = !strcmp(value, "cdrom");
	return 0;
}

static int set_pair(const struct disk_scan *s, const char *key, const char *value)
{
	static const char *const backends[] = { "", "phy", "tap", "qdisk", "standalone", NULL };
	static const char *const specifications[] = { "", "xen", "virtio", NULL };
	struct light_disk *disk = s->disk;

	if (!strcmp(key, "format"))
		return set_format(s, value);
	if (!strcmp(key, "vdev"))
		return set_string(s, &disk->vdev, value, "vdev");
	if (!strcmp(key, "access"))
		return set_access(s, value);
	if (!strcmp(key, "devtype"))
		return set_devtype(s, value);
	if (!strcmp(key, "backend"))
		return set_string(s, &disk->backend_domname, value, "backend");
	if (!strcmp(key, "backendtype") && !strcmp(value, "user"))
		value = "qdisk";
	if (!strcmp(key, "backendtype") && !strcmp(value, "kernel"))
		value = "phy";
	if (!strcmp(key, "backendtype"))
		return set_enum(s, &disk->backend, value, backends,
				"a backendtype: user (or qdisk), kernel (or phy)");
	if (!strcmp(key, "specification"))
		return set_enum(s, &disk->specification, value, specifications,
				"a specification: xen or virtio");
	if (!strcmp(key, "script"))
		return set_string(s, &disk->script, value, "script");
	if (!strcmp(key, "patience"))
		return light_spec_number(s->error, "disk", key, value, 0, INT_MAX, &disk->patience);
	if (!strncmp(key, "colo-", 5) || !strcmp(key, "active-disk") || !strcmp(key, "hidden-disk"))
		return bad(s, key, "a disk without COLO replication, which is not offered");
	return tools_hint(s->error,
			  bad(s, key,
			      "format, vdev, access, devtype, backend, backendtype, "
			      "specification, script, patience or target"),
			  "a path with a `=' in it is given as target=PATH, last");
}

/* Takes one old prefix off *rest: 1 taken, 0 none, -errno. */
static int take_prefix(struct disk_scan *s, char **rest)
{
	static const char *const formats[] = { "raw", "qcow", "qcow2", "vhd", NULL };
	static const char *const scripts[] = { "iscsi", "nbd", "enbd", "drbd", NULL };
	static const char *const plain[] = { "tapdisk", "tap",	"tap2", "aio",
					     "ioemu",	"file", "phy",	NULL };
	char word[24], *script, *p = *rest;
	unsigned int i;
	size_t n;
	int rc;

	while (islower((unsigned char)*p) || (p > *rest && isdigit((unsigned char)*p)))
		p++;
	n = (size_t)(p - *rest);
	if (*p != ':' || !n || n >= sizeof(word) || s->disk->pdev_path)
		return 0;
	memcpy(word, *rest, n);
	word[n] = 0;
	for (i = 0; plain[i] && strcmp(plain[i], word); i++)
		;
	if (plain[i]) {
		rc = 0;
	} else if (strcmp(word, "raw") && strncmp(word, "qcow", 4) && strcmp(word, "vhd")) {
		for (i = 0; scripts[i] && strcmp(scripts[i], word); i++)
			;
		if (!scripts[i])
			return isalnum((unsigned char)p[1]) ?
				       0 :
				       bad(s, word,
					   "a prefix that is known (phy: file: tap: raw: qcow2: nbd: iscsi: drbd:)");
		script = tools_asprintf("block-%s", word);
		rc = script ? set_string(s, &s->disk->script, script, "script") : -ENOMEM;
		free(script);
	} else {
		for (i = 0; formats[i] && strcmp(formats[i], word); i++)
			;
		rc = formats[i] ? set_format(s, word) : bad(s, word, "qcow: or qcow2:");
	}
	if (rc)
		return rc;
	s->had_prefix = true;
	*rest = p + 1;
	return 1;
}

static int scan_words(struct disk_scan *s, char *text)
{
	char *rest = text, *comma, *equals;
	size_t n;
	int rc;

	for (;;) {
		while (isspace((unsigned char)*rest))
			rest++;
		if (!*rest)
			return 0;
		if (!strncmp(rest, "target=", 7)) {
			n = strlen(rest);
			if (rest[n - 1] == ',')
				rest[n - 1] = 0;
			return set_string(s, &s->disk->pdev_path, rest + 7, "the target");
		}
		rc = take_prefix(s, &rest);
		if (rc < 0)
			return rc;
		if (rc)
			continue;
		comma = strchr(rest, ',');
		if (comma)
			*comma = 0;
		equals = strchr(rest, '=');
		if (equals) {
			*equals = 0;
			rc = set_pair(s, rest, equals + 1);
		} else {
			rc = set_flag(s, rest);
			if (rc == 1)
				rc = set_positional(s, rest);
		}
		if (rc || !comma)
			return rc;
		rest = comma + 1;
	}
}

int light_disk_parse(struct light_disk *disk, const char *const *words, unsigned int count,
		     const struct light_parse *how, struct tools_error *error)
{
	struct disk_scan s = { .disk = disk, .error = error };
	unsigned int i;
	char *copy;
	int rc = 0;

	(void)how; /* nothing of it concerns disks yet */
	disk->readwrite = 1;
	for (i = 0; i < count && !rc; i++) {
		copy = strdup(words[i]);
		rc = copy ? scan_words(&s, copy) : -ENOMEM;
		free(copy);
	}
	if (rc)
		return rc;
	if (!disk->format)
		disk->format = LIGHT_FORMAT_RAW;
	if (disk->is_cdrom) {
		disk->removable = 1;
		disk->readwrite = 0;
		if (!disk->pdev_path || !*disk->pdev_path)
			disk->format = LIGHT_FORMAT_EMPTY;
	}
	if (!disk->vdev || !*disk->vdev)
		return tools_hint(error,
				  tools_fail(error, -EINVAL, "bad-config",
					     "disk: no vdev in `%.100s'", count ? words[0] : ""),
				  "for example: /dev/vg/lv,raw,xvda,rw");
	if (!disk->pdev_path && !disk->removable)
		return tools_fail(error, -EINVAL, "bad-config",
				  "disk %s: no target, and it is not removable", disk->vdev);
	if (light_vdev_number(disk->vdev, NULL, NULL) < 0)
		return tools_fail(error, -EINVAL, "bad-config",
				  "disk: found vdev `%.40s', wanted xvda, "
				  "xvda1, hda, sda, d0p1 or a number",
				  disk->vdev);
	return 0;
}

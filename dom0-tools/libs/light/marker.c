/* SPDX-License-Identifier: MIT */
/*
 * What a creation leaves for whoever cleans up after it was killed: a file per creation, locked by
 * its process. A file that nobody holds names a half-made domain.
 *
 * The file exists before the domain does; the domain's number is added once it is known. In between
 * the domain is recognised by its uuid and by having no name in the store yet.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "domain.h"

#define PREFIX "create-"
#define FRESH  "fresh-"

int marker_create(struct light *light, struct marker *marker, const uint8_t uuid[16],
		  const char *name)
{
	char dir[200], text[37], line[256], fresh[256];
	int n, rc;

	light_uuid_format(uuid, text);
	snprintf(dir, sizeof(dir), "%s/kl", light->run_dir);
	if (mkdir(dir, 0755) && errno == ENOENT) {
		mkdir(light->run_dir, 0755);
		mkdir(dir, 0755);
	}
	snprintf(marker->path, sizeof(marker->path), "%s/" PREFIX "%s.%d", dir, text,
		 (int)getpid());
	/* Under its name only once it is locked and filled: light_gc() may be looking. */
	snprintf(fresh, sizeof(fresh), "%s/" FRESH "%s.%d", dir, text, (int)getpid());
	marker->fd = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (marker->fd < 0)
		return -errno;
	rc = flock(marker->fd, LOCK_EX | LOCK_NB) ? -errno : 0;
	n = snprintf(line, sizeof(line), "%s %s\n", text, name);
	if (!rc && write(marker->fd, line, (size_t)n) != n)
		rc = -ENOSPC;
	if (!rc && rename(fresh, marker->path))
		rc = -errno;
	if (rc) {
		unlink(fresh);
		marker_remove(marker);
	}
	return rc;
}

int marker_set_domid(struct marker *marker, uint32_t domid)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "%u\n", domid);

	return write(marker->fd, line, (size_t)n) == n ? 0 : -ENOSPC;
}

void marker_remove(struct marker *marker)
{
	if (marker->fd < 0)
		return;
	unlink(marker->path);
	close(marker->fd);
	marker->fd = -1;
}

/* The nameless domain with this uuid: its number, or -ESRCH. */
static int find_nameless(struct light *light, const uint8_t uuid[16])
{
	struct xen_domctl_getdomaininfo list[64];
	uint32_t first = 1;
	char path[64], *name;
	int count, i;

	do {
		count = ctl_getdomaininfolist(light->ctl, (domid_t)first, 64, list);
		for (i = 0; i < count; i++) {
			first = list[i].domain + 1u;
			if (memcmp(list[i].handle, uuid, 16))
				continue;
			snprintf(path, sizeof(path), "/local/domain/%u/name", list[i].domain);
			if (store_read(light->store, 0, path, &name, NULL) == -ENOENT)
				return list[i].domain;
			free(name);
		}
	} while (count == 64);
	return -ESRCH;
}

/* One file that nobody holds: 1 if a domain was removed, 0, -errno. */
static int undo(struct light *light, const char *path, char *text, struct tools_error *error)
{
	struct removal removal = { .exists = true, .cause = "its creation was interrupted" };
	struct xen_domctl_getdomaininfo info;
	char *name, *number;
	uint8_t uuid[16];
	int domid, rc;

	number = strchr(text, '\n');
	if (number)
		*number++ = 0;
	name = strchr(text, ' ');
	if (name)
		*name++ = 0;
	if (!number || !name || light_uuid_parse(text, uuid)) {
		unlink(path);
		return 0;
	}
	domid = *number ? atoi(number) : find_nameless(light, uuid);
	/* One that runs was complete: its creator died between the last two steps. */
	if (domid > 0 && (ctl_getdomaininfo(light->ctl, (domid_t)domid, &info) ||
			  memcmp(info.handle, uuid, 16) || !(info.flags & XEN_DOMINF_paused)))
		domid = -ESRCH;
	rc = 0;
	if (domid > 0) {
		removal.domid = (uint32_t)domid;
		removal.name = name;
		rc = domain_remove(light, &removal, error);
	}
	if (rc)
		return rc;
	unlink(path);
	return domid > 0;
}

/* A marker that never got its name: its creator died within an instant, long ago. */
static bool old_enough(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && time(NULL) - st.st_mtime > 60;
}

static int undo_dead_creators(struct light *light, struct tools_error *error)
{
	char dir[200], path[512], *text;
	struct dirent *entry;
	size_t length;
	int fd, rc, count = 0;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/kl", light->run_dir);
	d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (count >= 0 && (entry = readdir(d))) {
		bool fresh = !strncmp(entry->d_name, FRESH, strlen(FRESH));

		if (!fresh && strncmp(entry->d_name, PREFIX, strlen(PREFIX)))
			continue;
		snprintf(path, sizeof(path), "%s/%.250s", dir, entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (fresh) {
			if (old_enough(fd))
				unlink(path);
			close(fd);
			continue;
		}
		/* Held: that creation is alive and well. */
		if (!flock(fd, LOCK_EX | LOCK_NB) && !tools_read_file(path, 4096, &text, &length)) {
			rc = undo(light, path, text, error);
			count = rc < 0 ? rc : count + rc;
			free(text);
		}
		close(fd);
	}
	closedir(d);
	return count;
}

/* What somebody wrote about a domain that was gone by then. */
static void sweep_late_nodes(struct light *light)
{
	struct xen_domctl_getdomaininfo info;
	char **names = NULL, path[64];
	int count = store_list(light->store, 0, "/local/domain", &names);

	for (int i = 0; i < count; i++) {
		int domid = atoi(names[i]);

		if (domid <= 0 || domid >= (int)DOMID_FIRST_RESERVED ||
		    ctl_getdomaininfo(light->ctl, (domid_t)domid, &info) != -ESRCH)
			continue;
		snprintf(path, sizeof(path), "/local/domain/%d", domid);
		store_rm(light->store, 0, path);
	}
	free(names);
}

/* Nodes of domains that are gone, and the obituaries of those. */
static int sweep_store(struct light *light, struct tools_error *error)
{
	struct xen_domctl_getdomaininfo info;
	struct removal removal = { 0 };
	char **names = NULL, path[64];
	int count, i, rc = 0;

	count = store_list(light->store, 0, "/libxl", &names);
	for (i = 0; i < count && !rc; i++) {
		removal.domid = (uint32_t)atoi(names[i]);
		if (removal.domid &&
		    ctl_getdomaininfo(light->ctl, (domid_t)removal.domid, &info) == -ESRCH)
			rc = domain_remove(light, &removal, error);
	}
	free(names);
	names = NULL;
	if (!rc)
		sweep_late_nodes(light);
	count = store_list(light->store, 0, LIGHT_DEAD_PATH, &names);
	for (i = 0; i < count && !rc; i++) {
		if (ctl_getdomaininfo(light->ctl, (domid_t)atoi(names[i]), &info) != -ESRCH)
			continue;
		snprintf(path, sizeof(path), LIGHT_DEAD_PATH "/%d", atoi(names[i]));
		store_rm(light->store, 0, path);
	}
	free(names);
	return rc;
}

int light_gc(struct light *light, struct tools_error *error)
{
	int count = undo_dead_creators(light, error), rc;

	if (count < 0)
		return count;
	boot_files_gc(light);
	rc = sweep_store(light, error);
	return rc < 0 ? rc : count;
}

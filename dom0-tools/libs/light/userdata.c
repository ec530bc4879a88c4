/* SPDX-License-Identifier: MIT */
/*
 * Files beside a domain, in the places and under the locks of libxl: the configuration it was made
 * from (libxl-json), and one to be used at its next start (xl).
 *
 * The lock is a file that is unlinked when let go; whoever waited for the old one notices by its
 * inode and tries again. A wait is bounded: the lock is asked for with growing pauses, since flock
 * knows no deadline.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "domain.h"

#define CONFIG_LIMIT (16 << 20)

char *userdata_path(struct light *light, uint32_t domid, const uint8_t uuid[16], const char *name,
		    const char *kind)
{
	char text[37];

	light_uuid_format(uuid, text);
	return tools_asprintf("%s/userdata-%s.%u.%s.%s", light->lib_dir, kind, domid, text, name);
}

static int path_of(struct light *light, uint32_t domid, const char *name, const char *kind,
		   char **path)
{
	uint8_t uuid[16];
	int rc = light_domain_uuid(light, domid, uuid);

	if (rc)
		return rc;
	*path = userdata_path(light, domid, uuid, name, kind);
	return *path ? 0 : -ENOMEM;
}

/* Waits @ms, or until cancelled. */
static int pause_for(struct light *light, unsigned int ms)
{
	struct pollfd pfd = { .fd = light->cancel_fd, .events = POLLIN };

	return poll(&pfd, 1, (int)ms) > 0 ? -ECANCELED : 0;
}

int light_lock_path(struct light *light, const char *path, unsigned int ms)
{
	uint64_t deadline = tools_now_ms() + ms;
	struct stat by_path, by_fd;
	unsigned int wait = 1;
	int fd, rc;

	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
		if (fd < 0)
			return -errno;
		rc = flock(fd, LOCK_EX | LOCK_NB) ? -errno : 0;
		if (!rc && !fstat(fd, &by_fd) && !stat(path, &by_path) &&
		    by_fd.st_ino == by_path.st_ino && by_fd.st_dev == by_path.st_dev)
			return fd;
		close(fd);
		if (rc && rc != -EWOULDBLOCK && rc != -EINTR)
			return rc;
		if (tools_now_ms() >= deadline)
			return -ETIMEDOUT;
		if (rc && pause_for(light, wait))
			return -ECANCELED;
		wait = wait < 64 ? 2 * wait : 64;
	}
}

int light_lock_domain(struct light *light, uint32_t domid, unsigned int ms)
{
	struct xen_domctl_getdomaininfo info;
	char *path;
	int fd, rc = path_of(light, domid, "domain-userdata-lock", "l", &path);

	if (rc)
		return rc;
	fd = light_lock_path(light, path, ms);
	if (fd >= 0 && ctl_getdomaininfo(light->ctl, (domid_t)domid, &info)) {
		unlink(path);
		close(fd);
		fd = -ESRCH;
	}
	free(path);
	return fd;
}

void light_unlock_domain(struct light *light, uint32_t domid, int lock)
{
	char link[64], path[512];
	ssize_t n;

	(void)light;
	(void)domid;
	if (lock < 0)
		return;
	/* Unlinked while still held, or another could lock a file that is about to go. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", lock);
	n = readlink(link, path, sizeof(path) - 1);
	if (n > 0) {
		path[n] = 0;
		unlink(path);
	}
	close(lock);
}

/* A small root has no folder for locks yet. */
static int open_lock(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, S_IWUSR);
	char folder[256], *slash;

	if (fd >= 0 || errno != ENOENT || strlen(path) >= sizeof(folder))
		return fd;
	strcpy(folder, path);
	slash = strrchr(folder, '/');
	if (slash)
		*slash = 0;
	mkdir(folder, 0755);
	return open(path, O_WRONLY | O_CREAT | O_CLOEXEC, S_IWUSR);
}

int light_lock_tool(struct light *light, unsigned int ms, struct tools_error *error)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	uint64_t deadline = tools_now_ms() + ms;
	const char *path = light->defaults.lockfile;
	unsigned int wait = 1;
	bool said = false;
	int fd = open_lock(path);

	if (fd < 0)
		return tools_fail(error, -errno, "lock", "cannot open the lock %s: %s", path,
				  strerror(errno));
	while (fcntl(fd, F_SETLK, &whole)) {
		if (errno != EACCES && errno != EAGAIN && errno != EINTR) {
			tools_fail(error, -errno, "lock", "cannot lock %s: %s", path,
				   strerror(errno));
			close(fd);
			return -EIO;
		}
		if (tools_now_ms() >= deadline) {
			close(fd);
			return tools_hint(error,
					  tools_fail(error, -ETIMEDOUT, "timeout",
						     "another tool has held "
						     "%s for %u s",
						     path, ms / 1000),
					  "see who: fuser %s", path);
		}
		if (!said && tools_now_ms() + ms > deadline + 1000) {
			said = true;
			light_say(light, "waiting for another tool that holds %s", path);
		}
		if (pause_for(light, wait)) {
			close(fd);
			return tools_fail(error, -ECANCELED, "canceled",
					  "given up while waiting for %s", path);
		}
		wait = wait < 64 ? 2 * wait : 64;
	}
	return fd;
}

void light_unlock_tool(int lock)
{
	if (lock >= 0)
		close(lock);
}

int light_userdata_read(struct light *light, uint32_t domid, const char *name, char **data,
			size_t *length)
{
	char *path;
	int rc = path_of(light, domid, name, "d", &path);

	if (rc)
		return rc;
	rc = tools_read_file(path, CONFIG_LIMIT, data, length);
	free(path);
	return rc;
}

int userdata_write(struct light *light, uint32_t domid, const uint8_t uuid[16], const char *name,
		   const void *data, size_t length)
{
	char *path = userdata_path(light, domid, uuid, name, "d");
	char *fresh = userdata_path(light, domid, uuid, name, "n");
	const char *bytes = data;
	size_t done = 0;
	ssize_t n = 0;
	int fd, rc = path && fresh ? 0 : -ENOMEM;

	fd = rc ? -1 : open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (!rc && fd < 0 && errno == ENOENT && !mkdir(light->lib_dir, 0755))
		fd = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (!rc && fd < 0)
		rc = -errno;
	for (; !rc && done < length; done += (size_t)n) {
		n = write(fd, bytes + done, length - done);
		if (n < 0)
			rc = -errno;
	}
	/* Not synced: the file means nothing once the machine has restarted. */
	if (fd >= 0 && close(fd) && !rc)
		rc = -errno;
	if (!rc && rename(fresh, path))
		rc = -errno;
	if (rc && fd >= 0)
		unlink(fresh);
	free(path);
	free(fresh);
	return rc;
}

int light_userdata_write(struct light *light, uint32_t domid, const char *name, const void *data,
			 size_t length)
{
	uint8_t uuid[16];
	int rc = light_domain_uuid(light, domid, uuid);

	return rc ? rc : userdata_write(light, domid, uuid, name, data, length);
}

int light_userdata_remove(struct light *light, uint32_t domid, const char *name)
{
	char *path;
	int rc = path_of(light, domid, name, "d", &path);

	if (rc)
		return rc;
	rc = unlink(path) ? -errno : 0;
	free(path);
	return rc;
}

void userdata_remove_all(struct light *light, uint32_t domid, const uint8_t uuid[16])
{
	char text[37], tail[64], *path;
	struct dirent *entry;
	size_t n;
	DIR *dir = opendir(light->lib_dir);

	if (!dir)
		return;
	light_uuid_format(uuid, text);
	n = (size_t)snprintf(tail, sizeof(tail), ".%u.%s.", domid, text);
	while ((entry = readdir(dir))) {
		/* "userdata-?" and then the tail; locks go with their holders. */
		if (strncmp(entry->d_name, "userdata-", 9) ||
		    strncmp(entry->d_name + 10, tail, n) ||
		    strstr(entry->d_name, "domain-userdata-lock"))
			continue;
		path = tools_asprintf("%s/%s", light->lib_dir, entry->d_name);
		if (path)
			unlink(path);
		free(path);
	}
	closedir(dir);
}

int light_domain_config_save(struct light *light, uint32_t domid, const struct light_config *config)
{
	char *text = light_config_to_json(config, -1);
	int rc;

	if (!text)
		return -ENOMEM;
	/* libxl writes the string with its terminator. */
	rc = light_userdata_write(light, domid, "libxl-json", text, strlen(text) + 1);
	free(text);
	return rc;
}

/* What the store says now: name, memory, vcpus. */
static int config_from_store(struct light *light, uint32_t domid, struct light_config *config)
{
	struct batch batch = { 0 };
	struct store_request *r;
	uint64_t videoram;
	int i, rc;

	batch_read(&batch, "/local/domain/%u/name", domid);
	batch_read(&batch, "/local/domain/%u/memory/target", domid);
	batch_read(&batch, "/local/domain/%u/memory/static-max", domid);
	batch_read(&batch, "/local/domain/%u/memory/videoram", domid);
	for (i = 0; i < config->max_vcpus; i++)
		batch_read(&batch, "/local/domain/%u/cpu/%d/availability", domid, i);
	rc = batch_run(&batch, light->store, 0);
	r = batch.list;
	if (!rc && r[0].reply) {
		free(config->name);
		config->name = r[0].reply;
		r[0].reply = NULL;
	}
	videoram = !rc && r[3].reply ? strtoull(r[3].reply, NULL, 10) : 0;
	if (!rc && r[1].reply)
		config->target_memkb = strtoull(r[1].reply, NULL, 10) +
				       (videoram < 1 << 20 ? videoram : 0);
	if (!rc && r[2].reply)
		config->max_memkb = strtoull(r[2].reply, NULL, 10);
	for (i = 0; i < config->max_vcpus && !rc; i++)
		if (r[4 + i].reply)
			rc = light_bitmap_set(&config->avail_vcpus, (unsigned int)i,
					      !strcmp(r[4 + i].reply, "online"));
	batch_free(&batch);
	return rc;
}

/* Weight and cap as they are; what cannot be asked stays as it was written. */
static void config_from_scheduler(struct light *light, uint32_t domid, struct light_config *config)
{
	struct xen_domctl_scheduler_op op = { 0 };
	uint32_t id;

	if (ctl_sched_id(light->ctl, &id))
		return;
	op.sched_id = id;
	if ((id != XEN_SCHEDULER_CREDIT && id != XEN_SCHEDULER_CREDIT2) ||
	    ctl_sched_get(light->ctl, (domid_t)domid, &op))
		return;
	config->sched.scheduler = (int)id;
	config->sched.weight = id == XEN_SCHEDULER_CREDIT2 ? op.u.credit2.weight :
							     op.u.credit.weight;
	config->sched.cap = id == XEN_SCHEDULER_CREDIT2 ? op.u.credit2.cap : op.u.credit.cap;
}

int light_domain_config(struct light *light, uint32_t domid, struct light_config *config,
			struct tools_error *error)
{
	struct xen_domctl_getdomaininfo info;
	char *text = NULL;
	size_t length;
	int lock, found, rc = ctl_getdomaininfo(light->ctl, (domid_t)domid, &info);

	if (rc)
		return tools_fail(error, rc, "no-domain", "no domain %u", domid);
	lock = light_lock_domain(light, domid, DOMAIN_LOCK_MS);
	found = light_userdata_read(light, domid, "libxl-json", &text, &length);
	light_unlock_domain(light, domid, lock);
	if (!found)
		rc = light_config_from_json(config, text, strnlen(text, length), error);
	free(text);
	if (rc)
		return rc;
	memcpy(config->uuid, info.handle, 16);
	config->uuid_set = true;
	if (found) {
		config->type = info.flags & XEN_DOMINF_hvm_guest ? LIGHT_TYPE_HVM : LIGHT_TYPE_PV;
		config->max_vcpus = (int)info.max_vcpu_id + 1;
		config->max_memkb = info.max_pages * 4;
		config->target_memkb = info.tot_pages * 4;
	}
	config_from_scheduler(light, domid, config);
	rc = config_from_store(light, domid, config);
	if (rc)
		return tools_fail(error, rc, "store", "cannot read domain %u from the store: %s",
				  domid, strerror(-rc));
	return found == -ENOENT ? -ENOENT : 0;
}

int light_restart_config(struct light *light, uint32_t domid, struct light_config *config,
			 struct tools_error *error)
{
	const struct light_parse how = { .source = "<updated>",
					 .defaults = &light->defaults,
					 .warn = light->warn,
					 .cookie = light->warn_cookie };
	uint8_t uuid[16];
	size_t length;
	char *text;
	int rc = light_userdata_read(light, domid, "xl", &text, &length);

	if (rc == -ENOENT)
		return light_domain_config(light, domid, config, error);
	if (!rc)
		rc = light_domain_uuid(light, domid, uuid);
	if (rc)
		return tools_fail(error, rc, "userdata",
				  "cannot read the updated configuration of domain %u: %s", domid,
				  strerror(-rc));
	rc = light_config_parse(config, text, length, NULL, 0, &how, error);
	free(text);
	memcpy(config->uuid, uuid, 16);
	config->uuid_set = true;
	return rc;
}

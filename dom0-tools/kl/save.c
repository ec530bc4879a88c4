/* SPDX-License-Identifier: MIT */
/*
 * kl save DOMAIN FILE: the domain goes into a file, in xl's format. It is destroyed only once the
 * file is complete under its name; until then, whatever happens, it is resumed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <tools/json.h>
#include <tools/light.h>
#include "moving.h"

struct save_verb {
	struct kl *kl;
	bool checkpoint, pause, keep_domid;
	uint64_t timeout_s;
	domid_t domid;
	const char *name, *path, *config_file;
	char *part; /* what is written until it is complete */
	bool plain;
	struct move_save save;
	struct moving_progress progress;
	uint64_t down_ms;
};

enum { OPT_TIMEOUT = 256 };

static const struct option long_options[] = {
	{ "timeout", 1, NULL, OPT_TIMEOUT },
	{ NULL, 0, NULL, 0 },
};

static int suspend(void *cookie, struct tools_error *error)
{
	struct save_verb *v = cookie;
	struct move_suspend how = { .answer_ms = (unsigned int)v->timeout_s * 1000,
				    .finish_ms = (unsigned int)v->timeout_s * 1000 };

	return move_suspend(v->kl->light, v->domid, &how, error);
}

/* The domain stands still in vain, or is to go on. KL_OK, or the user was told. */
static int go_on(struct save_verb *v, bool paused)
{
	struct tools_error e = { 0 };

	if (paused)
		ctl_pausedomain(v->kl->ctl, v->domid);
	if (!move_resume(v->kl->light, v->domid, &e))
		return KL_OK;
	kl_warn(v->kl, "domain %s stays suspended: `%s resume %s' lets it go on", v->name,
		v->kl->program, v->name);
	return kl_fail(v->kl, &e);
}

/* The name itself must survive, before the domain goes. */
static int sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? tools_asprintf("%.*s/", (int)(slash - path), path) :
			       tools_asprintf(".");
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int rc = fd < 0 ? -1 : fsync(fd);

	/* Some file systems have no such thing. */
	if (rc && errno == EINVAL)
		rc = 0;
	if (fd >= 0)
		close(fd);
	free(folder);
	return rc;
}

/* The stream into the file, and the file under its name. */
static int write_image(struct save_verb *v, const char *config, struct tools_error *e)
{
	struct move_channel channel;
	int fd, rc;

	fd = v->plain ? kl_open_part(v->part) : open(v->part, O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		rc = v->plain ? fd : -errno;
		return tools_fail(e, rc, "write", "cannot write %s: %s", v->part,
				  v->plain && rc == -EBUSY ? "another process writes it" :
							     strerror(-rc));
	}
	move_channel_init(&channel, fd, v->kl->cancel_fd);
	v->save = (struct move_save){ .ctl = v->kl->ctl,
				      .fm = v->kl->fm,
				      .domid = v->domid,
				      .format = STREAM_XL,
				      .config = config,
				      .put = move_channel_put,
				      .cookie = &channel,
				      .apart_pfns = MOVE_APART_PFNS,
				      .suspend = suspend,
				      .suspend_cookie = v,
				      .progress = moving_progress,
				      .progress_cookie = &v->progress };
	rc = move_save(&v->save, e);
	kl_progress(v->kl, NULL);
	if (!rc && v->plain && fdatasync(fd))
		rc = tools_fail(e, -errno, "write", "cannot write %s: %s", v->part,
				strerror(errno));
	if (!rc && v->plain && rename(v->part, v->path))
		rc = tools_fail(e, -errno, "write", "cannot name %s: %s", v->path, strerror(errno));
	if (rc && v->plain)
		unlink(v->part);
	/* The domain goes on, so nobody is to find another one of it there. */
	if (!rc && v->plain && sync_folder(v->path)) {
		rc = tools_fail(e, -errno, "write", "cannot name %s: %s", v->path, strerror(errno));
		unlink(v->path);
	}
	/* Held until here: the lock on it is what keeps others away. */
	if (close(fd) && !rc && !v->plain)
		rc = tools_fail(e, -errno, "write", "cannot write %s: %s", v->part,
				strerror(errno));
	return rc;
}

static int print_result(struct save_verb *v)
{
	struct json_writer w = { 0 };

	json_open_object(&w, NULL);
	json_string(&w, "name", v->name);
	json_uint(&w, "domid", v->domid);
	json_string(&w, "file", v->path);
	json_uint(&w, "bytes", v->save.bytes);
	json_uint(&w, "pages", v->save.pages);
	json_uint(&w, "ms", tools_now_ms() - v->progress.began_ms);
	json_close_object(&w);
	return kl_print_json(v->kl, &w);
}

static int save(struct save_verb *v, const char *config)
{
	struct tools_error e = { 0 };
	struct stat st;
	int rc, status;

	v->plain = stat(v->path, &st) || S_ISREG(st.st_mode);
	v->part = tools_asprintf("%s%s", v->path, v->plain ? ".part" : "");
	if (!v->part)
		return kl_error(v->kl, "no-memory", "out of memory");
	moving_announce(v->kl, v->path, config);
	kl_catch_interrupts(v->kl);
	v->kl->light->cancel_fd = v->kl->cancel_fd;
	moving_progress_init(&v->progress, v->kl, "saving");
	rc = write_image(v, config, &e);
	free(v->part);
	if (rc) {
		status = kl_fail(v->kl, &e);
		if (!v->save.suspended)
			return status;
		if (!go_on(v, false))
			kl_warn(v->kl, "Failed to save domain, resuming domain");
		return status;
	}
	/* From here on there are two of it: this one must end or go its own way. */
	v->kl->light->cancel_fd = -1;
	if (v->checkpoint || v->pause)
		status = go_on(v, v->pause);
	else
		status = light_destroy(v->kl->light, v->domid, NULL, &e) ? kl_fail(v->kl, &e) :
									   KL_OK;
	if (status)
		kl_warn(v->kl, "%s is complete all the same", v->path);
	return !status && v->kl->json ? print_result(v) : status;
}

int cmd_save(struct kl *kl, int argc, char **argv)
{
	struct save_verb v = { .kl = kl };
	struct tools_error e = { 0 };
	struct light_config config;
	struct move_lock lock;
	char *text = NULL;
	int opt, status;

	while ((opt = kl_getopt(kl, argc, argv, "cpD", long_options, 2)) >= 0) {
		switch (opt) {
		case 'c':
			v.checkpoint = true;
			break;
		case 'p':
			v.pause = true;
			break;
		case 'D':
			v.keep_domid = true;
			break;
		case OPT_TIMEOUT:
			if (kl_number(kl, "--timeout", MOVING_MAX_SECONDS, &v.timeout_s))
				return KL_FAILED;
			break;
		}
	}
	if (opt == KL_STOP)
		return kl->status;
	if (argc - optind > 3)
		return kl_error(kl, "usage", "more than a domain, a file and a configuration");
	v.name = argv[optind];
	v.path = argv[optind + 1];
	v.config_file = argc - optind > 2 ? argv[optind + 2] : NULL;
	if (kl_find_domain(kl, v.name, &v.domid) || !kl_light(kl) || !kl_foreignmemory(kl))
		return KL_FAILED;
	if (!v.domid)
		return kl_error(kl, "not-allowed", "domain 0 cannot be saved");
	if (move_lock_take(kl->light, v.domid, &lock, &e))
		return kl_fail(kl, &e);
	light_config_init(&config);
	status = moving_config(kl, v.domid, v.config_file, v.keep_domid, &config, &text);
	if (!status)
		status = save(&v, text);
	move_lock_drop(&lock);
	free(text);
	light_config_free(&config);
	return status;
}

int cmd_resume(struct kl *kl, int argc, char **argv)
{
	struct tools_error e = { 0 };
	domid_t domid;
	int opt;

	while ((opt = kl_getopt(kl, argc, argv, "", NULL, 1)) >= 0)
		;
	if (opt == KL_STOP)
		return kl->status;
	if (kl_find_domain(kl, argv[optind], &domid) || !kl_light(kl))
		return KL_FAILED;
	/* A sender that was killed may have let go of its disks. */
	if (light_hold_disks(kl->light, (uint32_t)domid, false, &e))
		return kl_fail(kl, &e);
	return move_resume(kl->light, domid, &e) ? kl_fail(kl, &e) : KL_OK;
}

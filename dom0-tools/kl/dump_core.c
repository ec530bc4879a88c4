/* SPDX-License-Identifier: MIT */
/*
 * kl dump-core DOMAIN FILE: the domain's memory and registers. The file appears under its name once
 * it is complete.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <tools/dump.h>
#include "kl.h"

static int on_progress(void *cookie, uint64_t done, uint64_t all)
{
	struct kl *kl = cookie;

	kl_progress(kl, "%" PRIu64 " of %" PRIu64 " MiB", done >> 8, all >> 8);
	return kl_interrupted() ? -EINTR : 0;
}

/* Into @path + ".part", renamed at the end; what is not a plain file is written as it is. */
static int dump_to(struct kl *kl, domid_t domid, const char *path)
{
	struct tools_error e = { 0 };
	struct stat st;
	bool plain = stat(path, &st) || S_ISREG(st.st_mode);
	char *part = tools_asprintf("%s%s", path, plain ? ".part" : "");
	int fd, err;

	if (!part)
		return kl_check(kl, -ENOMEM, "cannot write %s", path);
	fd = plain ? kl_open_part(part) : open(part, O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		err = plain ? fd : -errno;
		if (plain && err == -EBUSY)
			kl_error(kl, "busy", "cannot write %s: another process writes it", part);
		else
			kl_check(kl, err, "cannot write %s", part);
		free(part);
		return KL_FAILED;
	}
	err = dump_core(kl->ctl, kl->fm, domid, fd, on_progress, kl, &e);
	kl_progress(kl, NULL);
	if (!err && plain && fdatasync(fd))
		err = tools_fail(&e, -errno, "write", "cannot write %s: %s", part, strerror(errno));
	if (!err && plain && rename(part, path))
		err = tools_fail(&e, -errno, "write", "cannot name %s: %s", path, strerror(errno));
	if (err && plain)
		unlink(part);
	/* Held until here: the lock on it is what keeps others away. */
	if (close(fd) && !err && !plain)
		err = tools_fail(&e, -errno, "write", "cannot write %s: %s", part, strerror(errno));
	free(part);
	if (!err)
		return KL_OK;
	return kl_fail(kl, &e);
}

int cmd_dump_core(struct kl *kl, int argc, char **argv)
{
	domid_t domid;

	if (!kl_arguments(kl, argc, argv, 2))
		return kl->status;
	if (kl_find_domain(kl, argv[optind], &domid) || !kl_ctl(kl) || !kl_foreignmemory(kl))
		return KL_FAILED;
	kl_catch_interrupts(kl);
	return dump_to(kl, domid, argv[optind + 1]);
}

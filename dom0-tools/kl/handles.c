/* SPDX-License-Identifier: MIT */
/*
 * The handles of a run of kl: opened when a verb first asks, closed by main. What cannot be opened
 * is explained here once, since the cause (no hypervisor, no right, no daemon) is the same for all
 * verbs.
 */
#include <errno.h>
#include <string.h>
#include <tools/light.h>
#include "kl.h"

struct ctl *kl_ctl(struct kl *kl)
{
	struct tools_error e = { 0 };
	int err;

	if (kl->ctl)
		return kl->ctl;
	err = ctl_open(&kl->ctl);
	if (!err)
		return kl->ctl;
	kl->ctl = NULL;
	tools_fail(&e, err, kl_errno_code(err), "cannot reach the hypervisor: %s",
		   err == -EPROTO ? "it speaks another version of the control interface" :
		   strerror(-err));
	if (err == -EACCES || err == -EPERM)
		tools_hint(&e, err, "run as root");
	else if (err == -ENOENT || err == -ENXIO || err == -ENODEV)
		tools_hint(&e, err, "this Linux runs without Xen or Krypton, or not as its dom0");
	kl_fail(kl, &e);
	return NULL;
}

struct store *kl_store(struct kl *kl)
{
	struct tools_error e = { 0 };
	int err;

	if (kl->store)
		return kl->store;
	err = store_open(&kl->store);
	if (!err) {
		store_set_deadline(kl->store, KL_STORE_DEADLINE_MS);
		return kl->store;
	}
	kl->store = NULL;
	tools_fail(&e, err, kl_errno_code(err), "cannot reach xenstored: %s", strerror(-err));
	if (err == -EACCES || err == -EPERM)
		tools_hint(&e, err, "run as root");
	else
		tools_hint(&e, err, "is xenstored running? systemctl status xenstored");
	kl_fail(kl, &e);
	return NULL;
}

struct foreignmemory *kl_foreignmemory(struct kl *kl)
{
	int err;

	if (kl->fm)
		return kl->fm;
	err = foreignmemory_open(&kl->fm);
	if (!err)
		return kl->fm;
	kl->fm = NULL;
	kl_check(kl, err, "cannot map memory of domains");
	return NULL;
}

/* Remarks of the library: with -v, or what it deems a warning. */
static void show_warning(void *cookie, const char *line)
{
	struct kl *kl = cookie;

	kl_warn(kl, "%s", line);
}

struct light *kl_light(struct kl *kl)
{
	struct tools_error e = { 0 };
	int err;

	if (kl->light)
		return kl->light;
	if (!kl_ctl(kl) || !kl_store(kl))
		return NULL;
	err = light_open_with(&kl->light, kl->ctl, kl->store, kl->fm);
	if (err) {
		kl->light = NULL;
		kl_check(kl, err, "cannot start");
		return NULL;
	}
	kl->light->warn = show_warning;
	kl->light->warn_cookie = kl;
	kl->light->cancel_fd = kl->cancel_fd;
	if (light_defaults_load(&kl->light->defaults, NULL, &e)) {
		kl_fail(kl, &e);
		light_close(kl->light);
		kl->light = NULL;
	}
	return kl->light;
}

void kl_close(struct kl *kl)
{
	if (kl->light)
		light_close(kl->light);
	kl->light = NULL;
	if (kl->fm)
		foreignmemory_close(kl->fm);
	if (kl->store)
		store_close(kl->store);
	if (kl->ctl)
		ctl_close(kl->ctl);
	kl->fm = NULL;
	kl->store = NULL;
	kl->ctl = NULL;
}

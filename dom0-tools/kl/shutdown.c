/* SPDX-License-Identifier: MIT */
/*
 * kl shutdown, kl reboot: guests are asked to end, all at once with -a; -w waits for them, and a
 * guest that does not answer delays nobody else.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tools/light.h>
#include "kl.h"

#define MAX_GUESTS 4096
#define WAIT_SECONDS 3600	/* unless --timeout says otherwise */
#define OPT_TIMEOUT 1000

struct request {
	const char *what; /* of control/shutdown */
	const char *doing;
	bool all, fallback;
	unsigned int wait;
	uint64_t seconds; /* to wait for all of them; 0: for ever */
	uint32_t *domids;
	unsigned int count;
};

static const struct option long_options[] = {
	{ "all", 0, NULL, 'a' },
	{ "wait", 0, NULL, 'w' },
	{ "timeout", 1, NULL, OPT_TIMEOUT },
	{ NULL, 0, NULL, 0 },
};

static int list_guests(struct kl *kl, struct request *r)
{
	struct xen_domctl_getdomaininfo *list = calloc(MAX_GUESTS, sizeof(*list));
	int count = list ? ctl_getdomaininfolist(kl->ctl, 1, MAX_GUESTS, list) : -ENOMEM, i;

	r->domids = calloc(MAX_GUESTS, sizeof(*r->domids));
	for (i = 0; i < count && r->domids; i++)
		if (!(list[i].flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown)))
			r->domids[r->count++] = list[i].domain;
	free(list);
	return kl_check(kl, r->domids ? count : -ENOMEM, "cannot list the domains");
}

static int ask(struct kl *kl, struct request *r)
{
	struct tools_error e;
	unsigned int i;
	int status = KL_OK;

	for (i = 0; i < r->count; i++) {
		memset(&e, 0, sizeof(e));
		kl_warn(kl, "%s domain %u", r->doing, r->domids[i]);
		if (light_shutdown_request(kl->light, r->domids[i], r->what, &e))
			status = kl_fail(kl, &e);
	}
	return status;
}

/* Milliseconds until @end, at least one; 0 if there is none. */
static uint64_t left(uint64_t end)
{
	uint64_t now = tools_now_ms();

	return !end ? 0 : now < end ? end - now : 1;
}

static int given_up(struct kl *kl, const struct request *r, int why)
{
	struct tools_error e = { 0 };

	tools_fail(&e, why, why == -ETIMEDOUT ? "timed-out" : "interrupted",
		   "given up waiting%s: %u domain%s still there, domain %u for one",
		   why == -ETIMEDOUT ? " after the time allowed" : "", r->count,
		   r->count == 1 ? " is" : "s are", r->domids[0]);
	tools_hint(&e, why, "they were asked and may still end; destroy ends one at once");
	return kl_fail(kl, &e);
}

/* Names each as it ends. With @until_gone a domain that is only shut down is waited for further. */
static int wait_all(struct kl *kl, struct request *r, bool until_gone)
{
	uint64_t end = r->seconds ? tools_now_ms() + r->seconds * 1000 : 0;
	struct xen_domctl_getdomaininfo info;
	int index, gone;

	kl_catch_interrupts(kl);
	kl->light->cancel_fd = kl->cancel_fd;
	if (r->count)
		kl_warn(kl, "Waiting for %u domains", r->count);
	while (r->count) {
		index = light_wait_shutdown(kl->light, r->domids, r->count, true, left(end));
		if (index == -ECANCELED || index == -ETIMEDOUT)
			return given_up(kl, r, index);
		if (index < 0)
			return kl_check(kl, index, "cannot wait for the domains");
		gone = ctl_getdomaininfo(kl->ctl, (domid_t)r->domids[index], &info);
		if (!gone && until_gone && !(info.flags & XEN_DOMINF_dying)) {
			/* Its end is the monitor's; look again at whatever happens next. */
			gone = light_wait_gone(kl->light, r->domids[index], left(end));
			if (gone == -ECANCELED || gone == -ETIMEDOUT)
				return given_up(kl, r, gone);
			gone = -ESRCH;
		}
		if (gone)
			kl_warn(kl, "Domain %u has been destroyed", r->domids[index]);
		else
			kl_warn(kl, "Domain %u has been shut down, reason code %u",
				r->domids[index],
				(info.flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask);
		r->domids[index] = r->domids[--r->count];
	}
	return KL_OK;
}

static int shutdown_verb(struct kl *kl, int argc, char **argv, struct request *r)
{
	domid_t domid;
	int opt, status;

	while ((opt = kl_getopt(kl, argc, argv, "awF", long_options, 0)) >= 0) {
		if (opt == 'a')
			r->all = true;
		else if (opt == 'w')
			r->wait++;
		else if (opt == 'F')
			r->fallback = true;
		else if (opt == OPT_TIMEOUT && kl_number(kl, "--timeout", UINT32_MAX, &r->seconds))
			return KL_FAILED;
	}
	if (opt == KL_STOP)
		return kl->status;
	if (optind >= argc && !r->all)
		return kl_error(kl, "usage", "You must specify -a or a domain id.");
	if (!kl_light(kl))
		return KL_FAILED;
	if (r->all) {
		status = list_guests(kl, r);
	} else {
		status = kl_find_domain(kl, argv[optind], &domid) ? KL_FAILED : KL_OK;
		r->domids = calloc(1, sizeof(*r->domids));
		if (!status && r->domids)
			r->domids[r->count++] = domid;
	}
	status = status ? status : ask(kl, r);
	if (!status && r->wait)
		status = wait_all(kl, r, r->wait > 1);
	free(r->domids);
	return status;
}

int cmd_shutdown(struct kl *kl, int argc, char **argv)
{
	struct request r = { .what = "poweroff", .doing = "Shutting down",
			     .seconds = WAIT_SECONDS };

	return shutdown_verb(kl, argc, argv, &r);
}

int cmd_reboot(struct kl *kl, int argc, char **argv)
{
	struct request r = { .what = "reboot", .doing = "Rebooting",
			     .seconds = WAIT_SECONDS };

	return shutdown_verb(kl, argc, argv, &r);
}

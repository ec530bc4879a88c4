/* SPDX-License-Identifier: MIT */
#include "devices.h"

static void remark(void *cookie, const char *line)
{
	kl_warn(cookie, "%s", line);
}

int change_device(struct kl *kl, int argc, char **argv, const char *shorts,
		  const struct option *longs, int required,
		  int (*act)(struct device_call *call, struct tools_error *error))
{
	struct device_call call = { .kl = kl };
	struct tools_error e = { 0 };
	int opt, err;

	while ((opt = kl_getopt(kl, argc, argv, shorts, longs, required)) >= 0)
		if (opt == 'f')
			kl->force = true;
	if (opt == KL_STOP)
		return kl->status;
	if (kl_find_domain(kl, argv[optind], &call.domid) || !kl_light(kl))
		return KL_FAILED;
	kl_catch_interrupts(kl);
	call.how = (struct light_parse){ .source = "command line",
					 .warn = remark,
					 .cookie = kl,
					 .defaults = &kl->light->defaults };
	call.words = (const char *const *)argv + optind + 1;
	call.count = (unsigned int)(argc - optind - 1);
	err = act(&call, &e);
	kl_progress(kl, NULL);
	return err ? kl_fail(kl, &e) : KL_OK;
}

static int list_domain(struct kl *kl, const char *name, const struct device_listing *listing,
		       struct json_writer *w)
{
	struct light_device *list;
	domid_t domid;
	int count, i;

	if (kl_find_domain(kl, name, &domid))
		return KL_FAILED;
	count = light_devices(kl->light, domid, listing->kind, &list);
	if (count < 0)
		return kl_check(kl, count, "cannot list the %s of %s", listing->what, name);
	for (i = 0; i < count; i++) {
		if (!kl->json) {
			listing->line(&list[i]);
			continue;
		}
		json_open_object(w, NULL);
		listing->members(&list[i], w);
		json_close_object(w);
	}
	light_devices_free(list, (unsigned int)count);
	return KL_OK;
}

int list_devices(struct kl *kl, int argc, char **argv, const struct device_listing *listing)
{
	struct json_writer w = { 0 };
	int status = KL_OK;

	if (!kl_arguments(kl, argc, argv, 1))
		return kl->status;
	if (!kl_light(kl))
		return KL_FAILED;
	if (kl->json)
		json_open_array(&w, NULL);
	else
		printf("%s\n", listing->heading);
	for (; optind < argc; optind++)
		if (list_domain(kl, argv[optind], listing, &w))
			status = KL_FAILED;
	if (!kl->json)
		return status;
	json_close_array(&w);
	return kl_print_json(kl, &w) ? KL_FAILED : status;
}

/* SPDX-License-Identifier: MIT */
/*
 * kl domid, domname, rename: between names and numbers.
 */
#include <errno.h>
#include <stdlib.h>
#include <tools/json.h>
#include <tools/light.h>
#include "kl.h"

static int print_pair(struct kl *kl, domid_t domid, const char *name, bool want_id)
{
	struct json_writer w = { 0 };

	if (!kl->json) {
		if (want_id)
			printf("%u\n", domid);
		else
			printf("%s\n", name);
		return KL_OK;
	}
	json_open_object(&w, NULL);
	json_int(&w, "domid", domid);
	json_string(&w, "name", name);
	json_close_object(&w);
	return kl_print_json(kl, &w);
}

int cmd_domid(struct kl *kl, int argc, char **argv)
{
	domid_t domid;
	int err;

	if (!kl_arguments(kl, argc, argv, 1))
		return kl->status;
	err = kl_name_to_domid(kl, argv[optind], &domid);
	if (err == -ENOENT)
		return kl_error(kl, "no-such-domain", "Can't get domid of domain name '%s', maybe "
				"this domain does not exist.", argv[optind]);
	if (err)
		return KL_FAILED;
	return print_pair(kl, domid, argv[optind], true);
}

int cmd_domname(struct kl *kl, int argc, char **argv)
{
	unsigned long domid;
	char *rest, *name;
	int status;

	if (!kl_arguments(kl, argc, argv, 1))
		return kl->status;
	domid = strtoul(argv[optind], &rest, 10);
	if (rest == argv[optind] || *rest)
		return kl_error(kl, "bad-argument", "Invalid domain id.");
	name = domid < DOMID_FIRST_RESERVED ? kl_domain_name(kl, domid) : NULL;
	if (!name)
		return kl_error(kl, "no-such-domain", "Can't get domain name of domain id '%lu', "
				"maybe this domain does not exist.", domid);
	status = print_pair(kl, domid, name, false);
	free(name);
	return status;
}

int cmd_rename(struct kl *kl, int argc, char **argv)
{
	struct tools_error e = { 0 };
	domid_t domid;

	if (!kl_arguments(kl, argc, argv, 2))
		return kl->status;
	if (kl_find_domain(kl, argv[optind], &domid) || !kl_light(kl))
		return KL_FAILED;
	if (light_rename(kl->light, domid, NULL, argv[optind + 1], &e)) {
		kl_warn(kl, "Can't rename domain '%s'.", argv[optind]);
		return kl_fail(kl, &e);
	}
	return KL_OK;
}

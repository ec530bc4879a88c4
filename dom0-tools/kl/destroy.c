/* SPDX-License-Identifier: MIT */
/*
 * kl destroy: a domain ends now, whatever it does; what keeps it from going for good is named.
 */
#include <stdlib.h>
#include <tools/json.h>
#include <tools/light.h>
#include "kl.h"

static void tell_zombie(struct kl *kl, const char *name, const struct light_destroy *report)
{
	char text[96];
	unsigned int i;

	kl_warn(kl, "domain %s is dead but %llu of its pages are still held%s%s", name,
		(unsigned long long)report->pages_held, report->holder[0] ? ": " : "",
		report->holder);
	for (i = 0; i < report->n_holders; i++) {
		light_holder_text(&report->holders[i], text, sizeof(text));
		kl_warn(kl, "  held: %s", text);
	}
	if (!report->holders_complete)
		kl_warn(kl, "  this hypervisor does not tell%s what holds them",
			report->n_holders ? " all of" : "");
	kl_warn(kl, "  hint: it goes when they are let go; list shows its name until then");
}

static int print_json(struct kl *kl, domid_t domid, const struct light_destroy *report)
{
	struct json_writer w = { 0 };
	unsigned int i;

	json_open_object(&w, NULL);
	json_int(&w, "domid", domid);
	json_bool(&w, "zombie", report->zombie);
	json_uint(&w, "pages_held", report->pages_held);
	json_string(&w, "device", report->holder[0] ? report->holder : NULL);
	json_open_array(&w, "holders");
	for (i = 0; i < report->n_holders; i++) {
		const struct light_holder *h = &report->holders[i];

		json_open_object(&w, NULL);
		json_uint(&w, "domid", h->domid);
		json_uint(&w, h->mapping ? "mappings" : "grants", h->count);
		if (!h->mapping)
			json_uint(&w, "first_reference", h->first);
		json_close_object(&w);
	}
	json_close_array(&w);
	json_bool(&w, "holders_complete", !report->zombie || report->holders_complete);
	json_close_object(&w);
	return kl_print_json(kl, &w);
}

int cmd_destroy(struct kl *kl, int argc, char **argv)
{
	struct light_destroy report = { 0 };
	struct tools_error e = { 0 };
	bool force = false;
	domid_t domid;
	int opt;

	while ((opt = kl_getopt(kl, argc, argv, "f", NULL, 1)) >= 0)
		if (opt == 'f')
			force = true;
	if (opt == KL_STOP)
		return kl->status;
	if (kl_find_domain(kl, argv[optind], &domid) || !kl_light(kl))
		return KL_FAILED;
	if (!domid)
		return kl_error(kl, "not-allowed", "Not destroying domain 0%s",
				force ? ": it is this domain" : "");
	kl_progress(kl, "destroying %s", argv[optind]);
	if (light_destroy(kl->light, domid, &report, &e)) {
		kl_progress(kl, NULL);
		return kl_fail(kl, &e);
	}
	kl_progress(kl, NULL);
	if (kl->json)
		return print_json(kl, domid, &report);
	if (report.zombie)
		tell_zombie(kl, argv[optind], &report);
	return KL_OK;
}

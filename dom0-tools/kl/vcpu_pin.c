/* SPDX-License-Identifier: MIT */
/*
 * kl vcpu-pin DOMAIN VCPU|all HARD|- [SOFT|-]: which CPUs a vcpu may use (hard) and should use
 * (soft).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tools/light.h>
#include <tools/json.h>
#include "cpus.h"
#include "snapshot.h"

struct pin {
	domid_t domid;
	long vcpu;			/* -1: all */
	bool force, ignore_masks;
	bool has_hard, has_soft;
	uint8_t hard[KL_CPU_BYTES], soft[KL_CPU_BYTES];
	struct kl_host host;
};

static int parse_vcpu(struct kl *kl, const char *text, struct pin *pin)
{
	char *rest;

	pin->vcpu = strtol(text, &rest, 10);
	if (rest != text && !*rest && pin->vcpu >= 0 && pin->vcpu <= INT32_MAX)
		return KL_OK;
	if (strcmp(text, "all"))
		return kl_error(kl, "bad-argument", "Error: Invalid argument %s as VCPU.", text);
	if (pin->force)
		return kl_error(kl, "bad-argument",
				"Error: --force and 'all' as VCPU not allowed.");
	pin->vcpu = -1;
	return KL_OK;
}

static int dry_run(struct kl *kl, const struct pin *pin)
{
	char text[1024];

	if (kl->json) {
		struct json_writer w = { 0 };

		json_open_object(&w, NULL);
		json_int(&w, "vcpu", pin->vcpu);
		kl_bitmap_text(pin->hard, pin->host.cpus, text, sizeof(text));
		json_string(&w, "hard", pin->has_hard ? text : NULL);
		kl_bitmap_text(pin->soft, pin->host.cpus, text, sizeof(text));
		json_string(&w, "soft", pin->has_soft ? text : NULL);
		json_close_object(&w);
		return kl_print_json(kl, &w);
	}
	printf("cpumap: ");
	kl_bitmap_text(pin->hard, pin->host.cpus, text, sizeof(text));
	printf("%s", pin->has_hard ? text : "-");
	if (pin->has_soft) {
		kl_bitmap_text(pin->soft, pin->host.cpus, text, sizeof(text));
		printf(" %s", text);
	}
	printf("\n");
	return KL_OK;
}

static bool and_mask(uint8_t *map, const struct light_bitmap *mask)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < KL_CPU_BYTES; i++) {
		if (mask->bytes)
			map[i] &= i < mask->bytes ? mask->bits[i] : 0;
		any |= map[i] != 0;
	}
	return any;
}

/* xl.conf's vm.cpumask and vm.pv.cpumask bound what a pinning may say. */
static int apply_masks(struct kl *kl, struct pin *pin)
{
	if (pin->ignore_masks || !pin->has_hard)
		return KL_OK;
	if (!kl_light(kl))
		return KL_FAILED;
	if (!and_mask(pin->hard, &kl->light->defaults.vm_cpumask) ||
	    !and_mask(pin->hard, &kl->light->defaults.pv_cpumask))
		return kl_error(kl, "bad-argument", "vcpu hard affinity map is empty");
	return KL_OK;
}

/*
 * One operation of our own, as the library's knows no flags. The hypervisor writes back what it
 * uses.
 */
static int set_one(struct kl *kl, const struct pin *pin, unsigned int vcpu)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_setvcpuaffinity, .domain = pin->domid };
	struct xen_domctl_vcpuaffinity *a = &op.u.vcpuaffinity;
	uint8_t *maps = call_alloc(ctl_call(kl->ctl), 2 * KL_CPU_BYTES);
	int err = -ENOMEM;

	if (maps) {
		memcpy(maps, pin->hard, KL_CPU_BYTES);
		memcpy(maps + KL_CPU_BYTES, pin->soft, KL_CPU_BYTES);
		a->vcpu = vcpu;
		a->flags = (pin->has_hard ? XEN_VCPUAFFINITY_HARD : 0) |
			   (pin->has_soft ? XEN_VCPUAFFINITY_SOFT : 0) |
			   (pin->force ? XEN_VCPUAFFINITY_FORCE : 0);
		set_xen_guest_handle(a->cpumap_hard.bitmap, maps);
		set_xen_guest_handle(a->cpumap_soft.bitmap, maps + KL_CPU_BYTES);
		a->cpumap_hard.nr_bits = a->cpumap_soft.nr_bits = 8 * KL_CPU_BYTES;
		err = ctl_domctl(kl->ctl, &op);
		call_free(ctl_call(kl->ctl), maps, 2 * KL_CPU_BYTES);
	}
	return kl_check(kl, err, "Could not set affinity for vcpu `%u'", vcpu);
}

static int set_all(struct kl *kl, const struct pin *pin)
{
	struct xen_domctl_getdomaininfo info;
	int err = ctl_getdomaininfo(kl->ctl, pin->domid, &info);
	unsigned int vcpu;
	int status = KL_OK;

	if (err)
		return kl_check(kl, err, "cannot look at domain %u", pin->domid);
	for (vcpu = 0; vcpu < info.max_vcpu_id + 1; vcpu++)	/* wraps to none */
		if (set_one(kl, pin, vcpu))
			status = KL_FAILED;
	return status;
}

static int read_maps(struct kl *kl, int argc, char **argv, struct pin *pin)
{
	const char *hard = argv[optind + 2];
	const char *soft = argc > optind + 3 ? argv[optind + 3] : "-";

	pin->has_hard = strcmp(hard, "-") != 0;
	pin->has_soft = strcmp(soft, "-") != 0;
	if (kl_host_read(kl, &pin->host))
		return KL_FAILED;
	if (pin->has_hard && kl_cpus_parse(kl, &pin->host, hard, pin->hard))
		return KL_FAILED;
	return pin->has_soft ? kl_cpus_parse(kl, &pin->host, soft, pin->soft) : KL_OK;
}

int cmd_vcpu_pin(struct kl *kl, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "force", 0, NULL, 'f' }, { "ignore-global-affinity-masks", 0, NULL, 'i' }, { 0 }
	};
	struct pin pin = { 0 };
	int opt;

	while ((opt = kl_getopt(kl, argc, argv, "fi", longs, 3)) >= 0) {
		pin.force |= opt == 'f';
		pin.ignore_masks |= opt == 'i';
	}
	if (opt == KL_STOP)
		return kl->status;
	if (kl_find_domain(kl, argv[optind], &pin.domid) ||
	    parse_vcpu(kl, argv[optind + 1], &pin) || read_maps(kl, argc, argv, &pin))
		return KL_FAILED;
	if (kl->dry_run)
		return dry_run(kl, &pin);
	if (apply_masks(kl, &pin))
		return KL_FAILED;
	if (!pin.has_hard && !pin.has_soft && !pin.force)
		return kl_error(kl, "bad-argument", "neither a hard nor a soft affinity is given");
	return pin.vcpu < 0 ? set_all(kl, &pin) : set_one(kl, &pin, pin.vcpu);
}

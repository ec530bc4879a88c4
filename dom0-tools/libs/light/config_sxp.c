/* SPDX-License-Identifier: MIT */
/*
 * The S-expression that output_format="sxp" asks for: an old form that some programs still parse,
 * printed with the fields and in the order of 4.17's tool; nothing is ever added to it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "private.h"

static const char *tri(int value)
{
	return value > 0 ? "True" : value < 0 ? "False" : "<default>";
}

static const char *or_null(const char *text)
{
	return text ? text : "(null)";
}

static void add_build(struct strbuf *s, const struct light_config *c)
{
	static const char *const tsc[] = { "default", "always_emulate", "native",
					   "native_paravirt" };
	unsigned int i;

	strbuf_printf(s, "\t(build_info)\n\t(max_vcpus %d)\n", c->max_vcpus);
	strbuf_printf(s, "\t(max_grant_frames %d)\n\t(max_maptrack_frames %d)\n",
		      (int)c->max_grant_frames, (int)c->max_maptrack_frames);
	strbuf_printf(s, "\t(tsc_mode %s)\n", tsc[c->tsc_mode & 3]);
	strbuf_printf(s, "\t(max_memkb %" PRId64 ")\n\t(target_memkb %" PRId64 ")\n",
		      (int64_t)c->max_memkb, (int64_t)c->target_memkb);
	strbuf_printf(s, "\t(nomigrate %s)\n", tri(c->disable_migrate));
	if (c->bootloader) {
		strbuf_printf(s, "\t(bootloader %s)\n", c->bootloader);
		for (i = 0; i < c->bootloader_args.count; i++)
			strbuf_printf(s, "%s %s", i ? "" : "\t(bootloader_args",
				      c->bootloader_args.list[i]);
		if (i)
			strbuf_printf(s, ")\n");
	}
	strbuf_printf(s, "\t(image\n\t\t(linux 0)\n\t\t\t(kernel %s)\n\t\t\t(cmdline %s)\n",
		      or_null(c->kernel), or_null(c->cmdline));
	strbuf_printf(s, "\t\t\t(ramdisk %s)\n\t\t\t(e820_host %s)\n\t\t)\n\t)\n",
		      or_null(c->ramdisk), tri(c->e820_host));
}

static void add_devices(struct strbuf *s, const struct light_config *c, int domid)
{
	const struct light_disk *disk;
	const struct light_nic *nic;
	unsigned int i;

	for (i = 0; i < c->n_disks; i++) {
		disk = &c->disks[i];
		strbuf_printf(
			s,
			"\t(device\n\t\t(tap\n\t\t\t(backend_domid %u)\n\t\t\t(frontend_domid %d)\n",
			disk->backend_domid, domid);
		strbuf_printf(s, "\t\t\t(physpath %s)\n\t\t\t(phystype %d)\n\t\t\t(virtpath %s)\n",
			      or_null(disk->pdev_path), disk->backend, or_null(disk->vdev));
		strbuf_printf(
			s,
			"\t\t\t(unpluggable %d)\n\t\t\t(readwrite %d)\n\t\t\t(is_cdrom %d)\n\t\t)\n\t)\n",
			disk->removable, disk->readwrite, disk->is_cdrom);
	}
	for (i = 0; i < c->n_nics; i++) {
		nic = &c->nics[i];
		strbuf_printf(s, "\t(device\n\t\t(vif\n");
		if (nic->ifname)
			strbuf_printf(s, "\t\t\t(vifname %s)\n", nic->ifname);
		strbuf_printf(
			s,
			"\t\t\t(backend_domid %u)\n\t\t\t(frontend_domid %d)\n\t\t\t(devid %d)\n",
			nic->backend_domid, domid, nic->devid);
		strbuf_printf(
			s,
			"\t\t\t(mtu %d)\n\t\t\t(model %s)\n\t\t\t(mac %02x%02x%02x%02x%02x%02x)\n"
			"\t\t)\n\t)\n",
			nic->mtu, or_null(nic->model), nic->mac[0], nic->mac[1], nic->mac[2],
			nic->mac[3], nic->mac[4], nic->mac[5]);
	}
}

char *light_config_to_sxp(const struct light_config *config, int domid)
{
	struct strbuf s = { 0 };
	char uuid[37];

	light_uuid_format(config->uuid, uuid);
	strbuf_printf(&s, "(domain\n\t(domid %d)\n\t(create_info)\n\t(hvm %d)\n", domid,
		      config->type == LIGHT_TYPE_HVM);
	strbuf_printf(&s, "\t(hap <default>)\n\t(oos <default>)\n\t(ssidref %u)\n\t(name %s)\n",
		      config->ssidref, or_null(config->name));
	strbuf_printf(&s, "\t(uuid %s)\n", domid >= 0 ? uuid : "<unknown>");
	if (config->pool_name)
		strbuf_printf(&s, "\t(cpupool %s)\n", config->pool_name);
	strbuf_printf(&s, "\t(xsdata (null))\n\t(platformdata (null))\n");
	add_build(&s, config);
	add_devices(&s, config, domid);
	strbuf_printf(&s, ")\n");
	return strbuf_take(&s);
}

/* SPDX-License-Identifier: MIT */
/*
 * Control operations: the handle, its argument area, and raw domctl, sysctl and xen_version.
 * domain.c, vcpu.c, host.c, memory.c and policy.c hold the operations by what they are about.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "private.h"

_Static_assert(sizeof(struct xen_domctl) <= OP_ROOM, "room for an operation");
_Static_assert(sizeof(struct xen_sysctl) <= OP_ROOM, "room for an operation");

/* Two pages: the largest usual payload, a vcpu's context, fits. */
#define AREA_BYTES 8192UL

int ctl_open(struct ctl **out)
{
	struct ctl *ctl = calloc(1, sizeof(*ctl));
	uint32_t scheduler;
	int rc;

	if (!ctl)
		return -ENOMEM;
	rc = call_open(&ctl->call);
	if (rc)
		goto free_ctl;
	ctl->area = call_alloc(ctl->call, AREA_BYTES);
	if (!ctl->area) {
		rc = -ENOMEM;
		goto close_call;
	}
	ctl->area_bytes = AREA_BYTES;
	/* Any sysctl tells whether the interface version is right; this is the smallest. */
	rc = ctl_sched_id(ctl, &scheduler);
	if (rc == -EACCES)
		rc = -EPROTO;
	if (rc)
		goto free_area;
	*out = ctl;
	return 0;

free_area:
	call_free(ctl->call, ctl->area, ctl->area_bytes);
close_call:
	call_close(ctl->call);
free_ctl:
	free(ctl);
	return rc;
}

void ctl_close(struct ctl *ctl)
{
	if (!ctl)
		return;
	call_free(ctl->call, ctl->area, ctl->area_bytes);
	call_close(ctl->call);
	free(ctl);
}

struct call *ctl_call(struct ctl *ctl)
{
	return ctl->call;
}

void *ctl_payload(struct ctl *ctl, size_t bytes)
{
	size_t want = ctl->area_bytes;
	char *area;

	if (bytes > SIZE_MAX / 4)
		return NULL;
	while (want - OP_ROOM < bytes)
		want *= 2;
	if (want == ctl->area_bytes)
		return ctl->area + OP_ROOM;
	area = call_alloc(ctl->call, want);
	if (!area)
		return NULL;
	call_free(ctl->call, ctl->area, ctl->area_bytes);
	ctl->area = area;
	ctl->area_bytes = want;
	return area + OP_ROOM;
}

int ctl_domctl(struct ctl *ctl, struct xen_domctl *op)
{
	int rc;

	op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	memcpy(ctl->area, op, sizeof(*op));
	rc = call_hypercall(ctl->call, __HYPERVISOR_domctl, (unsigned long)ctl->area, 0, 0, 0, 0);
	memcpy(op, ctl->area, sizeof(*op));
	return rc;
}

int ctl_sysctl(struct ctl *ctl, struct xen_sysctl *op)
{
	int rc;

	op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
	memcpy(ctl->area, op, sizeof(*op));
	rc = call_hypercall(ctl->call, __HYPERVISOR_sysctl, (unsigned long)ctl->area, 0, 0, 0, 0);
	memcpy(op, ctl->area, sizeof(*op));
	return rc;
}

int ctl_small_op(struct ctl *ctl, unsigned int hypercall, unsigned int cmd, void *op, size_t bytes)
{
	int rc;

	memcpy(ctl->area, op, bytes);
	rc = call_hypercall(ctl->call, hypercall, cmd, (unsigned long)ctl->area, 0, 0, 0);
	memcpy(op, ctl->area, bytes);
	return rc;
}

int ctl_version(struct ctl *ctl, unsigned int what, void *buffer, size_t bytes)
{
	void *payload = ctl_payload(ctl, bytes);
	int rc;

	if (!payload)
		return -ENOMEM;
	if (bytes)
		memcpy(payload, buffer, bytes);
	rc = call_hypercall(ctl->call, __HYPERVISOR_xen_version, what,
			    bytes ? (unsigned long)payload : 0, 0, 0, 0);
	if (rc >= 0 && bytes)
		memcpy(buffer, payload, bytes);
	return rc;
}

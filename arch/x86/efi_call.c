/* SPDX-License-Identifier: MIT */
/*
 * XENPF_efi_runtime_call: dom0's access to the firmware's clock and variables
 * (<xen/platform.h>). Names and data are copied both ways: the firmware never
 * sees a guest's address.
 */
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/lib.h>
#include <core/xmalloc.h>
#include <x86/platform.h>
#include <xen/platform.h>
#include "efi_private.h"

#define MAX_NAME	1024U		/* characters */
#define MAX_DATA	(1UL << 20)

_Static_assert(sizeof(struct xenpf_efi_guid) == sizeof(efi_guid_t), "same 16 bytes");

static void time_in(struct efi_time *t, const struct xenpf_efi_time *x)
{
	*t = (struct efi_time){ .year = x->year, .month = x->month, .day = x->day, .hour = x->hour,
		.minute = x->min, .second = x->sec, .nanosecond = x->ns, .timezone = x->tz,
		.daylight = x->daylight };
}

static void time_out(struct xenpf_efi_time *x, const struct efi_time *t)
{
	*x = (struct xenpf_efi_time){ .year = t->year, .month = t->month, .day = t->day,
		.hour = t->hour, .min = t->minute, .sec = t->second, .ns = t->nanosecond,
		.tz = t->timezone, .daylight = t->daylight };
}

static int get_time(struct xenpf_efi_runtime_call *op)
{
	struct efi_time_caps caps = { 0 };
	struct efi_time t = { 0 };
	struct efi_state s;

	if (op->misc)
		return -EINVAL;
	efi_enter(&s);
	op->status = efi_rs->get_time(&t, &caps);
	efi_leave(&s);
	if (!(op->status & EFI_ERROR_BIT)) {
		time_out(&op->u.get_time.time, &t);
		op->u.get_time.resolution = caps.resolution;
		op->u.get_time.accuracy = caps.accuracy;
		if (caps.sets_to_zero)
			op->misc = XEN_EFI_GET_TIME_SET_CLEARS_NS;
	}
	return 0;
}

static int set_time(struct xenpf_efi_runtime_call *op)
{
	struct efi_time t;
	struct efi_state s;

	if (op->misc)
		return -EINVAL;
	time_in(&t, &op->u.set_time);
	efi_enter(&s);
	op->status = efi_rs->set_time(&t);
	efi_leave(&s);
	return 0;
}

static int get_wakeup_time(struct xenpf_efi_runtime_call *op)
{
	uint8_t enabled = 0, pending = 0;
	struct efi_time t = { 0 };
	struct efi_state s;

	if (op->misc)
		return -EINVAL;
	efi_enter(&s);
	op->status = efi_rs->get_wakeup_time(&enabled, &pending, &t);
	efi_leave(&s);
	if (!(op->status & EFI_ERROR_BIT)) {
		time_out(&op->u.get_wakeup_time, &t);
		op->misc = (enabled ? XEN_EFI_GET_WAKEUP_TIME_ENABLED : 0) |
			   (pending ? XEN_EFI_GET_WAKEUP_TIME_PENDING : 0);
	}
	return 0;
}

static int set_wakeup_time(struct xenpf_efi_runtime_call *op)
{
	bool enable = op->misc & XEN_EFI_SET_WAKEUP_TIME_ENABLE;
	bool only = op->misc & XEN_EFI_SET_WAKEUP_TIME_ENABLE_ONLY;
	struct efi_time t;
	struct efi_state s;

	if (op->misc & ~(XEN_EFI_SET_WAKEUP_TIME_ENABLE | XEN_EFI_SET_WAKEUP_TIME_ENABLE_ONLY))
		return -EINVAL;
	time_in(&t, &op->u.set_wakeup_time);
	efi_enter(&s);
	op->status = efi_rs->set_wakeup_time(enable, only ? NULL : &t);
	efi_leave(&s);
	op->misc = 0;
	return 0;
}

static int next_high_count(struct xenpf_efi_runtime_call *op)
{
	uint32_t count = 0;
	struct efi_state s;

	if (op->misc)
		return -EINVAL;
	efi_enter(&s);
	op->status = efi_rs->get_next_high_count(&count);
	efi_leave(&s);
	op->misc = count;
	return 0;
}

/* A terminated copy of the guest's name; ERR_PTR. */
static uint16_t *copy_name(const void *guest)
{
	uint16_t *name = xmalloc_bytes(MAX_NAME * sizeof(*name), sizeof(*name));

	if (!name)
		return ERR_PTR(-ENOMEM);
	for (unsigned int n = 0; n < MAX_NAME; n++) {
		if (raw_copy_from_guest(&name[n], (const uint16_t *)guest + n, sizeof(*name))) {
			xfree(name);
			return ERR_PTR(-EFAULT);
		}
		if (!name[n])
			return name;
	}
	xfree(name);
	return ERR_PTR(-EINVAL);
}

static int get_variable(struct xenpf_efi_runtime_call *op)
{
	uint64_t size = op->u.get_variable.size;
	uint32_t attr = 0;
	uint16_t *name;
	struct efi_state s;
	efi_guid_t guid;
	void *data;
	int rc = 0;

	if (op->misc)
		return -EINVAL;
	if (size > MAX_DATA)
		return -ENOMEM;
	name = copy_name(op->u.get_variable.name.p);
	if (IS_ERR(name))
		return (int)PTR_ERR(name);
	data = xzalloc_bytes(size ? size : 1, 16);
	if (!data) {
		xfree(name);
		return -ENOMEM;
	}
	memcpy(&guid, &op->u.get_variable.vendor_guid, sizeof(guid));
	efi_enter(&s);
	op->status = efi_rs->get_variable(name, &guid, &attr, &size,
					  op->u.get_variable.size ? data : NULL);
	efi_leave(&s);
	op->misc = attr;
	if (!(op->status & EFI_ERROR_BIT) && size <= op->u.get_variable.size &&
	    raw_copy_to_guest(op->u.get_variable.data.p, data, size))
		rc = -EFAULT;
	op->u.get_variable.size = size;
	xfree(data);
	xfree(name);
	return rc;
}

static int set_variable(struct xenpf_efi_runtime_call *op)
{
	uint64_t size = op->u.set_variable.size;
	uint16_t *name;
	struct efi_state s;
	efi_guid_t guid;
	void *data;
	int rc = 0;

	if (size > MAX_DATA)
		return -ENOMEM;
	name = copy_name(op->u.set_variable.name.p);
	if (IS_ERR(name))
		return (int)PTR_ERR(name);
	data = xmalloc_bytes(size ? size : 1, 16);
	if (!data) {
		rc = -ENOMEM;
	} else if (raw_copy_from_guest(data, op->u.set_variable.data.p, size)) {
		rc = -EFAULT;
	} else {
		memcpy(&guid, &op->u.set_variable.vendor_guid, sizeof(guid));
		efi_enter(&s);
		op->status = efi_rs->set_variable(name, &guid, op->misc, size, data);
		efi_leave(&s);
	}
	xfree(data);
	xfree(name);
	return rc;
}

static int next_variable_name(struct xenpf_efi_runtime_call *op)
{
	uint64_t size = op->u.get_next_variable_name.size, room = size;
	struct efi_state s;
	efi_guid_t guid;
	uint16_t *name;
	int rc = 0;

	if (op->misc)
		return -EINVAL;
	if (size > MAX_DATA)
		return -ENOMEM;
	name = xzalloc_bytes(size ? size : 2, 2);
	if (!name)
		return -ENOMEM;
	if (raw_copy_from_guest(name, op->u.get_next_variable_name.name.p, size)) {
		xfree(name);
		return -EFAULT;
	}
	memcpy(&guid, &op->u.get_next_variable_name.vendor_guid, sizeof(guid));
	efi_enter(&s);
	op->status = efi_rs->get_next_variable(&size, name, &guid);
	efi_leave(&s);
	memcpy(&op->u.get_next_variable_name.vendor_guid, &guid, sizeof(guid));
	if (!(op->status & EFI_ERROR_BIT) &&
	    raw_copy_to_guest(op->u.get_next_variable_name.name.p, name, room))
		rc = -EFAULT;
	op->u.get_next_variable_name.size = size;
	xfree(name);
	return rc;
}

static int query_variable_info(struct xenpf_efi_runtime_call *op)
{
	uint64_t max = 0, remain = 0, one = 0;
	struct efi_state s;

	if (op->misc & ~XEN_EFI_VARINFO_BOOT_SNAPSHOT)
		return -EINVAL;
	if (efi_rs_revision >> 16 < 2)
		return -EOPNOTSUPP;
	efi_enter(&s);
	op->status = efi_rs->query_variable_info(op->u.query_variable_info.attr, &max, &remain,
						 &one);
	efi_leave(&s);
	op->u.query_variable_info.max_store_size = max;
	op->u.query_variable_info.remain_store_size = remain;
	op->u.query_variable_info.max_size = one;
	return 0;
}

/* *op is the caller's copy; what changed goes back to the guest with it. 0 or -errno. */
int efi_runtime_call(struct xenpf_efi_runtime_call *op)
{
	static int (*const calls[])(struct xenpf_efi_runtime_call *op) = {
		[XEN_EFI_get_time] = get_time,
		[XEN_EFI_set_time] = set_time,
		[XEN_EFI_get_wakeup_time] = get_wakeup_time,
		[XEN_EFI_set_wakeup_time] = set_wakeup_time,
		[XEN_EFI_get_next_high_monotonic_count] = next_high_count,
		[XEN_EFI_get_variable] = get_variable,
		[XEN_EFI_set_variable] = set_variable,
		[XEN_EFI_get_next_variable_name] = next_variable_name,
		[XEN_EFI_query_variable_info] = query_variable_info,
	};

	if (!efi_booted)
		return -ENOSYS;
	if (!efi_rs)
		return -EOPNOTSUPP;
	if (op->function >= ARRAY_SIZE(calls) || !calls[op->function])
		return -ENOSYS;
	return calls[op->function](op);
}

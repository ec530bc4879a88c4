/* SPDX-License-Identifier: MIT */
/* HYPERVISOR_xen_version: who we are. Source: <xen/version.h>. */
#include <core/domain.h>
#include <core/errno.h>
#include <core/guest_access.h>
#include <core/hypercall.h>
#include <core/lib.h>
#include <core/param.h>
#include <core/version.h>
#include <arch/domain.h>
#include <xen/version.h>

/*
 * Each answer is a function of its own, kept out of line: the version itself is what kernels
 * ask for most, as the cheapest call there is.
 */
static __noinline long put_string(void *guest, const char *s, size_t size)
{
	char buf[64] = { 0 };

	strlcpy(buf, s, min(size, sizeof(buf)));
	return raw_copy_to_guest(guest, buf, min(size, sizeof(buf))) ? -EFAULT : 0;
}

static __noinline long put_compile_info(void *guest)
{
	struct xen_compile_info info = { 0 };

	strlcpy(info.compiler, krypton_compiler, sizeof(info.compiler));
	strlcpy(info.compile_by, krypton_compile_by, sizeof(info.compile_by));
	strlcpy(info.compile_domain, krypton_compile_domain, sizeof(info.compile_domain));
	strlcpy(info.compile_date, krypton_compile_date, sizeof(info.compile_date));
	return raw_copy_to_guest(guest, &info, sizeof(info)) ? -EFAULT : 0;
}

/* The whole array, as the ABI has it; what follows the text is zero. */
static __noinline long put_capabilities(void *guest)
{
	const char *text = arch_capabilities();
	size_t n = strlen(text);

	if (raw_copy_to_guest(guest, text, n) ||
	    raw_clear_guest((char *)guest + n, sizeof(xen_capabilities_info_t) - n))
		return -EFAULT;
	return 0;
}

static __noinline long put_features(void *guest)
{
	struct xen_feature_info info;

	if (raw_copy_from_guest(&info, guest, sizeof(info)))
		return -EFAULT;
	if (!arch_get_features(info.submap_idx, &info.submap))
		return -EINVAL;
	return raw_copy_to_guest(guest, &info, sizeof(info)) ? -EFAULT : 0;
}

static __noinline long put_platform_parameters(void *guest)
{
	struct xen_platform_parameters params = { .virt_start = arch_virt_start() };

	return raw_copy_to_guest(guest, &params, sizeof(params)) ? -EFAULT : 0;
}

static __noinline long put_handle(void *guest)
{
	const struct domain *d = current->domain;

	return raw_copy_to_guest(guest, d->handle, sizeof(d->handle)) ? -EFAULT : 0;
}

DEFINE_HYPERCALL(xen_version)
{
	void *guest = (void *)a2;

	switch ((unsigned int)a1) {
	case XENVER_version:
		return (KRYPTON_ABI_MAJOR << 16) | KRYPTON_ABI_MINOR;
	case XENVER_extraversion:
		return put_string(guest, krypton_extraversion, sizeof(xen_extraversion_t));
	case XENVER_compile_info:
		return put_compile_info(guest);
	case XENVER_capabilities:
		return put_capabilities(guest);
	case XENVER_changeset:
		return put_string(guest, krypton_changeset, sizeof(xen_changeset_info_t));
	case XENVER_platform_parameters:
		return put_platform_parameters(guest);
	case XENVER_get_features:
		return put_features(guest);
	case XENVER_pagesize:
		return guest ? -EINVAL : (long)PAGE_SIZE;
	case XENVER_guest_handle:
		return put_handle(guest);
	case XENVER_commandline:
		/* What the administrator typed is no business of guests. */
		if (op_permitted(PRIV_TOOLS, current->domain))
			return put_string(guest, "<denied>", sizeof("<denied>"));
		return raw_copy_to_guest(guest, saved_cmdline, sizeof(saved_cmdline)) ? -EFAULT : 0;
	case XENVER_build_id:
		return op_permitted(PRIV_TOOLS, current->domain) ? -EPERM : -ENODATA;
	default:
		return -ENOSYS;
	}
}

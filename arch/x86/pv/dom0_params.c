/* SPDX-License-Identifier: MIT */
/*
 * How much of the machine dom0 gets: dom0_mem=, dom0_max_vcpus=, dom0_vcpus_pin.
 *
 *   dom0_mem=[min:<amt>,][max:<amt>,][<amt>]	<amt>: [-]<size>, <n>%, or <size>+<n>%
 *
 * A negative amount is taken off all that is free. Without an amount dom0 gets
 * all but a sixteenth (at most 128 MiB), which stays for DMA buffers, exchange of
 * low memory, and the hypervisor itself.
 */
#include <core/errno.h>
#include <core/lib.h>
#include <core/param.h>
#include "dom0_private.h"

struct amount {
	unsigned long pages;
	unsigned int percent;
	bool minus, set;
};
static struct amount mem_size __initdata, mem_min __initdata, mem_max __initdata;
static unsigned int vcpus_min __initdata = 1, vcpus_max __initdata = ~0u;
static bool opt_dom0_vcpus_pin __initdata;
boolean_param("dom0_vcpus_pin", opt_dom0_vcpus_pin);

static int __init parse_amount(const char *s, const char **end, struct amount *out)
{
	struct amount a = { .set = true };

	if (*s == '-') {
		a.minus = true;
		s++;
	}
	for (unsigned int items = 0; items < 2; items++) {
		unsigned long long v;

		if (*s < '0' || *s > '9')
			return -EINVAL;
		v = parse_size(s, &s);
		if (*s == '%') {
			/* parse_size counts KiB where no unit is given. */
			a.percent = (unsigned int)(v >> 10);
			if (a.percent >= 100)
				return -EINVAL;
			s++;
			break;
		}
		a.pages = (unsigned long)(v >> PAGE_SHIFT);
		if (*s != '+')
			break;
		s++;
	}
	*end = s;
	*out = a;
	return *s && *s != ',' ? -EINVAL : 0;
}

static int __init parse_dom0_mem(const char *s)
{
	int rc;

	do {
		if (!strncmp(s, "min:", 4))
			rc = parse_amount(s + 4, &s, &mem_min);
		else if (!strncmp(s, "max:", 4))
			rc = parse_amount(s + 4, &s, &mem_max);
		else
			rc = parse_amount(s, &s, &mem_size);
	} while (!rc && *s++ == ',');
	return rc;
}
custom_param("dom0_mem", parse_dom0_mem);

/* N, N-, N-M or -M */
static int __init parse_dom0_max_vcpus(const char *s)
{
	char *end;

	if (*s == '-') {
		vcpus_max = (unsigned int)strtoull(s + 1, &end, 0);
	} else {
		vcpus_min = (unsigned int)strtoull(s, &end, 0);
		if (end == s)
			return -EINVAL;
		if (!*end)
			vcpus_max = vcpus_min;
		else if (*end++ == '-' && *end)
			vcpus_max = (unsigned int)strtoull(end, &end, 0);
	}
	vcpus_min = max(vcpus_min, 1u);
	return *end ? -EINVAL : 0;
}
custom_param("dom0_max_vcpus", parse_dom0_max_vcpus);

static unsigned long __init amount_pages(const struct amount *a, unsigned long avail)
{
	unsigned long pages = a->pages + avail / 100 * a->percent;

	if (!a->minus)
		return pages;
	return pages < avail ? avail - pages : 0;
}

unsigned long __init dom0_nr_pages(unsigned long avail, unsigned long *max_out)
{
	unsigned long keep = min(avail / 16, MB(128) >> PAGE_SHIFT);
	unsigned long nr = amount_pages(&mem_size, avail);

	if (!mem_size.set || !nr)
		nr = avail - keep;
	*max_out = mem_max.set ? amount_pages(&mem_max, avail) : 0xffffffffUL;
	if (mem_min.set)
		nr = max(nr, amount_pages(&mem_min, avail));
	nr = min(nr, *max_out);
	/* Whatever was asked for, the hypervisor needs some to go on. */
	avail -= min(avail, MB(4) >> PAGE_SHIFT);
	return min(nr, avail);
}

unsigned int __init dom0_max_vcpus(void)
{
	unsigned int n = cpumask_weight(&cpu_online_map);

	n = max(n, vcpus_min);
	n = min(n, vcpus_max);
	return min(max(n, 1u), 128u);
}

bool __init dom0_is_pinned(void)
{
	return opt_dom0_vcpus_pin;
}

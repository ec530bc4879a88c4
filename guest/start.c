/* SPDX-License-Identifier: MIT */
/* Start of day in C and the end of it: see start.h. */
#include <guest/console.h>
#include <guest/cpu.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/mm.h>
#include <guest/start.h>
#include <guest/string.h>
#include <guest/trap.h>

struct start_info *start_info;
struct shared_info *shared_info;
uint64_t entry_tsc;
unsigned long boot_rsp;

static char shared_info_page[PAGE_SIZE] __page_aligned;

void guest_start(struct start_info *si);

void map_shared_info(void)
{
	long rc = update_va_mapping(PTR(shared_info_page),
				    (start_info->shared_info & PAGE_MASK) | PTE_KERNEL,
				    UVMF_INVLPG);

	if (rc)
		panic("cannot map shared_info: %ld", rc);
	shared_info = (void *)shared_info_page;
}

void guest_start(struct start_info *si)
{
	start_info = si;
	cpu_init(0);
	map_shared_info();
	mm_init();
	console_init();
	trap_init();
	event_init();
	guest_exit(guest_main());
}

void guest_exit(int status)
{
	struct sched_shutdown down = { .reason = SHUTDOWN_poweroff };

	printk("KTEST-EXIT: %d\n", status);
	console_drain();
	for (;;)
		sched_op(SCHEDOP_shutdown, &down);
}

/* Find the word `name` followed by `end` on the command line; returns what follows it, or NULL. */
static const char *find_arg(const char *name, char end)
{
	const char *p = (const char *)start_info->cmd_line;
	size_t n = strlen(name);

	while (*p) {
		if (!strncmp(p, name, n) && (p[n] == end || (end == ' ' && !p[n])))
			return p + n;
		while (*p && *p != ' ')
			p++;
		while (*p == ' ')
			p++;
	}
	return NULL;
}

bool arg_present(const char *name)
{
	return find_arg(name, ' ') != NULL;
}

unsigned long arg_number(const char *name, unsigned long fallback)
{
	const char *p = find_arg(name, '=');
	unsigned long v = 0, base = 10, digit;

	if (!p)
		return fallback;
	p++;
	if (p[0] == '0' && p[1] == 'x') {
		base = 16;
		p += 2;
	}
	for (; *p; p++, v = v * base + digit) {
		digit = *p >= 'a' ? *p - 'a' + 10UL : *p - '0' + 0UL;
		if (digit >= base)
			break;
	}
	return v;
}

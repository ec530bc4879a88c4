/* SPDX-License-Identifier: MIT */
/*
 * The web server guest: disk, card, server, and then the loop for ever (or for `requests=N`).
 *
 * control/shutdown in the store is obeyed: the guest ends, or suspends and goes on serving wherever it wakes up.
 *
 * Words of the command line: ip=10.0.0.2 (else DHCP), vbd=51712, vif=0, requests=N; of the card: queues=N,
 * and nosplit for one event channel per queue.
 */
#include <guest/console.h>
#include <guest/start.h>
#include <guest/string.h>
#include <pv/bare.h>
#include <pv/store.h>
#include "http.h"

#define ARENA_PAGES	4096
#define PORT		80

static unsigned long requests;
static int files = -1;
static bool indexed;
static enum { NOTHING, SUSPEND, END } asked_for;
static struct pv_watch shutdown_watch;

/* The word after "@name=" on the command line; NULL: none. */
static const char *word(const char *name, char *value, size_t room)
{
	const char *p = (const char *)start_info->cmd_line;
	size_t length = strlen(name), n = 0;

	for (; *p; p++) {
		if (p != (const char *)start_info->cmd_line && p[-1] != ' ')
			continue;
		if (strncmp(p, name, length) || p[length] != '=')
			continue;
		for (p += length + 1; *p && *p != ' ' && n < room - 1; p++)
			value[n++] = *p;
		value[n] = 0;
		return value;
	}
	return NULL;
}

static void site_ready(int count)
{
	files = count;
	indexed = true;
	printk("http: %d files on the disk\n", count);
}

static bool is_indexed(void *arg)
{
	(void)arg;
	return indexed;
}

static bool is_over(void *arg)
{
	(void)arg;
	return asked_for != NOTHING || (requests && http_served() >= requests);
}

/* The toolstack asks for something; that we have seen it is said by clearing the key. */
static void on_shutdown(void *arg, const char *path)
{
	struct pv_domain *domain = arg;
	char value[32];

	(void)path;
	if (pv_store_read(domain, 0, "control", "shutdown", value, sizeof(value)) <= 0)
		return;
	asked_for = strcmp(value, "suspend") ? END : SUSPEND;
	pv_store_write(domain, 0, "control", "shutdown", "");
}

static void move(struct pv_domain *domain)
{
	bool moved = pv_bare_suspend(domain);

	asked_for = NOTHING;
	if (moved) {
		site_resume();
		card_resume();
	}
	printk("http: %s\n", moved ? "moved" : "stays");
}

int guest_main(void)
{
	struct pv_domain *domain;
	char path[32], address[32];
	int rc;

	if (is_dom0()) {
		printk("http: dom0 has neither disk nor card of this kind\n");
		return 0;
	}
	requests = arg_number("requests", 0);
	domain = pv_bare_open(ARENA_PAGES);
	if (!domain)
		panic("http: no store, or no memory");
	snprintf(path, sizeof(path), "device/vbd/%lu", arg_number("vbd", 51712));
	rc = site_open(domain, path, site_ready);
	if (rc)
		panic("http: disk %s: error %d", path, -rc);
	pv_bare_run(domain, is_indexed, NULL);
	snprintf(path, sizeof(path), "device/vif/%lu", arg_number("vif", 0));
	rc = card_open(domain, path, word("ip", address, sizeof(address)), arg_number("queues", 1),
		       arg_present("nosplit"));
	if (rc)
		panic("http: card %s: error %d", path, -rc);
	rc = http_start(domain, PORT);
	if (rc)
		panic("http: server: error %d", -rc);
	rc = pv_store_watch(domain, &shutdown_watch, "control/shutdown", on_shutdown, domain);
	if (rc)
		panic("http: control/shutdown: error %d", -rc);
	printk("http: serving\n");
	pv_bare_run(domain, is_over, NULL);
	while (asked_for == SUSPEND) {
		move(domain);
		pv_bare_run(domain, is_over, NULL);
	}
	printk("http: %lu requests served\n", (unsigned long)http_served());
	return files < 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * What tests of the store daemon have around them: a daemon on a world of its own, a client of
 * dom0's, and requests that wait for their answer. Include it once, after <cmocka.h>.
 */
#ifndef TESTS_XENSTORED_SCENE_H
#define TESTS_XENSTORED_SCENE_H

#include <stdio.h>
#include <string.h>
#include "xenstored_world.h"

static struct world *w;
static struct port *p;
static char body[XENSTORE_PAYLOAD_MAX + 1];
static char events[65536];	/* "path token;..." in order */
static struct xsd_sockmsg got;
static int tool;		/* dom0's client */

static inline int set_up(void **state)
{
	(void)state;
	w = world_new("xenstored_scene");
	p = world_start(w, false);
	tool = world_connect(w);
	events[0] = 0;
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	assert_int_equal(xsd_check(&p->x), 0);
	world_stop(p);
	world_free(w);
	return 0;
}

/* As if killed and started again. */
static inline void restart(void)
{
	world_stop(p);
	p = world_start(w, false);
	world_run(p);
	assert_int_equal(xsd_check(&p->x), 0);
}

static inline void note_event(void)
{
	size_t n = strlen(events);

	snprintf(events + n, sizeof(events) - n, "%s %s;", body, body + strlen(body) + 1);
}

/* One request of dom0's client @n; its answer in body[] and got. */
static inline const char *ask_as(int n, uint32_t type, uint32_t tx, const char *text,
				 unsigned int length)
{
	world_send(w, n, type, tx, text, length);
	world_run(p);
	for (;;) {
		if (!world_receive(w, n, &got, body))
			return "(none)";
		if (got.type != XS_WATCH_EVENT)
			return body;
		note_event();
	}
}

static inline const char *ask(uint32_t type, uint32_t tx, const char *text)
{
	return ask_as(tool, type, tx, text, strlen(text) + 1);
}

/* A request of a domain, through its ring. */
static inline const char *ring_ask(unsigned int domid, uint32_t type, uint32_t tx, const char *text,
			    unsigned int length)
{
	assert_true(world_ring_send(w, domid, type, tx, text, length));
	world_run(p);
	for (;;) {
		if (!world_ring_receive(w, domid, &got, body))
			return "(none)";
		if (got.type != XS_WATCH_EVENT)
			return body;
		note_event();
	}
}

/* Events that came without a question. */
static inline const char *take_events(void)
{
	static char out[sizeof(events)];

	world_run(p);
	while (world_receive(w, tool, &got, body))
		note_event();
	strcpy(out, events);
	events[0] = 0;
	return out;
}

static inline const char *ring_events(unsigned int domid)
{
	static char out[sizeof(events)];

	world_run(p);
	while (world_ring_receive(w, domid, &got, body))
		note_event();
	strcpy(out, events);
	events[0] = 0;
	return out;
}

static inline void introduce(unsigned int domid)
{
	char text[64];
	int n = sprintf(text, "%u", domid) + 1;

	w->domain[domid].state = DOMAIN_EXISTS;
	n += sprintf(text + n, "1000") + 1;
	n += sprintf(text + n, "3") + 1;
	assert_string_equal(ask_as(tool, XS_INTRODUCE, 0, text, n), "OK");
	n = sprintf(text, "/local/domain/%u", domid) + 1;
	assert_string_equal(ask_as(tool, XS_MKDIR, 0, text, n), "OK");
	n += sprintf(text + n, "n%u", domid) + 1;
	assert_string_equal(ask_as(tool, XS_SET_PERMS, 0, text, n), "OK");
}

#endif

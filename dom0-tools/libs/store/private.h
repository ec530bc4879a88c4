/* SPDX-License-Identifier: MIT */
/*
 * The seam inside the store client: core.c knows what requests mean, a port (linux.c, fake.c)
 * carries them. A port also has what depends on a connection: store_open(), store_close(),
 * store_set_deadline(), store_fd(), store_event(), store_wait_event().
 */
#ifndef TOOLS_LIBS_STORE_PRIVATE_H
#define TOOLS_LIBS_STORE_PRIVATE_H

#include <tools/store.h>

/* store_pipeline() after its checks: every payload fits into XENSTORE_PAYLOAD_MAX. */
int store_exchange(struct store *store, store_tx tx, struct store_request *requests,
		   unsigned int count);

/* Whether an answer of this type is data (and so becomes request.reply) rather than "OK". */
bool store_answers_data(uint32_t type);
/* -errno for what an XS_ERROR message says; @text need not be NUL-terminated. */
int store_error_number(const char *text, size_t length);
/* 0 or the first failed request's result. */
int store_first_result(const struct store_request *requests, unsigned int count);

#endif

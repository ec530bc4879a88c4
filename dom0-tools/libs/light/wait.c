/* SPDX-License-Identifier: MIT */
/*
 * The one place where this library waits: for the store, for children, for the caller's cancel, all
 * at once and until a deadline.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include "domain.h"

#define MAX_FDS	   16
#define LONGEST_MS 60000 /* then the caller looks again */

void light_drain_events(struct light *light)
{
	char *buffer, *path, *token;

	while (!store_event(light->store, &buffer, &path, &token))
		free(buffer);
}

int light_wait(struct light *light, const int *fds, unsigned int n_fds, uint64_t deadline)
{
	struct pollfd list[MAX_FDS + 2];
	uint64_t now = tools_now_ms();
	char *buffer, *path, *token;
	unsigned int i, ms;
	int rc;

	if (now >= deadline)
		return -ETIMEDOUT;
	ms = deadline - now > LONGEST_MS ? LONGEST_MS : (unsigned int)(deadline - now);
	/*
	 * With nothing but the store to wait for, its own wait does. The event only says: look
	 * again.
	 */
	if (!n_fds && light->cancel_fd < 0) {
		rc = store_wait_event(light->store, ms, &buffer, &path, &token);
		if (!rc)
			free(buffer);
		return rc == -ETIMEDOUT && ms == LONGEST_MS ? 0 : rc;
	}
	list[0] = (struct pollfd){ .fd = store_fd(light->store), .events = POLLIN };
	list[1] = (struct pollfd){ .fd = light->cancel_fd, .events = POLLIN };
	for (i = 0; i < n_fds && i < MAX_FDS; i++)
		list[i + 2] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	rc = poll(list, i + 2, (int)ms);
	if (rc < 0)
		return errno == EINTR ? 0 : -errno;
	if (list[1].revents)
		return -ECANCELED;
	if (!rc)
		return tools_now_ms() >= deadline ? -ETIMEDOUT : 0;
	return list[0].revents ? 0 : 1;
}

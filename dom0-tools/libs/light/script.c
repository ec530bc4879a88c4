/* SPDX-License-Identifier: MIT */
/*
 * Running hotplug scripts by the contract that scripts of Xen's users are written for: arguments,
 * and an environment with script, XENBUS_TYPE, XENBUS_PATH, XENBUS_BASE_PATH, and for interfaces
 * vif and netdev.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "domain.h"
#include "script.h"

#define OUR_VARIABLES 8
#define END_MS 2000 /* for a child that is asked to end */

extern char **environ;

/* "name=value" is set here already, so the inherited one is left out. */
static bool overridden(const char *entry, char *const *ours)
{
	size_t n = strcspn(entry, "=") + 1;

	for (; *ours; ours++)
		if (!strncmp(entry, *ours, n))
			return true;
	return false;
}

/*
 * The environment: ours first, then what we were given. Free the array and its first @*n_ours
 * entries.
 */
static char **make_environment(const char *script, const struct device *device,
			       unsigned int *n_ours)
{
	unsigned int inherited = 0, n = 0, i;
	char **list;

	while (environ[inherited])
		inherited++;
	list = calloc(inherited + OUR_VARIABLES + 1, sizeof(*list));
	if (!list)
		return NULL;
	list[n++] = tools_asprintf("script=%s", script);
	list[n++] = tools_asprintf("XENBUS_TYPE=%s", device->kind); /* what scripts know */
	list[n++] = tools_asprintf("XENBUS_PATH=backend/%s/%u/%u", device->backend_kind,
				   device->domid, device->devid);
	list[n++] = tools_asprintf("XENBUS_BASE_PATH=backend");
	if (!strcmp(device->kind, "vif")) {
		list[n++] = tools_asprintf("vif=vif%u.%u", device->domid, device->devid);
		list[n++] = tools_asprintf("netdev=");
	}
	*n_ours = n;
	for (i = 0; i < n; i++)
		if (!list[i])
			return list; /* out of memory: a shorter list, seen by the caller */
	for (i = 0; environ[i]; i++) {
		if (!overridden(environ[i], list))
			list[n++] = environ[i];
	}
	return list;
}

static void free_environment(char **list, unsigned int n_ours)
{
	unsigned int i;

	for (i = 0; list && i < n_ours; i++)
		free(list[i]);
	free(list);
}

void child_attributes(posix_spawnattr_t *attributes, bool group)
{
	sigset_t none, usual;

	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);	/* we ignore it, which shells would pass on */
	posix_spawnattr_init(attributes);
	posix_spawnattr_setpgroup(attributes, 0);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &usual);
	posix_spawnattr_setflags(attributes, (group ? POSIX_SPAWN_SETPGROUP : 0) |
				 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

int script_start(const char *script, const struct device *device, bool adding, pid_t *pid,
		 int *pidfd)
{
	bool vif = !strcmp(device->kind, "vif");
	const char *verb = vif ? (adding ? "online" : "offline") : adding ? "add" : "remove";
	char *argv[] = { (char *)script, (char *)verb, vif ? (char *)"type_if=vif" : NULL, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	unsigned int n_ours = 0;
	char **env = make_environment(script, device, &n_ours);
	int rc;

	if (!env)
		return -ENOMEM;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, 2, 1);
	child_attributes(&attributes, true);
	rc = -posix_spawn(pid, script, &actions, &attributes, argv, env);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	free_environment(env, n_ours);
	if (rc)
		return rc;
	*pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);
	if (*pidfd >= 0)
		return 0;
	rc = -errno;
	kill(-*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	return rc;
}

void child_end(pid_t pid, int pidfd, bool group)
{
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };

	kill(group ? -pid : pid, SIGTERM);
	poll(&ended, 1, END_MS);
	kill(group ? -pid : pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

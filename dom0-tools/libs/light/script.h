/* SPDX-License-Identifier: MIT */
/*
 * Hotplug scripts: programs of the administrator that connect a backend to the host.
 */
#ifndef LIGHT_SCRIPT_H
#define LIGHT_SCRIPT_H

#include <spawn.h>
#include <stdbool.h>
#include <sys/types.h>

struct device;

/*
 * Starts @script for @device, in a process group of its own: "online"/"offline" type_if=vif for
 * interfaces, "add"/"remove" for disks. *pidfd becomes readable at its end; the caller waits for
 * *pid. -errno.
 */
int script_start(const char *script, const struct device *device, bool adding, pid_t *pid,
		 int *pidfd);

/*
 * Signals of a child as programs expect them, whatever we ignore or block; @group: in a process
 * group of its own. To be destroyed.
 */
void child_attributes(posix_spawnattr_t *attributes, bool group);

/*
 * Ends the child @pid (@group: its whole process group): asks it, waits a moment, then makes it. It
 * is waited for when this returns. @pidfd: its, or -1.
 */
void child_end(pid_t pid, int pidfd, bool group);

#endif

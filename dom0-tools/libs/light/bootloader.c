/* SPDX-License-Identifier: MIT */
/*
 * Boot loaders: programs that look into a guest's disk for its kernel (pygrub), by pygrub's
 * contract: --output=FILE --output-format=simple0 --output-directory=DIR, the disk last; FILE then
 * holds "kernel PATH", "ramdisk PATH" and "args TEXT", each ending in a NUL.
 *
 * It runs before the domain exists, with a deadline. What it prints goes to a log, or to the user's
 * terminal with its menu if that was asked for; otherwise pygrub is told not to show one.
 *
 * It reads what a guest wrote, so it may be made to do that as somebody else than root, by 4.17's
 * contract: with LIBXL_BOOTLOADER_RESTRICT or LIBXL_BOOTLOADER_USER in the environment it gets
 * --runas=UID and --quiet.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "domain.h"
#include "script.h"

#define BOOTLOADER_MS 120000
#define OUTPUT_LIMIT  (64 << 10)
#define FIXED_ARGS    12

/* Users that docs/features/qemu-deprivilege of Xen has the administrator set aside. */
#define USER_RANGE  "xen-qemuuser-range-base"	/* 65,536 ids from here on */
#define USER_SHARED "xen-qemuuser-shared"

extern char **environ;

struct run {
	struct light *light;
	const struct light_config *config;
	char program[300];
	char output[256], directory[256], log[256];
	bool interactive;
	uid_t user;	/* 0: not restricted */
	struct tools_error *error;
};

/* Where the program is: a path as it is, else the tool folders of Xen, else the search path. */
static void find_program(struct run *run)
{
	static const char *const folders[] = {
		"/usr/lib/xen-*/bin",
		"/usr/lib/xen/bin",
		"/usr/libexec/xen/bin",
		"/usr/bin",
		"/usr/sbin",
		"/bin",
		NULL,
	};
	const char *name = run->config->bootloader;
	char pattern[300];
	unsigned int i;
	glob_t found;

	snprintf(run->program, sizeof(run->program), "%s", name);
	for (i = 0; folders[i] && !strchr(name, '/'); i++) {
		snprintf(pattern, sizeof(pattern), "%s/%s", folders[i], name);
		if (!glob(pattern, 0, NULL, &found) && found.gl_pathc) {
			snprintf(run->program, sizeof(run->program), "%s",
				 found.gl_pathv[found.gl_pathc - 1]);
			globfree(&found);
			return;
		}
		globfree(&found);
	}
}

/* Its arguments, to free with free_args(). */
static char **make_args(const struct run *run)
{
	const struct light_config *config = run->config;
	char **args = calloc(config->bootloader_args.count + FIXED_ARGS + 1, sizeof(*args));
	const char *base = strrchr(run->program, '/');
	unsigned int n = 0, i;

	if (!args)
		return NULL;
	args[n++] = strdup(run->program);
	if (config->kernel)
		args[n++] = tools_asprintf("--kernel=%s", config->kernel);
	if (config->ramdisk)
		args[n++] = tools_asprintf("--ramdisk=%s", config->ramdisk);
	if (config->cmdline && *config->cmdline)
		args[n++] = tools_asprintf("--args=%s", config->cmdline);
	if (run->user)
		args[n++] = tools_asprintf("--runas=%ld", (long)run->user);
	if (run->user ||
	    (!run->interactive && !strcmp(base ? base + 1 : run->program, "pygrub")))
		args[n++] = strdup("--quiet");
	args[n++] = tools_asprintf("--output=%s", run->output);
	args[n++] = strdup("--output-format=simple0");
	args[n++] = tools_asprintf("--output-directory=%s", run->directory);
	for (i = 0; i < config->bootloader_args.count; i++)
		args[n++] = strdup(config->bootloader_args.list[i]);
	args[n++] = strdup(config->disks[0].pdev_path);
	return args;
}

static void free_args(char **args)
{
	unsigned int i;

	for (i = 0; args && args[i]; i++)
		free(args[i]);
	free(args);
}

/* pygrub opens its output, but does not create it: libxl gives it a FIFO. A file will do. */
static int make_output(const struct run *run)
{
	int fd;

	unlink(run->output);
	fd = open(run->output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int spawn(const struct run *run, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char **args = make_args(run);
	int rc;

	if (!args)
		return -ENOMEM;
	child_attributes(&attributes, false);
	posix_spawn_file_actions_init(&actions);
	if (!run->interactive) {
		posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
		posix_spawn_file_actions_addopen(&actions, 1, run->log,
						 O_WRONLY | O_CREAT | O_TRUNC, 0644);
		posix_spawn_file_actions_adddup2(&actions, 1, 2);
	}
	rc = -posix_spawnp(pid, run->program, &actions, &attributes, args, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	free_args(args);
	return rc;
}

static int fail(const struct run *run, int rc, const char *what)
{
	tools_fail(run->error, rc, "bootloader", "bootloader %s: %s", run->program, what);
	if (run->error && !run->interactive)
		snprintf(run->error->log, sizeof(run->error->log), "%s", run->log);
	return rc;
}

/* A user of this host; false: no such name. (getpwnam() wants shared libraries of glibc.) */
static bool find_user(const char *name, uid_t *user)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *entry;
	bool found = false;

	while (file && !found && (entry = fgetpwent(file))) {
		found = !strcmp(entry->pw_name, name);
		*user = entry->pw_uid;
	}
	if (file)
		fclose(file);
	return found;
}

/*
 * Whom to run it as, if that is asked for: the user named, else one of the range that no domain's
 * own helpers have (those are base + domid, and there is no domid yet), else the shared one.
 */
static int choose_user(struct run *run)
{
	const char *name = getenv("LIBXL_BOOTLOADER_USER");
	bool found = false;

	if (!name && !getenv("LIBXL_BOOTLOADER_RESTRICT"))
		return 0;
	run->interactive = false;
	if (name) {
		found = find_user(name, &run->user);
	} else if (find_user(USER_RANGE, &run->user)) {
		run->user += DOMID_FIRST_RESERVED + (uid_t)getpid() % DOMID_FIRST_RESERVED;
		found = true;
	} else {
		found = find_user(USER_SHARED, &run->user);
	}
	if (found && run->user)
		return 0;
	tools_fail(run->error, -EINVAL, "bootloader",
		   "bootloader %s: it is to be restricted, but %s %.60s", run->program,
		   found ? "this user is root:" : "there is no user",
		   name ? name : USER_RANGE " or " USER_SHARED);
	return tools_hint(run->error, -EINVAL, "see LIBXL_BOOTLOADER_USER in kl(1)");
}

/* Milliseconds that it may take; 0: as long as it likes. */
static uint64_t time_limit(void)
{
	const char *text = getenv("LIBXL_BOOTLOADER_TIMEOUT");
	char *end;
	unsigned long seconds = text ? strtoul(text, &end, 10) : 0;

	return text && *text >= '0' && *text <= '9' && !*end && seconds <= INT32_MAX ?
		       seconds * 1000ull : BOOTLOADER_MS;
}

/* Until it ends; its exit status must be 0. */
static int wait_for(const struct run *run, pid_t pid)
{
	uint64_t limit = time_limit(), deadline = limit ? tools_now_ms() + limit : UINT64_MAX;
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), status = 0, rc = fd < 0 ? -errno : 0;
	char text[64];

	while (rc >= 0 && !waitpid(pid, &status, WNOHANG)) {
		rc = light_wait(run->light, &fd, 1, deadline);
		light_drain_events(run->light);
	}
	if (rc < 0)
		child_end(pid, fd, false);
	if (fd >= 0)
		close(fd);
	if (rc < 0)
		return fail(run, rc,
			    rc == -ETIMEDOUT ? "it did not end in the time allowed" :
					       strerror(-rc));
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	snprintf(text, sizeof(text),
		 WIFEXITED(status) ? "it ended with status %d" : "it was ended by signal %d",
		 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return fail(run, -EIO, text);
}

/* The value of "KEY value" in @item, or NULL. */
static const char *value_of(const char *item, const char *key)
{
	size_t n = strlen(key);

	if (strncmp(item, key, n) || (item[n] != ' ' && item[n] != '\t'))
		return NULL;
	return item + n + strspn(item + n, " \t");
}

void boot_files_take(struct boot_files *files, const char *text, size_t length)
{
	const char *item, *value;

	for (item = text; item < text + length; item += strlen(item) + 1) {
		if ((value = value_of(item, "kernel")) && !files->kernel)
			files->kernel = strdup(value);
		else if ((value = value_of(item, "ramdisk")) && !files->ramdisk)
			files->ramdisk = strdup(value);
		else if ((value = value_of(item, "args")) && !files->cmdline)
			files->cmdline = strdup(value);
	}
}

/* A file (NULL: as good) in the folder that the boot loader was given, by whatever links. */
static bool is_own(const struct run *run, const char *path)
{
	char *real = path ? realpath(path, NULL) : NULL, *folder = realpath(run->directory, NULL);
	size_t n = folder ? strlen(folder) : 0;
	bool own = !path || (real && folder && !strncmp(real, folder, n) && real[n] == '/');

	free(real);
	free(folder);
	return own;
}

static int take_output(const struct run *run, struct boot_files *files)
{
	size_t length;
	char *text;
	int rc = tools_read_file(run->output, OUTPUT_LIMIT, &text, &length);

	if (rc)
		return fail(run, rc, "it left no output");
	boot_files_take(files, text, length);
	free(text);
	if (!files->kernel)
		return fail(run, -ENOENT, "it named no kernel");
	/* We read as root what it names, for the guest that it may have been taken over by. */
	if (run->user && !(is_own(run, files->kernel) && is_own(run, files->ramdisk)))
		return fail(run, -EACCES, "it is restricted, and named a file that is not its own");
	return 0;
}

/* With all that a boot loader put into it, and nothing else, whatever paths it named. */
static void remove_folder(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		if (unlinkat(dirfd(folder), entry->d_name, 0))
			/* a restricted one's root */
			unlinkat(dirfd(folder), entry->d_name, AT_REMOVEDIR);
	if (folder)
		closedir(folder);
	rmdir(path);
}

int bootloader_run(struct light *light, const struct light_config *config, bool interactive,
		   struct boot_files *files, struct tools_error *error)
{
	struct run run = {
		.light = light, .config = config, .interactive = interactive, .error = error
	};
	pid_t pid;
	int rc;

	memset(files, 0, sizeof(*files));
	if (!config->n_disks || config->disks[0].script || config->disks[0].backend_domid)
		return tools_fail(error, -EINVAL, "bootloader",
				  "bootloader %s: the first disk must be a file or "
				  "block device of this domain",
				  config->bootloader);
	find_program(&run);
	rc = choose_user(&run);
	if (rc)
		return rc;
	snprintf(run.output, sizeof(run.output), "%s/bootloader.%d.out", light->run_dir,
		 (int)getpid());
	snprintf(run.directory, sizeof(run.directory), "%s/bootloader.%d.d", light->run_dir,
		 (int)getpid());
	snprintf(run.log, sizeof(run.log), "%s/bootloader-%.100s.log", light->log_dir,
		 config->name);
	mkdir(light->run_dir, 0755);
	mkdir(light->log_dir, 0755);
	if (mkdir(run.directory, 0700) && errno != EEXIST)
		return fail(&run, -errno, strerror(errno));
	rc = make_output(&run);
	rc = rc ? rc : spawn(&run, &pid);
	if (rc)
		rc = fail(&run, rc, strerror(-rc));
	rc = rc ? rc : wait_for(&run, pid);
	rc = rc ? rc : take_output(&run, files);
	unlink(run.output);
	files->folder = strdup(run.directory);
	if (!files->folder)
		remove_folder(run.directory);
	if (!files->folder && !rc)
		rc = fail(&run, -ENOMEM, "out of memory");
	if (rc)
		boot_files_free(files);
	return rc;
}

void boot_files_free(struct boot_files *files)
{
	if (files->folder)
		remove_folder(files->folder);
	free(files->folder);
	free(files->kernel);
	free(files->ramdisk);
	free(files->cmdline);
	memset(files, 0, sizeof(*files));
}

void boot_files_gc(struct light *light)
{
	DIR *folder = opendir(light->run_dir);
	const struct dirent *entry;
	char path[600];
	int pid;

	while (folder && (entry = readdir(folder))) {
		if (sscanf(entry->d_name, "bootloader.%d.", &pid) != 1 || pid <= 0 ||
		    !kill(pid, 0) || errno != ESRCH)
			continue;
		snprintf(path, sizeof(path), "%s/%s", light->run_dir, entry->d_name);
		if (unlink(path))
			remove_folder(path);
	}
	if (folder)
		closedir(folder);
}

/* SPDX-License-Identifier: MIT */
/*
 * xenstored: the options, which are those of Xen's own, the listening socket, and the way into the
 * background.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "linux.h"

static const char usage[] =
"Usage: xenstored [OPTION]...\n"
"Serves the xenstore of this host. State is kept in /run/xenstored over restarts.\n\n"
"  -N, --no-fork              stay in the foreground\n"
"      --no-keeper            one process only: clients' sockets do not outlive a kill\n"
"  -F, --pid-file=FILE        write the serving process's id there\n"
"  -P, --output-pid           print it\n"
"  -D, --no-domain-init       serve sockets only: no hypervisor\n"
"  -T, --trace-file=FILE      log there (default /var/log/xen/xenstored.log)\n"
"  -E, --entry-nb=N           nodes per domain\n"
"  -W, --watch-nb=N           watches per domain\n"
"  -t, --transaction=N        transactions per domain\n"
"  -S, --entry-size=N         size of a node\n"
"  -A, --perm-nb=N            permissions per node\n"
"  -M, --path-max=N           length of a path\n"
"  -Q, --quota=WHAT=N         outstanding, transaction-nodes or memory\n"
"  -H, --help                 this text\n"
"Accepted for the sake of scripts: -R, -I, -K, -V, -q, -w, -e, -m, -p.\n"
"Environment: XENSTORED_RUNDIR, XENSTORED_PATH (the socket).\n";

static const struct option long_options[] = {
	{ "no-domain-init", 0, NULL, 'D' }, { "entry-nb", 1, NULL, 'E' },
	{ "pid-file", 1, NULL, 'F' }, { "event", 1, NULL, 'e' },
	{ "master-domid", 1, NULL, 'm' }, { "help", 0, NULL, 'H' },
	{ "no-fork", 0, NULL, 'N' }, { "priv-domid", 1, NULL, 'p' },
	{ "output-pid", 0, NULL, 'P' }, { "entry-size", 1, NULL, 'S' },
	{ "trace-file", 1, NULL, 'T' }, { "transaction", 1, NULL, 't' },
	{ "perm-nb", 1, NULL, 'A' }, { "path-max", 1, NULL, 'M' },
	{ "quota", 1, NULL, 'Q' }, { "quota-soft", 1, NULL, 'q' },
	{ "timeout", 1, NULL, 'w' }, { "no-recovery", 0, NULL, 'R' },
	{ "internal-db", 2, NULL, 'I' }, { "keep-orphans", 0, NULL, 'K' },
	{ "verbose", 0, NULL, 'V' }, { "watch-nb", 1, NULL, 'W' }, { "no-keeper", 0, NULL, '1' },
	{ NULL, 0, NULL, 0 }
};

static void fail(const char *what, const char *which)
{
	fprintf(stderr, "xenstored: %s%s%s\n", what, which ? ": " : "", which ? which : "");
	exit(1);
}

static unsigned int number(const char *s)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (*end || !n || n > INT32_MAX)
		fail("not a positive number", s);
	return n;
}

static void named_quota(struct options *o, const char *arg)
{
	const char *eq = strchr(arg, '=');

	for (unsigned int i = 0; eq && i < QUOTA_KINDS; i++)
		if (strlen(quota_name(i)) == (size_t)(eq - arg) &&
		    !strncmp(arg, quota_name(i), eq - arg)) {
			o->quota[i] = number(eq + 1);
			return;
		}
	fail("unknown quota (WHAT=N)", arg);
}

static void parse(struct options *o, int argc, char **argv)
{
	static const char letters[] = "DE:F:HI::KNPS:t:A:M:Q:q:T:RVW:w:e:m:p:";
	static const struct {
		char letter;
		enum quota_kind kind;
	} quotas[] = { { 'E', QUOTA_NODES }, { 'W', QUOTA_WATCHES }, { 't', QUOTA_TRANSACTIONS },
		       { 'S', QUOTA_NODE_SIZE }, { 'A', QUOTA_PERMS }, { 'M', QUOTA_PATH } };
	int c;

	while ((c = getopt_long(argc, argv, letters, long_options, NULL)) >= 0) {
		for (size_t i = 0; i < sizeof(quotas) / sizeof(quotas[0]); i++)
			if (quotas[i].letter == c)
				o->quota[quotas[i].kind] = number(optarg);
		if (c == 'D')
			o->xen = false;
		else if (c == 'F')
			o->pid_file = optarg;
		else if (c == 'N')
			o->foreground = true;
		else if (c == '1')
			o->no_keeper = true;
		else if (c == 'P')
			o->print_pid = true;
		else if (c == 'T')
			o->log_file = optarg;
		else if (c == 'Q')
			named_quota(o, optarg);
		else if (c == 'H')
			exit(fputs(usage, stdout) < 0);
		else if (c == '?')
			exit(1);
	}
	if (optind != argc)
		fail("no arguments are wanted", argv[optind]);
}

static void paths(struct options *o)
{
	const char *dir = getenv("XENSTORED_RUNDIR"), *path = getenv("XENSTORED_PATH");

	o->run_dir = dir ? dir : "/run/xenstored";
	if (path ? strlen(path) >= sizeof(o->socket) : strlen(o->run_dir) + 8 > sizeof(o->socket))
		fail("the socket's path is too long", path ? path : o->run_dir);
	if (path)
		strcpy(o->socket, path);
	else
		sprintf(o->socket, "%s/socket", o->run_dir);
}

/* One daemon at a time; the lock goes with the keeper. */
static void lock(struct options *o)
{
	char path[300];

	if (mkdir(o->run_dir, 0755) < 0 && errno != EEXIST)
		fail(o->run_dir, strerror(errno));
	snprintf(path, sizeof(path), "%s/lock", o->run_dir);
	o->lock_fd = open(path, O_RDWR | O_CREAT, 0600);
	if (o->lock_fd < 0)
		fail(path, strerror(errno));
	if (flock(o->lock_fd, LOCK_EX | LOCK_NB) < 0)
		fail("another one is running", NULL);
}

static void open_socket(struct options *o)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, o->socket);
	unlink(o->socket);
	o->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (o->listen_fd < 0)
		fail("socket", strerror(errno));
	umask(077);
	if (bind(o->listen_fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(o->listen_fd, 128) < 0)
		fail(o->socket, strerror(errno));
	umask(022);
}

static void to_null(void)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd < 0)
		return;
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* The caller's process waits until clients can come, then ends; the rest is the background's. */
static int background(struct options *o)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready) < 0)
		fail("pipe", strerror(errno));
	pid = fork();
	if (pid < 0)
		fail("fork", strerror(errno));
	if (pid) {
		close(ready[1]);
		_exit(read(ready[0], &byte, 1) == 1 ? 0 : 1);
	}
	close(ready[0]);
	setsid();
	if (chdir("/") < 0)
		fail("/", strerror(errno));
	lock(o);
	open_socket(o);
	return ready[1];
}

int main(int argc, char **argv)
{
	struct options o = { .xen = true, .log_file = "/var/log/xen/xenstored.log", .argv = argv };
	const char *kept = getenv("XENSTORED_KEPT");
	int ready = -1;

	parse(&o, argc, argv);
	paths(&o);
	if (kept && sscanf(kept, "%d %d", &o.listen_fd, &o.lock_fd) == 2) {
		unsetenv("XENSTORED_KEPT");
		return keeper_run(&o, true, -1);
	}
	if (o.foreground) {
		lock(&o);
		open_socket(&o);
	} else {
		ready = background(&o);
	}
	if (!o.foreground && !o.print_pid) {
		int err = dup(STDERR_FILENO);

		to_null();
		if (err >= 0) {
			dup2(err, STDERR_FILENO);
			close(err);
		}
	}
	if (o.no_keeper)
		return worker_run(&o, false, false, ready);
	return keeper_run(&o, false, ready);
}

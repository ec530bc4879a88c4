/* SPDX-License-Identifier: MIT */
/*
 * consoled: logs the consoles of all domains and lets users look and type; takes xenconsoled's
 * options. man consoled tells the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>
#include <tools/util.h>
#include "consoled.h"

static const char usage[] =
	"Usage: consoled [-h] [-V] [-i] [--log=none|guest|hv|all] [--log-dir=DIR] [--log-size=BYTES[K|M]]\n"
	"                [--log-files=N] [--run-dir=DIR] [--pid-file=FILE]\n"
	"  -i, --interactive  stay in the foreground, messages on standard error\n"
	"  --log              what is logged (default: guest; hv is the hypervisor's console)\n"
	"  --log-size, --log-files\n"
	"                     a log is rotated before it grows beyond (1M), this many are kept (4)\n";

struct settings {
	struct daemon_options daemon;
	const char *pid_file;
	bool foreground;
};

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "interactive", no_argument, NULL, 'i' },
	{ "log", required_argument, NULL, 'l' },
	{ "log-dir", required_argument, NULL, 'r' },
	{ "pid-file", required_argument, NULL, 'p' },
	{ "timestamp", required_argument, NULL, 't' },
	{ "overflow-data", required_argument, NULL, 'o' },
	{ "log-size", required_argument, NULL, 's' },
	{ "log-files", required_argument, NULL, 'f' },
	{ "run-dir", required_argument, NULL, 'd' },
	{ NULL, 0, NULL, 0 },
};

/* "512", "64K", "2M"; false: none of these. */
static bool parse_size(const char *text, uint64_t *size)
{
	char *end;

	errno = 0;
	*size = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *text == '-' || *size > UINT64_MAX >> 21)
		return false;
	if (*end == 'K' || *end == 'k')
		*size <<= 10, end++;
	else if (*end == 'M' || *end == 'm')
		*size <<= 20, end++;
	return *end == 0;
}

static bool set_log(struct settings *settings, const char *what)
{
	bool all = strcmp(what, "all") == 0, hypervisor = all || strcmp(what, "hv") == 0;
	bool guests = all || strcmp(what, "guest") == 0;
	struct daemon_options *daemon = &settings->daemon;

	daemon->hypervisor_limits = daemon->limits;
	daemon->hypervisor_dir = hypervisor ? daemon->log_dir : NULL;
	if (!guests) {
		daemon->log_dir = NULL;
		daemon->limits = (struct spool_limits){ .bytes = 64 << 10, .files = 0 };
	}
	return guests || hypervisor || strcmp(what, "none") == 0;
}

static _Noreturn void wrong(const char *text, const char *value)
{
	fprintf(stderr, "consoled: %s: %s\n%s", text, value, usage);
	exit(1);
}

/* One option; exits on what is wrong. */
static void set_option(struct settings *settings, int option, const char **log)
{
	uint64_t number;

	switch (option) {
	case 'h':
		fputs(usage, stdout);
		exit(0);
	case 'V':
		puts("consoled (Krypton)");
		exit(0);
	case 'v':
		break;
	case 'i':
		settings->foreground = true;
		break;
	case 'l':
		*log = optarg;
		break;
	case 'r':
		settings->daemon.log_dir = optarg;
		break;
	case 'p':
		settings->pid_file = optarg;
		break;
	case 'd':
		settings->daemon.run_dir = optarg;
		break;
	case 't':
		if (strcmp(optarg, "none") != 0)
			wrong("time stamps are not supported", optarg);
		break;
	case 'o':	/* viewers that lag skip; no guest waits: "discard" is all there is */
		break;
	case 's':
		if (!parse_size(optarg, &settings->daemon.limits.bytes))
			wrong("not a size", optarg);
		break;
	case 'f':
		if (!parse_size(optarg, &number) || number > 1000)
			wrong("not a number of files", optarg);
		settings->daemon.limits.files = (unsigned int)number;
		break;
	default:
		fputs(usage, stderr);
		exit(1);
	}
}

static void parse(struct settings *settings, int argc, char **argv)
{
	const char *log = "guest";
	int option;

	*settings = (struct settings){
		.daemon = { .log_dir = "/var/log/xen/console", .run_dir = "/run/xen/console",
			    .limits = { .bytes = 1 << 20, .files = 4 } },
	};
	while ((option = getopt_long(argc, argv, "hVvit:o:", long_options, NULL)) != -1)
		set_option(settings, option, &log);
	if (optind < argc)
		wrong("what is this", argv[optind]);
	if (!set_log(settings, log))
		wrong("--log is none, guest, hv or all, not", log);
}

/* DIR and its parents. */
static void make_folder(const char *path)
{
	char part[SPOOL_PATH];

	for (size_t i = 1; path[0] && i < sizeof(part) - 1; i++) {
		if (path[i] != '/' && path[i] != 0)
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		mkdir(part, 0755);
		if (path[i] == 0)
			return;
	}
}

int main(int argc, char **argv)
{
	struct rlimit limit = { .rlim_cur = 140000, .rlim_max = 140000 };	/* 4 a domain */
	static struct daemon daemon;
	struct settings settings;
	int parent = -1;

	parse(&settings, argc, argv);
	openlog("consoled", LOG_PID | (settings.foreground ? LOG_PERROR : 0), LOG_DAEMON);
	setrlimit(RLIMIT_NOFILE, &limit);
	make_folder(settings.daemon.run_dir);
	if (settings.daemon.log_dir)
		make_folder(settings.daemon.log_dir);
	if (settings.daemon.hypervisor_dir)
		make_folder(settings.daemon.hypervisor_dir);
	if (!settings.foreground)
		parent = tools_into_background("consoled");
	if (daemon_start(&daemon, &settings.daemon) != 0) {
		if (!settings.foreground)
			fprintf(stderr, "consoled: cannot start; the system log tells more\n");
		return 1;
	}
	tools_report_started(settings.pid_file, parent, false);
	for (;;) {
		int error = daemon_turn(&daemon, -1);

		if (error != 0) {
			port_note("cannot wait: %s", strerror(-error));
			return 1;
		}
		switch (port_signal()) {
		case PORT_HANGUP:
			daemon_reopen(&daemon);
			break;
		case PORT_STOP:
			return 0;
		}
	}
}

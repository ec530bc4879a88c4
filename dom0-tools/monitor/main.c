/* SPDX-License-Identifier: MIT */
/*
 * monitor: does what domains' configurations say when they end: on_poweroff, on_reboot, on_crash,
 * on_watchdog, on_soft_reset. kl works without it; only these automatic actions need it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include <tools/util.h>
#include "monitor.h"

#define LOG_BYTES (1 << 20)

static const char usage[] =
	"Usage: monitor [-h] [-i] [--pid-file=FILE] [--log=FILE] [--dom0-floor=MIB] [--dom0-grow=MIB]\n"
	"  -i, --interactive   stay in the foreground, messages on standard error too\n"
	"  --log               where messages go besides the system log (/var/log/xen/monitor.log)\n"
	"  --dom0-floor        dom0's memory target is raised to it if it falls below\n"
	"  --dom0-grow         free memory beyond it is given back to dom0, up to its maximum\n";

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "interactive", no_argument, NULL, 'i' },
	{ "pid-file", required_argument, NULL, 'p' },
	{ "log", required_argument, NULL, 'l' },
	{ "dom0-floor", required_argument, NULL, 'f' },
	{ "dom0-grow", required_argument, NULL, 'g' },
	{ NULL, 0, NULL, 0 },
};

static const char *log_path;

/* One file and its predecessor: enough to see what happened, and bounded. */
static void log_to_file(const char *line, size_t length)
{
	char old[512];
	struct stat st;
	int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0)
		return;
	if (write(fd, line, length) < 0)
		syslog(LOG_WARNING, "cannot write %s: %m", log_path);
	if (fstat(fd, &st) == 0 && st.st_size > LOG_BYTES) {
		snprintf(old, sizeof(old), "%s.1", log_path);
		rename(log_path, old);
	}
	close(fd);
}

void monitor_log(const char *format, ...)
{
	char line[1024];
	time_t now = time(NULL);
	struct tm local;
	size_t at;
	va_list args;
	int n;

	localtime_r(&now, &local);
	at = strftime(line, sizeof(line), "%Y-%m-%d %H:%M:%S ", &local);
	va_start(args, format);
	n = vsnprintf(line + at, sizeof(line) - at - 1, format, args);
	va_end(args);
	if (n < 0)
		return;
	syslog(LOG_NOTICE, "%s", line + at);
	at = strlen(line);
	line[at++] = '\n';
	if (log_path)
		log_to_file(line, at);
}

static _Noreturn void wrong(const char *text, const char *value)
{
	fprintf(stderr, "monitor: %s: %s\n%s", text, value, usage);
	exit(1);
}

static uint64_t parse_mib(const char *text)
{
	char *end;
	unsigned long mib;

	errno = 0;
	mib = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != 0 || mib > 1ul << 30)
		wrong("not a number of MiB", text);
	return (uint64_t)mib << 10;
}

/* One monitor at a time. The lock dies with the process (workers do not have it). */
static void only_one(const char *run_dir)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/lock", run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (int i = 0; fd >= 0 && i < 500; i++) {
		struct flock whole = { .l_type = F_WRLCK };

		/* A process's lock, not a file's: children do not inherit it. */
		if (fcntl(fd, F_SETLK, &whole) == 0)
			return;
		usleep(10000);
	}
	fprintf(stderr, "monitor: %s: another monitor runs\n", path);
	exit(1);
}

int main(int argc, char **argv)
{
	struct monitor_options options = {
		.state_dir = "/run/xen/monitor", .run_dir = "/run/xen/monitor",
		.death_dir = "/var/lib/xen/death", .dump_dir = "/var/lib/xen/dump",
		.log_file = "/var/log/xen/monitor.log",
	};
	const char *pid_file = NULL;
	struct monitor *monitor;
	bool foreground = false;
	int option, result, parent = -1;

	while ((option = getopt_long(argc, argv, "hi", long_options, NULL)) != -1) {
		switch (option) {
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'i':
			foreground = true;
			break;
		case 'p':
			pid_file = optarg;
			break;
		case 'l':
			options.log_file = optarg;
			break;
		case 'f':
			options.floor_kib = parse_mib(optarg);
			break;
		case 'g':
			options.grow_kib = parse_mib(optarg);
			break;
		default:
			fputs(usage, stderr);
			return 1;
		}
	}
	if (optind < argc)
		wrong("what is this", argv[optind]);
	log_path = options.log_file;
	openlog("xen-monitor", LOG_PID | (foreground ? LOG_PERROR : 0), LOG_DAEMON);
	mkdir("/run/xen", 0755);
	mkdir(options.run_dir, 0700);
	mkdir("/var/lib/xen", 0755);
	mkdir(options.death_dir, 0755);
	mkdir(options.dump_dir, 0700);
	if (!foreground)
		parent = tools_into_background("monitor");
	only_one(options.run_dir);
	if (monitor_start(&monitor, &options) != 0)
		return 1;
	tools_report_started(pid_file, parent, false);
	do
		result = monitor_turn(monitor, -1);
	while (result == 0);
	monitor_end(monitor);
	return result > 0 ? 0 : 1;
}

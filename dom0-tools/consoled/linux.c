/* SPDX-License-Identifier: MIT */
/*
 * The console daemon's operating system is Linux: epoll, pseudo-terminals, unix sockets, inotify.
 * See port.h for what each function promises.
 */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <tools/kill_point.h>
#include "port.h"

#define BATCH 32

static int epoll_fd = -1, signal_fd = -1, inotify_fd = -1;
/* What the running port_run() still has to call: a dropped source is taken out. */
static struct epoll_event batch[BATCH];
static int batch_count;
/* inotify's events come several at a read. */
static char watch_bytes[1024] __attribute__((aligned(__alignof__(struct inotify_event))));
static size_t watch_at, watch_end;

int port_file_open(const char *path, uint64_t *size, uint64_t *identity)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	*size = (uint64_t)st.st_size;
	*identity = (uint64_t)st.st_ino ^ ((uint64_t)st.st_dev << 48);
	return fd;
}

int port_file_write(int fd, const void *bytes, size_t length, uint64_t at)
{
	const char *p = bytes;

	while (length > 0) {
		ssize_t n = pwrite(fd, p, length, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -EIO : -errno;
		p += n;
		at += (uint64_t)n;
		length -= (size_t)n;
	}
	return 0;
}

long port_file_read(int fd, void *bytes, size_t length, uint64_t at)
{
	ssize_t n;

	do
		n = pread(fd, bytes, length, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int port_file_cut(int fd, uint64_t size)
{
	return ftruncate(fd, (off_t)size) != 0 ? -errno : 0;
}

int port_file_rename(const char *from, const char *to)
{
	return rename(from, to) != 0 ? -errno : 0;
}

bool port_file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

void port_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

int port_memory(const char *path, size_t bytes, unsigned int wait_ms, void **memory)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error = 0;

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK || wait_ms == 0) {
			error = errno == EWOULDBLOCK ? -EBUSY : -errno;
			goto close_file;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
		wait_ms -= wait_ms < 10 ? wait_ms : 10;
	}
	if (ftruncate(fd, (off_t)bytes) != 0) {
		error = -errno;
		goto close_file;
	}
	*memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*memory == MAP_FAILED) {
		error = -errno;
		goto close_file;
	}
	return 0;	/* the descriptor stays open: it holds the lock */

close_file:
	close(fd);
	return error;
}

static int nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	       fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ? -errno : 0;
}

int port_tty(int *slave, char *name, size_t room)
{
	struct termios raw;
	char path[64];
	int master, error;

	if (openpty(&master, slave, path, NULL, NULL) != 0)
		return -errno;
	error = -ENAMETOOLONG;
	if (strlen(path) >= room)
		goto close_both;
	strcpy(name, path);
	error = -EIO;
	if (tcgetattr(*slave, &raw) != 0)
		goto close_both;
	cfmakeraw(&raw);
	if (tcsetattr(*slave, TCSANOW, &raw) != 0)
		goto close_both;
	fcntl(*slave, F_SETFD, FD_CLOEXEC);
	error = nonblocking(master);
	if (error == 0)
		return master;
close_both:
	close(master);
	close(*slave);
	return error;
}

void port_tty_forget(int slave)
{
	tcflush(slave, TCIFLUSH);
}

int port_watch_open(const char *name)
{
	int watch = inotify_add_watch(inotify_fd, name, IN_OPEN | IN_CLOSE);

	return watch < 0 ? -errno : watch;
}

void port_unwatch(int watch)
{
	inotify_rm_watch(inotify_fd, watch);
}

int port_watch_fd(void)
{
	return inotify_fd;
}

int port_watch_next(int *watch)
{
	for (;;) {
		const struct inotify_event *event;

		if (watch_at >= watch_end) {
			ssize_t n = read(inotify_fd, watch_bytes, sizeof(watch_bytes));

			if (n <= 0)
				return 0;
			watch_at = 0;
			watch_end = (size_t)n;
		}
		event = (const void *)(watch_bytes + watch_at);
		watch_at += sizeof(*event) + event->len;
		*watch = event->wd;
		if (event->mask & IN_OPEN)
			return 1;
		if (event->mask & IN_CLOSE)
			return -1;
	}
}

int port_listen(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, error = 0;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	mask = umask(0077);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 8) != 0)
		error = -errno;
	umask(mask);
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

int port_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

void port_unlink(const char *path)
{
	unlink(path);
}

long port_read(int fd, void *bytes, size_t length)
{
	ssize_t n = read(fd, bytes, length);

	return n < 0 ? (errno == EINTR ? -EAGAIN : -errno) : n;
}

long port_write(int fd, const void *bytes, size_t length)
{
	ssize_t n = write(fd, bytes, length);

	return n < 0 ? (errno == EINTR ? -EAGAIN : -errno) : n;
}

int port_init(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (epoll_fd < 0 || signal_fd < 0 || inotify_fd < 0)
		return -errno;
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, signal_fd,
			 &(struct epoll_event){ .events = EPOLLIN }) != 0 ? -errno : 0;
}

static uint32_t epoll_mask(unsigned int want)
{
	return (want & PORT_IN ? EPOLLIN : 0u) | (want & PORT_OUT ? EPOLLOUT : 0u);
}

int port_add(struct source *source, unsigned int want)
{
	struct epoll_event event = { .events = epoll_mask(want), .data.ptr = source };

	source->want = want;
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, source->fd, &event) != 0 ? -errno : 0;
}

void port_want(struct source *source, unsigned int want)
{
	struct epoll_event event = { .events = epoll_mask(want), .data.ptr = source };

	if (source->want == want)
		return;
	source->want = want;
	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
}

void port_drop(struct source *source)
{
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	for (int i = 0; i < batch_count; i++)
		if (batch[i].data.ptr == source)
			batch[i].data.ptr = NULL;
}

int port_run(int ms)
{
	batch_count = epoll_wait(epoll_fd, batch, BATCH, ms);
	if (batch_count < 0) {
		batch_count = 0;
		return errno == EINTR ? 0 : -errno;
	}
	for (int i = 0; i < batch_count; i++) {
		struct source *source = batch[i].data.ptr;
		uint32_t events = batch[i].events;

		if (source)
			source->ready(source, (events & EPOLLIN ? PORT_IN : 0u) |
				      (events & EPOLLOUT ? PORT_OUT : 0u) |
				      (events & (EPOLLHUP | EPOLLERR) ? PORT_GONE : 0u));
		kill_point();
	}
	batch_count = 0;
	return 0;
}

int port_signal(void)
{
	struct signalfd_siginfo info;

	if (read(signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return 0;
	return info.ssi_signo == SIGHUP ? PORT_HANGUP : PORT_STOP;
}

uint64_t port_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void port_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsyslog(LOG_WARNING, format, args);
	va_end(args);
}

/* SPDX-License-Identifier: MIT */
/*
 * kl console: this terminal becomes the domain's console until Ctrl-] is typed or the domain is
 * gone.
 *
 * Our console daemon serves a socket per domain that first replays the last output; any number of
 * viewers may attach. With another daemon there is the pseudo-terminal that the store names. If the
 * daemon restarts, we attach again; a domain that restarts under the same id does not exist.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>
#include "console.h"

#define SOCKET_PATH	"/run/xen/console/%u.sock"
#define ATTACH_MS	15000	/* for the daemon to notice a new domain */
#define TYPED_BYTES	4096	/* typed ahead of a guest that does not read */
#define RETRY_MS	100	/* the socket's file cannot be watched for in the store */

struct console {
	struct kl *kl;
	domid_t domid;
	const char *pty_path;	/* store path */
	char escape;		/* the character that ends it */
	int fd;			/* of the guest, -1: none */
	bool socket;		/* fd is the daemon's socket */
	bool input_open;	/* standard input has not ended */
	bool keyboard;		/* standard input is a terminal */
	char typed[TYPED_BYTES]; /* what the guest has not taken yet */
	size_t typed_bytes;
};

static bool domain_alive(struct console *c)
{
	struct xen_domctl_getdomaininfo info;

	return !ctl_getdomaininfo(c->kl->ctl, c->domid, &info) &&
	       !(info.flags & XEN_DOMINF_dying);
}

static int open_socket(domid_t domid)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), SOCKET_PATH, domid);
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)) &&
	    !fcntl(fd, F_SETFL, O_NONBLOCK))
		return fd;
	close(fd);
	return -ENOENT;
}

/* The pseudo-terminal that the store names. -ENOENT: none yet. */
static int open_pty(struct console *c)
{
	char *path;
	int fd, err = store_read(c->kl->store, 0, c->pty_path, &path, NULL);

	if (err)
		return err;
	fd = *path ? open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1;
	free(path);
	return fd < 0 ? -ENOENT : fd;
}

/* Connects, waiting until the daemon has found the domain. */
static int attach(struct console *c, unsigned int ms)
{
	uint64_t deadline = tools_now_ms() + ms;
	char *buffer, *path, *token;

	for (;;) {
		c->fd = open_socket(c->domid);
		c->socket = c->fd >= 0;
		if (c->fd < 0)
			c->fd = open_pty(c);
		if (c->fd >= 0)
			return 0;
		if (kl_interrupted())
			return -EINTR;
		if (tools_now_ms() >= deadline)
			return -ETIMEDOUT;
		if (!domain_alive(c))
			return -ESRCH;
		kl_progress(c->kl, "waiting for the console of domain %u", c->domid);
		if (!store_wait_event(c->kl->store, RETRY_MS, &buffer, &path, &token))
			free(buffer);
	}
}

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t n = write(fd, bytes, length);

		if (n < 0 && errno == EINTR && !kl_interrupted())
			continue;
		if (n <= 0)
			return -EIO;
		bytes += n;
		length -= n;
	}
	return 0;
}

/* As much of what was typed as the guest takes. */
static void to_guest(struct console *c)
{
	ssize_t n = c->typed_bytes ? write(c->fd, c->typed, c->typed_bytes) : 0;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		close(c->fd);
		c->fd = -1;
		return;
	}
	c->typed_bytes -= n;
	memmove(c->typed, c->typed + n, c->typed_bytes);
}

/*
 * What the user typed goes to the guest. A keyboard is always read, as the escape character must
 * be: what the guest has no room for is lost. 1: the escape character.
 */
static int from_user(struct console *c)
{
	char bytes[256], *escape;
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		/* A script's input may end before the guest has answered. */
		c->input_open = false;
		return c->keyboard;
	}
	escape = c->keyboard || n == 1 ? memchr(bytes, c->escape, n) : NULL;
	if (escape)
		n = escape - bytes;
	if ((size_t)n > sizeof(c->typed) - c->typed_bytes)
		n = sizeof(c->typed) - c->typed_bytes;
	memcpy(c->typed + c->typed_bytes, bytes, n);
	c->typed_bytes += n;
	if (c->fd >= 0)
		to_guest(c);
	return escape != NULL;
}

/* What the guest printed goes to the user. */
static int from_guest(struct console *c)
{
	char bytes[4096];
	ssize_t n = read(c->fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		close(c->fd);
		c->fd = -1;
		return 0;
	}
	return write_all(STDOUT_FILENO, bytes, n);
}

/* The store's watch on the pty fired: another terminal, or none any more. */
static int on_store(struct console *c)
{
	char *buffer, *path, *token;
	int fd;

	while (!store_event(c->kl->store, &buffer, &path, &token))
		free(buffer);
	if (c->socket)
		return 0;
	fd = open_pty(c);
	if (fd == -ENOENT)
		return 1;
	if (fd >= 0 && c->fd >= 0) {
		/* The same terminal opened anew loses nothing. */
		close(c->fd);
		c->fd = fd;
	} else if (fd >= 0) {
		c->fd = fd;
	}
	return 0;
}

/* Passes bytes until someone ends it: 0, or -errno. */
static int relay(struct console *c)
{
	while (!kl_interrupted()) {
		/* A file or a pipe waits for the guest. */
		bool hear = c->input_open && (c->keyboard || !c->typed_bytes);
		struct pollfd fds[] = {
			{ .fd = c->fd, .events = c->typed_bytes ? POLLIN | POLLOUT : POLLIN },
			{ .fd = store_fd(c->kl->store), .events = POLLIN },
			{ .fd = hear ? STDIN_FILENO : -1, .events = POLLIN },
		};
		int end = 0;

		if (c->fd < 0) {
			/* The daemon restarts, or the domain is gone. */
			int err = domain_alive(c) ? attach(c, ATTACH_MS) : -ESRCH;

			if (err)
				return err == -ESRCH ? 0 : err;
			continue;
		}
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents & POLLOUT)
			to_guest(c);
		if (c->fd >= 0 && fds[0].revents & ~POLLOUT)
			end = from_guest(c);
		if (!end && fds[2].revents)
			end = from_user(c);
		if (!end && fds[1].revents)
			end = on_store(c);
		if (end)
			return end < 0 ? end : 0;
	}
	return 0;
}

static void raw_terminal(const struct termios *old)
{
	struct termios raw = *old;

	cfmakeraw(&raw);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

int kl_console(struct kl *kl, domid_t domid, unsigned int number, char escape)
{
	struct console c = {
		.kl = kl, .domid = domid, .escape = escape, .fd = -1, .input_open = true,
		.keyboard = isatty(STDIN_FILENO),
	};
	struct termios old;
	bool terminal = !tcgetattr(STDIN_FILENO, &old);
	char path[96];
	int err;

	if (!kl_ctl(kl) || !kl_store(kl))
		return KL_FAILED;
	if (!domain_alive(&c))
		return kl_check(kl, -ESRCH, "cannot attach to the console of domain %u", domid);
	if (number)
		snprintf(path, sizeof(path), "/local/domain/%u/device/console/%u/tty", domid,
			 number);
	else
		snprintf(path, sizeof(path), "/local/domain/%u/console/tty", domid);
	c.pty_path = path;
	kl_catch_interrupts(kl);
	err = store_watch(kl->store, path, "console");
	if (!err)
		err = attach(&c, ATTACH_MS);
	kl_progress(kl, NULL);
	if (err) {
		struct tools_error e = { 0 };

		tools_fail(&e, err, kl_errno_code(err), "Unable to attach console of domain %u: %s",
			   domid, err == -ETIMEDOUT ? "no daemon serves it" : strerror(-err));
		tools_hint(&e, err, "is consoled (or xenconsoled) running?");
		return kl_fail(kl, &e);
	}
	if (terminal)
		raw_terminal(&old);
	err = relay(&c);
	if (terminal)
		tcsetattr(STDIN_FILENO, TCSANOW, &old);
	if (c.fd >= 0)
		close(c.fd);
	return kl_check(kl, err, "console of domain %u", domid);
}

/* "]" or "^]" or the character itself: what Ctrl makes of it. */
static int parse_escape(const char *text, char *escape)
{
	if (text[0] == '^' && text[1])
		text++;
	if (!text[0] || text[1])
		return -EINVAL;
	*escape = text[0] & 0x1f;
	return 0;
}

int cmd_console(struct kl *kl, int argc, char **argv)
{
	static const struct option longs[] = { { "escape", 1, NULL, 'e' }, { 0 } };
	uint64_t number = 0;
	char escape = KL_CONSOLE_ESCAPE;
	domid_t domid;
	int opt;

	while ((opt = kl_getopt(kl, argc, argv, "n:t:e:", longs, 1)) >= 0) {
		if (opt == 'n') {
			if (kl_number(kl, "-n", INT32_MAX, &number))
				return KL_FAILED;
		} else if (opt == 'e' && parse_escape(optarg, &escape)) {
			return kl_error(kl, "bad-argument", "-e needs one character");
		} else if (opt == 't' && strcmp(optarg, "pv")) {
			if (!strcmp(optarg, "serial") || !strcmp(optarg, "vuart"))
				return kl_error(kl, "unsupported",
						"%s consoles are for guests with "
						"a device model",
						optarg);
			return kl_error(kl, "bad-argument",
					"console type supported are: pv, serial, vuart");
		}
	}
	if (opt == KL_STOP)
		return kl->status;
	if (kl_find_domain(kl, argv[optind], &domid))
		return KL_FAILED;
	return kl_console(kl, domid, (unsigned int)number, escape);
}

/* SPDX-License-Identifier: MIT */
/*
 * A descriptor that a domain moves through: every wait on it ends with cancel and deadline, sending
 * keeps to a rate, and what the other end says meanwhile is noticed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <tools/move.h>

#define PARTS_MAX 64U	     /* of a stream_put */
#define LIMITED_BYTES 65536U /* written at once under a limit */
#define BURST_MS 50U	     /* the rate is kept over such times */
#define PERIOD_MS 1000U

void move_channel_init(struct move_channel *channel, int fd, int cancel_fd)
{
	memset(channel, 0, sizeof(*channel));
	channel->fd = fd;
	channel->cancel_fd = cancel_fd;
	channel->peer_fd = -1;
}

/* Until @events of the descriptor (0: only for @ms). 0: ready or time over, -errno. */
static int channel_wait(struct move_channel *c, short events, unsigned int ms)
{
	struct pollfd list[3] = {
		{ .fd = events ? c->fd : -1, .events = events },
		{ .fd = c->cancel_fd, .events = POLLIN },
		{ .fd = events & POLLIN ? -1 : c->peer_fd, .events = POLLIN },
	};
	uint64_t end = ms ? tools_now_ms() + ms : UINT64_MAX, now;
	int n, left, rc;

	for (;;) {
		now = tools_now_ms();
		left = end == UINT64_MAX ? -1 : now < end ? (int)(end - now) : 0;
		n = poll(list, 3, left);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && list[1].revents)
			return -ECANCELED;
		if (n > 0 && list[2].revents) {
			rc = c->on_peer(c->peer_cookie);
			if (rc)
				return rc;
			list[2].fd = c->peer_fd;
		}
		if (n > 0 && list[0].revents)
			return 0;
		if (!n && tools_now_ms() >= end)
			return events ? -ETIMEDOUT : 0;
	}
}

/* Waits as long as more would break the limit; how much may be written now. */
static int brake(struct move_channel *c, size_t *length)
{
	uint64_t now = tools_now_ms(), allowed, sent;
	int rc = 0;

	if (!c->limit)
		return 0;
	if (!c->since_ms || now - c->since_ms > PERIOD_MS) {
		c->since_ms = now;
		c->since_bytes = c->bytes;
	}
	if (*length > LIMITED_BYTES)
		*length = LIMITED_BYTES;
	sent = c->bytes - c->since_bytes;
	allowed = c->limit * (now - c->since_ms + BURST_MS) / 1000;
	if (sent > allowed)
		rc = channel_wait(c, 0, (unsigned int)((sent - allowed) * 1000 / c->limit) + 1);
	return rc;
}

/* Drops @done bytes from the front of the parts. */
static void advance(struct iovec **parts, unsigned int *count, size_t done)
{
	while (*count && done >= (*parts)->iov_len) {
		done -= (*parts)->iov_len;
		(*parts)++;
		(*count)--;
	}
	if (*count) {
		(*parts)->iov_base = (char *)(*parts)->iov_base + done;
		(*parts)->iov_len -= done;
	}
}

/* One writev of what may go now; the bytes taken. */
static ssize_t write_some(struct move_channel *c, const struct iovec *parts, unsigned int count)
{
	struct iovec one = parts[0];
	int rc;

	if (!c->limit)
		return writev(c->fd, parts, (int)count);
	rc = brake(c, &one.iov_len);
	if (rc) {
		errno = -rc;
		return -1;
	}
	return writev(c->fd, &one, 1);
}

int move_channel_put(void *cookie, const struct iovec *parts, unsigned int count)
{
	struct move_channel *c = cookie;
	struct iovec copy[PARTS_MAX], *at = copy;
	ssize_t n;
	int rc;

	if (count > PARTS_MAX)
		return -EINVAL;
	memcpy(copy, parts, count * sizeof(copy[0]));
	advance(&at, &count, 0);
	while (count) {
		rc = channel_wait(c, POLLOUT, c->stall_ms);
		if (rc)
			return rc;
		n = write_some(c, at, count);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		c->bytes += (uint64_t)n;
		advance(&at, &count, (size_t)n);
	}
	return 0;
}

int move_channel_write(struct move_channel *channel, const void *bytes, size_t length)
{
	struct iovec part = { .iov_len = length };

	memcpy(&part.iov_base, &bytes, sizeof(bytes));
	return move_channel_put(channel, &part, 1);
}

int move_channel_read(struct move_channel *c, void *bytes, size_t length)
{
	char *at = bytes;
	ssize_t n;
	int rc;

	while (length) {
		rc = channel_wait(c, POLLIN, c->stall_ms);
		if (rc)
			return rc;
		n = read(c->fd, at, length > SSIZE_MAX ? SSIZE_MAX : length);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -ENODATA;
		at += n;
		length -= (size_t)n;
		c->bytes += (uint64_t)n;
	}
	return 0;
}

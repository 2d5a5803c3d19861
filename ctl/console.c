/* SPDX-License-Identifier: MIT */
/*
 * console: what a tile's machine says on its console, and keys for it, on this terminal.
 *
 * The other end is the same command with --serve, on a PTY that the tile has opened and the keeper
 * keeps: it listens on a socket, so that any number of terminals can look on, and stays when the
 * tile is handed over. Who comes late gets what was said last.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "ctl.h"

#define KEPT 65536 /* bytes that a late comer gets */
#define CLIENTS 16
#define LEAVE 0x1d /* Ctrl+] */

static bool socket_address(const struct ctl *ctl, const char *tile, struct sockaddr_un *address) {
	const char *folder = getenv("XDG_RUNTIME_DIR"), *city = ctl->socket;
	city = city ? city : getenv("WAYLAND_DISPLAY");
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	const char *name = city ? strrchr(city, '/') : NULL;
	int length = folder && city
		? snprintf(address->sun_path, sizeof(address->sun_path),
			  "%s/source-city-console-%s-%s", folder, name ? name + 1 : city, tile)
		: -1;
	return length > 0 && (size_t)length < sizeof(address->sun_path);
}

static bool make_raw(struct termios *before) {
	struct termios raw;
	if (tcgetattr(0, before) < 0)
		return false;
	raw = *before;
	cfmakeraw(&raw);
	return tcsetattr(0, TCSANOW, &raw) == 0;
}

static bool write_all(int fd, const char *data, size_t size) {
	while (size > 0) {
		ssize_t put = write(fd, data, size);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN) {
			struct pollfd wait = {.fd = fd, .events = POLLOUT};
			poll(&wait, 1, -1);
			continue;
		}
		if (put <= 0)
			return false;
		data += put;
		size -= (size_t)put;
	}
	return true;
}

/* ---- the serving end */

struct server {
	char kept[KEPT]; /* of what was said, the last bytes: byte n is at n % KEPT */
	uint64_t said;
	int listener;
	struct {
		int fd; /* -1: none */
		uint64_t at;
	} clients[CLIENTS];
};

static int listen_at(const struct sockaddr_un *address) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* What is left there is of a server that has died: a tile has one. */
	unlink(address->sun_path);
	mode_t mask = umask(0177);
	bool ok = fd >= 0 && bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
		listen(fd, CLIENTS) == 0;
	umask(mask);
	if (!ok && fd >= 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void drop(struct server *server, int i) {
	close(server->clients[i].fd);
	server->clients[i].fd = -1;
}

static void take_client(struct server *server) {
	int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	for (int i = 0; i < CLIENTS && fd >= 0; i++) {
		if (server->clients[i].fd < 0) {
			server->clients[i].fd = fd;
			server->clients[i].at = 0;
			return;
		}
	}
	if (fd >= 0)
		close(fd);
}

/* As much as it takes; who is too slow misses what is not kept any more. */
static void tell(struct server *server, int i) {
	uint64_t *at = &server->clients[i].at;
	if (server->said > KEPT && *at < server->said - KEPT)
		*at = server->said - KEPT;
	while (*at < server->said) {
		size_t place = *at % KEPT, size = server->said - *at;
		size = size < KEPT - place ? size : KEPT - place;
		ssize_t put = send(server->clients[i].fd, server->kept + place, size, MSG_NOSIGNAL);
		if (put < 0 && errno == EAGAIN)
			return;
		if (put <= 0) {
			drop(server, i);
			return;
		}
		*at += (uint64_t)put;
	}
}

static void hear(struct server *server, int i) {
	char bytes[4096];
	ssize_t got = read(server->clients[i].fd, bytes, sizeof(bytes));
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		drop(server, i);
	else if (got > 0)
		write_all(1, bytes, (size_t)got);
}

/* What the machine said. False: it is gone. */
static bool keep(struct server *server) {
	char bytes[16384];
	ssize_t got = read(0, bytes, sizeof(bytes));
	if (got <= 0)
		return got < 0 && (errno == EINTR || errno == EAGAIN);
	for (ssize_t i = 0; i < got; i++)
		server->kept[server->said++ % KEPT] = bytes[i];
	return true;
}

static void serve_clients(struct server *server) {
	bool there = true;
	while (there) {
		struct pollfd fds[2 + CLIENTS] = {
			{.fd = 0, .events = POLLIN},
			{.fd = server->listener, .events = POLLIN},
		};
		for (int i = 0; i < CLIENTS; i++) {
			bool behind = server->clients[i].at < server->said;
			fds[2 + i] = (struct pollfd){.fd = server->clients[i].fd,
				.events = (short)(POLLIN | (behind ? POLLOUT : 0))};
		}
		if (poll(fds, 2 + CLIENTS, -1) < 0)
			continue;
		if (fds[0].revents)
			there = keep(server);
		if (fds[1].revents)
			take_client(server);
		for (int i = 0; i < CLIENTS; i++) {
			int fd = fds[2 + i].fd;
			if (fd >= 0 && (fds[2 + i].revents & (POLLIN | POLLHUP | POLLERR)))
				hear(server, i);
			if (fd >= 0 && server->clients[i].fd == fd)
				tell(server, i);
		}
	}
}

static int serve(const struct ctl *ctl) {
	const char *tile = getenv("SOURCE_CITY_TILE");
	struct sockaddr_un address;
	struct termios before;
	if (!tile || !socket_address(ctl, tile, &address))
		return ctl_fail(ctl, "serve", "this is for a tile to run, on a PTY of its own");
	struct server *server = calloc(1, sizeof(*server));
	if (!server)
		return ctl_fail(ctl, "serve", "out of memory");
	int status = CTL_OK;
	for (int i = 0; i < CLIENTS; i++)
		server->clients[i].fd = -1;
	signal(SIGPIPE, SIG_IGN);
	server->listener = listen_at(&address);
	if (server->listener < 0) {
		status = ctl_fail(ctl, "serve", "%s: %s", address.sun_path, strerror(errno));
	} else if (!make_raw(&before) || !write_all(1, "", 1)) {
		status = ctl_fail(ctl, "serve", "no terminal: %s", strerror(errno));
	} else {
		/* Nothing is echoed any more: the tile may speak. */
		serve_clients(server);
	}
	if (server->listener >= 0)
		unlink(address.sun_path);
	free(server);
	return status;
}

/* ---- the end that people see */

/* Until the machine is gone, or it is left: then true. */
static bool relay(int fd) {
	bool reading = true;
	while (true) {
		char bytes[16384];
		struct pollfd fds[] = {
			{.fd = reading ? 0 : -1, .events = POLLIN},
			{.fd = fd, .events = POLLIN},
		};
		if (poll(fds, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return false;
		}
		if (fds[1].revents) {
			ssize_t got = read(fd, bytes, sizeof(bytes));
			if (got <= 0 || !write_all(1, bytes, (size_t)got))
				return false;
		}
		if (fds[0].revents) {
			ssize_t got = read(0, bytes, sizeof(bytes));
			/* Without more keys it is still looked at. */
			reading = got > 0;
			char *leave = got > 0 ? memchr(bytes, LEAVE, (size_t)got) : NULL;
			size_t size = leave ? (size_t)(leave - bytes) : reading ? (size_t)got : 0;
			if (!write_all(fd, bytes, size))
				return false;
			if (leave)
				return true;
		}
	}
}

int command_console(struct ctl *ctl) {
	if (ctl_has(ctl, "serve"))
		return ctl->word_count == 0 ? serve(ctl)
					    : ctl_usage(ctl, "--serve is for tiles, without words");
	if (ctl->word_count != 1)
		return ctl_usage(ctl, "console needs the name of a tile");
	struct sockaddr_un address;
	if (!socket_address(ctl, ctl->words[0], &address))
		return ctl_fail(ctl, "console",
			"no city: $WAYLAND_DISPLAY or $XDG_RUNTIME_DIR is not set, or too long");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;
		if (fd >= 0)
			close(fd);
		return ctl_fail(
			ctl, "console", "%s has no console: %s", ctl->words[0], strerror(error));
	}
	/* A server that goes is told by write(), with the terminal still to be put right. */
	signal(SIGPIPE, SIG_IGN);
	struct termios before;
	bool raw = isatty(0) && make_raw(&before);
	bool left = relay(fd);
	if (raw)
		tcsetattr(0, TCSANOW, &before);
	close(fd);
	if (!left)
		return ctl_fail(ctl, "console", "the console of %s is gone", ctl->words[0]);
	return CTL_OK;
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "keeper/keeper.h"
#include "log.h"

/* As far as libwayland itself looks for a free name. */
#define SOCKET_TRIES 32
#define SOCKET_BACKLOG 128

static bool paths_for(struct keeper_socket *sock, const char *dir, const char *name) {
	int n = snprintf(sock->name, sizeof(sock->name), "%s", name);
	int p = snprintf(sock->path, sizeof(sock->path), "%s/%s", dir, name);
	snprintf(sock->lock_path, sizeof(sock->lock_path), "%s.lock", sock->path);
	return n > 0 && n < (int)sizeof(sock->name) && p < (int)sizeof(sock->path);
}

static bool is_at(int fd, const char *path) {
	struct stat mine, there;
	return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_dev == there.st_dev &&
		mine.st_ino == there.st_ino;
}

/* The lock file next to the socket is libwayland's convention, so that cities and other
 * compositors keep out of each other's way. 0, or -1 with errno; EWOULDBLOCK when it is taken. */
static int take_lock(struct keeper_socket *sock) {
	sock->lock_fd = open(sock->lock_path, O_CREAT | O_CLOEXEC | O_RDWR, 0660);
	if (sock->lock_fd < 0) {
		return -1;
	}
	int saved = 0;
	if (flock(sock->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		saved = errno;
	} else if (!is_at(sock->lock_fd, sock->lock_path)) {
		saved = EWOULDBLOCK; /* its owner has removed it since it was opened */
	}
	if (saved != 0) {
		close(sock->lock_fd);
		sock->lock_fd = -1;
		errno = saved;
		return -1;
	}
	return 0;
}

static int bind_locked(struct keeper_socket *sock) {
	/* The lock is ours, so a socket that lies there was left by a process that died. */
	if (unlink(sock->path) < 0 && errno != ENOENT) {
		return -1;
	}
	sock->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock->fd < 0) {
		return -1;
	}
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	static_assert(sizeof(address.sun_path) >= sizeof(sock->path));
	memcpy(address.sun_path, sock->path, strlen(sock->path) + 1);
	if (bind(sock->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		return -1;
	}
	if (listen(sock->fd, SOCKET_BACKLOG) < 0) {
		return -1;
	}
	return 0;
}

static int check_runtime_dir(const char *dir) {
	if (dir == NULL || dir[0] == '\0') {
		city_log(CITY_LOG_ERROR, "socket",
			"XDG_RUNTIME_DIR is not set: set it to a directory of your own with mode "
			"0700 "
			"(a login session has one in /run/user)");
		return -1;
	}
	struct stat st;
	if (dir[0] != '/' || stat(dir, &st) < 0 || !S_ISDIR(st.st_mode)) {
		city_log(CITY_LOG_ERROR, "socket",
			"XDG_RUNTIME_DIR is \"%s\", which is not a directory: make it, with mode "
			"0700",
			dir);
		return -1;
	}
	if (access(dir, W_OK | X_OK) < 0) {
		city_log(CITY_LOG_ERROR, "socket",
			"XDG_RUNTIME_DIR \"%s\" cannot be written: it must be yours, with mode "
			"0700",
			dir);
		return -1;
	}
	return 0;
}

int keeper_socket_open(struct keeper_socket *sock, const char *name) {
	*sock = (struct keeper_socket){.fd = -1, .lock_fd = -1};
	const char *dir = getenv("XDG_RUNTIME_DIR");
	if (check_runtime_dir(dir) < 0) {
		return -1;
	}
	if (name != NULL && (name[0] == '\0' || strchr(name, '/') != NULL)) {
		city_log(CITY_LOG_ERROR, "socket",
			"\"%s\" is no socket name: give a plain name such as wayland-5, without a "
			"slash",
			name);
		return -1;
	}
	for (int i = 1; i <= (name != NULL ? 1 : SOCKET_TRIES); i++) {
		char numbered[KEEPER_NAME_SIZE];
		snprintf(numbered, sizeof(numbered), "wayland-%d", i);
		if (!paths_for(sock, dir, name != NULL ? name : numbered)) {
			city_log(CITY_LOG_ERROR, "socket",
				"the path of the socket in \"%s\" is too long: use a shorter %s",
				dir, name != NULL ? "name or XDG_RUNTIME_DIR" : "XDG_RUNTIME_DIR");
			return -1;
		}
		if (take_lock(sock) == 0) {
			if (bind_locked(sock) == 0) {
				return 0;
			}
			city_log(CITY_LOG_ERROR, "socket", "cannot listen on %s: %s", sock->path,
				strerror(errno));
			keeper_socket_close(sock);
			return -1;
		}
		if (errno != EWOULDBLOCK) {
			city_log(CITY_LOG_ERROR, "socket", "cannot lock %s: %s", sock->lock_path,
				strerror(errno));
			return -1;
		}
	}
	if (name != NULL) {
		city_log(CITY_LOG_ERROR, "socket",
			"%s is in use by another city or compositor: end it, or choose another "
			"name with "
			"--socket",
			sock->path);
	} else {
		city_log(CITY_LOG_ERROR, "socket",
			"wayland-1 to wayland-%d in %s are all in use: choose a name with --socket",
			SOCKET_TRIES, dir);
	}
	return -1;
}

void keeper_socket_close(struct keeper_socket *sock) {
	if (sock->fd >= 0) {
		close(sock->fd);
		sock->fd = -1;
		unlink(sock->path);
	}
	if (sock->lock_fd >= 0) {
		unlink(sock->lock_path);
		close(sock->lock_fd);
		sock->lock_fd = -1;
	}
}

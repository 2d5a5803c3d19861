/* SPDX-License-Identifier: MIT */
/*
 * A hand for tests in other languages: does what each line of its input says in the city that
 * WAYLAND_DISPLAY names, and answers "ok" when that has arrived; of a key "ok NS", the time of
 * CLOCK_MONOTONIC just before it was sent.
 *
 *   move X Y | press NAME | release NAME | scroll NOTCHES | down KEY | up KEY | modifiers MASK |
 *   lock | unlock
 *
 * Positions are those of a screen of 1280x720; NAME is left, middle or right; KEY is a number of
 * linux/input-event-codes.h; MASK as in client_key. It can lock the session, and shows nothing
 * then.
 */
#include <errno.h>
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "ext-session-lock-v1-client-protocol.h"

static int connect_display(void) {
	const char *dir = getenv("XDG_RUNTIME_DIR"), *name = getenv("WAYLAND_DISPLAY");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (dir == NULL || name == NULL ||
		snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", dir, name) >=
			(int)sizeof(address.sun_path)) {
		fprintf(stderr, "hand: XDG_RUNTIME_DIR and WAYLAND_DISPLAY must name a city\n");
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		fprintf(stderr, "hand: %s: %s\n", address.sun_path, strerror(errno));
		return -1;
	}
	return fd;
}

static uint32_t button_named(const char *name) {
	return strcmp(name, "left") == 0      ? BTN_LEFT
		: strcmp(name, "middle") == 0 ? BTN_MIDDLE
		: strcmp(name, "right") == 0  ? BTN_RIGHT
					      : 0;
}

static struct ext_session_lock_v1 *lock;

static void handle_locked(void *data, struct ext_session_lock_v1 *wl_lock) {
	*(bool *)data = true;
}

static void handle_finished(void *data, struct ext_session_lock_v1 *wl_lock) {
	fprintf(stderr, "hand: the session is not to be locked\n");
	exit(1);
}

static const struct ext_session_lock_v1_listener lock_listener = {
	.locked = handle_locked,
	.finished = handle_finished,
};

static bool is_locked(void *data) {
	return *(bool *)data;
}

static void lock_session(struct client *client) {
	static bool locked;
	locked = false;
	lock = ext_session_lock_manager_v1_lock(client->locks);
	ext_session_lock_v1_add_listener(lock, &lock_listener, &locked);
	client_wait(client, is_locked, &locked, "the lock");
}

static void unlock_session(struct client *client) {
	ext_session_lock_v1_unlock_and_destroy(lock);
	lock = NULL;
	client_roundtrip(client);
}

static long long sent_ns;

static void key(struct client *client, int code, bool pressed) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	sent_ns = (long long)now.tv_sec * 1000000000 + now.tv_nsec;
	client_key_state(client, (uint32_t)code, pressed);
}

static bool obey(struct client *client, const char *line) {
	double x, y;
	int number;
	char word[16];
	if (sscanf(line, "move %lf %lf", &x, &y) == 2) {
		client_pointer_move(client, x, y);
	} else if (sscanf(line, "press %15s", word) == 1 && button_named(word) != 0) {
		client_pointer_button(client, button_named(word), true);
	} else if (sscanf(line, "release %15s", word) == 1 && button_named(word) != 0) {
		client_pointer_button(client, button_named(word), false);
	} else if (sscanf(line, "scroll %d", &number) == 1) {
		client_pointer_scroll(client, number);
	} else if (sscanf(line, "down %d", &number) == 1 && number > 0) {
		key(client, number, true);
	} else if (sscanf(line, "up %d", &number) == 1 && number > 0) {
		key(client, number, false);
	} else if (sscanf(line, "modifiers %d", &number) == 1 && number >= 0) {
		client_modifiers(client, (uint32_t)number);
	} else if (strcmp(line, "lock\n") == 0 && lock == NULL) {
		lock_session(client);
	} else if (strcmp(line, "unlock\n") == 0 && lock != NULL) {
		unlock_session(client);
	} else {
		return false;
	}
	return true;
}

int main(void) {
	int fd = connect_display();
	if (fd < 0) {
		return 1;
	}
	struct client *client = client_create_on_fd(fd);
	char line[256];
	int status = 0;
	while (status == 0 && fgets(line, sizeof(line), stdin) != NULL) {
		sent_ns = 0;
		if (obey(client, line)) {
			printf(sent_ns ? "ok %lld\n" : "ok\n", sent_ns);
			fflush(stdout);
		} else {
			fprintf(stderr, "hand: what is \"%.*s\"?\n", (int)strcspn(line, "\n"),
				line);
			status = 1;
		}
	}
	client_destroy(client);
	return status;
}

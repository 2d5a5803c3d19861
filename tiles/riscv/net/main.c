/* SPDX-License-Identifier: MIT */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "net_line.h"

/* For the machine, while it does not read. What finds no room is lost, as on any network. */
#define OUT_ROOM (1u << 20)
/* At most so much is read from the machine between two looks at the sockets. */
#define READS 8

struct net {
	struct net_stack *stack;
	struct rv_line line; /* what comes from the machine; nothing is sent by it */
	bool failed;	     /* said why */
	bool silent;	     /* stderr is the line, too: nothing is said there any more */
	size_t out_at, out_size;
	uint8_t out[OUT_ROOM];
};

static void put(struct net *net, const void *data, size_t size) {
	if (OUT_ROOM - net->out_size < RV_LINE_PACKET(size) && net->out_at > 0) {
		memmove(net->out, net->out + net->out_at, net->out_size - net->out_at);
		net->out_size -= net->out_at;
		net->out_at = 0;
	}
	if (OUT_ROOM - net->out_size >= RV_LINE_PACKET(size)) {
		net->out_size += rv_packet_encode(data, size, net->out + net->out_size);
	}
}

static void handle_frame(const void *frame, size_t size, void *data) {
	if (size <= RV_FRAME_MAX) {
		put(data, frame, size);
	}
}

/* The terminal carries frames from now on, and no text. */
static bool make_raw(void) {
	struct termios raw;
	if (tcgetattr(STDIN_FILENO, &raw) == 0) {
		cfmakeraw(&raw);
		if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0) {
			return true;
		}
	}
	net_say("--terminal: stdin: %s", strerror(errno));
	return false;
}

/* -1: said why. */
static int open_null(void) {
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null < 0) {
		net_say("/dev/null: %s", strerror(errno));
	}
	return null;
}

/* Says it even where stderr is the line. */
static void say_late(struct net *net, const char *text) {
	if (!net->silent) {
		net_say("%s", text);
		return;
	}
	char frame[RV_FRAME_MIN + 256] = {
		[12] = (char)(RV_LINE_TEXT_TYPE >> 8),
		[13] = (char)(RV_LINE_TEXT_TYPE & 0xff),
	};
	snprintf(frame + RV_FRAME_MIN, sizeof(frame) - RV_FRAME_MIN, "source-city-net: %s", text);
	put(net, frame, RV_FRAME_MIN + strlen(frame + RV_FRAME_MIN));
}

static bool do_not_block(int fd) {
	int flags = fcntl(fd, F_GETFL);
	if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0) {
		return true;
	}
	net_say("stdin or stdout: %s", strerror(errno));
	return false;
}

static bool is_later(void) {
	return errno == EAGAIN || errno == EINTR;
}

/* False: the machine is gone. */
static bool hear(struct net *net) {
	uint8_t frame[RV_FRAME_MAX];
	size_t room, size;
	for (int i = 0; i < READS; i++) {
		uint8_t *at = rv_line_room(&net->line, &room);
		ssize_t got = read(STDIN_FILENO, at, room);
		if (got <= 0) {
			return got < 0 && is_later();
		}
		rv_line_came(&net->line, (size_t)got);
		while (rv_line_look(&net->line, frame, &size) == RV_LINE_FRAME) {
			rv_line_drop(&net->line);
			net_stack_input(net->stack, frame, size);
		}
	}
	return true;
}

/* False: the machine is gone, or nothing can be sent to it. */
static bool tell(struct net *net) {
	while (net->out_at < net->out_size) {
		ssize_t put =
			write(STDOUT_FILENO, net->out + net->out_at, net->out_size - net->out_at);
		if (put < 0 && is_later()) {
			return true;
		}
		if (put < 0) {
			net->failed = errno != EPIPE && errno != EIO;
			if (net->failed) {
				net_say("stdout: %s", strerror(errno));
			}
			return false;
		}
		net->out_at += (size_t)put;
	}
	net->out_at = net->out_size = 0;
	return true;
}

/* Until the machine is gone. */
static int work(struct net *net) {
	struct net_poll waits = {};
	bool here = tell(net);
	while (here) {
		int timeout = -1;
		bool more = net->out_at < net->out_size;
		waits.count = 0;
		if (!net_poll_add(&waits, STDIN_FILENO, POLLIN) ||
			!net_poll_add(&waits, more ? STDOUT_FILENO : -1, POLLOUT)) {
			net_say("no memory");
			break;
		}
		net_stack_fill(net->stack, &waits, &timeout);
		int ready = poll(waits.fds, waits.count, timeout);
		if (ready < 0 && errno != EINTR) {
			net_say("poll: %s", strerror(errno));
			break;
		}
		if (ready > 0 && waits.fds[0].revents) {
			here = hear(net);
		}
		net_stack_work(net->stack, &waits, ready < 0);
		char text[192];
		if (net_confine_refused(text, sizeof(text))) {
			say_late(net, text);
		}
		here = here && tell(net);
	}
	free(waits.fds);
	return here || net->failed;
}

int main(int argc, char **argv) {
	struct net_options options;
	int status;
	if (!net_options_parse(&options, argc, argv, &status)) {
		return status;
	}
	struct net *net = calloc(1, sizeof(*net));
	if (!net) {
		net_say("no memory");
		return 1;
	}
	status = 1;
	int null = -1;
	signal(SIGPIPE, SIG_IGN);
	net->stack = net_stack_create(handle_frame, net);
	if (!net->stack) {
		goto out;
	}
	/* A port that is taken, as by the machine that this one was forked from, leaves the rest.
	 */
	for (size_t i = 0; i < options.forward_count; i++) {
		net_stack_forward(net->stack, &options.forwards[i]);
	}
	net->silent = options.terminal && isatty(STDERR_FILENO);
	if ((options.terminal && !make_raw()) || (net->silent && (null = open_null()) < 0) ||
		!do_not_block(STDIN_FILENO) || !do_not_block(STDOUT_FILENO)) {
		goto out;
	}
	/* Nothing was read from the machine yet. */
	net_confine();
	if (net->silent) {
		dup2(null, STDERR_FILENO);
	}
	net->line.ready = true;
	put(net, NULL, 0);
	status = work(net);
out:
	if (net->stack) {
		net_stack_destroy(net->stack);
	}
	if (null >= 0) {
		close(null);
	}
	free(net);
	return status;
}

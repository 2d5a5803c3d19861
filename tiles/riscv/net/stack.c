/* SPDX-License-Identifier: MIT */
#include "net.h"

#include <errno.h>
#include <libslirp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NETWORK "10.0.2.0"
#define MASK "255.255.255.0"
#define HOST "10.0.2.2"
#define NAME_SERVER "10.0.2.3"
#define GUEST "10.0.2.15"

struct net_stack {
	Slirp *slirp;
	void (*send)(const void *frame, size_t size, void *data);
	void *data;
};

struct pollfd *net_poll_add(struct net_poll *poll, int fd, short events) {
	if (poll->count == poll->room) {
		size_t room = poll->room ? 2 * poll->room : 64;
		struct pollfd *fds = realloc(poll->fds, room * sizeof(*fds));
		if (!fds) {
			return NULL;
		}
		poll->fds = fds;
		poll->room = room;
	}
	poll->fds[poll->count] = (struct pollfd){.fd = fd, .events = events};
	return &poll->fds[poll->count++];
}

/* ---- what libslirp asks for */

static slirp_ssize_t handle_packet(const void *frame, size_t size, void *opaque) {
	struct net_stack *stack = opaque;
	stack->send(frame, size, stack->data);
	return (slirp_ssize_t)size;
}

/* A guest may do so all day; what is wrong with its frames it finds out itself. */
static void handle_guest_error(const char *message, void *opaque) {
}

static int64_t clock_ns(void *opaque) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* Timers are for IPv6 alone, which is off. */
static void *timer_new(SlirpTimerId id, void *cb_opaque, void *opaque) {
	return NULL;
}

static void timer_free(void *timer, void *opaque) {
}

static void timer_mod(void *timer, int64_t expire_ms, void *opaque) {
}

/* All sockets are asked for anew before each wait. */
static void handle_socket(slirp_os_socket socket, void *opaque) {
}

static void notify(void *opaque) {
}

static const SlirpCb callbacks = {
	.send_packet = handle_packet,
	.guest_error = handle_guest_error,
	.clock_get_ns = clock_ns,
	.timer_new_opaque = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_socket = handle_socket,
	.unregister_poll_socket = handle_socket,
	.notify = notify,
};

/* ---- the stack */

static struct in_addr address(const char *text) {
	struct in_addr address = {};
	inet_aton(text, &address);
	return address;
}

struct net_stack *net_stack_create(
	void (*send)(const void *frame, size_t size, void *data), void *data) {
	const SlirpConfig config = {
		.version = 6,
		.in_enabled = true,
		.vnetwork = address(NETWORK),
		.vnetmask = address(MASK),
		.vhost = address(HOST),
		.vdhcp_start = address(GUEST),
		.vnameserver = address(NAME_SERVER),
	};
	struct net_stack *stack = calloc(1, sizeof(*stack));
	if (!stack) {
		net_say("no memory");
		return NULL;
	}
	stack->send = send;
	stack->data = data;
	stack->slirp = slirp_new(&config, &callbacks, stack);
	if (!stack->slirp) {
		net_say("libslirp %s makes no network", slirp_version_string());
		free(stack);
		return NULL;
	}
	return stack;
}

void net_stack_destroy(struct net_stack *stack) {
	slirp_cleanup(stack->slirp);
	free(stack);
}

static const char *why(int error) {
	switch (error) {
	case 0:
	case EADDRINUSE:
		return "it is taken, by another program or the machine that this one was forked "
		       "from";
	case EACCES:
		return "ports below 1024 are not for every user";
	default:
		return strerror(error);
	}
}

bool net_stack_forward(struct net_stack *stack, const struct net_forward *forward) {
	struct in_addr loopback = {.s_addr = htonl(INADDR_LOOPBACK)};
	errno = 0;
	if (slirp_add_hostfwd(stack->slirp, forward->udp, loopback, forward->port, address(GUEST),
		    forward->guest_port) == 0) {
		return true;
	}
	net_say("--forward: %s port %u of 127.0.0.1 is left out: %s", forward->udp ? "udp" : "tcp",
		forward->port, why(errno));
	return false;
}

void net_stack_input(struct net_stack *stack, const void *frame, size_t size) {
	slirp_input(stack->slirp, frame, (int)size);
}

/* ---- waiting */

static int add_socket(slirp_os_socket socket, int events, void *opaque) {
	struct net_poll *poll = opaque;
	short wanted = (short)((events & SLIRP_POLL_IN ? POLLIN : 0) |
		(events & SLIRP_POLL_OUT ? POLLOUT : 0) | (events & SLIRP_POLL_PRI ? POLLPRI : 0));
	return net_poll_add(poll, socket, wanted) ? (int)poll->count - 1 : -1;
}

void net_stack_fill(struct net_stack *stack, struct net_poll *poll, int *timeout) {
	uint32_t most = *timeout < 0 ? UINT32_MAX : (uint32_t)*timeout;
	slirp_pollfds_fill_socket(stack->slirp, &most, add_socket, poll);
	*timeout = most > INT32_MAX ? -1 : (int)most;
}

static int events_of(int index, void *opaque) {
	const struct net_poll *poll = opaque;
	if (index < 0 || (size_t)index >= poll->count) {
		return 0;
	}
	short events = poll->fds[index].revents;
	return (events & POLLIN ? SLIRP_POLL_IN : 0) | (events & POLLOUT ? SLIRP_POLL_OUT : 0) |
		(events & POLLPRI ? SLIRP_POLL_PRI : 0) | (events & POLLERR ? SLIRP_POLL_ERR : 0) |
		(events & POLLHUP ? SLIRP_POLL_HUP : 0);
}

void net_stack_work(struct net_stack *stack, struct net_poll *poll, bool failed) {
	slirp_pollfds_poll(stack->slirp, failed, events_of, poll);
}

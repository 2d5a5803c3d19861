/* SPDX-License-Identifier: MIT */
/*
 * source-city-net: a network for one machine, made of sockets of an ordinary user (libslirp). The
 * machine's Ethernet frames come by stdin and go by stdout, as net_line.h has it.
 *
 * main.c: the line, and what is waited for. stack.c: libslirp. confine.c: what it may do.
 * options.c: the command line. One thread; errors are one line on stderr.
 */
#ifndef SOURCE_CITY_NET_H
#define SOURCE_CITY_NET_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_FORWARDS_MAX 64

struct net_forward {
	bool udp;
	uint16_t port, guest_port;
};

struct net_options {
	bool terminal; /* stdin and stdout are one, to be made raw */
	struct net_forward forwards[NET_FORWARDS_MAX];
	size_t forward_count;
};

[[gnu::format(printf, 1, 2)]] void net_say(const char *format, ...);

/* ---- options.c. False: said why, or what was asked for; *status is then that of the program. */
bool net_options_parse(struct net_options *options, int argc, char **argv, int *status);

/* ---- confine.c */

/* From here on nothing is done but what a network needs. False: the kernel cannot do that (said).
 */
bool net_confine(void);
/* Whether something else was tried, for the first time: what, in words. */
bool net_confine_refused(char *text, size_t size);

/* ---- stack.c */

struct net_stack;

/* What is waited for. */
struct net_poll {
	struct pollfd *fds;
	size_t count, room;
};

/* Frames for the machine go to send(). NULL: said why. */
struct net_stack *net_stack_create(
	void (*send)(const void *frame, size_t size, void *data), void *data);
void net_stack_destroy(struct net_stack *stack);
/* Listens on the loopback. False: said why. */
bool net_stack_forward(struct net_stack *stack, const struct net_forward *forward);
void net_stack_input(struct net_stack *stack, const void *frame, size_t size);
/* Adds what it waits for; *timeout (ms, -1: for ever) becomes less where it does not wait that
 * long. */
void net_stack_fill(struct net_stack *stack, struct net_poll *poll, int *timeout);
/* After poll(), which failed or not. */
void net_stack_work(struct net_stack *stack, struct net_poll *poll, bool failed);
/* One place more. NULL: no memory. */
struct pollfd *net_poll_add(struct net_poll *poll, int fd, short events);

#endif

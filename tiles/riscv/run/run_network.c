/* SPDX-License-Identifier: MIT */
/* The machine's network card, with source-city-net at the other end of two pipes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net_line.h"
#include "run.h"

#define PROGRAM "source-city-net"

/* Where it is not on the path it is beside this program. */
[[noreturn]] static void become_network(const struct run_options *options, int in, int out) {
	const char *argv[2 * RUN_FORWARDS_MAX + 2] = {PROGRAM};
	for (unsigned i = 0; i < options->forward_count; i++) {
		argv[1 + 2 * i] = "--forward";
		argv[2 + 2 * i] = options->forwards[i];
	}
	if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0) {
		execvp(argv[0], (char **)argv);
		int error = errno;
		char path[PATH_MAX];
		ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - sizeof(PROGRAM));
		char *name = size > 0 ? memrchr(path, '/', size) : NULL;
		if (name) {
			strcpy(name + 1, PROGRAM);
			execv(path, (char **)argv);
		}
		errno = error;
	}
	run_say("--network: " PROGRAM ": %s", strerror(errno));
	_exit(127);
}

static void say(void *data, const char *text) {
	run_say("%s", text);
}

/* False: it is gone. */
static bool read_more(struct run_network *network, struct rv_machine *m, bool *came) {
	size_t room;
	uint8_t *at = rv_line_room(network->line, &room);
	ssize_t got = room > 0 ? read(network->from, at, room) : -1;
	*came = got > 0;
	if (got > 0)
		rv_line_came(network->line, got);
	return got > 0 || (got < 0 && (room == 0 || errno == EAGAIN || errno == EINTR));
}

static bool write_out(struct run_network *network) {
	size_t size;
	const uint8_t *bytes = rv_line_out(network->line, &size);
	ssize_t put = size > 0 ? write(network->to, bytes, size) : 0;
	if (put > 0)
		rv_line_sent(network->line, put);
	return put >= 0 || errno == EAGAIN || errno == EINTR;
}

static void give_up(struct run_network *network, struct rv_machine *m) {
	close(network->from);
	network->from = -1;
	rv_line_reset(network->line);
	rv_net_link(m, false);
}

/* It says that it listens, or why it does not. */
static bool await_network(struct run_network *network, struct rv_machine *m) {
	bool came = true;
	while (came && !network->line->ready) {
		if (!read_more(network, m, &came))
			return false;
		rv_line_receive(network->line, m, UINT_MAX, say, NULL);
	}
	return network->line->ready;
}

bool run_network_open(
	struct run_network *network, struct rv_machine *m, const struct run_options *options) {
	int to[2] = {-1, -1}, from[2] = {-1, -1};
	*network = (struct run_network){.to = -1, .from = -1};
	if (!options->network)
		return true;
	signal(SIGPIPE, SIG_IGN);
	network->line = calloc(1, sizeof(*network->line));
	m->net = calloc(1, sizeof(*m->net));
	if (!network->line || !m->net || pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0 ||
		getrandom(m->net->mac, sizeof(m->net->mac), 0) != sizeof(m->net->mac)) {
		run_say("--network: %s", strerror(errno));
		goto error;
	}
	m->net->mac[0] = 0x02; /* of nobody's making */
	network->child = fork();
	if (network->child == 0)
		become_network(options, to[0], from[1]);
	if (network->child < 0) {
		run_say("--network: %s", strerror(errno));
		goto error;
	}
	close(to[0]);
	close(from[1]);
	network->to = to[1];
	network->from = from[0];
	if (!await_network(network, m)) {
		run_say("--network: there is none");
		return false;
	}
	fcntl(network->to, F_SETFL, O_NONBLOCK);
	fcntl(network->from, F_SETFL, O_NONBLOCK);
	return true;

error:
	for (int i = 0; i < 2; i++) {
		if (to[i] >= 0)
			close(to[i]);
		if (from[i] >= 0)
			close(from[i]);
	}
	return false;
}

void run_network_close(struct run_network *network, struct rv_machine *m) {
	if (network->to >= 0)
		close(network->to);
	if (network->from >= 0)
		close(network->from);
	if (network->child > 0)
		waitpid(network->child, NULL, 0);
	free(network->line);
	free(m->net);
	m->net = NULL;
}

bool run_network_pump(struct run_network *network, struct rv_machine *m) {
	if (network->from < 0) {
		if (m->net)
			rv_line_send(network->line, m);
		return false;
	}
	uint64_t received = m->net->received;
	bool came = true, there = true;
	while (came && there) {
		there = read_more(network, m, &came);
		network->full = !rv_line_receive(network->line, m, UINT_MAX, say, NULL);
		if (network->full)
			break;
	}
	rv_line_send(network->line, m);
	if (!write_out(network) || !there) {
		run_say("the network is down: " PROGRAM " has ended");
		give_up(network, m);
	}
	return m->net->received != received;
}

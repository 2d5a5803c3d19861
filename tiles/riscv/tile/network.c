/* SPDX-License-Identifier: MIT */
/*
 * Who is behind the network card: source-city-net, on a PTY that the keeper keeps. So connections
 * of the guest stay open while this tile is handed over; what is on the way between the two is in
 * cells, or in the PTY.
 *
 * When a version is undone, the guest is again what it was before that, and gets once more what it
 * was sent since. Its peers were told that it has that already, and will not send it a second time:
 * if it came faster than the guest reads it, or than its windows are wide, it would be lost, and
 * the connection with it. So it comes some frames at a time, when the guest has nothing else to do.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "rvtile.h"

#define PTY "net"
#define PROGRAM "source-city-net"
#define FORWARDS 66 /* more than it takes, so that it says so */
/* After it has died: soon, then twice as late each time; from the start if it lived long. */
#define AGAIN_NS 1000000000ull
#define LONG_NS 60000000000ull
#define AGAIN_DOUBLINGS 6
/* At a time: bytes that come, and how often the line is filled with what goes. */
#define COME_MOST 65536
#define SEND_TIMES 8
/* Catching up: frames at a time, and how long a guest that is busy waits for them. */
#define AGAIN_FRAMES 8
#define AGAIN_WAIT_NS 20000000ull

static struct rv_line *line_of(const struct rvtile *rv) {
	return rv->tile->cells[CELL_LINE];
}

static const char *option(const struct rvtile *rv, const char *key) {
	return rv->tile->host->option(rv->tile, key);
}

bool network_wanted(const struct rvtile *rv, bool *wanted, char *why, size_t why_size) {
	const char *network = option(rv, "network");
	*wanted = network && strcmp(network, "user") == 0;
	if (!network || *wanted || strcmp(network, "off") == 0) {
		return true;
	}
	snprintf(why, why_size, "option network: \"%.40s\" is neither user nor off", network);
	return false;
}

/* ---- the program at the other end */

/* Each word of the option, which is cut into `words`, becomes an argument. */
static size_t add_forwards(const struct rvtile *rv, char *words, size_t size,
	const char *argv[2 * FORWARDS], size_t count) {
	const char *set = option(rv, "forward");
	snprintf(words, size, "%s", set ? set : "");
	for (char *rest = words, *word; count + 1 < 2 * (size_t)FORWARDS;) {
		while ((word = strsep(&rest, " ,")) && !*word) {
		}
		if (!word) {
			break;
		}
		argv[count++] = "--forward";
		argv[count++] = word;
	}
	return count;
}

static bool start(struct rvtile *rv) {
	struct network *network = network_of(rv);
	const char *argv[2 * FORWARDS + 3] = {PROGRAM, "--terminal"};
	char words[4096];
	add_forwards(rv, words, sizeof(words), argv, 2);
	const struct tile_pty_options options = {.argv = argv};
	rv_line_reset(line_of(rv));
	rv->net = rv->tile->host->pty_open(rv->tile, PTY, &options);
	network->open = rv->net >= 0;
	network->start_at = 0;
	if (network->open) {
		network->starts++;
		network->started = rv->tile->time->now_ns;
		rv->tile->host->stream_watch(rv->tile, rv->net, true, false);
	}
	return network->open;
}

static void stop(struct rvtile *rv) {
	struct rv_net *net = rv->tile->cells[CELL_NET];
	if (rv->net >= 0) {
		rv->tile->host->stream_close(rv->tile, rv->net);
		rv->net = -1;
	}
	if (rv->machine_there && rv->machine.net) {
		rv_net_link(&rv->machine, false);
		run_wake(rv);
	}
	net->link = false;
	rv_line_reset(line_of(rv));
	network_of(rv)->open = false;
	network_of(rv)->start_at = 0;
}

static void start_later(struct rvtile *rv) {
	struct network *network = network_of(rv);
	uint32_t doublings =
		network->failures < AGAIN_DOUBLINGS ? network->failures : AGAIN_DOUBLINGS;
	network->start_at = rv->tile->time->now_ns + (AGAIN_NS << doublings);
	network->failures++;
}

void network_update(struct rvtile *rv) {
	const struct network *network = network_of(rv);
	if (network->start_at > 0 && rv->tile->time->now_ns >= network->start_at && !start(rv)) {
		start_later(rv);
	}
}

uint64_t network_next(const struct rvtile *rv) {
	uint64_t at = network_of(rv)->start_at;
	return at > 0 ? at : UINT64_MAX;
}

static void make_address(struct rvtile *rv) {
	struct rv_net *net = rv->tile->cells[CELL_NET];
	static const uint8_t none[sizeof(net->mac)];
	if (memcmp(net->mac, none, sizeof(none)) == 0) {
		uint64_t number = rv->tile->host->random64(rv->tile);
		memcpy(net->mac, &number, sizeof(net->mac));
		net->mac[0] = 0x02; /* of nobody's making */
	}
}

void network_setup(struct rvtile *rv, bool wanted) {
	/* It may be one of a version whose state was not kept. A machine that starts anew has no
	 * connections, and the options may be others. */
	if (rv->net < 0) {
		rv->net = rv->tile->host->stream_claim(rv->tile, PTY);
	}
	stop(rv);
	if (wanted && !start(rv)) {
		console_message(rv, "There is no network: " PROGRAM " cannot be started.");
		wanted = false;
	}
	network_of(rv)->card = wanted;
	if (wanted) {
		make_address(rv);
	}
}

void network_attach(struct rvtile *rv, enum tile_attach why) {
	struct network *network = network_of(rv);
	/* What is not there is not asked for in the pause of a handover. A version that was undone
	 * may have started it. */
	bool none = !network->card || (!network->open && network->start_at > 0);
	rv->net = none && why == TILE_ATTACH_HANDOVER ? -1
						      : rv->tile->host->stream_claim(rv->tile, PTY);
	if (rv->net >= 0 && !network->card) {
		stop(rv);
	} else if (rv->net >= 0) {
		network->open = true;
		network->start_at = 0;
		/* A version that is undone has sent what this one does not know of. */
		if (why != TILE_ATTACH_HANDOVER) {
			rv_line_lost(line_of(rv));
		}
		/* Which may go on over a handover. */
		network->catching_up |= why == TILE_ATTACH_ROLLBACK;
		rv->tile->host->stream_watch(rv->tile, rv->net, true, true);
	} else if (network->card && network->open) {
		/* A fork, or the city was started again. */
		struct rv_net *net = rv->tile->cells[CELL_NET];
		net->link = false;
		if (!start(rv)) {
			start_later(rv);
		}
	}
}

/* What is wrong when it is started comes from the options, and stands on the console, too. */
static void say(void *data, const char *text) {
	struct rvtile *rv = data;
	tile_log(rv->tile, 1, "%s", text);
	if (!line_of(rv)->ready) {
		console_message(rv, text);
	}
}

/* What it said before it listened, also where nobody heard that: the machine was being loaded, or
 * stood still. */
static void hear_last(struct rvtile *rv) {
	struct rv_line *line = line_of(rv);
	uint8_t bytes[RV_FRAME_MAX + 1];
	long got;
	do {
		size_t size, room;
		while (!line->ready && rv_line_look(line, bytes, &size) == RV_LINE_TEXT) {
			bytes[size] = 0;
			say(rv, (const char *)bytes);
		}
		uint8_t *at = rv_line_room(line, &room);
		got = !line->ready && room > 0
			? rv->tile->host->stream_read(rv->tile, rv->net, at, room)
			: 0;
		rv_line_came(line, got > 0 ? (size_t)got : 0);
	} while (got > 0);
}

void network_ended(struct rvtile *rv, int status) {
	struct network *network = network_of(rv);
	hear_last(rv);
	bool ready = line_of(rv)->ready;
	stop(rv);
	if (!ready) {
		/* It would do so again. */
		tile_log(rv->tile, 0, "there is no network: " PROGRAM " ended with %d",
			WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
		return;
	}
	if (rv->tile->time->now_ns - network->started >= LONG_NS) {
		network->failures = 0;
	}
	if (network->failures == 0) {
		tile_log(rv->tile, 1,
			"the network is down: " PROGRAM " has died; it is started again");
	}
	start_later(rv);
}

/* ---- frames */

/* What is to be sent, as far as the PTY takes it. False: it takes no more now. */
static bool write_out(struct rvtile *rv) {
	size_t size;
	const uint8_t *bytes = rv_line_out(line_of(rv), &size);
	long put = size > 0 ? rv->tile->host->stream_write(rv->tile, rv->net, bytes, size) : 0;
	if (put > 0) {
		rv_line_sent(line_of(rv), (size_t)put);
	}
	return put >= 0 && (size_t)put == size;
}

/* Frames that may come now. */
static unsigned may_come(const struct rvtile *rv) {
	const struct network *network = network_of(rv);
	if (!network->catching_up) {
		return UINT_MAX;
	}
	return pace_of(rv)->idle || rv->tile->time->now_ns >= network->next_ns ? AGAIN_FRAMES : 0;
}

void network_flush(struct rvtile *rv) {
	struct rv_machine *m = &rv->machine;
	struct rv_line *line = line_of(rv);
	if (!rv->machine_there || !m->net) {
		return;
	}
	if (rv->net < 0) {
		rv_line_send(line, m);
		return;
	}
	bool was_ready = line->ready, hears = false;
	uint64_t received = m->net->received;
	if (run_runs(rv)) {
		hears = rv_line_receive(line, m, may_come(rv), say, rv);
	}
	if (m->net->received != received || line->ready != was_ready) {
		network_of(rv)->next_ns = rv->tile->time->now_ns + AGAIN_WAIT_NS;
		run_wake(rv);
	}
	bool sent = true;
	for (int i = 0; sent && i < SEND_TIMES && (i == 0 || rv_net_output(m)); i++) {
		rv_line_send(line, m);
		sent = write_out(rv);
	}
	sent = sent && !rv_net_output(m);
	rv->tile->host->stream_watch(rv->tile, rv->net, hears, !sent);
}

void network_ready(struct rvtile *rv) {
	struct rv_line *line = line_of(rv);
	if (!rv->machine_there || !rv->machine.net) {
		/* There is no memory for it. */
		rv->tile->host->stream_watch(rv->tile, rv->net, false, false);
		return;
	}
	for (size_t come = 0, room; come < COME_MOST;) {
		uint8_t *at = rv_line_room(line, &room);
		long got = room > 0 ? rv->tile->host->stream_read(rv->tile, rv->net, at, room) : 0;
		if (got <= 0) {
			/* All of it has come. */
			network_of(rv)->catching_up &= line->in_at < line->in_size;
			break;
		}
		rv_line_came(line, (size_t)got);
		come += (size_t)got;
		if (!run_runs(rv)) {
			break;
		}
		network_flush(rv);
	}
	network_flush(rv);
}

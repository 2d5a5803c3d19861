/* SPDX-License-Identifier: MIT */
/*
 * Stands in for source-city-audio in the tests of handovers: needs no sound server, and looks at
 * every sample.
 *
 * Time passes METRONOME_PACE times as fast as it does (1), in cycles of QUANTUM frames, and never
 * without the frames of all rings: with none of them late. Of each ring the left channel has to say
 * which frame it is (tiles/tone.c), the right one which version. What is found is written to
 * METRONOME_LOG, a line each: "turn FRAME VALUE" where the right channel is another than in the
 * frame before (fading once, not every frame of it), "wrong FRAME" and "late FRAME COUNT".
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "keeper/wire.h"
#include "ring.h"
#include "tiles/audio_wire.h"
#include "tiles/tile.h"
#include "transport.h"
#include "vat.h"

#define QUANTUM 256
#define PEERS_MAX 16
#define RINGS_MAX 16
#define WRAP (1u << 20)
/* What is asked of the transport happens so much later: behind what is rendered. */
#define BEHIND (2 * RING_FRAMES)
#define PATIENCE_NS (60 * 1000000000ull)

struct mapped_ring {
	struct ring ring;
	int wake;
	struct vat_uuid tile;
	char name[VAT_NAME_SIZE];
	bool heard, fading;
	float right;
};

static struct vat_transport_page *page;
static struct vat_transport transport;
static uint64_t frame, begin_frame, begin_ns;
static double pace = 1;
static int peers[PEERS_MAX];
static size_t peer_count, ring_count;
static struct mapped_ring rings[RINGS_MAX];
static FILE *found;

static uint64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void say(const char *what, uint64_t at, double value) {
	if (found) {
		fprintf(found, "%s %llu %g\n", what, (unsigned long long)at, value);
		fflush(found);
	}
}

/* ---- the rings */

static void look(struct mapped_ring *ring, uint64_t at, float left, float right) {
	float wanted = (float)(at % WRAP) / WRAP;
	if (!ring->heard) {
		/* Where the tile begins it fades in. */
		ring->heard = left == wanted && fabsf(right) == 1;
		ring->right = right;
		return;
	}
	if (left != wanted) {
		say("wrong", at, left);
	}
	if (right != ring->right && !ring->fading) {
		say("turn", at, right);
	}
	ring->fading = fabsf(right) != 1;
	ring->right = right;
}

static void take(struct mapped_ring *ring) {
	float left[QUANTUM], right[QUANTUM];
	float *out[RING_CHANNELS_MAX] = {left, right};
	ring_want(&ring->ring, 2 * QUANTUM);
	uint64_t one = 1;
	bool woken = ring_should_wake(&ring->ring) && write(ring->wake, &one, sizeof(one)) < 0;
	(void)woken;
	/* Before it has read for the first time nobody knows where it is. */
	if (ring_position(&ring->ring) == frame) {
		ring_wait(&ring->ring, frame, QUANTUM, PATIENCE_NS);
	}
	uint32_t late = ring_read(&ring->ring, frame, QUANTUM, out);
	if (late > 0) {
		if (ring->heard) {
			say("late", frame, late);
		}
		ring->heard = false;
	}
	for (uint32_t i = 0; i < QUANTUM && late == 0; i++) {
		look(ring, frame + i, left[i], right[i]);
	}
}

static void pass_time(void) {
	uint64_t due =
		begin_frame + (uint64_t)((double)(now_ns() - begin_ns) / 1e9 * VAT_RATE * pace);
	while (frame + QUANTUM <= due) {
		for (size_t i = 0; i < ring_count; i++) {
			take(&rings[i]);
		}
		frame += QUANTUM;
		vat_transport_write_clock(
			page, &(struct vat_transport_clock){.frame = frame, .ns = now_ns()});
	}
}

/* ---- the keeper */

static void add_ring(const struct keeper_message *message, int fds[KEEPER_FDS_MAX]) {
	struct mapped_ring *ring = &rings[ring_count];
	*ring = (struct mapped_ring){.tile = message->uuid, .wake = fds[1]};
	size_t offset = 0;
	const char *name = keeper_wire_next(message, &offset);
	snprintf(ring->name, sizeof(ring->name), "%s", name ? name : "");
	if (ring_count < RINGS_MAX && ring_map(&ring->ring, fds[0], true, NULL) == 0) {
		ring_count++;
		fds[1] = -1;
	}
}

static void end_ring(const struct keeper_message *message) {
	size_t offset = 0;
	const char *name = keeper_wire_next(message, &offset);
	for (size_t i = 0; i < ring_count; i++) {
		if (vat_uuid_equal(&rings[i].tile, &message->uuid) &&
			strcmp(rings[i].name, name) == 0) {
			ring_unmap(&rings[i].ring);
			close(rings[i].wake);
			rings[i] = rings[--ring_count];
			return;
		}
	}
}

static void hear_keeper(int keeper) {
	static struct keeper_message message;
	int fds[KEEPER_FDS_MAX];
	int got = keeper_wire_receive(keeper, &message, fds);
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EPROTO && errno != EINTR)) {
		exit(0);
	}
	if (got < 0) {
		return;
	}
	struct vat_transport_clock clock;
	switch (message.type) {
	case KEEPER_AUDIO:
		page = vat_transport_map(fds[0], true, NULL);
		if (!page || !vat_transport_read(page, &transport) ||
			!vat_transport_read_clock(page, &clock)) {
			exit(1);
		}
		begin_ns = now_ns();
		frame = begin_frame = vat_transport_frame_at(&clock, VAT_RATE, begin_ns);
		break;
	case KEEPER_RING:
		add_ring(&message, fds);
		break;
	case KEEPER_RING_END:
		end_ring(&message);
		break;
	case KEEPER_AUDIO_PEER:
		if (peer_count < PEERS_MAX) {
			peers[peer_count++] = fds[0];
			fds[0] = -1;
		}
		break;
	default:
		break;
	}
	keeper_wire_close(fds);
}

/* ---- those who ask */

static void tell(int peer, struct audio_message *message) {
	message->version = AUDIO_WIRE_VERSION;
	/* So little is said that it always fits. */
	if (write(peer, message, sizeof(*message)) != sizeof(*message)) {
		fprintf(stderr, "metronome: nobody reads\n");
	}
}

static void tell_all(void) {
	struct audio_message server = {.type = AUDIO_SERVER};
	snprintf(server.server.reason, sizeof(server.server.reason), "a metronome is no server");
	struct audio_message out = {
		.type = AUDIO_NODE,
		.id = 7,
		.node = {.kind = AUDIO_OUTPUT,
			.flags = AUDIO_NODE_VOLUME | AUDIO_NODE_DEFAULT,
			.channels = 2,
			.volume = 500,
			.name = "bell"},
	};
	struct audio_message done = {.type = AUDIO_DONE};
	for (size_t i = 0; i < peer_count; i++) {
		tell(peers[i], &server);
		tell(peers[i], &out);
		tell(peers[i], &done);
	}
}

static void change_transport(const struct audio_message *message) {
	/* One after the other. */
	while (transport.parts[1].frame > frame) {
		poll(NULL, 0, 1);
		pass_time();
	}
	uint64_t at = frame + (ring_count > 0 ? BEHIND : QUANTUM);
	struct vat_transport_part part = transport.parts[1];
	part.tick = vat_part_tick(&part, VAT_RATE, at);
	part.frame = at;
	struct vat_marker *marker = &transport.markers[0];
	switch (message->ask.what) {
	case TILE_TRANSPORT_PLAY:
		part.playing = 1;
		break;
	case TILE_TRANSPORT_STOP:
		part.playing = 0;
		break;
	case TILE_TRANSPORT_TEMPO:
		part.tempo = message->ask.value;
		break;
	case TILE_TRANSPORT_METER:
		part.beats_a_bar = message->ask.value;
		break;
	case TILE_TRANSPORT_PHRASE:
		part.bars_a_phrase = message->ask.value;
		break;
	case TILE_TRANSPORT_LOCATE:
		part.tick = message->ask.tick;
		break;
	case TILE_TRANSPORT_MARK: /* there is room for one */
		transport.marker_count = 1;
		marker->tick = message->ask.tick;
		memcpy(marker->name, message->ask.name, sizeof(marker->name));
		break;
	case TILE_TRANSPORT_UNMARK:
		transport.marker_count = 0;
		*marker = (struct vat_marker){0};
		break;
	default:
		break;
	}
	transport.parts[0] = transport.parts[1];
	transport.parts[1] = part;
	vat_transport_write(page, &transport);
}

/* False: it has gone. */
static bool hear_peer(int peer) {
	struct audio_message message;
	ssize_t got = recv(peer, &message, sizeof(message), MSG_WAITALL);
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		return true;
	}
	if (got != sizeof(message)) {
		return false;
	}
	struct audio_message result = {.type = AUDIO_RESULT, .request = message.request};
	if (message.type == AUDIO_WATCH) {
		tell_all();
		return true;
	}
	if (message.type == AUDIO_TRANSPORT_ASK) {
		change_transport(&message);
		struct audio_message changed = {.type = AUDIO_TRANSPORT};
		for (size_t i = 0; i < peer_count; i++) {
			tell(peers[i], &changed);
		}
	} else if (message.type != AUDIO_SET_VOLUME) {
		result.result.error = ENOTSUP;
		snprintf(result.result.text, sizeof(result.result.text),
			"a metronome cannot do that");
	}
	tell(peer, &result);
	return true;
}

int main(void) {
	const char *text = getenv("SOURCE_CITY_KEEPER_FD"), *log = getenv("METRONOME_LOG");
	int keeper = text ? atoi(text) : -1;
	if (keeper < 0) {
		fprintf(stderr, "metronome: started by no keeper\n");
		return 1;
	}
	found = log ? fopen(log, "ae") : NULL;
	if (getenv("METRONOME_PACE")) {
		pace = atof(getenv("METRONOME_PACE"));
	}
	for (;;) {
		struct pollfd polls[PEERS_MAX + 1] = {{.fd = keeper, .events = POLLIN}};
		for (size_t i = 0; i < peer_count; i++) {
			polls[i + 1] = (struct pollfd){.fd = peers[i], .events = POLLIN};
		}
		size_t count = peer_count;
		poll(polls, (nfds_t)count + 1, 4);
		for (size_t i = count; i > 0; i--) {
			if (polls[i].revents && !hear_peer(peers[i - 1])) {
				close(peers[i - 1]);
				peers[i - 1] = peers[--peer_count];
			}
		}
		if (polls[0].revents) {
			hear_keeper(keeper);
		}
		if (page) {
			pass_time();
		}
	}
}

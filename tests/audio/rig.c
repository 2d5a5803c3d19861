/* SPDX-License-Identifier: MIT */
/*
 * Stands in for the keeper and for tiles: starts the real source-city-audio, sends it rings, and
 * fills them from threads, as tiles' hosts do. Told on stdin, line by line; answers on stdout with
 * a line for each, `error ...` if it could not. What the audio process tells comes as `told PEER
 * JSON` lines at any time.
 *
 * - ring TILE PORT KIND: a ring and who fills it; KIND: index (each sample says which frame it is,
 * see fill), level (0.5 all the time), none (nobody fills it)
 * - end TILE: the ring is no more
 * - stall TILE, go TILE: fill nothing until `go`
 * - drop TILE: leave out one sample; answers its frame
 * - rest TILE: nobody fills it any more
 * - counts TILE: what its ring has counted
 * - peer NAME METERS: connect and watch; answers the number of the peer
 * - leave PEER: that one hangs up
 * - send PEER TYPE REQUEST VALUE ID OTHER [TICK NAME]
 * - page: the transport and the clock
 * - again: start another audio process when the one before has ended
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audio_wire.h"
#include "keeper/wire.h"
#include "ring.h"

#define TILES 8
#define PEERS 8
#define SLICE 1024

struct tile {
	char name[64], port[64];
	struct vat_uuid uuid;
	int fd, wake;
	struct ring ring;
	pthread_t thread;
	bool threaded;
	_Atomic bool level, stalled, drop, ended;
	_Atomic uint64_t dropped;
};

static struct tile tiles[TILES];
static size_t tile_count;
static int peers[PEERS];
static size_t peer_count;
static int keeper = -1, page_fd;
static struct vat_transport_page *page;
static pid_t audio;

/* ---- producers */

static void fill(struct tile *tile, uint64_t frame, uint32_t frames) {
	float left[SLICE], right[SLICE];
	const float *samples[RING_CHANNELS_MAX] = {left, right};
	for (uint32_t i = 0; i < frames; i++) {
		uint64_t index = frame + i;
		if (tile->drop) {
			tile->dropped = index;
			tile->drop = false;
		}
		/* From the dropped one on each says the number of the next. */
		if (tile->dropped && index >= tile->dropped)
			index++;
		left[i] = tile->level ? 0.5f : (float)((index & 0xfffff) + 1) / 0x100000;
		right[i] = tile->level ? 0.5f : (float)((index >> 20) + 1) / 0x100000;
	}
	ring_write(&tile->ring, frame, frames, samples);
}

static void *produce(void *data) {
	struct tile *tile = data;
	while (!tile->ended) {
		uint64_t frame, skipped, count;
		uint32_t wanted = tile->stalled ? 0 : ring_wanted(&tile->ring, &frame, &skipped);
		if (wanted > 0) {
			fill(tile, frame, wanted < SLICE ? wanted : SLICE);
			continue;
		}
		if (read(tile->wake, &count, sizeof(count)) < 0 && errno != EINTR)
			break;
	}
	return NULL;
}

static void nudge(struct tile *tile) {
	const uint64_t one = 1;
	if (write(tile->wake, &one, sizeof(one)) < 0)
		perror("rig: eventfd");
}

static struct tile *find(const char *name) {
	for (size_t i = 0; i < tile_count; i++) {
		if (strcmp(tiles[i].name, name) == 0 && !tiles[i].ended)
			return &tiles[i];
	}
	return NULL;
}

/* ---- the keeper's side */

static void send_ring(struct tile *tile) {
	struct keeper_message message = {.type = KEEPER_RING, .uuid = tile->uuid};
	snprintf(message.name, sizeof(message.name), "%s", tile->name);
	keeper_wire_add(&message, tile->port);
	const int fds[] = {tile->fd, tile->wake};
	keeper_wire_send(keeper, &message, fds, 2);
}

static void start(void) {
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		exit(1);
	fcntl(pair[0], F_SETFD, FD_CLOEXEC);
	if (keeper >= 0)
		close(keeper);
	keeper = pair[0];
	audio = fork();
	if (audio == 0) {
		char number[16];
		snprintf(number, sizeof(number), "%d", pair[1]);
		setenv("SOURCE_CITY_KEEPER_FD", number, 1);
		execlp(AUDIO_PROGRAM, AUDIO_PROGRAM, NULL);
		_exit(127);
	}
	close(pair[1]);
	struct keeper_message message = {.type = KEEPER_AUDIO};
	keeper_wire_send(keeper, &message, &page_fd, 1);
	for (size_t i = 0; i < tile_count; i++) {
		if (!tiles[i].ended)
			send_ring(&tiles[i]);
	}
}

static void answer(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void answer(const char *format, ...) {
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static void add_ring(const char *name, const char *port, const char *kind) {
	struct vat_error error = {};
	if (tile_count == TILES) {
		answer("error too many tiles");
		return;
	}
	struct tile *tile = &tiles[tile_count++];
	snprintf(tile->name, sizeof(tile->name), "%s", name);
	snprintf(tile->port, sizeof(tile->port), "%s", port);
	memset(&tile->uuid, (int)tile_count, sizeof(tile->uuid));
	tile->fd = ring_create(2, &error);
	tile->wake = eventfd(0, EFD_CLOEXEC);
	tile->level = strcmp(kind, "level") == 0;
	if (tile->fd < 0 || ring_map(&tile->ring, tile->fd, false, &error) < 0) {
		answer("error %s", error.text);
		return;
	}
	fcntl(tile->fd, F_SETFD, FD_CLOEXEC);
	if (strcmp(kind, "none") != 0) {
		tile->threaded = pthread_create(&tile->thread, NULL, produce, tile) == 0;
	}
	send_ring(tile);
	answer("ok");
}

static void end_ring(struct tile *tile) {
	struct keeper_message message = {.type = KEEPER_RING_END, .uuid = tile->uuid};
	keeper_wire_add(&message, tile->port);
	keeper_wire_send(keeper, &message, NULL, 0);
	tile->ended = true;
	nudge(tile);
	if (tile->threaded)
		pthread_join(tile->thread, NULL);
	ring_unmap(&tile->ring);
	close(tile->fd);
	close(tile->wake);
	answer("ok");
}

static void add_peer(const char *name, uint32_t meters) {
	int pair[2];
	if (peer_count == PEERS || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		answer("error no peer");
		return;
	}
	struct keeper_message message = {.type = KEEPER_AUDIO_PEER};
	snprintf(message.name, sizeof(message.name), "%s", name);
	keeper_wire_send(keeper, &message, &pair[1], 1);
	close(pair[1]);
	struct audio_message watch = {
		.version = AUDIO_WIRE_VERSION, .type = AUDIO_WATCH, .value = meters};
	if (write(pair[0], &watch, sizeof(watch)) != sizeof(watch))
		perror("rig: peer");
	peers[peer_count] = pair[0];
	answer("%zu", peer_count++);
}

/* ---- what is told */

static void print_text(const char *key, const char *text) {
	printf(",\"%s\":\"", key);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ')
			printf("\\u%04x", *text);
		else
			putchar(*text);
	}
	putchar('"');
}

#define NUMBER(key, value) printf(",\"%s\":%llu", key, (unsigned long long)(value))

static void print_message(size_t peer, const struct audio_message *m) {
	printf("told %zu {\"type\":%u,\"id\":%llu,\"request\":%u", peer, m->type,
		(unsigned long long)m->id, m->request);
	switch (m->type) {
	case AUDIO_SERVER:
		NUMBER("connected", m->server.connected);
		NUMBER("rate", m->server.rate);
		NUMBER("quantum", m->server.quantum);
		print_text("name", m->server.name);
		print_text("reason", m->server.reason);
		break;
	case AUDIO_NODE:
		NUMBER("kind", m->node.kind);
		NUMBER("flags", m->node.flags);
		NUMBER("channels", m->node.channels);
		NUMBER("volume", m->node.volume);
		NUMBER("target", m->node.target);
		print_text("name", m->node.name);
		print_text("media", m->node.media);
		print_text("tile", m->node.tile);
		break;
	case AUDIO_LINK:
		NUMBER("from", m->link.from);
		NUMBER("to", m->link.to);
		NUMBER("active", m->link.active);
		break;
	case AUDIO_RING:
		NUMBER("node", m->ring.node);
		NUMBER("quantum", m->ring.quantum);
		NUMBER("frames", m->ring.frames);
		NUMBER("late", m->ring.late);
		NUMBER("callbacks", m->ring.callbacks);
		NUMBER("sum_ns", m->ring.callback_sum_ns);
		NUMBER("p999_ns", m->ring.callback_p999_ns);
		NUMBER("max_ns", m->ring.callback_max_ns);
		print_text("tile", m->ring.tile);
		print_text("port", m->ring.port);
		break;
	case AUDIO_TRANSPORT:
		NUMBER("frame", m->transport.frame);
		NUMBER("sound", m->transport.sound);
		NUMBER("tempo", m->transport.part.tempo);
		NUMBER("playing", m->transport.part.playing);
		NUMBER("markers", m->transport.marker_count);
		break;
	case AUDIO_METERS:
		printf(",\"peak\":[%.6f,%.6f]", (double)m->meters.peak[0],
			(double)m->meters.peak[1]);
		break;
	case AUDIO_RESULT:
		NUMBER("error", m->result.error);
		print_text("text", m->result.text);
		break;
	default:
		break;
	}
	answer("}");
}

static void hear_peer(size_t peer) {
	static struct audio_message message[PEERS];
	static size_t size[PEERS];
	ssize_t n = recv(peers[peer], (char *)&message[peer] + size[peer],
		sizeof(message[peer]) - size[peer], MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		answer("told %zu {\"type\":0}", peer);
		close(peers[peer]);
		peers[peer] = -1;
		return;
	}
	size[peer] += (size_t)n;
	if (size[peer] == sizeof(message[peer])) {
		size[peer] = 0;
		print_message(peer, &message[peer]);
	}
}

static void send_request(const char *line) {
	unsigned peer, type, request, value;
	unsigned long long id, other;
	long long tick = 0;
	char name[VAT_MARKER_SIZE] = "";
	if (sscanf(line, "send %u %u %u %u %llu %llu %lld %31s", &peer, &type, &request, &value,
		    &id, &other, &tick, name) < 6 ||
		peer >= peer_count) {
		answer("error what is to be sent?");
		return;
	}
	struct audio_message message = {.version = AUDIO_WIRE_VERSION,
		.type = type,
		.request = request,
		.value = value,
		.id = id,
		.other = other};
	if (type == AUDIO_LINK_MAKE) {
		message.link.from = id;
		message.link.to = other;
	} else if (type == AUDIO_TRANSPORT_ASK) {
		message.ask.what = (uint32_t)id;
		message.ask.value = value;
		message.ask.tick = tick;
		memcpy(message.ask.name, name, sizeof(name));
	}
	bool sent = write(peers[peer], &message, sizeof(message)) == sizeof(message);
	answer(sent ? "ok" : "error it is gone");
}

static void show_page(void) {
	struct vat_transport transport = {};
	struct vat_transport_clock clock = {};
	bool good = vat_transport_read(page, &transport) && vat_transport_read_clock(page, &clock);
	printf("{\"good\":%d,\"frame\":%llu,\"ns\":%llu,\"sound\":%d,\"markers\":[", good,
		(unsigned long long)clock.frame, (unsigned long long)clock.ns, clock.sound);
	for (uint32_t i = 0; i < transport.marker_count; i++)
		printf("%s[\"%s\",%lld]", i ? "," : "", transport.markers[i].name,
			(long long)transport.markers[i].tick);
	printf("],\"parts\":[");
	for (int i = 0; i < 2; i++) {
		const struct vat_transport_part *part = &transport.parts[i];
		printf("%s{\"frame\":%llu,\"tick\":%lld,\"tempo\":%u,\"beats\":%u,\"playing\":%u,"
		       "\"zero\":%lld}",
			i ? "," : "", (unsigned long long)part->frame, (long long)part->tick,
			part->tempo, part->beats_a_bar, part->playing, (long long)part->bar_zero);
	}
	answer("]}");
}

static void handle_line(char *line) {
	char word[16] = "", name[64] = "", port[64] = "", kind[16] = "";
	sscanf(line, "%15s %63s %63s %15s", word, name, port, kind);
	struct tile *tile = find(name);
	if (strcmp(word, "ring") == 0) {
		add_ring(name, port, kind);
	} else if (strcmp(word, "peer") == 0) {
		add_peer(strcmp(name, "-") == 0 ? "" : name, (uint32_t)atoi(port));
	} else if (strcmp(word, "leave") == 0 && strtoul(name, NULL, 10) < peer_count) {
		close(peers[strtoul(name, NULL, 10)]);
		peers[strtoul(name, NULL, 10)] = -1;
		answer("ok");
	} else if (strcmp(word, "send") == 0) {
		send_request(line);
	} else if (strcmp(word, "page") == 0) {
		show_page();
	} else if (strcmp(word, "again") == 0) {
		waitpid(audio, NULL, 0);
		start();
		answer("%d", audio);
	} else if (!tile) {
		answer("error what is '%s'?", line);
	} else if (strcmp(word, "end") == 0) {
		end_ring(tile);
	} else if (strcmp(word, "stall") == 0) {
		tile->stalled = true;
		answer("ok");
	} else if (strcmp(word, "go") == 0) {
		tile->stalled = false;
		nudge(tile);
		answer("ok");
	} else if (strcmp(word, "rest") == 0) {
		tile->stalled = true;
		ring_rest(&tile->ring);
		answer("ok");
	} else if (strcmp(word, "drop") == 0) {
		tile->drop = true;
		while (tile->drop)
			usleep(1000);
		answer("%llu", (unsigned long long)tile->dropped);
	} else if (strcmp(word, "counts") == 0) {
		struct ring_counts counts;
		ring_counts(&tile->ring, &counts);
		answer("{\"cycles\":%llu,\"frames\":%llu,\"late\":%llu,\"late_times\":%llu,"
		       "\"written\":%llu,\"read\":%llu,\"quantum\":%u}",
			(unsigned long long)counts.cycles, (unsigned long long)counts.frames,
			(unsigned long long)counts.late, (unsigned long long)counts.late_times,
			(unsigned long long)ring_written(&tile->ring),
			(unsigned long long)ring_position(&tile->ring), counts.quantum);
	} else {
		answer("error what is '%s'?", line);
	}
}

int main(void) {
	struct vat_error error = {};
	char line[512];
	size_t size = 0;
	signal(SIGPIPE, SIG_IGN);
	page_fd = vat_transport_create(VAT_RATE, &error);
	page = page_fd >= 0 ? vat_transport_map(page_fd, false, &error) : NULL;
	if (!page) {
		fprintf(stderr, "rig: %s\n", error.text);
		return 1;
	}
	fcntl(page_fd, F_SETFD, FD_CLOEXEC);
	start();
	answer("%d", audio);
	for (;;) {
		struct pollfd fds[PEERS + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};
		for (size_t i = 0; i < peer_count; i++)
			fds[i + 1] = (struct pollfd){.fd = peers[i], .events = POLLIN};
		poll(fds, peer_count + 1, -1);
		for (size_t i = 0; i < peer_count; i++) {
			if (fds[i + 1].revents && peers[i] >= 0)
				hear_peer(i);
		}
		if (!fds[0].revents)
			continue;
		ssize_t n = read(STDIN_FILENO, line + size, sizeof(line) - 1 - size);
		if (n <= 0)
			break;
		size += (size_t)n;
		char *end;
		while ((end = memchr(line, '\n', size))) {
			*end = '\0';
			handle_line(line);
			size -= (size_t)(end + 1 - line);
			memmove(line, end + 1, size);
		}
	}
	close(keeper); /* which ends it */
	waitpid(audio, NULL, 0);
	return 0;
}

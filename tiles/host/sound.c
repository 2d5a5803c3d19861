/* SPDX-License-Identifier: MIT */
/*
 * The ports that sound comes out of. Whatever the rings want is rendered when the audio process
 * says so, before anything else that waits: in slices, each of which one call of the tile fills.
 *
 * All versions of a tile have its rings mapped, but only the one that is live writes; so a version
 * that takes over finds in the ring where it is to go on.
 */
#include "host.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "source-city-tile-v1-client-protocol.h"

/* Of a version that is told to stop at once: what hides the pause, and what hides the seam. */
#define AHEAD 2400
#define FADE 960
/* Of the state that the tail is rendered from: it is copied in the pause. */
#define TAIL_STATE_MAX (64ull << 20)

/* ---- one call */

/* Numbers that are too small to be heard take a hundred times as long as others. */
#if defined(__x86_64__)
static unsigned flush_denormals(void) {
	unsigned before = __builtin_ia32_stmxcsr();
	__builtin_ia32_ldmxcsr(before | 0x8040);
	return before;
}

static void restore_denormals(unsigned before) {
	__builtin_ia32_ldmxcsr(before);
}
#elif defined(__aarch64__)
static unsigned flush_denormals(void) {
	unsigned before = (unsigned)__builtin_aarch64_get_fpcr();
	__builtin_aarch64_set_fpcr(before | 1u << 24);
	return before;
}

static void restore_denormals(unsigned before) {
	__builtin_aarch64_set_fpcr(before);
}
#else
static unsigned flush_denormals(void) {
	return 0;
}

static void restore_denormals(unsigned before) {
}
#endif

void host_render(struct host *host, const struct tile_sound *sound) {
	unsigned before = flush_denormals();
	host->ops->render(&host->tile, sound);
	restore_denormals(before);
}

/* Up to `frames` frames into the buffers, fewer where the transport changes; how many. */
static uint32_t render(struct host *host, const struct host_port *port, uint64_t frame,
	uint64_t skipped, uint32_t frames) {
	frames = frames < TILE_SOUND_FRAMES_MAX ? frames : TILE_SOUND_FRAMES_MAX;
	host_begin(host, "render");
	uint64_t change = host->transport.parts[1].frame;
	if (frame < change && change - frame < frames) {
		frames = (uint32_t)(change - frame);
	}
	float *out[TILE_SOUND_CHANNELS];
	for (size_t i = 0; i < TILE_SOUND_CHANNELS; i++) {
		out[i] = host->sound.buffers[i];
		memset(out[i], 0, frames * sizeof(*out[i]));
	}
	const struct tile_sound sound = {
		.frame = frame,
		.skipped = skipped,
		.frames = frames,
		.rate = host->transport.rate,
		.port = port->index,
		.out = out,
	};
	host_recorder_render(host, &sound);
	host_render(host, &sound);
	host_end(host);
	return frames;
}

static const float *const *buffers(const struct host *host) {
	static const float *samples[RING_CHANNELS_MAX];
	for (size_t i = 0; i < TILE_SOUND_CHANNELS; i++) {
		samples[i] = host->sound.buffers[i];
	}
	return samples;
}

/* ---- ports */

static bool map_ring(struct host *host, struct host_port *port, int fd) {
	struct vat_error error;
	if (ring_map(&port->ring, fd, false, &error) < 0) {
		city_log(CITY_LOG_WARN, host->name, "%s", error.text);
		return false;
	}
	if (port->ring.channels != TILE_SOUND_CHANNELS) {
		city_log(
			CITY_LOG_WARN, host->name, "its ring has %u channels", port->ring.channels);
		ring_unmap(&port->ring);
		return false;
	}
	/* Where that is not allowed it works all the same. */
	mlock2(port->ring.memory, port->ring.size, MLOCK_ONFAULT);
	return true;
}

/* The ring, and what wakes for it. */
static bool get_ring(struct host *host, struct keeper_message messages[2], struct host_port *port,
	uint32_t index, int fds[KEEPER_FDS_MAX]) {
	char why[HOST_WHY_SIZE];
	for (size_t i = 0; i < KEEPER_FDS_MAX; i++) {
		fds[i] = -1;
	}
	if (host->standalone) {
		return host_pump_ring(host, &port->consumer, fds);
	}
	messages[0].type = KEEPER_RING_OPEN;
	messages[0].size = TILE_SOUND_CHANNELS;
	snprintf(messages[0].name, sizeof(messages[0].name), "%s",
		host->descriptor.ports[index].name);
	if (host_keeper_call(host, &messages[0], NULL, 0, &messages[1], fds, why, sizeof(why)) <
		0) {
		city_log(CITY_LOG_WARN, host->name, "port %s makes no sound: %s", messages[0].name,
			why);
		return false;
	}
	return true;
}

static void open_port(struct host *host, struct keeper_message messages[2], uint32_t index) {
	struct host_port *port = &host->sound.ports[host->sound.count];
	int fds[KEEPER_FDS_MAX];
	*port = (struct host_port){.index = index, .wake_fd = -1};
	if (get_ring(host, messages, port, index, fds) && fds[0] >= 0 && fds[1] >= 0 &&
		map_ring(host, port, fds[0])) {
		port->wake_fd = fds[1];
		fds[1] = -1;
		fcntl(port->wake_fd, F_SETFL, fcntl(port->wake_fd, F_GETFL) | O_NONBLOCK);
		host->sound.count++;
	}
	keeper_wire_close(fds);
}

static bool is_sound(const struct tile_port *port) {
	return port->direction == TILE_PORT_OUT && strcmp(port->kind, TILE_PORT_SOUND) == 0;
}

void host_sound_open(struct host *host) {
	struct keeper_message *messages = NULL;
	if (!host->ops->render || (host->keeper_fd < 0 && !host->standalone)) {
		return;
	}
	for (uint32_t i = 0; i < host->descriptor.port_count; i++) {
		if (!is_sound(&host->descriptor.ports[i])) {
			continue;
		}
		if (host->sound.count == HOST_PORTS_MAX) {
			city_log(CITY_LOG_WARN, host->name, "only %d ports make sound",
				HOST_PORTS_MAX);
			break;
		}
		messages = messages ? messages : calloc(2, sizeof(*messages));
		if (messages) {
			open_port(host, messages, i);
		}
	}
	free(messages);
}

void host_sound_finish(struct host *host) {
	vat_shadow_drop_copy(host->tail_copy);
	host->tail_copy = NULL;
	for (size_t i = 0; i < host->sound.count; i++) {
		ring_unmap(&host->sound.ports[i].ring);
		ring_unmap(&host->sound.ports[i].consumer);
		close(host->sound.ports[i].wake_fd);
	}
	host->sound.count = 0;
	if (host->pump.timer_fd >= 0) {
		close(host->pump.timer_fd);
		host->pump.timer_fd = -1;
	}
}

/* ---- going on */

void host_sound_attached(struct host *host, enum tile_attach reason) {
	host->sound.ending = host->sound.ended = false;
	host->sound.look = true;
	for (size_t i = 0; i < host->sound.count; i++) {
		struct host_port *port = &host->sound.ports[i];
		uint64_t written = ring_written(&port->ring);
		/* Its own state is older than what others have written meanwhile. */
		bool back = reason == TILE_ATTACH_ROLLBACK;
		if (back ? written != port->next : reason != TILE_ATTACH_HANDOVER) {
			ring_rest(&port->ring);
		}
		port->next = back && port->next <= written ? port->next : written;
	}
}

static void tell_began(struct host *host, uint64_t frame, uint64_t skipped) {
	if (host->sound.began || !host->wl_tile ||
		source_city_tile_v1_get_version(host->wl_tile) <
			SOURCE_CITY_TILE_V1_SOUND_BEGAN_SINCE_VERSION) {
		return;
	}
	host->sound.began = true;
	source_city_tile_v1_sound_began(host->wl_tile, (uint32_t)(frame >> 32), (uint32_t)frame,
		skipped < UINT32_MAX ? (uint32_t)skipped : UINT32_MAX);
}

/* One slice of a port, which wants `more` frames ahead than the consumer does, but nothing from
 * `end` on. How many frames it was; 0: it has enough. */
static uint32_t fill(struct host *host, struct host_port *port, uint32_t more, uint64_t end) {
	uint64_t frame, skipped;
	uint32_t wanted = ring_wanted_ahead(&port->ring, more, &frame, &skipped);
	if (frame >= end || wanted == 0) {
		return 0;
	}
	wanted = end - frame < wanted ? (uint32_t)(end - frame) : wanted;
	/* Skipped for the state, which may be older than what was written last. */
	uint32_t frames =
		render(host, port, frame, frame > port->next ? frame - port->next : 0, wanted);
	ring_write(&port->ring, frame, frames, buffers(host));
	port->next = frame + frames;
	tell_began(host, frame, skipped);
	return frames;
}

/* All ports in turn, so that none is late for another's sake. A tile that is slower than its sound
 * is played gets away from here after a ring's length. */
static void fill_all(struct host *host, uint32_t more, uint64_t end) {
	uint64_t done = 0;
	bool wanted = true;
	while (wanted && host->state == HOST_LIVE && done < RING_FRAMES * host->sound.count) {
		wanted = false;
		for (size_t i = 0; i < host->sound.count && host->state == HOST_LIVE; i++) {
			uint32_t frames = fill(host, &host->sound.ports[i], more, end);
			done += frames;
			wanted |= frames > 0;
		}
	}
	host->sound.look = wanted;
}

/* ---- an end that was asked for */

static bool is_heard(const struct host_port *port) {
	struct ring_counts counts;
	ring_counts(&port->ring, &counts);
	return counts.cycles > 0;
}

/* How far the port comes at once with as much ahead. */
static uint64_t reach(struct host_port *port, uint32_t ahead) {
	uint64_t frame, skipped;
	uint32_t wanted = ring_wanted_ahead(&port->ring, ahead, &frame, &skipped);
	return is_heard(port) ? frame + wanted : frame;
}

/* The first frame that is not rendered, of all ports. */
static uint64_t rendered(struct host *host) {
	uint64_t last = 0;
	for (size_t i = 0; i < host->sound.count; i++) {
		uint64_t frame, skipped;
		ring_wanted(&host->sound.ports[i].ring, &frame, &skipped);
		last = frame > last ? frame : last;
	}
	return last;
}

void host_sound_end(
	struct host *host, uint32_t serial, uint64_t frame, uint32_t ahead, uint32_t fade) {
	host->sound.serial = serial;
	host->sound.ahead = ahead < RING_FRAMES ? ahead : RING_FRAMES;
	host->sound.fade = fade < RING_TAIL_FRAMES ? fade : RING_TAIL_FRAMES;
	host->sound.end = frame;
	host->sound.ending = true;
	host->sound.ended = false;
	for (size_t i = 0; i < host->sound.count && frame == 0; i++) {
		uint64_t reached = reach(&host->sound.ports[i], host->sound.ahead);
		host->sound.end = reached > host->sound.end ? reached : host->sound.end;
	}
	host->sound.look = true;
}

void host_sound_go_on(struct host *host) {
	host->sound.ending = host->sound.ended = false;
	host->sound.look = true;
}

static void answer(struct host *host, bool missed, uint64_t frame) {
	host->sound.ending = false;
	host->sound.ended = !missed;
	if (host->wl_tile) {
		(missed ? source_city_tile_v1_sound_missed : source_city_tile_v1_sound_ended)(
			host->wl_tile, host->sound.serial, (uint32_t)(frame >> 32),
			(uint32_t)frame);
	}
}

/* Whether it has come to the end, or is past it. */
static void look_for_end(struct host *host) {
	uint64_t last = rendered(host), first = UINT64_MAX, end = host->sound.end;
	if (last > end) {
		answer(host, true, last);
		host->sound.look = true;
		return;
	}
	for (size_t i = 0; i < host->sound.count; i++) {
		const struct host_port *port = &host->sound.ports[i];
		uint64_t frame = ring_written(&port->ring);
		/* Where nobody listens there is nothing to come to. */
		frame = is_heard(port) ? frame : end;
		frame = ring_position(&port->ring) > frame ? ring_position(&port->ring) : frame;
		first = frame < first ? frame : first;
	}
	if (first >= end) {
		answer(host, false, end);
	}
}

/* As much as is wanted, or all to the end where that is near enough. */
static void fill_to_end(struct host *host) {
	uint64_t end = host->sound.end;
	bool near = host->sound.count > 0;
	for (size_t i = 0; i < host->sound.count; i++) {
		near &= reach(&host->sound.ports[i], host->sound.ahead) >= end;
	}
	fill_all(host, near ? host->sound.ahead : 0, end);
}

/* ---- the loop */

void host_sound_run(struct host *host) {
	if (!host->sound.look || host->state != HOST_LIVE || host->shadow.on) {
		return;
	}
	host->sound.look = false;
	if (host->sound.ending) {
		look_for_end(host);
	}
	if (host->sound.ending) {
		fill_to_end(host);
		look_for_end(host);
	} else if (!host->sound.ended) {
		fill_all(host, 0, UINT64_MAX);
	}
}

size_t host_sound_poll(struct host *host, struct pollfd *fds, size_t count, size_t size) {
	if (host->state != HOST_LIVE || host->shadow.on) {
		return count;
	}
	for (size_t i = 0; i < host->sound.count && count < size; i++) {
		fds[count++] =
			(struct pollfd){.fd = host->sound.ports[i].wake_fd, .events = POLLIN};
	}
	return count;
}

void host_sound_dispatch(struct host *host, const struct pollfd *fds, size_t count) {
	for (size_t i = 0; i < host->sound.count; i++) {
		for (size_t n = 0; n < count; n++) {
			uint64_t times;
			if (fds[n].fd == host->sound.ports[i].wake_fd &&
				(fds[n].revents & POLLIN) &&
				read(fds[n].fd, &times, sizeof(times)) == sizeof(times)) {
				host->sound.look = true;
			}
		}
	}
}

static bool is_urgent(const struct host_port *port) {
	struct ring_counts counts;
	ring_counts(&port->ring, &counts);
	return counts.cycles > 0 && !counts.patient;
}

bool host_sound_is_urgent(const struct host *host) {
	bool urgent = false;
	for (size_t i = 0; i < host->sound.count; i++) {
		urgent |= is_urgent(&host->sound.ports[i]);
	}
	return urgent && host->state == HOST_LIVE && !host->shadow.on;
}

bool host_sound_wants(const struct host *host) {
	return host->shadow.tail ||
		(host->sound.look && host->sound.count > 0 && host->state == HOST_LIVE &&
			!host->shadow.on);
}

bool host_sound_status(struct host *host, uint32_t index, struct tile_sound_status *status) {
	*status = (struct tile_sound_status){0};
	for (size_t i = 0; i < host->sound.count; i++) {
		const struct host_port *port = &host->sound.ports[i];
		if (port->index != index) {
			continue;
		}
		struct ring_counts counts;
		struct vat_transport_clock clock = {0};
		ring_counts(&port->ring, &counts);
		if (host->transport_page) {
			vat_transport_read_clock(host->transport_page, &clock);
		}
		uint64_t written = ring_written(&port->ring), read = ring_position(&port->ring);
		status->connected = clock.sound && counts.cycles > 0;
		status->quantum = status->connected ? counts.quantum : 0;
		status->ahead = written > read ? (uint32_t)(written - read) : 0;
		status->late = counts.late;
		status->late_times = counts.late_times;
		status->mended = counts.mended;
		return counts.cycles > 0;
	}
	return false;
}

/* ---- the tail: for the seam, the version that has given its cells up goes on in a copy of them */

void host_tail_prepare(struct host *host) {
	if (host->sound.count == 0 || host->sound.ended) {
		return;
	}
	/* Nobody has asked for an end: this is it, a little later than now. */
	host_sound_end(host, 0, 0, AHEAD, FADE);
	fill_all(host, host->sound.ahead, host->sound.end);
	host->sound.ending = false;
	host->sound.ended = true;
	host_turn_begin(host);
}

/* The consumer knows of it before the successor may write. */
void host_tail_begin(struct host *host) {
	struct vat_error error;
	bool heard = false;
	for (size_t i = 0; i < host->sound.count; i++) {
		heard |= is_heard(&host->sound.ports[i]);
	}
	if (!heard || host->sound.fade == 0) {
		return;
	}
	if (vat_shadow_copy(host->region, TAIL_STATE_MAX, &host->tail_copy, &error) < 0) {
		city_log(CITY_LOG_DEBUG, host->name, "its sound ends without a tail: %s",
			error.text);
		return;
	}
	for (size_t i = 0; i < host->sound.count; i++) {
		struct host_port *port = &host->sound.ports[i];
		port->tail_at = port->next;
		port->tail_end = port->next + host->sound.fade;
		ring_tail_begin(&port->ring, port->tail_at, host->sound.fade);
	}
}

/* One slice a port. Whether there is more to do. */
static bool tail_slice(struct host *host) {
	bool more = false;
	for (size_t i = 0; i < host->sound.count; i++) {
		struct host_port *port = &host->sound.ports[i];
		uint64_t left = port->tail_end - port->tail_at;
		if (left == 0) {
			continue;
		}
		uint32_t frames = render(host, port, port->tail_at, 0,
			left < TILE_SOUND_FRAMES_MAX ? (uint32_t)left : TILE_SOUND_FRAMES_MAX);
		ring_tail_write(&port->ring, frames, buffers(host));
		port->tail_at += frames;
		more |= port->tail_at < port->tail_end;
	}
	return more;
}

void host_tail_start(struct host *host) {
	char why[HOST_WHY_SIZE];
	struct vat_shadow *copy = host->tail_copy;
	if (!copy) {
		return;
	}
	host->tail_copy = NULL;
	if (!host_shadow_begin_copied(host, copy, why, sizeof(why))) {
		city_log(CITY_LOG_DEBUG, host->name, "its sound ends without a tail: %s", why);
		return;
	}
	host_tail_step(host);
}

void host_tail_step(struct host *host) {
	if (host->shadow.tail && !tail_slice(host)) {
		host_shadow_end(host);
	}
}

void host_tail_finish(struct host *host) {
	while (host->shadow.tail) {
		host_tail_step(host);
	}
}

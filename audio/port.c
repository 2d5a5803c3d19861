/* SPDX-License-Identifier: MIT */
#include "port.h"

#include <errno.h>
#include <spa/param/audio/format-utils.h>
#include <spa/param/props.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "peers.h"
#include "server.h"
#include "view.h"

/* At least that much ahead, above two quanta: a tile's thread has to be woken, and to draw. */
#define MARGIN_MIN 240
#define MARGIN_MAX (RING_FRAMES / 2)
/* So long without anything late, the margin shrinks by an eighth. */
#define CALM_FRAMES (10 * VAT_RATE)
/* How long the graph waits, where it is not in real time, for a tile that does not fill its ring.
 */
#define FREEWHEEL_NS 60000000000ull
#define FREEWHEEL_SLICE_NS 20000000u
/* The pump takes what is there; when a tile is so far behind it goes on without it. */
#define PUMP_BEHIND 4800
#define PUMP_FRAMES 1024
#define PUMP_WANT 2880
/* Of a cycle: two of them fill a ring. */
#define MAX_LATENCY "8192/48000"
/* A ring that says that it is so far ahead of the clock has been written over. */
#define RING_APART (10 * VAT_RATE)

static uint64_t load(const _Atomic uint64_t *value) {
	return atomic_load_explicit(value, memory_order_relaxed);
}

/* ---- real time */

static void silence(struct port *port, uint32_t frames, float *const out[]) {
	for (uint32_t c = 0; c < port->ring.channels; c++)
		memset(out[c], 0, frames * sizeof(float));
}

static void wake(struct port *port) {
	if (!ring_should_wake(&port->ring))
		return;
	const uint64_t one = 1;
	if (write(port->wake, &one, sizeof(one)) < 0) {
		/* Full: it has not even looked at the last one. */
	}
}

/* How much is to be ahead: as little as is enough. */
static void adapt(struct port *port, uint32_t frames, uint32_t late) {
	if (late > 0) {
		port->margin += frames < MARGIN_MIN ? MARGIN_MIN : frames;
		port->margin = port->margin < MARGIN_MAX ? port->margin : MARGIN_MAX;
		port->calm = 0;
	} else if ((port->calm += frames) > CALM_FRAMES) {
		port->margin -= (port->margin - MARGIN_MIN) / 8;
		port->calm = 0;
	}
}

static void want(struct port *port, uint32_t frames) {
	ring_want(&port->ring, frames);
	atomic_store_explicit(&port->want, frames, memory_order_relaxed);
}

/* Offline rendering: nothing is late. */
static void wait_for(struct port *port, uint64_t frame, uint32_t frames) {
	uint64_t end = audio_now() + FREEWHEEL_NS;
	while (!ring_wait(&port->ring, frame, frames, FREEWHEEL_SLICE_NS)) {
		if (ring_resting(&port->ring) || atomic_load(&port->leaving) || audio_now() > end)
			return;
	}
}

/* Where nothing is in real time a cycle may be longer than a ring, and it is waited for. */
static uint32_t take(struct port *port, const struct clock_cycle *cycle, uint32_t frames,
	float *const out[RING_CHANNELS_MAX]) {
	uint32_t most = cycle->freewheel ? RING_FRAMES / 2 : frames, late = 0;
	float *to[RING_CHANNELS_MAX];
	memcpy(to, out, sizeof(to));
	while (frames > 0) {
		uint32_t n = frames < most ? frames : most;
		if (cycle->freewheel) {
			wake(port);
			wait_for(port, port->place.next, n);
		}
		late += ring_read(&port->ring, port->place.next, n, to);
		port->place.next += n;
		frames -= n;
		for (uint32_t c = 0; c < port->ring.channels; c++)
			to[c] += n;
	}
	return late;
}

/* Its frames up to `frame` are not heard. The tile has not rendered so far, but for what is ahead,
 * and that is not its fault: where the graph does not wait, how many frames from there on are left
 * to be silent. */
static uint32_t leave_out(
	struct port *port, const struct clock_cycle *cycle, uint64_t frame, uint32_t frames) {
	struct clock_place *place = &port->place;
	place->next = frame;
	if (!place->heard)
		return 0;
	bool ready = cycle->freewheel || ring_resting(&port->ring) ||
		ring_ready(&port->ring, frame) >= frames;
	if (!ready)
		place->next += frames;
	ring_leap(&port->ring, place->next);
	return ready ? 0 : frames;
}

void port_play(struct port *port, const struct clock_cycle *cycle, uint32_t frames,
	float *const out[RING_CHANNELS_MAX]) {
	uint64_t frame = 0, now = audio_now();
	struct clock_place *place = &port->place;
	if (atomic_flag_test_and_set_explicit(&port->busy, memory_order_acquire)) {
		silence(port, frames, out);
		return;
	}
	atomic_store_explicit(&port->last_ns, now, memory_order_relaxed);
	if (!clock_join(&port->audio->clock, place, cycle, now, &frame)) {
		silence(port, frames, out);
		goto done;
	}
	want(port, 2 * frames + port->margin);
	ring_quantum(&port->ring, frames);
	ring_patient(&port->ring, cycle->freewheel);
	/* The others come after us. */
	uint64_t ahead = place->next > frame ? place->next - frame : 0;
	uint32_t before = ahead < frames ? (uint32_t)ahead : frames;
	if (frame > place->next)
		before = leave_out(port, cycle, frame, frames);
	if (!place->heard)
		ring_skip(&port->ring, place->next);
	place->heard = true;
	if (before > 0)
		ring_silence(&port->ring, before, out);
	if (before < frames) {
		float *to[RING_CHANNELS_MAX] = {};
		for (uint32_t c = 0; c < port->ring.channels; c++)
			to[c] = out[c] + before;
		adapt(port, frames, take(port, cycle, frames - before, to));
	}
	clock_passed(&port->audio->clock, place, frame + frames);
	wake(port);
done:
	atomic_flag_clear_explicit(&port->busy, memory_order_release);
}

static struct clock_cycle cycle_of(const struct port *port) {
	const struct spa_io_position *position = port->position;
	if (!position)
		return (struct clock_cycle){
			.driver = SPA_ID_INVALID, .number = port->place.cycle + 1};
	return (struct clock_cycle){
		.driver = position->clock.id,
		.number = position->clock.cycle,
		.rate = position->clock.rate.denom,
		.quantum = (uint32_t)position->clock.duration,
		.ns = position->clock.nsec,
		.freewheel = position->clock.flags & SPA_IO_CLOCK_FLAG_FREEWHEEL,
	};
}

/* How much is asked for: what the server says, else its quantum. */
static uint32_t asked(const struct pw_buffer *buffer, const struct clock_cycle *cycle) {
	uint64_t frames = buffer->requested;
	if (frames == 0 && cycle->rate > 0)
		frames = (uint64_t)cycle->quantum * VAT_RATE / cycle->rate;
	return frames > 0 && frames < UINT32_MAX ? (uint32_t)frames : UINT32_MAX;
}

static void handle_process(void *data) {
	struct port *port = data;
	uint64_t begin = audio_now();
	struct pw_buffer *buffer = pw_stream_dequeue_buffer(port->stream);
	if (!buffer)
		return;
	struct spa_buffer *planes = buffer->buffer;
	struct clock_cycle cycle = cycle_of(port);
	uint32_t channels = port->ring.channels, frames = asked(buffer, &cycle);
	float *out[RING_CHANNELS_MAX] = {};
	if (planes->n_datas < channels) {
		pw_stream_queue_buffer(port->stream, buffer);
		return;
	}
	for (uint32_t c = 0; c < channels; c++) {
		out[c] = planes->datas[c].data;
		uint32_t room = out[c] ? planes->datas[c].maxsize / sizeof(float) : 0;
		frames = room < frames ? room : frames;
	}
	if (frames > 0)
		port_play(port, &cycle, frames, out);
	for (uint32_t c = 0; c < channels; c++) {
		planes->datas[c].chunk->offset = 0;
		planes->datas[c].chunk->stride = sizeof(float);
		planes->datas[c].chunk->size = frames * sizeof(float);
	}
	buffer->size = frames;
	pw_stream_queue_buffer(port->stream, buffer);
	times_add(&port->times, audio_now() - begin);
}

/* ---- the stream; main thread */

static void handle_state(
	void *data, enum pw_stream_state old, enum pw_stream_state state, const char *error) {
	struct port *port = data;
	if (state != PW_STREAM_STATE_STREAMING && state != PW_STREAM_STATE_ERROR)
		clock_leave(&port->audio->clock, &port->place);
	port->state = state;
	port->node = pw_stream_get_node_id(port->stream);
	city_log(CITY_LOG_DEBUG, port->tile, "sound %s: %s%s%s", port->name,
		pw_stream_state_as_string(state), error ? ": " : "", error ? error : "");
	peers_tell_port(port->audio->peers, port);
	audio_schedule(port->audio);
}

/* What was there before is unmapped when this returns. */
static int set_position(struct spa_loop *loop, bool async, uint32_t seq, const void *data,
	size_t size, void *user_data) {
	struct port *port = user_data;
	port->position = *(const struct spa_io_position *const *)data;
	return 0;
}

static void handle_io(void *data, uint32_t id, void *area, uint32_t size) {
	struct port *port = data;
	if (id != SPA_IO_Position)
		return;
	const struct spa_io_position *position = size >= sizeof(*position) ? area : NULL;
	pw_loop_invoke(pw_stream_get_data_loop(port->stream), set_position, 0, &position,
		sizeof(position), true, port);
}

static const struct pw_stream_events stream_events = {
	PW_VERSION_STREAM_EVENTS,
	.state_changed = handle_state,
	.io_changed = handle_io,
	.process = handle_process,
};

/* Left, right, and whatever comes behind. */
static void name_channels(struct spa_audio_info_raw *format) {
	static const uint32_t names[RING_CHANNELS_MAX] = {SPA_AUDIO_CHANNEL_FL,
		SPA_AUDIO_CHANNEL_FR, SPA_AUDIO_CHANNEL_FC, SPA_AUDIO_CHANNEL_LFE,
		SPA_AUDIO_CHANNEL_RL, SPA_AUDIO_CHANNEL_RR, SPA_AUDIO_CHANNEL_SL,
		SPA_AUDIO_CHANNEL_SR};
	for (uint32_t c = 0; c < format->channels; c++)
		format->position[c] = names[c];
	if (format->channels == 1)
		format->position[0] = SPA_AUDIO_CHANNEL_MONO;
}

void port_connect(struct port *port, struct pw_core *core) {
	/* The session manager keeps volumes under the application's id, so each port has its own.
	 */
	struct pw_properties *properties = pw_properties_new(PW_KEY_MEDIA_TYPE, "Audio",
		PW_KEY_MEDIA_CATEGORY, "Playback", PW_KEY_NODE_LATENCY, "512/48000",
		PW_KEY_NODE_MAX_LATENCY, MAX_LATENCY, PW_KEY_APP_NAME, "Source City", NULL);
	if (!properties)
		return;
	pw_properties_setf(
		properties, PW_KEY_NODE_NAME, "source-city.%s.%s", port->tile, port->name);
	pw_properties_setf(properties, PW_KEY_APP_ID, "source-city.%s.%s", port->tile, port->name);
	pw_properties_setf(properties, PW_KEY_NODE_DESCRIPTION, "%s", port->tile);
	pw_properties_setf(properties, PW_KEY_MEDIA_NAME, "%s", port->name);
	pw_properties_set(properties, "source-city.tile", port->tile);
	port->stream = pw_stream_new(core, port->tile, properties);
	if (!port->stream) {
		city_log(CITY_LOG_ERROR, port->tile, "sound %s: no stream: %s", port->name,
			strerror(errno));
		return;
	}
	pw_stream_add_listener(port->stream, &port->listener, &stream_events, port);
	struct spa_audio_info_raw format = {
		.format = SPA_AUDIO_FORMAT_F32P,
		.rate = VAT_RATE,
		.channels = port->ring.channels,
	};
	name_channels(&format);
	uint8_t memory[1024];
	struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(memory, sizeof(memory));
	const struct spa_pod *params[] = {
		spa_format_audio_raw_build(&builder, SPA_PARAM_EnumFormat, &format)};
	int rc = pw_stream_connect(port->stream, PW_DIRECTION_OUTPUT, PW_ID_ANY,
		PW_STREAM_FLAG_AUTOCONNECT | PW_STREAM_FLAG_MAP_BUFFERS | PW_STREAM_FLAG_RT_PROCESS,
		params, 1);
	if (rc < 0)
		city_log(CITY_LOG_ERROR, port->tile, "sound %s: no stream: %s", port->name,
			strerror(-rc));
}

void port_disconnect(struct port *port) {
	if (!port->stream)
		return;
	atomic_store(&port->leaving, true);
	struct pw_stream *stream = port->stream;
	/* Waits until the real-time thread is through with it. */
	spa_hook_remove(&port->listener);
	pw_stream_destroy(stream);
	port->stream = NULL;
	port->state = PW_STREAM_STATE_UNCONNECTED;
	port->node = SPA_ID_INVALID;
	port->position = NULL;
	clock_leave(&port->audio->clock, &port->place);
	atomic_store(&port->leaving, false);
}

/* ---- main thread */

struct port *port_create(struct audio *audio, const struct vat_uuid *uuid, const char *tile,
	const char *name, int ring_fd, int wake_fd) {
	struct port *port = calloc(1, sizeof(*port));
	struct vat_error error = {};
	if (!port || ring_map(&port->ring, ring_fd, true, &error) < 0) {
		city_log(CITY_LOG_ERROR, tile, "sound %s: %s", name,
			port ? error.text : strerror(ENOMEM));
		free(port);
		close(ring_fd);
		close(wake_fd);
		return NULL;
	}
	close(ring_fd);
	mlock(port->ring.memory, port->ring.size);
	port->audio = audio;
	port->number = audio_number(audio);
	port->uuid = *uuid;
	audio_copy(port->tile, sizeof(port->tile), tile);
	audio_copy(port->name, sizeof(port->name), name);
	port->wake = wake_fd;
	port->margin = MARGIN_MIN;
	port->node = SPA_ID_INVALID;
	atomic_flag_clear(&port->busy);
	uint64_t now = audio_now(), reached = ring_position(&port->ring);
	/* Its tile can write there: one port must not throw the clock of all. */
	if (reached > clock_pump(&audio->clock, true, now) + RING_APART)
		reached = 0;
	clock_reach(&audio->clock, reached, now);
	port->place.next = clock_pump(&audio->clock, true, now);
	if (port->place.next < reached)
		port->place.next = reached;
	ring_skip(&port->ring, port->place.next);
	want(port, PUMP_WANT);
	wake(port);
	spa_list_append(&audio->ports, &port->link);
	struct pw_core *core = server_core(audio->server);
	if (core)
		port_connect(port, core);
	peers_tell_port(audio->peers, port);
	audio_schedule(audio);
	return port;
}

void port_destroy(struct port *port) {
	struct audio *audio = port->audio;
	port_disconnect(port);
	spa_list_remove(&port->link);
	peers_tell_gone(audio->peers, AUDIO_RING_GONE, port->number);
	ring_unmap(&port->ring);
	close(port->wake);
	free(port);
	audio_schedule(audio);
}

struct port *port_find(struct audio *audio, const struct vat_uuid *uuid, const char *name) {
	struct port *port;
	spa_list_for_each(port, &audio->ports, link) {
		if (memcmp(&port->uuid, uuid, sizeof(*uuid)) == 0 && strcmp(port->name, name) == 0)
			return port;
	}
	return NULL;
}

struct port *port_of_node(struct audio *audio, uint32_t id) {
	struct port *port;
	spa_list_for_each(port, &audio->ports, link) {
		if (port->node == id && id != SPA_ID_INVALID)
			return port;
	}
	return NULL;
}

int port_set_props(struct port *port, bool volume, float linear, bool mute) {
	float values[RING_CHANNELS_MAX], muted = mute ? 1 : 0;
	for (uint32_t c = 0; c < port->ring.channels; c++)
		values[c] = linear;
	int rc = volume ? pw_stream_set_control(port->stream, SPA_PROP_channelVolumes,
				  port->ring.channels, values, 0)
			: pw_stream_set_control(port->stream, SPA_PROP_mute, 1, &muted, 0);
	return rc < 0 ? -rc : 0;
}

bool port_running(const struct port *port) {
	if (!port->stream)
		return false;
	/* A session manager that finds no device for it says so as an error, also to one that is
	 * linked by hand: that has cycles as before. */
	if (port->state == PW_STREAM_STATE_ERROR)
		return audio_now() < load(&port->last_ns) + CLOCK_STALE_NS;
	return port->state == PW_STREAM_STATE_STREAMING;
}

bool port_pumped(const struct port *port, uint64_t now) {
	return !port_running(port) ||
		(now > load(&port->last_ns) + CLOCK_STALE_NS &&
			!atomic_load(&port->audio->clock.freewheel));
}

void port_pump(struct port *port, uint64_t to) {
	if (atomic_flag_test_and_set_explicit(&port->busy, memory_order_acquire))
		return;
	static float scratch[PUMP_FRAMES];
	float *const nowhere[RING_CHANNELS_MAX] = {
		scratch, scratch, scratch, scratch, scratch, scratch, scratch, scratch};
	port->place.heard = false;
	if (port->place.next + RING_FRAMES < to) {
		port->place.next = to - PUMP_BEHIND;
		ring_skip(&port->ring, port->place.next);
	}
	want(port, PUMP_WANT);
	ring_quantum(&port->ring, 0);
	ring_patient(&port->ring, false);
	while (port->place.next < to) {
		uint64_t left = to - port->place.next;
		uint32_t frames = left < PUMP_FRAMES ? (uint32_t)left : PUMP_FRAMES;
		uint32_t ready = ring_ready(&port->ring, port->place.next);
		if (!ring_resting(&port->ring) && ready < frames)
			frames = ready;
		if (frames > 0) {
			ring_read(&port->ring, port->place.next, frames, nowhere);
			port->place.next += frames;
		} else if (left <= PUMP_BEHIND) {
			break;
		} else {
			port->place.next = to;
			ring_skip(&port->ring, port->place.next);
		}
	}
	wake(port);
	atomic_flag_clear_explicit(&port->busy, memory_order_release);
}

void port_log(const struct port *port) {
	struct ring_counts counts;
	ring_counts(&port->ring, &counts);
	if (counts.frames == 0)
		return;
	uint64_t calls = load(&port->times.count);
	city_log(CITY_LOG_DEBUG, port->tile,
		"sound %s: %llu frames, %llu late in %llu places; callback %llu ns on average, "
		"99.9 %% "
		"below %llu ns, at most %llu ns",
		port->name, (unsigned long long)counts.frames, (unsigned long long)counts.late,
		(unsigned long long)counts.late_times,
		(unsigned long long)(calls ? load(&port->times.sum_ns) / calls : 0),
		(unsigned long long)times_below(&port->times, 999, 1000),
		(unsigned long long)load(&port->times.max_ns));
}

struct audio_message port_message(const struct port *port) {
	struct audio_message message = audio_message(AUDIO_RING);
	struct ring_counts counts;
	ring_counts(&port->ring, &counts);
	uint64_t read = ring_position(&port->ring), written = ring_written(&port->ring);
	message.id = port->number;
	message.ring.node = view_number(port->audio->view, port->node);
	message.ring.channels = port->ring.channels;
	message.ring.ahead = written > read ? (uint32_t)(written - read) : 0;
	message.ring.quantum = port_running(port) ? atomic_load(&port->audio->clock.quantum) : 0;
	message.ring.tile_wants = atomic_load(&port->want);
	message.ring.cycles = counts.cycles;
	message.ring.frames = counts.frames;
	message.ring.late = counts.late;
	message.ring.late_times = counts.late_times;
	message.ring.mended = counts.mended;
	message.ring.callback_max_ns = load(&port->times.max_ns);
	message.ring.callback_sum_ns = load(&port->times.sum_ns);
	message.ring.callbacks = load(&port->times.count);
	message.ring.callback_p999_ns = times_below(&port->times, 999, 1000);
	audio_copy(message.ring.tile, sizeof(message.ring.tile), port->tile);
	audio_copy(message.ring.port, sizeof(message.ring.port), port->name);
	return message;
}

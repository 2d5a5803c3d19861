/* SPDX-License-Identifier: MIT */
/*
 * The meter of a node: a stream that records the greatest magnitudes of it, 25 a second, made by
 * the sound server's own resampler. A tile's own stream needs none, its ring knows.
 */
#include <math.h>
#include <spa/param/audio/format-utils.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "port.h"
#include "view_internal.h"

#define METER_RATE 25

struct meter {
	struct node *node;
	struct port *port; /* a tile's: that ring's peaks */
	struct pw_stream *stream;
	struct spa_hook listener;
	uint32_t channels;
	_Atomic float peaks[AUDIO_CHANNELS_MAX];
};

static void keep_greatest(_Atomic float *kept, float peak) {
	float was = atomic_load_explicit(kept, memory_order_relaxed);
	while (peak > was &&
		!atomic_compare_exchange_weak_explicit(
			kept, &was, peak, memory_order_relaxed, memory_order_relaxed)) {
	}
}

/* Real time. */
static void handle_process(void *data) {
	struct meter *meter = data;
	struct pw_buffer *buffer = pw_stream_dequeue_buffer(meter->stream);
	if (!buffer)
		return;
	for (uint32_t c = 0; c < meter->channels && c < buffer->buffer->n_datas; c++) {
		const struct spa_data *plane = &buffer->buffer->datas[c];
		if (!plane->data || plane->chunk->offset > plane->maxsize)
			continue;
		const float *samples = SPA_PTROFF(plane->data, plane->chunk->offset, float);
		uint32_t size = SPA_MIN(plane->chunk->size, plane->maxsize - plane->chunk->offset);
		for (uint32_t i = 0; i < size / sizeof(float); i++)
			keep_greatest(&meter->peaks[c], fabsf(samples[i]));
	}
	pw_stream_queue_buffer(meter->stream, buffer);
}

static const struct pw_stream_events stream_events = {
	PW_VERSION_STREAM_EVENTS,
	.process = handle_process,
};

static bool listen(struct meter *meter) {
	struct node *node = meter->node;
	struct pw_properties *properties = pw_properties_new(PW_KEY_MEDIA_TYPE, "Audio",
		PW_KEY_MEDIA_CATEGORY, "Capture", PW_KEY_STREAM_MONITOR, "true",
		PW_KEY_NODE_PASSIVE, "true", PW_KEY_NODE_NAME, "source-city-meter",
		"resample.peaks", "true", "source-city.meter", "true", PW_KEY_NODE_DONT_RECONNECT,
		"true", "state.restore-target", "false", "state.restore-props", "false", NULL);
	if (!properties)
		return false;
	pw_properties_setf(
		properties, PW_KEY_TARGET_OBJECT, "%llu", (unsigned long long)node->serial);
	if (node->kind == AUDIO_OUTPUT)
		pw_properties_set(properties, PW_KEY_STREAM_CAPTURE_SINK, "true");
	meter->stream = pw_stream_new(node->view->core, "meter", properties);
	if (!meter->stream)
		return false;
	pw_stream_add_listener(meter->stream, &meter->listener, &stream_events, meter);
	struct spa_audio_info_raw format = {
		.format = SPA_AUDIO_FORMAT_F32P,
		.rate = METER_RATE,
		.channels = meter->channels,
		.flags = SPA_AUDIO_FLAG_UNPOSITIONED,
	};
	uint8_t memory[1024];
	struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(memory, sizeof(memory));
	const struct spa_pod *params[] = {
		spa_format_audio_raw_build(&builder, SPA_PARAM_EnumFormat, &format)};
	return pw_stream_connect(meter->stream, PW_DIRECTION_INPUT, PW_ID_ANY,
		       PW_STREAM_FLAG_AUTOCONNECT | PW_STREAM_FLAG_MAP_BUFFERS |
			       PW_STREAM_FLAG_RT_PROCESS | PW_STREAM_FLAG_DONT_RECONNECT,
		       params, 1) >= 0;
}

struct meter *meter_create(struct node *node) {
	struct meter *meter = calloc(1, sizeof(*meter));
	if (!meter)
		return NULL;
	meter->node = node;
	meter->channels = node->channels > 0 ? node->channels : 2;
	if (meter->channels > AUDIO_CHANNELS_MAX)
		meter->channels = AUDIO_CHANNELS_MAX;
	meter->port = port_of_node(node->view->audio, node->id);
	if (!meter->port && !listen(meter)) {
		meter_destroy(meter);
		return NULL;
	}
	return meter;
}

void meter_destroy(struct meter *meter) {
	if (!meter)
		return;
	if (meter->stream) {
		spa_hook_remove(&meter->listener);
		pw_stream_destroy(meter->stream);
	}
	free(meter);
}

struct audio_message meter_message(struct meter *meter) {
	struct audio_message message = audio_message(AUDIO_METERS);
	message.id = meter->node->serial;
	message.meters.channels = meter->channels;
	struct port *port = port_of_node(meter->node->view->audio, meter->node->id);
	if (meter->port && meter->port == port) {
		float peaks[RING_CHANNELS_MAX];
		ring_peaks(&port->ring, peaks);
		for (uint32_t c = 0; c < meter->channels && c < port->ring.channels; c++)
			message.meters.peak[c] = peaks[c];
		return message;
	}
	for (uint32_t c = 0; c < meter->channels; c++)
		message.meters.peak[c] = atomic_exchange(&meter->peaks[c], 0);
	return message;
}

/* SPDX-License-Identifier: MIT */
/*
 * A stream that plays nothing, and how long that takes: the least that any stream's callback does.
 *
 * Usage: empty-stream
 *
 * Is called `empty`. When its input ends it prints one line of JSON: how often it was asked, and
 * how long that took on average, at most, and 999 of 1,000 times, in ns, as audio/port.c counts it.
 */
#include <inttypes.h>
#include <pipewire/pipewire.h>
#include <spa/param/audio/format-utils.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "times.h"

#define CHANNELS 2

struct empty {
	struct pw_main_loop *main;
	struct pw_stream *stream;
	struct times times;
};

static uint64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void handle_process(void *data) {
	struct empty *empty = data;
	uint64_t begin = now_ns();
	struct pw_buffer *buffer = pw_stream_dequeue_buffer(empty->stream);
	if (!buffer)
		return;
	for (uint32_t c = 0; c < buffer->buffer->n_datas; c++) {
		struct spa_data *plane = &buffer->buffer->datas[c];
		uint32_t size = plane->maxsize;
		if (buffer->requested > 0)
			size = SPA_MIN(size, (uint32_t)(buffer->requested * sizeof(float)));
		memset(plane->data, 0, size);
		plane->chunk->offset = 0;
		plane->chunk->stride = sizeof(float);
		plane->chunk->size = size;
	}
	pw_stream_queue_buffer(empty->stream, buffer);
	times_add(&empty->times, now_ns() - begin);
}

static const struct pw_stream_events events = {
	PW_VERSION_STREAM_EVENTS,
	.process = handle_process,
};

static void handle_stdin(void *data, int fd, uint32_t mask) {
	struct empty *empty = data;
	char byte;
	if (read(fd, &byte, 1) <= 0)
		pw_main_loop_quit(empty->main);
}

int main(int argc, char **argv) {
	static struct empty empty;
	pw_init(&argc, &argv);
	empty.main = pw_main_loop_new(NULL);
	struct pw_loop *loop = pw_main_loop_get_loop(empty.main);
	pw_loop_add_io(loop, STDIN_FILENO, SPA_IO_IN | SPA_IO_HUP, false, handle_stdin, &empty);
	empty.stream = pw_stream_new_simple(loop, "empty",
		pw_properties_new(PW_KEY_MEDIA_TYPE, "Audio", PW_KEY_MEDIA_CATEGORY, "Playback",
			PW_KEY_NODE_NAME, "empty", NULL),
		&events, &empty);
	struct spa_audio_info_raw format = {
		.format = SPA_AUDIO_FORMAT_F32P,
		.rate = 48000,
		.channels = CHANNELS,
		.position = {SPA_AUDIO_CHANNEL_FL, SPA_AUDIO_CHANNEL_FR},
	};
	uint8_t memory[1024];
	struct spa_pod_builder builder = SPA_POD_BUILDER_INIT(memory, sizeof(memory));
	const struct spa_pod *params[] = {
		spa_format_audio_raw_build(&builder, SPA_PARAM_EnumFormat, &format)};
	if (!empty.stream ||
		pw_stream_connect(empty.stream, PW_DIRECTION_OUTPUT, PW_ID_ANY,
			PW_STREAM_FLAG_AUTOCONNECT | PW_STREAM_FLAG_MAP_BUFFERS |
				PW_STREAM_FLAG_RT_PROCESS,
			params, 1) < 0) {
		fprintf(stderr, "empty-stream: no sound server\n");
		return 1;
	}
	pw_main_loop_run(empty.main);
	pw_stream_destroy(empty.stream);
	uint64_t count = empty.times.count;
	printf("{\"callbacks\": %" PRIu64 ", \"mean_ns\": %" PRIu64 ", \"max_ns\": %" PRIu64
	       ", \"p999_ns\": %" PRIu64 "}\n",
		count, count ? (uint64_t)empty.times.sum_ns / count : 0,
		(uint64_t)empty.times.max_ns, times_below(&empty.times, 999, 1000));
	pw_main_loop_destroy(empty.main);
	pw_deinit();
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Sound's shared memory that anybody may have written to, and splice points that anybody may have
 * typed. The first byte chooses:
 *   a ring: steps of eight bytes, of a producer that also writes what it likes into the head and
 *   the samples, and of a consumer, to which nothing may happen and of which nothing may be heard
 *   that is not a sample;
 *   a splice point: a music, then the text.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ring.h"
#include "ring_memory.h"
#include "transport.h"
#include "vat.h"

#define READ_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct step {
	uint8_t what, small;
	uint16_t where;
	uint32_t value;
};
_Static_assert(sizeof(struct step) == 8, "as it lies in the input");

static float *outputs[2];
static float inputs[2][RING_FRAMES];

static void take(struct ring *consumer, uint64_t frame, uint32_t frames) {
	/* Of their exact size, so that one sample too many is found. */
	for (int c = 0; c < 2; c++)
		outputs[c] = malloc(frames * sizeof(float));
	uint32_t late =
		ring_read(consumer, frame, frames, (float *const[8]){outputs[0], outputs[1]});
	if (late > frames)
		abort();
	for (int c = 0; c < 2; c++) {
		for (uint32_t i = 0; i < frames; i++)
			if (!(fabsf(outputs[c][i]) <= 16))
				abort();
		free(outputs[c]);
	}
}

static void run_step(struct ring *producer, struct ring *consumer, const struct step *step) {
	const float *const in[RING_CHANNELS_MAX] = {inputs[0], inputs[1]};
	uint64_t frame, skipped;
	uint32_t words = (sizeof(struct ring_memory) - 16) / 4, n;
	switch (step->what % 10) {
	case 0: /* into the head, but for what is looked at when it is mapped */
		memcpy((char *)producer->memory + 16 + step->where % words * 4, &step->value, 4);
		return;
	case 1:
		memcpy((char *)producer->memory + RING_HEAD +
				(step->where * 64u + step->small) % (producer->size - RING_HEAD) /
					4 * 4,
			&step->value, 4);
		return;
	case 2:
		memcpy(&inputs[step->small & 1][step->where % RING_FRAMES], &step->value, 4);
		return;
	case 3:
		n = ring_wanted_ahead(producer, step->value, &frame, &skipped);
		if (n > RING_FRAMES)
			abort();
		ring_write(producer, frame, n, in);
		return;
	case 4:
		ring_write(producer, step->value, step->where, in);
		return;
	case 5:
		ring_tail_begin(producer, ring_written(producer) + step->small, step->value);
		return;
	case 6:
		ring_tail_write(producer, step->where % RING_FRAMES, in);
		return;
	case 7:
		ring_rest(producer);
		return;
	case 8:
		ring_want(consumer, step->value);
		ring_should_wake(consumer);
		ring_ready(consumer, step->value);
		float peaks[RING_CHANNELS_MAX];
		ring_peaks(consumer, peaks);
		for (int c = 0; c < RING_CHANNELS_MAX; c++)
			if (!(peaks[c] >= 0 && peaks[c] <= 16))
				abort();
		return;
	case 9:
		take(consumer, consumer->position + (step->small % 8 == 0 ? step->value : 0),
			1 + step->where % READ_MAX);
		return;
	}
}

static void hear_ring(const uint8_t *data, size_t size) {
	struct ring producer, consumer;
	int fd = ring_create(2, NULL);
	if (fd < 0 || ring_map(&producer, fd, false, NULL) < 0 ||
		ring_map(&consumer, fd, true, NULL) < 0)
		abort();
	for (; size >= sizeof(struct step);
		data += sizeof(struct step), size -= sizeof(struct step)) {
		struct step step;
		memcpy(&step, data, sizeof(step));
		run_step(&producer, &consumer, &step);
	}
	take(&consumer, consumer.position, READ_MAX);
	ring_unmap(&producer);
	ring_unmap(&consumer);
	close(fd);
}

static void read_splice(const uint8_t *data, size_t size) {
	struct vat_transport music = {0}, seen;
	size_t given = size < sizeof(music) ? size : sizeof(music);
	int fd = vat_transport_create(VAT_RATE, NULL);
	struct vat_transport_page *page = vat_transport_map(fd, true, NULL);
	if (fd < 0 || !page || !vat_transport_read(page, &music))
		abort();
	/* What comes first is the text; the music behind it lies over that of a new page. */
	char text[64] = "";
	size_t length = given < 40 ? given : 40;
	memcpy(text, data, length);
	given = size - length < sizeof(music) ? size - length : sizeof(music);
	memcpy(&music, data + length, given);
	vat_transport_write(page, &music);
	struct vat_splice_point point, again;
	struct vat_error err = {0};
	if (vat_splice_parse(text, &point, &err) < 0) {
		if (!err.text[0] || strchr(err.text, '\n'))
			abort();
	} else {
		char printed[64];
		vat_splice_print(&point, printed, sizeof(printed));
		if (vat_splice_parse(printed, &again, &err) < 0 ||
			memcmp(&point, &again, sizeof(point)) != 0)
			abort();
		uint64_t frame = 0, from = (uint64_t)size * 48000;
		int64_t tick = 0;
		if (vat_transport_read(page, &seen) &&
			vat_splice_next(&seen, &point, from, (int64_t)size, (int64_t)size * 96,
				&frame, &tick, &err) == 0 &&
			frame < from)
			abort();
	}
	vat_transport_unmap(page);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size == 0)
		return 0;
	if (data[0] & 1)
		read_splice(data + 1, size - 1);
	else
		hear_ring(data + 1, size - 1);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "net_line.h"

#include <string.h>

/* ------------------------------------------------------------------ packets */

/* Each run of up to 254 bytes that are not 0 has its length + 1 in front; one that is shorter
 * stands for a 0 behind it, too, but for the last one. */
size_t rv_packet_encode(const void *data, size_t size, uint8_t *to) {
	const uint8_t *from = data;
	size_t length = 0, run = 0;
	to[length++] = 1;
	for (size_t i = 0; i < size; i++) {
		if (from[i] != 0) {
			to[length++] = from[i];
			to[run]++;
		}
		if (from[i] == 0 || (to[run] == 255 && i + 1 < size)) {
			run = length;
			to[length++] = 1;
		}
	}
	to[length++] = 0;
	return length;
}

bool rv_packet_decode(
	const uint8_t *packet, size_t size, uint8_t *data, size_t room, size_t *data_size) {
	size_t length = 0;
	for (size_t at = 0; at < size;) {
		size_t run = packet[at++];
		if (run == 0 || run - 1 > size - at || run - 1 > room - length) {
			return false;
		}
		memcpy(data + length, packet + at, run - 1);
		length += run - 1;
		at += run - 1;
		if (run < 255 && at < size) {
			if (length == room) {
				return false;
			}
			data[length++] = 0;
		}
	}
	*data_size = length;
	return size > 0;
}

/* ------------------------------------------------------------------ an end of the line */

void rv_line_reset(struct rv_line *line) {
	line->in_at = line->in_size = line->out_at = line->out_size = 0;
	line->ready = line->skipping = false;
}

void rv_line_lost(struct rv_line *line) {
	line->out_at = line->out_size = 0;
	if (line->ready) {
		line->out[line->out_size++] = 0;
	}
}

uint8_t *rv_line_room(struct rv_line *line, size_t *room) {
	if (line->in_at > 0) {
		memmove(line->in, line->in + line->in_at, line->in_size - line->in_at);
		line->in_size -= line->in_at;
		line->in_at = 0;
	}
	*room = RV_LINE_ROOM - line->in_size;
	return line->in + line->in_size;
}

void rv_line_came(struct rv_line *line, size_t size) {
	line->in_size += (uint32_t)size;
}

/* Up to where the first packet goes, or the first line; false: it is not whole yet. */
static bool first(const struct rv_line *line, size_t *size, bool *text) {
	const uint8_t *in = line->in + line->in_at;
	size_t there = line->in_size - line->in_at;
	const uint8_t *zero = memchr(in, 0, there);
	const uint8_t *end =
		line->ready ? NULL : memchr(in, '\n', zero ? (size_t)(zero - in) : there);
	*text = end;
	end = end ? end : zero;
	*size = end ? (size_t)(end - in) : 0;
	return end;
}

static size_t text_of(const uint8_t *in, size_t size, uint8_t data[RV_FRAME_MAX]) {
	size_t length = 0;
	for (size_t i = 0; i < size && length < RV_FRAME_MAX; i++) {
		if (in[i] >= ' ' && in[i] != 127) {
			data[length++] = in[i];
		}
	}
	return length;
}

static bool is_text(const uint8_t *frame) {
	return frame[12] == RV_LINE_TEXT_TYPE >> 8 && frame[13] == (RV_LINE_TEXT_TYPE & 0xff);
}

enum rv_line_news rv_line_look(struct rv_line *line, uint8_t data[RV_FRAME_MAX], size_t *size) {
	size_t packet;
	bool text;
	while (first(line, &packet, &text)) {
		const uint8_t *in = line->in + line->in_at;
		if (text) {
			line->in_at += (uint32_t)packet + 1;
			line->skipping = false;
			*size = text_of(in, packet, data);
			return RV_LINE_TEXT;
		}
		if (!line->ready) {
			line->in_at += (uint32_t)packet + 1;
			line->skipping = false;
			line->ready = true;
			return RV_LINE_READY;
		}
		bool frame = !line->skipping &&
			rv_packet_decode(in, packet, data, RV_FRAME_MAX, size) &&
			*size >= RV_FRAME_MIN;
		if (frame && !is_text(data)) {
			return RV_LINE_FRAME;
		}
		line->in_at += (uint32_t)packet + 1;
		line->skipping = false;
		if (frame) {
			*size = text_of(data + RV_FRAME_MIN, *size - RV_FRAME_MIN, data);
			return RV_LINE_TEXT;
		}
	}
	if (line->in_size - line->in_at > RV_LINE_PACKET(RV_FRAME_MAX)) {
		line->in_at = line->in_size;
		line->skipping = true;
	}
	return RV_LINE_NOTHING;
}

void rv_line_drop(struct rv_line *line) {
	size_t packet;
	bool text;
	if (first(line, &packet, &text)) {
		line->in_at += (uint32_t)packet + 1;
	}
}

bool rv_line_put(struct rv_line *line, const void *frame, size_t size) {
	if (RV_LINE_ROOM - line->out_size < RV_LINE_PACKET(size)) {
		return false;
	}
	line->out_size += (uint32_t)rv_packet_encode(frame, size, line->out + line->out_size);
	return true;
}

const uint8_t *rv_line_out(const struct rv_line *line, size_t *size) {
	*size = line->out_size - line->out_at;
	return line->out + line->out_at;
}

void rv_line_sent(struct rv_line *line, size_t size) {
	line->out_at += (uint32_t)size;
	if (line->out_at == line->out_size) {
		line->out_at = line->out_size = 0;
	}
}

bool rv_line_is_possible(const struct rv_line *line) {
	return line->in_at <= line->in_size && line->in_size <= RV_LINE_ROOM &&
		line->out_at <= line->out_size && line->out_size <= RV_LINE_ROOM;
}

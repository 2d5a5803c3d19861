/* SPDX-License-Identifier: MIT */
/* The line, with the machine's card at this end. */
#include "net_line.h"

/* Frames of the guest at a time: its queue, twice. A queue with more in it makes no sense. */
#define SEND_MOST (2 * RV_VIRTQ_MAX)

bool rv_line_receive(struct rv_line *line, struct rv_machine *m, unsigned most,
	void (*say)(void *data, const char *text), void *data) {
	uint8_t bytes[RV_FRAME_MAX + 1];
	size_t size;
	for (unsigned frames = 0; frames < most;) {
		switch (rv_line_look(line, bytes, &size)) {
		case RV_LINE_NOTHING:
			return true;
		case RV_LINE_READY:
			rv_net_link(m, true);
			break;
		case RV_LINE_TEXT:
			bytes[size] = 0;
			say(data, (const char *)bytes);
			break;
		case RV_LINE_FRAME:
			if (!rv_net_input(m, bytes, size)) {
				return false;
			}
			rv_line_drop(line);
			frames++;
			break;
		}
	}
	return false;
}

void rv_line_send(struct rv_line *line, struct rv_machine *m) {
	const struct rv_frame *frame;
	for (unsigned i = 0; i < SEND_MOST && (frame = rv_net_output(m)); i++) {
		if (line->ready && !rv_line_put(line, frame->bytes, frame->size)) {
			return;
		}
		rv_net_output_drop(m);
	}
}

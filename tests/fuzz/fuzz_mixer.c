/* SPDX-License-Identifier: MIT */
/*
 * What the audio manager is told, by anybody: a byte a message says which parts of the input it
 * takes, so that most of them are nearly right. Whatever comes, the cells stay as they may be, and
 * text is text.
 */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "mixer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mix_node nodes[MIX_NODES];
static struct mix_link links[MIX_LINKS];
static struct mix_ring rings[MIX_RINGS];
static struct mix_wire wire;
static const struct mix_model model = {nodes, links, rings, &wire};

static void check_text(const char *text, size_t size) {
	if (!memchr(text, 0, size)) {
		abort();
	}
	while (*text) {
		utf8proc_int32_t cp;
		utf8proc_ssize_t step = utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &cp);
		if (step <= 0 || cp < ' ') {
			abort();
		}
		text += step;
	}
}

static void check(void) {
	char why[100];
	if (!mix_check(&model, why, sizeof(why))) {
		abort();
	}
	for (int i = 0; i < MIX_NODES && nodes[i].id != MIX_NONE; i++) {
		check_text(nodes[i].name, sizeof(nodes[i].name));
		check_text(nodes[i].media, sizeof(nodes[i].media));
		check_text(nodes[i].tile, sizeof(nodes[i].tile));
		for (int c = 0; c < AUDIO_CHANNELS_MAX; c++) {
			if (!(nodes[i].level[c] >= 0 && nodes[i].level[c] <= 16) ||
				!(nodes[i].hold[c] >= 0 && nodes[i].hold[c] <= 16)) {
				abort();
			}
		}
	}
	check_text(wire.server_name, sizeof(wire.server_name));
	check_text(wire.reason, sizeof(wire.reason));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	uint64_t now = 0;
	memset(nodes, 0, sizeof(nodes));
	memset(links, 0, sizeof(links));
	memset(rings, 0, sizeof(rings));
	memset(&wire, 0, sizeof(wire));
	mix_begin(&model);
	while (size >= 4) {
		struct audio_message message;
		size_t part = data[1] * 2u < size - 4 ? data[1] * 2u : size - 4;
		memset(&message, data[3], sizeof(message));
		memcpy(message.whole, data + 4,
			part < sizeof(message.whole) ? part : sizeof(message.whole));
		message.version = data[0] & 0x80 ? data[3] : AUDIO_WIRE_VERSION;
		message.type = data[0] & 0x1f;
		message.id = data[2];
		now += (uint64_t)data[3] << 24;
		mix_apply(&model, &message, now);
		if (data[0] & 0x40) {
			mix_begin(&model);
		}
		data += 4 + part;
		size -= 4 + part;
	}
	check();
	return 0;
}

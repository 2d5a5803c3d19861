/* SPDX-License-Identifier: MIT */
/* The connection to the audio process: what it says, and what is asked of it. */
#include <stdio.h>
#include <string.h>

#include "mixer.h"

#define STREAM "audio"
#define SECOND_NS 1000000000ull
/* Connections that fail one after the other, before only the user's hand tries again. */
#define TRIES 8
#define FORGET_AFTER 3
/* Without an update for so long nobody sees the tile, and nobody measures for it. */
#define UNSEEN_NS (3 * SECOND_NS)
#define BATCH 128 /* messages that are read at a time */

/* ---- what is written */

static void complain(struct mixer *mixer, const char *line) {
	mix_text(mix_face(mixer)->line, sizeof(mix_face(mixer)->line), line, strlen(line));
	mixer_damage_all(mixer);
}

static void ended(struct mixer *mixer) {
	const struct mix_model model = mix_model(mixer);
	struct mix_wire *wire = model.wire;
	if (mixer->stream >= 0) {
		mixer->tile->host->stream_close(mixer->tile, mixer->stream);
		mixer->stream = -1;
	}
	uint64_t wait = SECOND_NS << (wire->tries < 4 ? wire->tries : 4);
	wire->open = wire->got = wire->put = wire->meters = 0;
	wire->retry_ns = mixer->tile->time->now_ns + wait;
	wire->tries += wire->tries < TRIES;
	mix_begin(&model);
	mix_quiet(&model);
	if (wire->tries >= FORGET_AFTER && wire->told) {
		mix_forget(&model);
		wire->told = 0;
		layout_make(mixer);
	}
	mixer_damage_all(mixer);
}

static void flush(struct mixer *mixer) {
	struct mix_wire *wire = mix_wire(mixer);
	struct tile *tile = mixer->tile;
	while (wire->open && wire->put > 0) {
		long done = tile->host->stream_write(tile, mixer->stream, wire->out, wire->put);
		if (done < 0) {
			ended(mixer);
			return;
		}
		if (done == 0) {
			break;
		}
		wire->put -= (uint32_t)done;
		memmove(wire->out, wire->out + done, wire->put);
	}
	if (wire->open) {
		tile->host->stream_watch(tile, mixer->stream, true, wire->put > 0);
	}
}

static bool send(struct mixer *mixer, const struct audio_message *message) {
	struct mix_wire *wire = mix_wire(mixer);
	if (!wire->open || wire->put + sizeof(*message) > sizeof(wire->out)) {
		return false;
	}
	memcpy(wire->out + wire->put, message, sizeof(*message));
	wire->put += sizeof(*message);
	flush(mixer);
	return wire->open;
}

/* All of its bytes are known. */
static struct audio_message new_message(enum audio_type type, uint64_t id, uint32_t value) {
	return (struct audio_message){.version = AUDIO_WIRE_VERSION,
		.type = type,
		.value = value,
		.id = id,
		.whole = {0}};
}

static bool send_watch(struct mixer *mixer, bool meters) {
	const struct audio_message message = new_message(AUDIO_WATCH, 0, meters);
	mix_wire(mixer)->meters = meters;
	return send(mixer, &message);
}

static struct mix_asked *find_asked(struct mix_wire *wire, uint32_t request) {
	for (int i = 0; i < MIX_ASKED; i++) {
		if (wire->asked[i].request == request) {
			return &wire->asked[i];
		}
	}
	return NULL;
}

/* The request's number; 0: it cannot be asked (said). */
static uint32_t ask(struct mixer *mixer, struct audio_message *message) {
	struct mix_wire *wire = mix_wire(mixer);
	struct mix_asked *asked = find_asked(wire, 0);
	if (!wire->open) {
		complain(mixer, "the audio process is not there: it cannot be asked");
		return 0;
	}
	wire->requests += wire->requests == UINT32_MAX ? 2 : 1;
	message->request = wire->requests;
	if (!asked || !send(mixer, message)) {
		complain(mixer, "the audio process does not answer");
		return 0;
	}
	*asked = (struct mix_asked){.request = message->request,
		.type = message->type,
		.value = message->value,
		.id = message->id};
	return message->request;
}

void wire_ask(
	struct mixer *mixer, enum audio_type type, uint64_t id, uint64_t other, uint32_t value) {
	struct audio_message message = new_message(type, id, value);
	message.other = other;
	if (type == AUDIO_LINK_MAKE) {
		message.id = message.other = 0;
		message.link.from = id;
		message.link.to = other;
	} else if (type == AUDIO_TRANSPORT_ASK) {
		message.ask.what = value;
	}
	ask(mixer, &message);
}

/* One request at a time: a fader that is drawn makes hundreds. */
void wire_ask_volume(struct mixer *mixer, struct mix_node *node, uint32_t volume) {
	node->want = (volume < MIX_VOLUME_MAX ? volume : MIX_VOLUME_MAX) + 1;
	mixer_damage_all(mixer);
	if (node->asked) {
		return;
	}
	struct audio_message message = new_message(AUDIO_SET_VOLUME, node->id, node->want - 1);
	node->asked = ask(mixer, &message);
	node->want = node->asked ? node->want : 0;
}

/* ---- what is read */

static void volume_answered(struct mixer *mixer, const struct mix_asked *asked, bool good) {
	const struct mix_model model = mix_model(mixer);
	struct mix_node *node = mix_find(&model, asked->id);
	if (!node || node->asked != asked->request) {
		return;
	}
	uint32_t want = node->want;
	node->asked = node->want = 0;
	/* The change itself may be told a moment later; nothing moves until then. */
	node->volume = good ? asked->value : node->volume;
	if (good && want && want - 1 != asked->value) {
		wire_ask_volume(mixer, node, want - 1);
	}
}

static void handle_result(struct mixer *mixer, const struct audio_message *message) {
	struct mix_asked *found =
		message->request ? find_asked(mix_wire(mixer), message->request) : NULL;
	char text[MIX_LINE];
	if (!found) {
		return;
	}
	const struct mix_asked asked = *found;
	*found = (struct mix_asked){0};
	if (message->result.error) {
		mix_text(text, sizeof(text), message->result.text, sizeof(message->result.text));
		complain(mixer, text[0] ? text : "the audio process refused that");
	}
	if (asked.type == AUDIO_SET_VOLUME) {
		volume_answered(mixer, &asked, message->result.error == 0);
	}
	mixer_damage_all(mixer);
}

static void measured(struct mixer *mixer, uint64_t id, bool moved) {
	const struct mix_model model = mix_model(mixer);
	const struct mix_node *node = mix_find(&model, id);
	for (uint32_t i = 0; node && i < AUDIO_CHANNELS_MAX; i++) {
		moved |= node->hold[i] > 0;
	}
	if (node && moved) {
		struct mix_box box = layout_meter(mixer, node);
		mixer_damage(mixer, &box);
	}
}

static void apply(struct mixer *mixer, unsigned *changed) {
	const struct mix_model model = mix_model(mixer);
	struct mix_wire *wire = model.wire;
	struct audio_message message;
	memcpy(&message, wire->in, sizeof(message));
	wire->got = 0;
	bool showed = false;
	if (message.type == AUDIO_METERS) {
		const struct mix_node *node = mix_find(&model, message.id);
		for (int i = 0; node && i < AUDIO_CHANNELS_MAX; i++) {
			showed |= node->hold[i] > 0;
		}
	}
	unsigned now = mix_apply(&model, &message, mixer->tile->time->now_ns);
	*changed |= now;
	if (now & CHANGED_METER) {
		measured(mixer, message.id, showed);
	} else if (now & CHANGED_RESULT) {
		handle_result(mixer, &message);
	}
	if (message.type == AUDIO_DONE && !(now & CHANGED_STRANGE)) {
		wire->tries = wire->strange = 0;
	}
}

/* Whatever pieces it comes in. */
static unsigned take(struct mixer *mixer, const unsigned char *data, size_t size) {
	struct mix_wire *wire = mix_wire(mixer);
	unsigned changed = 0;
	while (size > 0 && !(changed & CHANGED_STRANGE)) {
		size_t room = sizeof(wire->in) - wire->got, part = size < room ? size : room;
		memcpy(wire->in + wire->got, data, part);
		wire->got += (uint32_t)part;
		data += part;
		size -= part;
		if (wire->got == sizeof(wire->in)) {
			apply(mixer, &changed);
		}
	}
	return changed;
}

static void settle(struct mixer *mixer, unsigned changed) {
	if (changed & CHANGED_CARDS) {
		layout_make(mixer);
	}
	if (changed & (CHANGED_CARDS | CHANGED_LOOK)) {
		mixer_damage_all(mixer);
	}
}

/* Meters cost a stream a device: only while something sounds, and somebody looks. */
static void look_at_meters(struct mixer *mixer) {
	const struct mix_model model = mix_model(mixer);
	struct mix_wire *wire = model.wire;
	uint64_t now = mixer->tile->time->now_ns;
	if (wire->meters && now > wire->seen_ns + UNSEEN_NS) {
		wire->unseen = 1;
	}
	bool sounds = false;
	for (int i = 0; i < MIX_NODES; i++) {
		const struct mix_node *node = &model.nodes[i];
		sounds |= node->id != MIX_NONE && !mix_is_device(node) &&
			(node->flags & AUDIO_NODE_RUNNING) != 0;
	}
	bool wanted = wire->open && wire->told && wire->server && sounds && !wire->unseen;
	if (wanted == (wire->meters != 0) || !wire->open) {
		return;
	}
	if (wanted) {
		wire->seen_ns = now;
	} else {
		mix_quiet(&model);
		/* Waits to be seen, and so does the next update: that is how it is known. */
		mixer_damage_all(mixer);
	}
	if (!send_watch(mixer, wanted) && wire->open) {
		wire->meters = !wanted;
	}
}

void wire_ready(struct mixer *mixer) {
	struct mix_wire *wire = mix_wire(mixer);
	struct tile *tile = mixer->tile;
	unsigned char data[16 * sizeof(struct audio_message)];
	unsigned changed = 0;
	long got = 1;
	for (size_t total = 0;
		got > 0 && wire->open && total < BATCH * sizeof(struct audio_message);
		total += (size_t)got) {
		got = tile->host->stream_read(tile, mixer->stream, data, sizeof(data));
		if (got > 0) {
			changed |= take(mixer, data, (size_t)got);
		}
		if (changed & CHANGED_STRANGE) {
			wire->strange = 1;
			got = -1;
		}
		if (got < 0) {
			ended(mixer);
			break;
		}
	}
	flush(mixer);
	settle(mixer, changed);
	look_at_meters(mixer);
}

/* ---- opening */

static void open_one(struct mixer *mixer) {
	const struct mix_model model = mix_model(mixer);
	struct tile *tile = mixer->tile;
	mixer->stream = tile->host->audio_open(tile, STREAM);
	if (mixer->stream < 0) {
		ended(mixer);
		return;
	}
	model.wire->open = 1;
	model.wire->got = model.wire->put = 0;
	mix_begin(&model);
	send_watch(mixer, false);
}

void wire_attach(struct mixer *mixer, enum tile_attach why) {
	struct tile *tile = mixer->tile;
	struct mix_wire *wire = mix_wire(mixer);
	mixer->stream = tile->host->stream_claim(tile, STREAM);
	/* After a crash nobody knows what of it was read. */
	bool whole = why != TILE_ATTACH_RESTART && wire->open;
	if (mixer->stream >= 0 && whole) {
		flush(mixer);
		return;
	}
	if (mixer->stream >= 0) {
		tile->host->stream_close(tile, mixer->stream);
		mixer->stream = -1;
	}
	wire->meters = 0;
	wire->tries = 0;
	open_one(mixer);
}

void wire_wake(struct mixer *mixer) {
	struct mix_wire *wire = mix_wire(mixer);
	if (!wire->open && wire->tries >= TRIES) {
		wire->tries = FORGET_AFTER;
		wire->retry_ns = mixer->tile->time->now_ns;
	}
}

void wire_update(struct mixer *mixer) {
	struct mix_wire *wire = mix_wire(mixer);
	uint64_t now = mixer->tile->time->now_ns;
	wire->unseen = 0;
	wire->seen_ns = now;
	if (wire->open && wire->stale) {
		ended(mixer);
		wire->tries = 0;
	}
	if (!wire->open && wire->tries < TRIES && now >= wire->retry_ns) {
		open_one(mixer);
	}
	look_at_meters(mixer);
	if (wire->meters) {
		/* Drawn if it is seen; otherwise it holds the next update back. */
		mixer_damage(mixer, &(struct mix_box){0, 0, 1, 1});
	}
}

uint64_t wire_next(const struct mixer *mixer) {
	const struct mix_wire *wire = mix_wire(mixer);
	if (!wire->open) {
		return wire->tries < TRIES ? wire->retry_ns : UINT64_MAX;
	}
	return wire->meters || wire->unseen || wire->stale ? wire->seen_ns + SECOND_NS : UINT64_MAX;
}

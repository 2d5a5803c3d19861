/* SPDX-License-Identifier: MIT */
/* What is in the sound server, as it is told. Everything that comes may be nonsense. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "mixer.h"

#define HOLD_NS 1500000000ull
#define FALL 0.80f /* of a meter, from one message to the next */
#define LEVEL_MAX 16

void mix_text(char *to, size_t to_size, const char *from, size_t from_size) {
	size_t size = strnlen(from, from_size), put = 0;
	for (size_t at = 0; at < size;) {
		utf8proc_int32_t cp;
		utf8proc_ssize_t step = utf8proc_iterate(
			(const utf8proc_uint8_t *)from + at, (utf8proc_ssize_t)(size - at), &cp);
		bool plain = step > 0 && cp >= ' ' && !(cp >= 0x7f && cp < 0xa0) && cp != 0x2028 &&
			cp != 0x2029;
		size_t length = plain ? (size_t)step : 1;
		if (put + length >= to_size) {
			break;
		}
		if (plain) {
			memcpy(to + put, from + at, length);
		} else {
			to[put] = step > 0 ? ' ' : '?';
		}
		put += length;
		at += step > 0 ? (size_t)step : 1;
	}
	memset(to + put, 0, to_size - put);
}

/* ---- finding */

struct mix_node *mix_find(const struct mix_model *model, uint64_t id) {
	for (int i = 0; i < MIX_NODES && id != MIX_NONE; i++) {
		if (model->nodes[i].id == id) {
			return &model->nodes[i];
		}
	}
	return NULL;
}

struct mix_link *mix_find_link(const struct mix_model *model, uint64_t id) {
	for (int i = 0; i < MIX_LINKS && id != MIX_NONE; i++) {
		if (model->links[i].id == id) {
			return &model->links[i];
		}
	}
	return NULL;
}

const struct mix_link *mix_link_between(const struct mix_model *model, uint64_t from, uint64_t to) {
	for (int i = 0; i < MIX_LINKS; i++) {
		const struct mix_link *link = &model->links[i];
		if (link->id != MIX_NONE && link->from == from && link->to == to) {
			return link;
		}
	}
	return NULL;
}

const struct mix_ring *mix_ring_of(const struct mix_model *model, uint64_t node) {
	for (int i = 0; i < MIX_RINGS && node != MIX_NONE; i++) {
		if (model->rings[i].id != MIX_NONE && model->rings[i].node == node) {
			return &model->rings[i];
		}
	}
	return NULL;
}

bool mix_is_device(const struct mix_node *node) {
	return node->kind == AUDIO_OUTPUT || node->kind == AUDIO_INPUT;
}

uint32_t mix_volume(const struct mix_node *node) {
	uint32_t volume = node->want ? node->want - 1 : node->volume;
	return volume < MIX_VOLUME_MAX ? volume : MIX_VOLUME_MAX;
}

/* Sound goes from the lower to the higher. */
static int rank(const struct mix_node *node) {
	switch (node->kind) {
	case AUDIO_PLAYER:
	case AUDIO_INPUT:
		return 0;
	case AUDIO_FILTER:
		return 1;
	case AUDIO_OUTPUT:
		return 2;
	default:
		return 3;
	}
}

bool mix_ends(
	const struct mix_node *one, const struct mix_node *other, uint64_t *from, uint64_t *to) {
	int a = rank(one), b = rank(other);
	/* What an output sounds can go to another one. */
	bool chain = a == b && (one->kind == AUDIO_FILTER || one->kind == AUDIO_OUTPUT);
	bool forth = a < b || chain;
	*from = forth ? one->id : other->id;
	*to = forth ? other->id : one->id;
	return one->id != other->id && (a != b || chain);
}

bool mix_can_move(const struct mix_node *stream, const struct mix_node *device) {
	return (stream->kind == AUDIO_PLAYER && device->kind == AUDIO_OUTPUT) ||
		(stream->kind == AUDIO_RECORDER && mix_is_device(device));
}

/* ---- nodes */

/* Programs before devices on the left, devices before programs on the right. */
static int place(const struct mix_node *node) {
	static const int places[] = {
		[AUDIO_PLAYER] = 0,
		[AUDIO_INPUT] = 1,
		[AUDIO_FILTER] = 2,
		[AUDIO_OUTPUT] = 3,
		[AUDIO_RECORDER] = 4,
	};
	return places[node->kind];
}

static bool before(const struct mix_node *one, const struct mix_node *other) {
	int a = place(one), b = place(other);
	return a != b ? a < b : one->id < other->id;
}

static void remove_node(const struct mix_model *model, struct mix_node *node) {
	size_t behind = (size_t)(model->nodes + MIX_NODES - (node + 1));
	memmove(node, node + 1, behind * sizeof(*node));
	memset(&model->nodes[MIX_NODES - 1], 0, sizeof(*node));
	model->wire->stale |= model->wire->more;
}

static bool insert_node(const struct mix_model *model, const struct mix_node *node) {
	struct mix_node *nodes = model->nodes;
	if (nodes[MIX_NODES - 1].id != MIX_NONE) {
		model->wire->more = 1;
		return false;
	}
	size_t at = 0;
	while (at < MIX_NODES && nodes[at].id != MIX_NONE && before(&nodes[at], node)) {
		at++;
	}
	memmove(&nodes[at + 1], &nodes[at], (MIX_NODES - 1 - at) * sizeof(*nodes));
	nodes[at] = *node;
	return true;
}

static unsigned apply_node(const struct mix_model *model, const struct audio_message *message) {
	struct mix_node *old = mix_find(model, message->id), node = {0};
	uint32_t kind = message->node.kind;
	if (message->id == MIX_NONE || kind < AUDIO_OUTPUT || kind > AUDIO_FILTER) {
		return 0;
	}
	if (old) {
		node = *old;
	}
	node.id = message->id;
	node.kind = kind;
	node.flags = message->node.flags;
	node.channels = message->node.channels < AUDIO_CHANNELS_MAX ? message->node.channels
								    : AUDIO_CHANNELS_MAX;
	node.volume = message->node.volume < MIX_VOLUME_MAX ? message->node.volume : MIX_VOLUME_MAX;
	node.target = message->node.target;
	node.seen = model->wire->turn;
	mix_text(node.name, sizeof(node.name), message->node.name, sizeof(message->node.name));
	mix_text(node.media, sizeof(node.media), message->node.media, sizeof(message->node.media));
	mix_text(node.tile, sizeof(node.tile), message->node.tile, sizeof(message->node.tile));
	if (old && old->kind == kind) {
		bool same_room = ((old->flags ^ node.flags) & AUDIO_NODE_VOLUME) == 0;
		*old = node;
		return same_room ? CHANGED_LOOK : CHANGED_CARDS;
	}
	if (old) {
		remove_node(model, old);
	}
	return insert_node(model, &node) ? CHANGED_CARDS : CHANGED_LOOK;
}

static unsigned remove_node_of(const struct mix_model *model, uint64_t id) {
	struct mix_node *node = mix_find(model, id);
	if (node) {
		remove_node(model, node);
	} else if (model->wire->more) {
		model->wire->stale = 1;
	}
	return node ? CHANGED_CARDS : 0;
}

/* ---- links and rings */

static struct mix_link *free_link(const struct mix_model *model) {
	for (int i = 0; i < MIX_LINKS; i++) {
		if (model->links[i].id == MIX_NONE) {
			return &model->links[i];
		}
	}
	model->wire->more = 1;
	return NULL;
}

static unsigned apply_link(const struct mix_model *model, const struct audio_message *message) {
	if (message->id == MIX_NONE || message->link.from == MIX_NONE ||
		message->link.to == MIX_NONE) {
		return 0;
	}
	struct mix_link *link = mix_find_link(model, message->id);
	link = link ? link : free_link(model);
	if (link) {
		*link = (struct mix_link){
			.id = message->id,
			.from = message->link.from,
			.to = message->link.to,
			.active = message->link.active != 0,
			.seen = model->wire->turn,
		};
	}
	return CHANGED_LOOK;
}

static unsigned remove_link_of(const struct mix_model *model, uint64_t id) {
	struct mix_link *link = mix_find_link(model, id);
	if (link) {
		*link = (struct mix_link){0};
	}
	model->wire->stale |= model->wire->more;
	return link ? CHANGED_LOOK : 0;
}

static struct mix_ring *find_ring(const struct mix_model *model, uint64_t id) {
	for (int i = 0; i < MIX_RINGS; i++) {
		if (model->rings[i].id == id) {
			return &model->rings[i];
		}
	}
	return NULL;
}

static unsigned apply_ring(const struct mix_model *model, const struct audio_message *message) {
	if (message->id == MIX_NONE) {
		return 0;
	}
	struct mix_ring *ring = find_ring(model, message->id);
	ring = ring ? ring : find_ring(model, MIX_NONE);
	if (!ring) {
		model->wire->more = 1;
		return CHANGED_LOOK;
	}
	struct mix_ring was = *ring;
	memset(ring, 0, sizeof(*ring));
	ring->id = message->id;
	ring->node = message->ring.node;
	ring->late = message->ring.late;
	ring->late_times = message->ring.late_times;
	ring->mended = message->ring.mended;
	ring->ahead = message->ring.ahead;
	ring->wants = message->ring.tile_wants;
	ring->quantum = message->ring.quantum;
	ring->seen = model->wire->turn;
	mix_text(ring->tile, sizeof(ring->tile), message->ring.tile, sizeof(message->ring.tile));
	mix_text(ring->port, sizeof(ring->port), message->ring.port, sizeof(message->ring.port));
	return memcmp(&was, ring, sizeof(was)) != 0 ? CHANGED_LOOK : 0;
}

static unsigned remove_ring_of(const struct mix_model *model, uint64_t id) {
	struct mix_ring *ring = id != MIX_NONE ? find_ring(model, id) : NULL;
	if (ring) {
		memset(ring, 0, sizeof(*ring));
	}
	return ring ? CHANGED_LOOK : 0;
}

/* ---- meters */

static unsigned apply_meters(
	const struct mix_model *model, const struct audio_message *message, uint64_t now_ns) {
	struct mix_node *node = mix_find(model, message->id);
	if (!node) {
		return 0;
	}
	for (uint32_t i = 0; i < AUDIO_CHANNELS_MAX; i++) {
		float peak = i < message->meters.channels ? message->meters.peak[i] : 0;
		peak = isfinite(peak) && peak > 0 ? fminf(peak, LEVEL_MAX) : 0;
		float fallen = node->level[i] * FALL;
		node->level[i] = peak > fallen ? peak : fallen > 1e-4f ? fallen : 0;
		if (node->level[i] > 0 && node->level[i] >= node->hold[i]) {
			node->hold[i] = node->level[i];
			node->hold_ns[i] = now_ns;
		} else if (now_ns > node->hold_ns[i] + HOLD_NS) {
			node->hold[i] = node->level[i];
		}
	}
	return CHANGED_METER;
}

void mix_quiet(const struct mix_model *model) {
	for (int i = 0; i < MIX_NODES; i++) {
		struct mix_node *node = &model->nodes[i];
		memset(node->level, 0, sizeof(node->level));
		memset(node->hold, 0, sizeof(node->hold));
		memset(node->hold_ns, 0, sizeof(node->hold_ns));
	}
}

/* ---- all of it */

void mix_begin(const struct mix_model *model) {
	struct mix_wire *wire = model->wire;
	wire->turn++;
	wire->more = wire->stale = 0;
	for (int i = 0; i < MIX_NODES; i++) {
		model->nodes[i].want = model->nodes[i].asked = 0;
	}
	memset(wire->asked, 0, sizeof(wire->asked));
}

void mix_forget(const struct mix_model *model) {
	memset(model->nodes, 0, MIX_NODES * sizeof(*model->nodes));
	memset(model->links, 0, MIX_LINKS * sizeof(*model->links));
	memset(model->rings, 0, MIX_RINGS * sizeof(*model->rings));
	model->wire->server = model->wire->rate = model->wire->quantum = 0;
	model->wire->more = model->wire->stale = 0;
}

/* What was there over another connection and is not any more. */
static unsigned sweep(const struct mix_model *model) {
	uint32_t turn = model->wire->turn;
	for (int i = MIX_NODES - 1; i >= 0; i--) {
		if (model->nodes[i].id != MIX_NONE && model->nodes[i].seen != turn) {
			remove_node(model, &model->nodes[i]);
		}
	}
	for (int i = 0; i < MIX_LINKS; i++) {
		if (model->links[i].seen != turn) {
			memset(&model->links[i], 0, sizeof(model->links[i]));
		}
	}
	for (int i = 0; i < MIX_RINGS; i++) {
		if (model->rings[i].seen != turn) {
			memset(&model->rings[i], 0, sizeof(model->rings[i]));
		}
	}
	model->wire->told = 1;
	return CHANGED_CARDS;
}

static unsigned apply_server(const struct mix_model *model, const struct audio_message *message) {
	struct mix_wire *wire = model->wire;
	wire->server = message->server.connected != 0;
	wire->rate = message->server.rate;
	wire->quantum = message->server.quantum;
	mix_text(wire->server_name, sizeof(wire->server_name), message->server.name,
		sizeof(message->server.name));
	mix_text(wire->reason, sizeof(wire->reason), message->server.reason,
		sizeof(message->server.reason));
	return CHANGED_CARDS;
}

unsigned mix_apply(
	const struct mix_model *model, const struct audio_message *message, uint64_t now_ns) {
	if (message->version != AUDIO_WIRE_VERSION) {
		return CHANGED_STRANGE;
	}
	switch (message->type) {
	case AUDIO_SERVER:
		return apply_server(model, message);
	case AUDIO_NODE:
		return apply_node(model, message);
	case AUDIO_NODE_GONE:
		return remove_node_of(model, message->id);
	case AUDIO_LINK:
		return apply_link(model, message);
	case AUDIO_LINK_GONE:
		return remove_link_of(model, message->id);
	case AUDIO_RING:
		return apply_ring(model, message);
	case AUDIO_RING_GONE:
		return remove_ring_of(model, message->id);
	case AUDIO_TRANSPORT:
		return CHANGED_MUSIC;
	case AUDIO_METERS:
		return apply_meters(model, message, now_ns);
	case AUDIO_DONE:
		return sweep(model);
	case AUDIO_RESULT:
		return CHANGED_RESULT;
	default:
		return 0;
	}
}

bool mix_check(const struct mix_model *model, char *why, size_t why_size) {
	const struct mix_node *nodes = model->nodes;
	for (int i = 0; i < MIX_NODES; i++) {
		bool used = nodes[i].id != MIX_NONE;
		if (used && (nodes[i].kind < AUDIO_OUTPUT || nodes[i].kind > AUDIO_FILTER)) {
			snprintf(why, why_size, "a node is of kind %u", nodes[i].kind);
			return false;
		}
		if (used && i > 0 &&
			(nodes[i - 1].id == MIX_NONE || !before(&nodes[i - 1], &nodes[i]))) {
			snprintf(why, why_size, "node %d is out of order", i);
			return false;
		}
		if (used && memchr(nodes[i].name, 0, sizeof(nodes[i].name)) == NULL) {
			snprintf(why, why_size, "a name does not end");
			return false;
		}
	}
	if (model->wire->got >= sizeof(model->wire->in) ||
		model->wire->put > sizeof(model->wire->out)) {
		snprintf(why, why_size, "more of messages than there is room for");
		return false;
	}
	return true;
}

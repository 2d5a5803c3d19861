/* SPDX-License-Identifier: MIT */
#include "mixer.h"

#include <stdlib.h>
#include <string.h>

#include "view.h"

/* ---- what of it is to be drawn */

void mixer_damage(struct mixer *mixer, const struct mix_box *box) {
	mixer->tile->host->damage(mixer->tile, box->x, box->y, box->width, box->height);
}

void mixer_damage_all(struct mixer *mixer) {
	const struct tile *tile = mixer->tile;
	tile->host->damage(mixer->tile, 0, 0, tile->width, tile->height);
}

/* ---- the transport */

static void look_at_music(struct mixer *mixer) {
	const struct tile *tile = mixer->tile;
	const struct vat_transport *transport = tile->transport;
	const struct vat_transport_part *part = vat_transport_at(transport, tile->frame);
	struct mix_face *face = mix_face(mixer);
	uint32_t rate = transport->rate ? transport->rate : VAT_RATE;
	mixer->beat_ns = UINT64_MAX;
	if (part->beats_a_bar == 0 || part->tempo == 0) {
		return; /* a host that means something else by it */
	}
	int64_t behind, tick = vat_part_tick(part, rate, tile->frame);
	int64_t bar = vat_part_bar(part, tick, &behind), beat = behind / VAT_PPQ;
	if (bar != face->bar || beat != face->beat || part->playing != face->playing ||
		part->tempo != face->tempo || part->beats_a_bar != face->beats_a_bar) {
		mixer_damage(mixer, &(struct mix_box){0, 0, tile->width, MIX_HEADER});
	}
	face->bar = bar;
	face->beat = beat;
	face->playing = part->playing;
	face->tempo = part->tempo;
	face->beats_a_bar = part->beats_a_bar;
	uint64_t next = vat_part_frame(part, rate, tick - behind + (beat + 1) * VAT_PPQ);
	next = part->playing ? next : UINT64_MAX;
	if (transport->parts[1].frame > tile->frame && transport->parts[1].frame < next) {
		next = transport->parts[1].frame;
	}
	if (next != UINT64_MAX && next > tile->frame) {
		unsigned __int128 ns = (unsigned __int128)(next - tile->frame) * 1000000000u / rate;
		mixer->beat_ns = tile->time->now_ns + 1000000 + (uint64_t)ns;
	}
}

/* ---- operations */

#define SOON_NS 1000000

/* After whatever it was. */
static void finish(struct mixer *mixer) {
	look_at_music(mixer);
	uint64_t next = wire_next(mixer), beat = mixer->beat_ns;
	uint64_t soon = mixer->tile->time->now_ns + SOON_NS;
	next = beat < next ? beat : next;
	/* What is due in attach is done at once, also where an update is held back as nobody sees
	 * the tile: a handover must not look like somebody. */
	next = next > soon ? next : soon;
	mixer->tile->host->wake_at(mixer->tile, UINT64_MAX);
	if (next != UINT64_MAX) {
		mixer->tile->host->wake_at(mixer->tile, next);
	}
}

static bool warm(struct tile *tile) {
	struct mixer *mixer = calloc(1, sizeof(*mixer));
	tile->scratch = mixer;
	if (!mixer) {
		return false;
	}
	mixer->tile = tile;
	mixer->stream = -1;
	if (tile->host->size < sizeof(struct tile_host)) {
		tile_log(tile, 0, "it needs a newer Source City: this one has no sound");
	} else if (paint_fonts_load(&mixer->fonts, tile)) {
		return true;
	}
	free(mixer);
	tile->scratch = NULL;
	return false;
}

static bool check(const struct tile *tile, char *why, size_t why_size) {
	const struct mix_model model = {tile->cells[CELL_NODES], tile->cells[CELL_LINKS],
		tile->cells[CELL_RINGS], tile->cells[CELL_WIRE]};
	return mix_check(&model, why, why_size);
}

static bool attach(struct tile *tile, enum tile_attach why) {
	struct mixer *mixer = tile->scratch;
	char reason[160];
	if (!check(tile, reason, sizeof(reason))) {
		tile_log(tile, 0, "%s", reason);
		return false;
	}
	tile->host->set_title(tile, "Sound");
	tile->host->set_cursor(tile, (enum tile_cursor)mix_face(mixer)->cursor);
	wire_attach(mixer, why);
	layout_make(mixer);
	finish(mixer);
	return paint_fonts_load(&mixer->fonts, tile);
}

static void update(struct tile *tile) {
	struct mixer *mixer = tile->scratch;
	wire_update(mixer);
	finish(mixer);
}

static void stream_ready(struct tile *tile, int stream, bool readable, bool writable) {
	struct mixer *mixer = tile->scratch;
	if (stream == mixer->stream) {
		wire_ready(mixer);
		finish(mixer);
	}
}

static void input(struct tile *tile, const struct tile_input *event) {
	struct mixer *mixer = tile->scratch;
	if (event->type == TILE_INPUT_SIZE) {
		paint_fonts_load(&mixer->fonts, tile);
		layout_make(mixer);
		mixer_damage_all(mixer);
	}
	input_event(mixer, event);
	finish(mixer);
}

static void detach(struct tile *tile) {
	struct mixer *mixer = tile->scratch;
	paint_fonts_finish(&mixer->fonts);
	free(mixer);
	tile->scratch = NULL;
}

static const struct tile_ops ops = {
	.warm = warm,
	.attach = attach,
	.update = update,
	.draw = view_draw,
	.input = input,
	.stream_ready = stream_ready,
	.check = check,
	.detach = detach,
};

/* ---- cells */

static const struct vat_field node_fields[] = {
	VAT_FIELD(1, U64, struct mix_node, id),
	VAT_FIELD(2, U32, struct mix_node, kind),
	VAT_FIELD(3, U32, struct mix_node, flags),
	VAT_FIELD(4, U32, struct mix_node, channels),
	VAT_FIELD(5, U32, struct mix_node, volume),
	VAT_FIELD(6, U32, struct mix_node, seen),
	VAT_FIELD(7, U32, struct mix_node, want),
	VAT_FIELD(8, U32, struct mix_node, asked),
	VAT_FIELD(9, TEXT, struct mix_node, name),
	VAT_FIELD(10, TEXT, struct mix_node, media),
	VAT_FIELD(11, TEXT, struct mix_node, tile),
	VAT_FIELD(12, F32, struct mix_node, level),
	VAT_FIELD(13, F32, struct mix_node, hold),
	VAT_FIELD(14, U64, struct mix_node, hold_ns),
	VAT_FIELD(15, I32, struct mix_node, x),
	VAT_FIELD(16, I32, struct mix_node, y),
	VAT_FIELD(17, I32, struct mix_node, width),
	VAT_FIELD(18, I32, struct mix_node, height),
	VAT_FIELD(19, I32, struct mix_node, column),
	VAT_FIELD(20, U64, struct mix_node, target),
};
static const struct vat_field link_fields[] = {
	VAT_FIELD(1, U64, struct mix_link, id),
	VAT_FIELD(2, U64, struct mix_link, from),
	VAT_FIELD(3, U64, struct mix_link, to),
	VAT_FIELD(4, U32, struct mix_link, active),
	VAT_FIELD(5, U32, struct mix_link, seen),
};
static const struct vat_field ring_fields[] = {
	VAT_FIELD(1, U64, struct mix_ring, id),
	VAT_FIELD(2, U64, struct mix_ring, node),
	VAT_FIELD(3, U64, struct mix_ring, late),
	VAT_FIELD(4, U64, struct mix_ring, late_times),
	VAT_FIELD(5, U64, struct mix_ring, mended),
	VAT_FIELD(6, U32, struct mix_ring, ahead),
	VAT_FIELD(7, U32, struct mix_ring, wants),
	VAT_FIELD(8, U32, struct mix_ring, quantum),
	VAT_FIELD(9, U32, struct mix_ring, seen),
	VAT_FIELD(10, TEXT, struct mix_ring, tile),
	VAT_FIELD(11, TEXT, struct mix_ring, port),
};
static const struct vat_field wire_fields[] = {
	VAT_FIELD(1, U32, struct mix_wire, open),
	VAT_FIELD(2, U32, struct mix_wire, told),
	VAT_FIELD(3, U32, struct mix_wire, turn),
	VAT_FIELD(4, U32, struct mix_wire, tries),
	VAT_FIELD(5, U32, struct mix_wire, meters),
	VAT_FIELD(6, U32, struct mix_wire, unseen),
	VAT_FIELD(7, U32, struct mix_wire, strange),
	VAT_FIELD(8, U32, struct mix_wire, more),
	VAT_FIELD(9, U32, struct mix_wire, stale),
	VAT_FIELD(10, U32, struct mix_wire, requests),
	VAT_FIELD(11, U32, struct mix_wire, got),
	VAT_FIELD(12, U32, struct mix_wire, put),
	VAT_FIELD(13, U64, struct mix_wire, retry_ns),
	VAT_FIELD(14, U64, struct mix_wire, seen_ns),
	VAT_FIELD(15, U32, struct mix_wire, server),
	VAT_FIELD(16, U32, struct mix_wire, rate),
	VAT_FIELD(17, U32, struct mix_wire, quantum),
	VAT_FIELD(18, TEXT, struct mix_wire, server_name),
	VAT_FIELD(19, TEXT, struct mix_wire, reason),
	VAT_FIELD(20, BYTES, struct mix_wire, asked),
	VAT_FIELD(21, BYTES, struct mix_wire, in),
	VAT_FIELD(22, BYTES, struct mix_wire, out),
};
static const struct vat_field face_fields[] = {
	VAT_FIELD(1, U64, struct mix_face, chosen),
	VAT_FIELD(2, U64, struct mix_face, chosen_link),
	VAT_FIELD(3, U64, struct mix_face, from),
	VAT_FIELD(4, U32, struct mix_face, on_play),
	VAT_FIELD(5, U32, struct mix_face, focused),
	VAT_FIELD(6, U32, struct mix_face, mode),
	VAT_FIELD(7, U32, struct mix_face, drag),
	VAT_FIELD(8, U32, struct mix_face, cursor),
	VAT_FIELD(9, F64, struct mix_face, pointer_x),
	VAT_FIELD(10, F64, struct mix_face, pointer_y),
	VAT_FIELD(11, F64, struct mix_face, press_x),
	VAT_FIELD(12, F64, struct mix_face, press_y),
	VAT_FIELD(13, I32, struct mix_face, scroll),
	VAT_FIELD(14, I32, struct mix_face, content),
	VAT_FIELD(15, I32, struct mix_face, columns),
	VAT_FIELD(16, U32, struct mix_face, playing),
	VAT_FIELD(17, U32, struct mix_face, tempo),
	VAT_FIELD(18, U32, struct mix_face, beats_a_bar),
	VAT_FIELD(19, I64, struct mix_face, beat),
	VAT_FIELD(20, I64, struct mix_face, bar),
	VAT_FIELD(21, TEXT, struct mix_face, line),
	VAT_FIELD(22, U64, struct mix_face, hover),
};

const struct vat_cell_decl mix_cells[CELLS] = {
	[CELL_NODES] = VAT_CELL("nodes", struct mix_node, MIX_NODES, node_fields, .version = 1),
	[CELL_LINKS] = VAT_CELL("links", struct mix_link, MIX_LINKS, link_fields, .version = 1),
	[CELL_RINGS] = VAT_CELL("rings", struct mix_ring, MIX_RINGS, ring_fields, .version = 1),
	[CELL_WIRE] = VAT_CELL("wire", struct mix_wire, 1, wire_fields, .version = 1),
	[CELL_FACE] = VAT_CELL("face", struct mix_face, 1, face_fields, .version = 1),
};

TILE_EXPORT(.name = "audio", .role = "audio",
	.summary = "What sounds in the session: volumes, devices, links and meters",
	.capabilities = TILE_CAP_AUDIO, .cells = mix_cells, .cell_count = CELLS,
	.default_width = 760, .default_height = 520, .ops = &ops, .time_model = TILE_TIME_RUNNING);

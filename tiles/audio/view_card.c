/* SPDX-License-Identifier: MIT */
/* The card of a node. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "view.h"

#define DB_LOW 54.0 /* below full, where meters begin */
#define DB_HIGH 6.0

uint32_t view_colour(const struct mix_node *node) {
	if (node->flags & AUDIO_NODE_OURS) {
		return 0xf2b866;
	}
	switch (node->kind) {
	case AUDIO_PLAYER:
		return 0x6ca6e8;
	case AUDIO_INPUT:
		return 0xd67fb6;
	case AUDIO_FILTER:
		return 0xa992e8;
	case AUDIO_OUTPUT:
		return 0x8fbf73;
	default:
		return 0xe0876c;
	}
}

const char *view_name(const struct mix_node *node) {
	if (node->flags & AUDIO_NODE_OURS && node->tile[0]) {
		return node->tile;
	}
	return node->name[0] ? node->name : "without a name";
}

static void frame(const struct paint *paint, uint32_t rgb, const struct paint_box *box, int line) {
	paint_fill(paint, rgb, box->x, box->y, box->width, line);
	paint_fill(paint, rgb, box->x, box->y + box->height - line, box->width, line);
	paint_fill(paint, rgb, box->x, box->y, line, box->height);
	paint_fill(paint, rgb, box->x + box->width - line, box->y, line, box->height);
}

static void button(struct paint *paint, const struct paint_box *box, const char *label, bool on,
	uint32_t colour) {
	paint_fill(paint, on ? colour : COLOUR_INNER, box->x, box->y, box->width, box->height);
	int width = paint_text_width(paint->fonts, PAINT_SMALL, label);
	paint_text(paint, PAINT_SMALL, on ? COLOUR_GROUND : COLOUR_DIM,
		box->x + (box->width - width) / 2, paint_baseline(paint, PAINT_SMALL, box),
		box->x + box->width, label);
}

/* ---- what it is and does */

static const char *state_of(const struct mix_node *node) {
	bool runs = node->flags & AUDIO_NODE_RUNNING;
	if (node->flags & AUDIO_NODE_OURS) {
		return runs ? "tile, running" : "tile, idle";
	}
	return runs ? "running" : "idle";
}

static void draw_title(struct paint *paint, const struct mixer *mixer, const struct mix_node *node,
	const struct paint_box *card) {
	int left = card->x + view_px(paint, 14), right = card->x + card->width - view_px(paint, 10);
	struct paint_box row = {
		card->x, card->y + view_px(paint, 6), card->width, view_px(paint, 20)};
	if (mix_is_device(node)) {
		struct mix_box place = layout_default(mixer, node);
		struct paint_box box = view_box(paint, &place);
		const struct mix_face *face = mix_face(mixer);
		if (node->flags & AUDIO_NODE_DEFAULT) {
			button(paint, &box, "default", true, COLOUR_GOOD);
			right = box.x - view_px(paint, 8);
		} else if (face->hover == node->id || face->chosen == node->id) {
			button(paint, &box, "make default", false, COLOUR_GOOD);
			right = box.x - view_px(paint, 8);
		}
	} else {
		const char *state = state_of(node);
		int width = paint_text_width(paint->fonts, PAINT_SMALL, state);
		bool runs = node->flags & AUDIO_NODE_RUNNING;
		paint_text(paint, PAINT_SMALL, runs ? COLOUR_GOOD : COLOUR_DIM, right - width,
			paint_baseline(paint, PAINT_SMALL, &row), right + 1, state);
		right -= width + view_px(paint, 8);
	}
	view_text(paint, PAINT_TEXT, COLOUR_BRIGHT, left, paint_baseline(paint, PAINT_TEXT, &row),
		right, view_name(node));
}

static void draw_ring(
	struct paint *paint, const struct mix_ring *ring, int x, int baseline, int right) {
	char text[160];
	snprintf(text, sizeof(text), "%s, %u of %u frames ahead, ", ring->port, ring->ahead,
		ring->wants);
	x = view_text(paint, PAINT_SMALL, COLOUR_DIM, x, baseline, right, text);
	if (ring->late == 0) {
		snprintf(text, sizeof(text), "none late");
	} else {
		snprintf(text, sizeof(text), "%" PRIu64 " late", ring->late);
	}
	view_text(paint, PAINT_SMALL, ring->late ? COLOUR_WARN : COLOUR_DIM, x, baseline, right,
		text);
}

static void draw_doing(struct paint *paint, const struct mixer *mixer, const struct mix_node *node,
	const struct paint_box *card) {
	static const char *const kinds[] = {
		[AUDIO_OUTPUT] = "output",
		[AUDIO_INPUT] = "input",
		[AUDIO_PLAYER] = "plays",
		[AUDIO_RECORDER] = "records",
		[AUDIO_FILTER] = "filter",
	};
	const struct mix_model model = mix_model(mixer);
	const struct mix_ring *ring = mix_ring_of(&model, node->id);
	struct paint_box row = {
		card->x, card->y + view_px(paint, 25), card->width, view_px(paint, 17)};
	int left = card->x + view_px(paint, 14), right = card->x + card->width - view_px(paint, 10);
	int baseline = paint_baseline(paint, PAINT_SMALL, &row);
	char text[AUDIO_NAME_SIZE + 64];
	if (ring && node->flags & AUDIO_NODE_OURS) {
		draw_ring(paint, ring, left, baseline, right);
		return;
	}
	if (mix_is_device(node)) {
		snprintf(text, sizeof(text), "%s, %s, %u %s", kinds[node->kind], state_of(node),
			node->channels, node->channels == 1 ? "channel" : "channels");
	} else if (node->media[0]) {
		snprintf(text, sizeof(text), "%s", node->media);
	} else {
		snprintf(text, sizeof(text), "%s", kinds[node->kind]);
	}
	view_text(paint, PAINT_SMALL, COLOUR_DIM, left, baseline, right, text);
}

/* ---- how loud */

static void draw_fader(
	struct paint *paint, const struct mixer *mixer, const struct mix_node *node) {
	struct mix_box place = layout_fader(mixer, node);
	struct paint_box box = view_box(paint, &place);
	bool mute = node->flags & AUDIO_NODE_MUTE;
	uint32_t volume = mix_volume(node);
	int middle = box.y + box.height / 2, thin = view_px(paint, 4), knob = view_px(paint, 8);
	int at = box.x + (int)lround((double)volume / MIX_VOLUME_MAX * box.width);
	int full = box.x + (int)lround(1000.0 / MIX_VOLUME_MAX * box.width);
	uint32_t rgb = mute ? COLOUR_EDGE : paint_mix(COLOUR_SIDE, view_colour(node), 12);
	paint_fill(paint, COLOUR_INNER, box.x, middle - thin / 2, box.width, thin);
	paint_fill(paint, rgb, box.x, middle - thin / 2, (at < full ? at : full) - box.x, thin);
	paint_fill(
		paint, mute ? COLOUR_EDGE : COLOUR_WARN, full, middle - thin / 2, at - full, thin);
	/* As loud as it comes. */
	paint_fill(paint, COLOUR_EDGE, full, box.y + view_px(paint, 2), view_px(paint, 1),
		box.height - view_px(paint, 4));
	paint_fill(paint, mute ? COLOUR_DIM : COLOUR_BRIGHT, at - knob / 2,
		box.y + view_px(paint, 1), knob, box.height - view_px(paint, 2));
	char text[24];
	snprintf(text, sizeof(text), "%u%%", (volume + 5) / 10);
	int right = box.x + box.width + view_px(paint, 44);
	int width = paint_text_width(paint->fonts, PAINT_SMALL, text);
	paint_text(paint, PAINT_SMALL, mute ? COLOUR_DIM : COLOUR_TEXT, right - width,
		paint_baseline(paint, PAINT_SMALL, &box), right + 1, text);
}

/* 0 to 1. */
static double share_of(float level) {
	double db = 20 * log10((double)level + 1e-9);
	return fmin(fmax((db + DB_LOW) / (DB_LOW + DB_HIGH), 0), 1);
}

static void draw_meter(
	struct paint *paint, const struct mixer *mixer, const struct mix_node *node) {
	struct mix_box place = layout_meter(mixer, node);
	struct paint_box box = view_box(paint, &place);
	if (box.width == 0) {
		return;
	}
	int rows = node->channels < 1 ? 1 : (int)node->channels;
	int step = box.height / rows > 1 ? box.height / rows : 1;
	int gap = step > 2 ? view_px(paint, 1) : 0;
	int high = (int)lround(share_of(1) * box.width);
	int warm = (int)lround(share_of(0.5f) * box.width);
	for (int i = 0; i < rows && i * step < box.height; i++) {
		int y = box.y + i * step, height = step - gap;
		int at = (int)lround(share_of(node->level[i]) * box.width);
		int held = (int)lround(share_of(node->hold[i]) * box.width);
		paint_fill(paint, COLOUR_INNER, box.x, y, box.width, height);
		paint_fill(paint, COLOUR_GOOD, box.x, y, at < warm ? at : warm, height);
		paint_fill(paint, COLOUR_WARN, box.x + warm, y, (at < high ? at : high) - warm,
			height);
		paint_fill(paint, COLOUR_ERROR, box.x + high, y, at - high, height);
		if (held > 0) {
			int mark = view_px(paint, 2);
			uint32_t rgb = held > high ? COLOUR_ERROR
				: held > warm	   ? COLOUR_WARN
						   : COLOUR_TEXT;
			int left = held > mark ? held - mark : 0; /* nothing beside the meter */
			paint_fill(paint, rgb, box.x + left, y, held - left, height);
		}
	}
}

/* Where what is being done cannot end. */
static void veil(const struct paint *paint, const struct paint_box *card) {
	const uint16_t part = 0xa0 * 0x101, full = 0xff;
	pixman_color_t color = {(uint16_t)((COLOUR_GROUND >> 16 & full) * part / full),
		(uint16_t)((COLOUR_GROUND >> 8 & full) * part / full),
		(uint16_t)((COLOUR_GROUND & full) * part / full), part};
	pixman_box32_t box = {card->x, card->y, card->x + card->width, card->y + card->height};
	pixman_image_fill_boxes(PIXMAN_OP_OVER, paint->image, &color, 1, &box);
}

void card_draw(struct paint *paint, const struct mixer *mixer, const struct mix_node *node) {
	const struct mix_face *face = mix_face(mixer);
	struct mix_box place = layout_card(mixer, node);
	struct paint_box card = view_box(paint, &place);
	if (!view_damaged(paint, &card)) {
		return;
	}
	bool chosen = face->chosen == node->id && !face->on_play;
	bool fits =
		(face->mode == MODE_NONE && face->drag != DRAG_LINK && face->drag != DRAG_MOVE) ||
		face->from == node->id || input_fits(mixer, node);
	bool runs = node->flags & AUDIO_NODE_RUNNING;
	paint_fill(paint, COLOUR_SIDE, card.x, card.y, card.width, card.height);
	frame(paint, chosen ? (face->focused ? COLOUR_PULSE : COLOUR_FOCUS) : COLOUR_INNER, &card,
		view_px(paint, chosen ? 2 : 1));
	int line = view_px(paint, chosen ? 2 : 1);
	paint_fill(paint, paint_mix(COLOUR_SIDE, view_colour(node), runs ? 16 : 6), card.x + line,
		card.y + line, view_px(paint, 3), card.height - 2 * line);
	draw_title(paint, mixer, node, &card);
	draw_doing(paint, mixer, node, &card);
	if (node->flags & AUDIO_NODE_VOLUME) {
		place = layout_mute(mixer, node);
		struct paint_box mute = view_box(paint, &place);
		button(paint, &mute, "M", node->flags & AUDIO_NODE_MUTE, COLOUR_WARN);
		draw_fader(paint, mixer, node);
		draw_meter(paint, mixer, node);
	}
	if (!fits) {
		veil(paint, &card);
	}
}

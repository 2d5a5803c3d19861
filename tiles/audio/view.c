/* SPDX-License-Identifier: MIT */
/* The picture: drawn from cells alone. */
#include "view.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define PAD 12

int view_px(const struct paint *paint, double size) {
	int px = (int)lround(size * paint->canvas->scale);
	return px > 0 || size <= 0 ? px : 1;
}

struct paint_box view_box(const struct paint *paint, const struct mix_box *box) {
	double scale = paint->canvas->scale;
	int x = (int)lround(box->x * scale), y = (int)lround(box->y * scale);
	return (struct paint_box){x, y, (int)lround((box->x + box->width) * scale) - x,
		(int)lround((box->y + box->height) * scale) - y};
}

bool view_damaged(const struct paint *paint, const struct paint_box *box) {
	for (size_t i = 0; i < paint->canvas->damage_count; i++) {
		const struct tile_rect *rect = &paint->canvas->damage[i];
		if (box->x < rect->x + rect->width && rect->x < box->x + box->width &&
			box->y < rect->y + rect->height && rect->y < box->y + box->height) {
			return true;
		}
	}
	return false;
}

int view_text(struct paint *paint, enum paint_font font, uint32_t rgb, int x, int baseline,
	int right, const char *text) {
	static const char dots[] = "\u2026";
	char part[256];
	if (x + paint_text_width(paint->fonts, font, text) <= right) {
		return paint_text(paint, font, rgb, x, baseline, right, text);
	}
	int room = right - x - paint_text_width(paint->fonts, font, dots);
	if (room <= 0) {
		return x;
	}
	snprintf(part, sizeof(part) - sizeof(dots), "%s", text);
	size_t size = strlen(part);
	while (size > 0 && paint_text_width(paint->fonts, font, part) > room) {
		do {
			size--;
		} while (size > 0 && ((unsigned char)part[size] & 0xc0) == 0x80);
		part[size] = '\0';
	}
	memcpy(part + size, dots, sizeof(dots));
	return paint_text(paint, font, rgb, x, baseline, right, part);
}

static int text_if_it_fits(struct paint *paint, enum paint_font font, uint32_t rgb, int x,
	int baseline, int right, const char *text) {
	if (x + paint_text_width(paint->fonts, font, text) > right) {
		return x;
	}
	return paint_text(paint, font, rgb, x, baseline, right, text);
}

/* ---- the line above */

static void draw_play(struct paint *paint, const struct mixer *mixer) {
	const struct mix_face *face = mix_face(mixer);
	struct mix_box place = layout_play(mixer);
	struct paint_box play = view_box(paint, &place);
	const char *label = face->playing ? "Stop" : "Play";
	if (face->on_play) {
		int line = view_px(paint, 2);
		paint_fill(paint, face->focused ? COLOUR_PULSE : COLOUR_FOCUS, play.x - line,
			play.y - line, play.width + 2 * line, play.height + 2 * line);
	}
	paint_fill(paint, face->playing ? COLOUR_FOCUS : COLOUR_INNER, play.x, play.y, play.width,
		play.height);
	int width = paint_text_width(paint->fonts, PAINT_TEXT, label);
	paint_text(paint, PAINT_TEXT, COLOUR_BRIGHT, play.x + (play.width - width) / 2,
		paint_baseline(paint, PAINT_TEXT, &play), play.x + play.width, label);
}

static int draw_server(
	struct paint *paint, const struct mixer *mixer, const struct paint_box *header, int left) {
	const struct mix_wire *wire = mix_wire(mixer);
	int right = header->width - view_px(paint, PAD);
	char text[AUDIO_NAME_SIZE + 64];
	if (!wire->server) {
		return right;
	}
	snprintf(text, sizeof(text), "%s   %u Hz, %u frames a cycle", wire->server_name, wire->rate,
		wire->quantum);
	int width = paint_text_width(paint->fonts, PAINT_SMALL, text);
	if (wire->rate == 0 || width > right - left) {
		snprintf(text, sizeof(text), "%u Hz, %u", wire->rate, wire->quantum);
		width = paint_text_width(paint->fonts, PAINT_SMALL, text);
	}
	if (width > right - left || wire->rate == 0) {
		return right;
	}
	paint_text(paint, PAINT_SMALL, COLOUR_DIM, right - width,
		paint_baseline(paint, PAINT_SMALL, header), right + 1, text);
	return right - width;
}

static void draw_header(struct paint *paint, const struct mixer *mixer) {
	const struct mix_face *face = mix_face(mixer);
	struct paint_box header = {0, 0, paint->canvas->width, view_px(paint, MIX_HEADER)};
	int right = header.width - view_px(paint, PAD);
	char text[96];
	if (!view_damaged(paint, &header)) {
		return;
	}
	paint_fill(paint, COLOUR_SIDE, 0, 0, header.width, header.height);
	paint_fill(paint, COLOUR_EDGE, 0, header.height - view_px(paint, 1), header.width,
		view_px(paint, 1));
	draw_play(paint, mixer);
	int64_t beats = face->beats_a_bar ? face->beats_a_bar : 4;
	snprintf(text, sizeof(text), "%" PRId64 ".%" PRId64, face->bar + 1, face->beat + 1);
	int x = view_px(paint, 84);
	paint_text(paint, PAINT_LARGE, face->playing ? COLOUR_BRIGHT : COLOUR_DIM, x,
		paint_baseline(paint, PAINT_LARGE, &header), right, text);
	/* A light for each beat of the bar. */
	x += view_px(paint, 72);
	int dot = view_px(paint, 7);
	for (int64_t i = 0; i < beats && i < 16 && x + dot < right; i++) {
		bool on = face->playing && i == face->beat;
		paint_fill(paint, on ? (i ? COLOUR_PULSE : COLOUR_WARN) : COLOUR_INNER, x,
			header.height / 2 - dot / 2, dot, dot);
		x += dot + view_px(paint, 4);
	}
	snprintf(text, sizeof(text), "%.4g bpm", face->tempo / 1000.0);
	x = text_if_it_fits(paint, PAINT_TEXT, COLOUR_TEXT, x + view_px(paint, 12),
		paint_baseline(paint, PAINT_TEXT, &header), right, text);
	draw_server(paint, mixer, &header, x + view_px(paint, 18));
}

/* ---- the line below */

static void say_mode(const struct mixer *mixer, char *text, size_t size) {
	const struct mix_face *face = mix_face(mixer);
	const struct mix_model model = mix_model(mixer);
	const struct mix_node *from = mix_find(&model, face->from);
	const struct mix_node *to = mix_find(&model, face->chosen);
	const char *what = face->mode == MODE_LINK || face->drag == DRAG_LINK ? "Link" : "Move";
	bool drags = face->drag == DRAG_LINK || face->drag == DRAG_MOVE;
	if (drags) {
		snprintf(text, size, "%s %.60s: let it go on the other card", what,
			from ? view_name(from) : "");
	} else if (!to || to == from) {
		snprintf(text, size, "%s %.60s: arrows choose, Esc leaves", what,
			from ? view_name(from) : "");
	} else {
		uint64_t a, b;
		bool linked = from && mix_ends(from, to, &a, &b) &&
			(mix_link_between(&model, a, b) || mix_link_between(&model, b, a));
		snprintf(text, size, "%s %.60s: Return %s %.60s, Esc leaves", what,
			from ? view_name(from) : "",
			face->mode == MODE_MOVE ? "lets it go to"
				: linked	? "takes away the link with"
						: "links it with",
			view_name(to));
	}
}

static void draw_status(struct paint *paint, const struct mixer *mixer) {
	const struct mix_face *face = mix_face(mixer);
	const struct mix_wire *wire = mix_wire(mixer);
	int height = view_px(paint, MIX_STATUS), width = paint->canvas->width;
	struct paint_box status = {0, paint->canvas->height - height, width, height};
	int right = width - view_px(paint, PAD), baseline;
	char text[MIX_LINE + 64];
	if (!view_damaged(paint, &status)) {
		return;
	}
	paint_fill(paint, COLOUR_SIDE, 0, status.y, width, height);
	paint_fill(paint, COLOUR_EDGE, 0, status.y, width, view_px(paint, 1));
	baseline = paint_baseline(paint, PAINT_SMALL, &status);
	uint32_t rgb = COLOUR_DIM;
	if (face->line[0]) {
		snprintf(text, sizeof(text), "%s", face->line);
		rgb = COLOUR_ERROR;
	} else if (face->mode || face->drag == DRAG_LINK || face->drag == DRAG_MOVE) {
		say_mode(mixer, text, sizeof(text));
		rgb = COLOUR_PULSE;
	} else if (wire->more) {
		snprintf(text, sizeof(text),
			"more than %d devices and programs, or %d links: the rest is not shown",
			MIX_NODES, MIX_LINKS);
		rgb = COLOUR_WARN;
	} else if (face->chosen_link != MIX_NONE) {
		snprintf(text, sizeof(text), "Delete takes the link away");
		rgb = COLOUR_TEXT;
	} else if (mix_nodes(mixer)[0].id == MIX_NONE) {
		snprintf(text, sizeof(text), "Space plays");
	} else {
		snprintf(text, sizeof(text),
			"arrows choose, + - volume, M mute, D default, L link, V move, Space "
			"plays");
	}
	view_text(paint, PAINT_SMALL, rgb, view_px(paint, PAD), baseline, right, text);
}

/* ---- between them */

static void draw_headings(struct paint *paint, const struct mixer *mixer) {
	static const char *const names[3][3] = {{"What sounds and listens"},
		{"Programs and inputs", "Outputs and recorders"},
		{"Programs and inputs", "Filters", "Outputs and recorders"}};
	const struct mix_face *face = mix_face(mixer);
	const struct mix_node *nodes = mix_nodes(mixer);
	bool said[3] = {false, false, false};
	for (int i = 0; i < MIX_NODES && nodes[i].id != MIX_NONE; i++) {
		int column = nodes[i].column;
		if (column < 0 || column > 2 || said[column] || face->columns < 1 ||
			face->columns > 3) {
			continue;
		}
		said[column] = true;
		struct mix_box place = {
			nodes[i].x, 14 - face->scroll + MIX_HEADER, nodes[i].width, 20};
		struct paint_box box = view_box(paint, &place);
		const char *name = names[face->columns - 1][column];
		view_text(paint, PAINT_SMALL, COLOUR_DIM, box.x,
			paint_baseline(paint, PAINT_SMALL, &box), box.x + box.width,
			name ? name : "");
	}
}

static void draw_scroll(struct paint *paint, const struct mixer *mixer) {
	const struct mix_face *face = mix_face(mixer);
	struct mix_box body = layout_body(mixer);
	if (face->content <= body.height) {
		return;
	}
	double length = fmax(body.height * body.height / face->content, 20);
	double most = face->content - body.height;
	struct mix_box bar = {
		body.width - 5, body.y + (body.height - length) * face->scroll / most, 3, length};
	struct paint_box box = view_box(paint, &bar);
	paint_fill(paint, COLOUR_EDGE, box.x, box.y, box.width, box.height);
}

/* Why there is nothing, in one line; NULL: there is something. */
static const char *why_empty(const struct mixer *mixer, char *text, size_t size) {
	const struct mix_wire *wire = mix_wire(mixer);
	if (wire->strange) {
		return "the audio process is of another version: end the city and start it again";
	}
	if (!wire->told) {
		return wire->open ? "" : "there is no audio process: nothing sounds";
	}
	if (!wire->server) {
		snprintf(text, size, "%s: this fills when one appears",
			wire->reason[0] ? wire->reason : "there is no sound server");
		return text;
	}
	return mix_nodes(mixer)[0].id == MIX_NONE
		? "no device and no program is in the sound server"
		: NULL;
}

static void draw_empty(struct paint *paint, const struct mixer *mixer) {
	struct mix_box body = layout_body(mixer);
	struct paint_box box = view_box(paint, &body);
	char text[AUDIO_NAME_SIZE + 64];
	const char *why = why_empty(mixer, text, sizeof(text));
	if (!why) {
		return;
	}
	int width = paint_text_width(paint->fonts, PAINT_TEXT, why), pad = view_px(paint, PAD);
	int x = box.x + (box.width - width) / 2;
	view_text(paint, PAINT_TEXT, COLOUR_WARN, x > pad ? x : pad,
		paint_baseline(paint, PAINT_TEXT, &box), box.width - pad, why);
}

void view_draw(struct tile *tile, const struct tile_canvas *canvas) {
	const struct mixer *mixer = tile->scratch;
	const struct mix_node *nodes = mix_nodes(mixer);
	struct paint paint;
	if (!paint_begin(&paint, &mixer->fonts, canvas)) {
		return;
	}
	paint_fill(&paint, COLOUR_GROUND, 0, 0, canvas->width, canvas->height);
	draw_headings(&paint, mixer);
	lines_draw_under(&paint, mixer);
	for (int i = 0; i < MIX_NODES && nodes[i].id != MIX_NONE; i++) {
		card_draw(&paint, mixer, &nodes[i]);
	}
	lines_draw_over(&paint, mixer);
	draw_empty(&paint, mixer);
	draw_scroll(&paint, mixer);
	draw_header(&paint, mixer);
	draw_status(&paint, mixer);
	paint_end(&paint);
}

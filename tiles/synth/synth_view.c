/* SPDX-License-Identifier: MIT */
/* The picture: drawn from struct shown alone. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "synth.h"

#define HEADER 40
#define STATUS 26
#define KEYS 46
#define NAMES 92
#define PAD 12
#define TICKS_BEHIND (1.5 * VAT_PPQ)
#define TICKS_SHOWN (9.5 * VAT_PPQ)

/* Of channels: as far from each other as can be, equally bright. */
static const uint32_t colours[] = {0xf2b866, 0x6ca6e8, 0x8fbf73, 0xd67fb6, 0x5fbdb8, 0xe0876c,
	0xa992e8, 0xc7c36a, 0x7fb8d6, 0xe28fa0, 0x7fce9a, 0xc79bd9, 0xd9a05f, 0x86a5d8, 0xa3c95f,
	0xd98f8f, 0xf0f4f9};

static uint32_t colour_of(uint32_t channel) {
	return colours[channel % (sizeof(colours) / sizeof(colours[0]))];
}

static int px(const struct player *player, double size) {
	return (int)lround(size * player->fonts.scale);
}

void view_layout(struct player *player) {
	struct layout *layout = &player->layout;
	int width = px(player, player->tile->width), height = px(player, player->tile->height);
	int header = px(player, HEADER), status = px(player, STATUS), keys = px(player, KEYS);
	int names = player->tile->width >= 480 ? px(player, NAMES) : 0;
	int middle = height - header - status - keys;
	*layout = (struct layout){
		.header = {0, 0, width, header},
		.play = {px(player, PAD), px(player, 8), px(player, 56), header - px(player, 16)},
		.names = {0, header, names, middle},
		.score = {names, header, width - names, middle},
		.keys = {0, header + middle, width, keys},
		.status = {0, height - status, width, status},
	};
}

/* ---- the line above */

static void draw_meters(
	struct paint *paint, const struct player *player, const struct shown *shown) {
	const struct paint_box *header = &player->layout.header;
	int width = px(player, 110), height = px(player, 5);
	int x = header->width - px(player, PAD) - width;
	for (int side = 0; side < 2; side++) {
		int y = header->height / 2 + (side ? px(player, 2) : -px(player, 2) - height);
		double db = 20 * log10((double)shown->peak[side] + 1e-9);
		double share = fmin(fmax((db + 54) / 54, 0), 1);
		int full = (int)lround(share * width);
		int warm = (int)lround(48.0 / 54 * width), good = full < warm ? full : warm;
		paint_fill(paint, COLOUR_INNER, x, y, width, height);
		paint_fill(paint, COLOUR_GOOD, x, y, good, height);
		paint_fill(paint, COLOUR_WARN, x + warm, y, full - warm, height);
	}
}

static void draw_header(
	struct paint *paint, const struct player *player, const struct shown *shown) {
	const struct layout *layout = &player->layout;
	const struct paint_box *header = &layout->header, *play = &layout->play;
	char text[96];
	int right = header->width - px(player, PAD + 110);
	paint_fill(paint, COLOUR_SIDE, 0, 0, header->width, header->height);
	paint_fill(paint, COLOUR_EDGE, 0, header->height - px(player, 1), header->width,
		px(player, 1));
	paint_fill(paint, shown->playing ? COLOUR_FOCUS : COLOUR_INNER, play->x, play->y,
		play->width, play->height);
	const char *label = shown->playing ? "Stop" : "Play";
	int wide = paint_text_width(&player->fonts, PAINT_TEXT, label);
	paint_text(paint, PAINT_TEXT, COLOUR_BRIGHT, play->x + (play->width - wide) / 2,
		paint_baseline(paint, PAINT_TEXT, play), header->width, label);

	const struct vat_transport_part part = {
		.beats_a_bar = shown->beats_a_bar, .bar_zero = shown->bar_zero};
	int64_t behind, bar = vat_part_bar(&part, (int64_t)floor(shown->head), &behind);
	int64_t beat = behind / VAT_PPQ, beats = shown->beats_a_bar;
	snprintf(text, sizeof(text), "%" PRId64 ".%" PRId64, bar + 1, beat + 1);
	int x = play->x + play->width + px(player, 16);
	int baseline = paint_baseline(paint, PAINT_LARGE, header);
	paint_text(paint, PAINT_LARGE, shown->playing ? COLOUR_BRIGHT : COLOUR_DIM, x, baseline,
		right, text);
	/* A light for each beat of the bar. */
	x += px(player, 72);
	int dot = px(player, 7);
	for (int64_t i = 0; i < beats && i < 16; i++) {
		bool on = shown->playing && i == beat;
		paint_fill(paint, on ? (i ? COLOUR_PULSE : COLOUR_WARN) : COLOUR_INNER, x,
			header->height / 2 - dot / 2, dot, dot);
		x += dot + px(player, 4);
	}
	x += px(player, 14);
	baseline = paint_baseline(paint, PAINT_TEXT, header);
	snprintf(text, sizeof(text), "%.4g bpm", shown->tempo / 1000.0);
	x = paint_text(paint, PAINT_TEXT, COLOUR_TEXT, x, baseline, right, text);
	snprintf(text, sizeof(text), "%u %s", shown->voices,
		shown->voices == 1 ? "voice" : "voices");
	x = paint_text(paint, PAINT_TEXT, COLOUR_DIM, x + px(player, 18), baseline, right, text);
	if (!shown->connected) {
		paint_text(paint, PAINT_TEXT, COLOUR_WARN, x + px(player, 18), baseline, right,
			"no sound server");
	} else if (shown->late > 0) {
		snprintf(text, sizeof(text), "%" PRIu64 " frames late", shown->late);
		paint_text(
			paint, PAINT_TEXT, COLOUR_WARN, x + px(player, 18), baseline, right, text);
	}
	draw_meters(paint, player, shown);
}

/* ---- the score */

static double score_x(const struct player *player, double from_head) {
	const struct paint_box *score = &player->layout.score;
	return score->x + (from_head + TICKS_BEHIND) / TICKS_SHOWN * score->width;
}

static void draw_grid(struct paint *paint, const struct player *player, const struct shown *shown) {
	const struct paint_box *score = &player->layout.score;
	int line = px(player, 1) > 0 ? px(player, 1) : 1;
	const struct vat_transport_part part = {
		.beats_a_bar = shown->beats_a_bar, .bar_zero = shown->bar_zero};
	int64_t first =
		(int64_t)floor((shown->head - TICKS_BEHIND - (double)shown->bar_zero) / VAT_PPQ);
	for (int64_t beat = first; beat <= first + 11; beat++) {
		int64_t tick = shown->bar_zero + beat * VAT_PPQ, behind;
		double x = score_x(player, (double)tick - shown->head);
		int64_t number = vat_part_bar(&part, tick, &behind);
		bool bar = behind == 0;
		if (tick < 0 || x < score->x) {
			continue;
		}
		paint_fill(paint, bar ? COLOUR_EDGE : COLOUR_SIDE, (int)lround(x), score->y,
			bar ? 2 * line : line, score->height);
		if (bar) {
			char text[24];
			snprintf(text, sizeof(text), "%" PRId64, number + 1);
			paint_text(paint, PAINT_SMALL, COLOUR_DIM, (int)lround(x) + px(player, 5),
				score->y + px(player, 14), score->x + score->width, text);
		}
	}
}

static void draw_notes(
	struct paint *paint, const struct player *player, const struct shown *shown) {
	const struct paint_box *score = &player->layout.score;
	uint32_t low = 60, high = 66;
	for (uint32_t i = 0; i < shown->note_count; i++) {
		low = shown->pitch[i] < low ? shown->pitch[i] : low;
		high = shown->pitch[i] > high ? shown->pitch[i] : high;
	}
	/* By octaves, so that it does not jump with every note. */
	low = low / 12 * 12;
	high = (high / 12 + 1) * 12;
	int top = score->y + px(player, 20), room = score->height - px(player, 26);
	double row = (double)room / (high - low);
	int height = (int)fmax(fmin(row - 1, px(player, 12)), 2);
	for (uint32_t i = 0; i < shown->note_count; i++) {
		double from = fmax(score_x(player, (double)shown->from[i]), score->x);
		double to = fmin(score_x(player, (double)shown->to[i]), score->x + score->width);
		int y = top + (int)((high - 1 - shown->pitch[i]) * row + (row - height) / 2);
		uint32_t rgb = colour_of(shown->channel[i]);
		unsigned part = shown->lit[i] ? 16 : shown->to[i] <= 0 ? 5 : 10;
		int width = (int)lround(to - from) - px(player, 1);
		paint_fill(paint, paint_mix(COLOUR_GROUND, rgb, part), (int)lround(from), y,
			width > 2 ? width : 2, height);
	}
}

static void draw_splice(
	struct paint *paint, const struct player *player, const struct shown *shown) {
	const struct paint_box *score = &player->layout.score;
	int line = px(player, 2), right = score->x + score->width;
	char text[120];
	if (shown->done_fresh && !shown->done_bad) {
		double x = score_x(player, shown->done_tick - shown->head);
		if (x >= score->x && x < right) {
			paint_fill(
				paint, COLOUR_GOOD, (int)lround(x), score->y, line, score->height);
		}
	}
	if (!shown->splice_pending) {
		return;
	}
	if (!shown->splice_known && shown->playing) {
		return; /* the next slice of sound will tell */
	}
	if (!shown->splice_known) {
		paint_text(paint, PAINT_SMALL, COLOUR_WARN, score->x + px(player, 8),
			score->y + score->height - px(player, 8), right,
			"a new clip waits for the transport to play");
		return;
	}
	double ticks = shown->splice - shown->head;
	double x = fmin(score_x(player, ticks), right - px(player, 190));
	if (score_x(player, ticks) < right) {
		paint_fill(paint, COLOUR_WARN, (int)lround(score_x(player, ticks)), score->y, line,
			score->height);
	}
	snprintf(text, sizeof(text), "new clip %.40s in %.1f beats", shown->splice_text,
		fmax(ticks, 0) / VAT_PPQ);
	/* Below the number of the bar. */
	paint_text(paint, PAINT_SMALL, COLOUR_WARN, (int)lround(x) + px(player, 8),
		score->y + px(player, 30), right, text);
}

static void draw_score(
	struct paint *paint, const struct player *player, const struct shown *shown) {
	const struct paint_box *score = &player->layout.score;
	draw_grid(paint, player, shown);
	draw_notes(paint, player, shown);
	draw_splice(paint, player, shown);
	int head = (int)lround(score_x(player, 0));
	paint_fill(paint, COLOUR_BRIGHT, head, score->y, px(player, 1) > 0 ? px(player, 1) : 1,
		score->height);
}

static void draw_names(
	struct paint *paint, const struct player *player, const struct shown *shown) {
	const struct paint_box *names = &player->layout.names;
	if (names->width == 0) {
		return;
	}
	paint_fill(paint, COLOUR_SIDE, names->x, names->y, names->width, names->height);
	paint_fill(paint, COLOUR_EDGE, names->width - px(player, 1), names->y, px(player, 1),
		names->height);
	int line = px(player, 20), y = names->y + px(player, 8);
	for (uint32_t i = 0; i < CLIP_TRACKS; i++) {
		const char *name = shown->names + (size_t)i * CLIP_NAME;
		if (!*name || y + line > names->y + names->height) {
			continue;
		}
		bool lit = false;
		for (uint32_t note = 0; note < shown->note_count; note++) {
			lit |= shown->lit[note] && shown->channel[note] == i;
		}
		struct paint_box box = {names->x, y, names->width, line};
		int square = px(player, 8);
		paint_fill(paint, paint_mix(COLOUR_SIDE, colour_of(i), lit ? 16 : 8),
			px(player, PAD), y + (line - square) / 2, square, square);
		paint_text(paint, PAINT_SMALL, lit ? COLOUR_BRIGHT : COLOUR_DIM,
			px(player, PAD) + square + px(player, 7),
			paint_baseline(paint, PAINT_SMALL, &box), names->width - px(player, 4),
			name);
		y += line;
	}
}

/* ---- keys */

static const bool black[12] = {0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0};
#define LOWEST 24
#define HIGHEST 108 /* and not that */
#define WHITES ((HIGHEST - LOWEST) / 12 * 7)

/* Where a key is, within the box of all. */
static struct paint_box key_box(const struct player *player, int pitch) {
	const struct paint_box *keys = &player->layout.keys;
	int white = (pitch - LOWEST) / 12 * 7;
	for (int i = 0; i < pitch % 12; i++) {
		white += !black[i];
	}
	int x = keys->x + white * keys->width / WHITES;
	int next = keys->x + (white + 1) * keys->width / WHITES;
	int top = keys->y + px(player, 4), height = keys->height - px(player, 6);
	if (!black[pitch % 12]) {
		return (struct paint_box){x, top, next - x - px(player, 1), height};
	}
	int width = (next - x) * 2 / 3;
	return (struct paint_box){x - width / 2, top, width, height * 3 / 5};
}

int view_key_at(const struct player *player, double x, double y, float *velocity) {
	for (int pass = 0; pass < 2; pass++) {
		/* Black keys lie above the white ones. */
		for (int pitch = LOWEST; pitch < HIGHEST; pitch++) {
			struct paint_box box = key_box(player, pitch);
			if (black[pitch % 12] == (pass == 0) && x >= box.x &&
				x < box.x + box.width + px(player, 1) && y >= box.y &&
				y < box.y + box.height) {
				*velocity = 0.35f + 0.65f * (float)((y - box.y) / box.height);
				return pitch;
			}
		}
	}
	return -1;
}

static void draw_keys(struct paint *paint, const struct player *player, const struct shown *shown) {
	const struct paint_box *keys = &player->layout.keys;
	int from = 12 * (shown->octave + 1);
	paint_fill(paint, COLOUR_GROUND, keys->x, keys->y, keys->width, keys->height);
	for (int pass = 0; pass < 2; pass++) {
		for (int pitch = LOWEST; pitch < HIGHEST; pitch++) {
			bool is_black = black[pitch % 12],
			     reach = pitch >= from && pitch <= from + 28;
			if (is_black != (pass == 1)) {
				continue;
			}
			uint32_t on = shown->sounding[pitch];
			uint32_t rgb = is_black ? (reach ? 0x1d232c : 0x171b21)
				: reach		? 0x6f7a89
						: 0x4a535f;
			struct paint_box box = key_box(player, pitch);
			paint_fill(paint, on ? colour_of(on - 1) : rgb, box.x, box.y, box.width,
				box.height);
		}
	}
}

static void draw_status(
	struct paint *paint, const struct player *player, const struct shown *shown) {
	const struct paint_box *status = &player->layout.status;
	int baseline = paint_baseline(paint, PAINT_SMALL, status);
	int right = status->width - px(player, PAD);
	char text[120];
	paint_fill(paint, COLOUR_SIDE, status->x, status->y, status->width, status->height);
	paint_fill(paint, COLOUR_EDGE, status->x, status->y, status->width, px(player, 1));
	snprintf(text, sizeof(text), "keys: %s, octave %d%s   volume %d%%",
		synth_vocabulary.sounds[shown->sound % synth_vocabulary.sound_count].name,
		shown->octave, shown->hold ? ", held" : "", shown->volume);
	int width = paint_text_width(&player->fonts, PAINT_SMALL, text);
	int from = right - width;
	if (shown->error[0]) {
		from = right; /* the whole line for what has to be mended */
		paint_text(paint, PAINT_SMALL, COLOUR_ERROR, px(player, PAD), baseline, right,
			shown->error);
	} else if (shown->done_fresh) {
		paint_text(paint, PAINT_SMALL, shown->done_bad ? COLOUR_ERROR : COLOUR_GOOD,
			px(player, PAD), baseline, from - px(player, PAD), shown->done);
	} else {
		paint_text(paint, PAINT_SMALL, COLOUR_DIM, px(player, PAD), baseline,
			from - px(player, PAD),
			"Space plays, Tab another sound, arrows octave and volume, Enter holds");
	}
	if (from < right) {
		paint_text(paint, PAINT_SMALL, COLOUR_TEXT, from, baseline, status->width, text);
	}
}

void view_draw(struct tile *tile, const struct tile_canvas *canvas) {
	struct player *player = tile->scratch;
	const struct shown *shown = shown_of(player);
	struct paint paint;
	if (!paint_begin(&paint, &player->fonts, canvas)) {
		return;
	}
	paint_fill(&paint, COLOUR_GROUND, 0, 0, canvas->width, canvas->height);
	draw_score(&paint, player, shown);
	draw_names(&paint, player, shown);
	draw_keys(&paint, player, shown);
	draw_header(&paint, player, shown);
	draw_status(&paint, player, shown);
	paint_end(&paint);
}

/* SPDX-License-Identifier: MIT */
#include "synth.h"

#include <linux/input-event-codes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xkbcommon/xkbcommon-keysyms.h>

#include "clip_cells.h"

/* ---- the sound on its cells */

static struct synth sound_on_cells(const struct tile *tile, const struct wave_tables *waves) {
	return (struct synth){
		.groups = tile->cells[CELL_VOICES],
		.effects = tile->cells[CELL_EFFECTS],
		.mix = tile->cells[CELL_MIX],
		.settings = tile->cells[CELL_SETTINGS],
		.waves = waves,
		.rate = VAT_RATE,
	};
}

static bool check_cells(const struct tile *tile, char *why, size_t why_size) {
	const struct keys *keys = tile->cells[CELL_KEYS];
	const struct synth synth = sound_on_cells(tile, NULL);
	if (keys->octave < 0 || keys->octave > 8 || keys->sound >= synth_sound_count() ||
		keys->volume < 0 || keys->volume > 200) {
		snprintf(why, why_size, "its keys play nothing that there is");
		return false;
	}
	return synth_check(&synth, why, why_size);
}

/* ---- operations */

static void finish(struct player *player) {
	bool moves = shown_take(player);
	player->tile->host->wake_at(player->tile, UINT64_MAX);
	if (moves) {
		player->tile->host->wake_at(player->tile, shown_of(player)->next_ns);
	}
	if (text_of(player)->again_ns) {
		player->tile->host->wake_at(player->tile, text_of(player)->again_ns);
	}
	player->wakes = moves;
}

static bool warm(struct tile *tile) {
	struct player *player = calloc(1, sizeof(*player));
	tile->scratch = player;
	if (!player) {
		return false;
	}
	player->tile = tile;
	wave_build(&player->waves);
	if (tile->host->size < sizeof(struct tile_host)) {
		tile_log(tile, 0, "it needs a newer Source City: this one has no sound");
	} else if (paint_fonts_load(&player->fonts, tile)) {
		return true;
	}
	free(player);
	tile->scratch = NULL;
	return false;
}

static bool attach(struct tile *tile, enum tile_attach why) {
	struct player *player = tile->scratch;
	char reason[160];
	player->wakes = player->pressed = false;
	player->touched = -1;
	player->synth = sound_on_cells(tile, &player->waves);
	player->clip = clip_of_cells(tile->cells, CELL_CLIP);
	if (tile->cell_fresh[CELL_MIX]) {
		synth_init(&player->synth);
	}
	/* A later version may have had more sounds. */
	struct keys *keys = keys_of(player);
	keys->sound %= synth_sound_count();
	if (tile->cell_fresh[CELL_KEYS]) {
		keys->octave = 3;
	}
	text_options(player);
	if (!check_cells(tile, reason, sizeof(reason))) {
		tile_log(tile, 0, "%s", reason);
		return false;
	}
	if (!clip_attach(&player->clip)) {
		text_of(player)->loaded = 0;
	}
	text_fallback(player);
	synth_volume(&player->synth, (float)keys->volume * 0.01f);
	tile->host->set_title(tile, "Synth");
	if (tile->host->option(tile, "clip")) {
		tile->host->file_watch(tile, "clip");
	}
	text_read(player);
	view_layout(player);
	if (why == TILE_ATTACH_COLD && tile->host->option(tile, "play")) {
		play_ahead(player);
		tile->host->transport_ask(tile, TILE_TRANSPORT_PLAY, 0, 0, NULL);
	}
	finish(player);
	return paint_fonts_load(&player->fonts, tile);
}

static void update(struct tile *tile) {
	text_again(tile->scratch);
	finish(tile->scratch);
}

static void play_or_stop(struct player *player) {
	struct tile *tile = player->tile;
	bool playing = vat_transport_at(tile->transport, tile->frame)->playing;
	tile->host->transport_ask(
		tile, playing ? TILE_TRANSPORT_STOP : TILE_TRANSPORT_PLAY, 0, 0, NULL);
}

static void set_volume(struct player *player, int32_t by) {
	struct keys *keys = keys_of(player);
	int32_t volume = keys->volume + by;
	keys->volume = volume < 0 ? 0 : volume > 200 ? 200 : volume;
	synth_volume(&player->synth, (float)keys->volume * 0.01f);
}

static void command(struct player *player, const struct tile_input_key *key) {
	struct keys *keys = keys_of(player);
	bool back = key->modifiers & TILE_MOD_SHIFT;
	uint32_t count = synth_sound_count();
	if (key->state == TILE_KEY_RELEASED ||
		(key->modifiers & (TILE_MOD_CTRL | TILE_MOD_ALT | TILE_MOD_SUPER))) {
		return;
	}
	switch (key->keycode) {
	case KEY_SPACE:
		if (key->state == TILE_KEY_PRESSED) {
			play_or_stop(player);
		}
		break;
	case KEY_TAB:
		keys->sound = (keys->sound + (back ? count - 1 : 1)) % count;
		break;
	case KEY_LEFT:
		keys->octave -= keys->octave > 0;
		break;
	case KEY_RIGHT:
		keys->octave += keys->octave < 8;
		break;
	case KEY_UP:
		set_volume(player, 5);
		break;
	case KEY_DOWN:
		set_volume(player, -5);
		break;
	case KEY_ENTER:
		if (key->state == TILE_KEY_PRESSED) {
			play_hold(player, !keys->hold);
		}
		break;
	case KEY_ESC:
		play_all_off(player);
		break;
	default:
		break;
	}
}

/* On a key of the picture, or beside them. */
static void touch(struct player *player, double tx, double ty) {
	float velocity = 0;
	int pitch =
		view_key_at(player, tx * player->fonts.scale, ty * player->fonts.scale, &velocity);
	play_touch(player, pitch, velocity);
}

static void handle_pointer(struct player *player, const struct tile_input *event) {
	const struct paint_box *play = &player->layout.play;
	double x = event->pointer.tx * player->fonts.scale;
	double y = event->pointer.ty * player->fonts.scale;
	if (event->pointer.button != BTN_LEFT) {
		return;
	}
	player->pressed = event->pointer.pressed;
	if (!player->pressed) {
		play_touch(player, -1, 0);
	} else if (x >= play->x && y >= play->y && x < play->x + play->width &&
		y < play->y + play->height) {
		play_or_stop(player);
	} else {
		touch(player, event->pointer.tx, event->pointer.ty);
	}
}

static void input(struct tile *tile, const struct tile_input *event) {
	struct player *player = tile->scratch;
	switch (event->type) {
	case TILE_INPUT_FOCUS:
		/* Keys that are let go elsewhere are not told. */
		if (!event->focus) {
			play_keys_off(player);
		}
		break;
	case TILE_INPUT_KEY:
		if (!play_key(player, &event->key)) {
			command(player, &event->key);
		}
		break;
	case TILE_INPUT_POINTER_BUTTON:
		handle_pointer(player, event);
		break;
	case TILE_INPUT_POINTER_MOTION:
		if (!player->pressed) {
			return;
		}
		touch(player, event->pointer.tx, event->pointer.ty);
		break;
	case TILE_INPUT_POINTER_LEAVE:
		player->pressed = false;
		play_touch(player, -1, 0);
		break;
	case TILE_INPUT_SCROLL:
		if (event->scroll.dy != 0) {
			set_volume(player, event->scroll.dy > 0 ? -5 : 5);
		}
		break;
	case TILE_INPUT_FILE:
		text_read(player);
		break;
	case TILE_INPUT_SIZE:
		paint_fonts_load(&player->fonts, tile);
		view_layout(player);
		tile->host->damage(tile, 0, 0, tile->width, tile->height);
		break;
	default:
		return;
	}
	finish(player);
}

static bool check(const struct tile *tile, char *why, size_t why_size) {
	return check_cells(tile, why, why_size);
}

static void detach(struct tile *tile) {
	struct player *player = tile->scratch;
	paint_fonts_finish(&player->fonts);
	free(player);
	tile->scratch = NULL;
}

static const struct tile_ops ops = {
	.warm = warm,
	.attach = attach,
	.update = update,
	.draw = view_draw,
	.input = input,
	.check = check,
	.detach = detach,
	.render = play_render,
};

static const struct tile_port ports[] = {
	{.name = "out", .kind = TILE_PORT_SOUND, .direction = TILE_PORT_OUT, .id = 1},
};

/* ---- cells */

static const struct vat_field keys_fields[] = {
	VAT_FIELD(1, U32, struct keys, code),
	VAT_FIELD(2, U32, struct keys, note),
	VAT_FIELD(3, U32, struct keys, serial),
	VAT_FIELD(4, I32, struct keys, octave),
	VAT_FIELD(5, U32, struct keys, sound),
	VAT_FIELD_INIT(6, I32, struct keys, volume, .i = 100),
	VAT_FIELD(7, U32, struct keys, hold),
	VAT_FIELD(8, U64, struct keys, began),
	VAT_FIELD(9, U64, struct keys, ends),
};
static const struct vat_field score_fields[] = {
	VAT_FIELD(1, U32, struct score, next),
	VAT_FIELD(2, U32, struct score, id),
	VAT_FIELD(3, F64, struct score, from),
	VAT_FIELD(4, F64, struct score, to),
	VAT_FIELD(5, U32, struct score, channel),
	VAT_FIELD(6, U32, struct score, pitch),
	VAT_FIELD(7, U32, struct score, splices),
	VAT_FIELD(9, U64, struct score, splice_ns),
};
static const struct vat_field text_fields[] = {
	VAT_FIELD(1, U64, struct text, hash),
	VAT_FIELD(2, U32, struct text, loaded),
	VAT_FIELD(3, TEXT, struct text, why),
	VAT_FIELD(4, U64, struct text, again_ns),
};
static const struct vat_field shown_fields[] = {
	VAT_FIELD(1, U64, struct shown, next_ns),
	VAT_FIELD(2, U32, struct shown, playing),
	VAT_FIELD(3, U32, struct shown, tempo),
	VAT_FIELD(4, U32, struct shown, beats_a_bar),
	VAT_FIELD(5, U32, struct shown, connected),
	VAT_FIELD(6, F64, struct shown, head),
	VAT_FIELD(7, F64, struct shown, splice),
	VAT_FIELD(8, U32, struct shown, splice_pending),
	VAT_FIELD(9, U32, struct shown, splice_known),
	VAT_FIELD(10, TEXT, struct shown, splice_text),
	VAT_FIELD(11, TEXT, struct shown, done),
	VAT_FIELD(12, F64, struct shown, done_tick),
	VAT_FIELD(13, U32, struct shown, done_fresh),
	VAT_FIELD(14, U32, struct shown, done_bad),
	VAT_FIELD(15, TEXT, struct shown, error),
	VAT_FIELD(16, U32, struct shown, note_count),
	VAT_FIELD(17, F32, struct shown, from),
	VAT_FIELD(18, F32, struct shown, to),
	VAT_FIELD(19, U32, struct shown, channel),
	VAT_FIELD(20, U32, struct shown, pitch),
	VAT_FIELD(21, U32, struct shown, lit),
	VAT_FIELD(22, U32, struct shown, sounding),
	VAT_FIELD(23, U32, struct shown, voices),
	VAT_FIELD(24, F32, struct shown, peak),
	VAT_FIELD(25, U64, struct shown, late),
	VAT_FIELD(26, TEXT, struct shown, names),
	VAT_FIELD(27, I32, struct shown, octave),
	VAT_FIELD(28, I32, struct shown, volume),
	VAT_FIELD(29, U32, struct shown, sound),
	VAT_FIELD(30, I64, struct shown, bar_zero),
	VAT_FIELD(31, U32, struct shown, hold),
};

/* The fields of sound are in another file, and a descriptor has to be constant: their number, too,
 * so it is written here and checked there. */
#define SOUND_CELL(name_, structure_, count_, fields_, field_count_)                               \
	{.name = (name_),                                                                          \
		.fields = (fields_),                                                               \
		.count = (count_),                                                                 \
		.field_count = (field_count_),                                                     \
		.stride = sizeof(structure_),                                                      \
		.align = 64,                                                                       \
		.version = 1}

const struct vat_cell_decl synth_cells[CELLS] = {
	[CELL_VOICES] = SOUND_CELL("voices", struct synth_group, SYNTH_GROUPS, synth_group_fields,
		SYNTH_GROUP_FIELD_COUNT),
	[CELL_EFFECTS] = SOUND_CELL("effects", struct synth_effects, 1, synth_effects_fields,
		SYNTH_EFFECTS_FIELD_COUNT),
	[CELL_MIX] =
		SOUND_CELL("mix", struct synth_mix, 1, synth_mix_fields, SYNTH_MIX_FIELD_COUNT),
	[CELL_SETTINGS] = SOUND_CELL("settings", struct synth_setting, SYNTH_CHANNELS,
		synth_setting_fields, SYNTH_SETTING_FIELD_COUNT),
	[CELL_KEYS] = VAT_CELL("keys", struct keys, 1, keys_fields, .version = 1),
	[CELL_SCORE] = VAT_CELL("score", struct score, 1, score_fields, .version = 1),
	[CELL_TEXT] = VAT_CELL("text", struct text, 1, text_fields, .version = 1),
	[CELL_SHOWN] = VAT_CELL("shown", struct shown, 1, shown_fields, .version = 1),
	CLIP_CELLS,
};

TILE_EXPORT(.name = "synth", .role = "synth",
	.summary = "An instrument that plays clips while they are written, and keys",
	.capabilities = TILE_CAP_FILES | TILE_CAP_TRANSPORT, .cells = synth_cells,
	.cell_count = CELLS, .ports = ports, .port_count = 1, .default_width = 760,
	.default_height = 440, .ops = &ops, .time_model = TILE_TIME_RUNNING);

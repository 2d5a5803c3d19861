/* SPDX-License-Identifier: MIT */
/* Notes to sound: those of the clip, each at its frame, and those of keys. */
#include <linux/input-event-codes.h>
#include <string.h>

#include "synth.h"

#define KEY_ID 0x80000000u /* ids of the clip's notes have the top bit clear */

static void score_on(struct player *player, const struct clip_event *event) {
	struct score *score = score_of(player);
	uint32_t at = score->next++ % SCORE_NOTES;
	score->id[at] = event->note;
	score->from[at] = (double)event->tick;
	score->to[at] = (double)event->at;
	score->channel[at] = event->channel;
	score->pitch[at] = event->pitch;
}

static void score_off(struct player *player, const struct clip_event *event) {
	struct score *score = score_of(player);
	for (uint32_t i = 0; i < SCORE_NOTES; i++) {
		if (score->id[i] == event->note) {
			score->id[i] = 0;
			score->to[i] = (double)event->tick;
		}
	}
}

static void set_parameter(struct player *player, const struct clip_event *event) {
	struct synth_setting *setting = &player->synth.settings[event->channel % SYNTH_CHANNELS];
	if (event->index < SYNTH_PARAMS) {
		setting->value[event->index] = event->value;
		setting->set |= 1u << event->index;
	}
}

static void ask(struct player *player, const struct clip_event *event) {
	struct tile *tile = player->tile;
	bool asked = true;
	switch (event->type) {
	case CLIP_TEMPO:
		asked = tile->host->transport_ask(
			tile, TILE_TRANSPORT_TEMPO, (uint32_t)event->value, event->at, NULL);
		break;
	case CLIP_METER:
		asked = tile->host->transport_ask(
			tile, TILE_TRANSPORT_METER, (uint32_t)event->value, event->at, NULL);
		break;
	case CLIP_MARK:
		tile->host->transport_ask(tile, TILE_TRANSPORT_MARK, 0, event->at, event->name);
		break;
	default:
		break;
	}
	if (!asked) {
		clip_ahead_refused(&player->clip);
	}
}

void play_ahead(struct player *player) {
	const struct tile *tile = player->tile;
	struct clip_event event = {0};
	while (clip_ahead(&player->clip, vat_transport_at(tile->transport, tile->frame), &event)) {
		ask(player, &event);
	}
}

static void handle(struct player *player, const struct clip_event *event) {
	switch (event->type) {
	case CLIP_NOTE_ON:
		synth_note_on(&player->synth,
			&(struct synth_note){
				.id = event->note,
				.channel = event->channel,
				.sound = event->sound,
				.pitch = (float)event->pitch,
				.velocity = (float)event->velocity * (1.0f / 127),
				.gain = event->gain,
				.gain_to = event->gain_to,
				.fade_frames = event->fade_frames,
			});
		score_on(player, event);
		break;
	case CLIP_NOTE_OFF:
		synth_note_off(&player->synth, event->note);
		score_off(player, event);
		break;
	case CLIP_NOTE_FADE:
		synth_note_fade(&player->synth, event->note, event->gain_to, event->fade_frames);
		break;
	case CLIP_SOUND:
		player->synth.settings[event->channel % SYNTH_CHANNELS] =
			(struct synth_setting){.sound = event->sound};
		break;
	case CLIP_PARAMETER:
		set_parameter(player, event);
		break;
	case CLIP_SPLICED: /* stands in clip_player.done, for the picture */
		break;
	case CLIP_FAULT:
		tile_log(player->tile, 1, "%.160s", player->clip.player->done_text);
		break;
	case CLIP_TEMPO:
	case CLIP_METER:
	case CLIP_MARK:
		ask(player, event);
		break;
	}
}

/* Three quarters of a beat: the echo falls between the beats. */
static uint32_t echo_frames(const struct vat_transport *transport, uint64_t frame) {
	uint32_t tempo = vat_transport_at(transport, frame)->tempo;
	tempo = tempo < VAT_TEMPO_MIN ? VAT_TEMPO : tempo;
	return (uint32_t)((uint64_t)transport->rate * 45000 / tempo);
}

/* Keys that were let go too early for a sound end, and how many frames there are up to the next. */
static uint32_t end_keys(struct player *player, uint32_t frames) {
	struct keys *keys = keys_of(player);
	uint64_t at = player->synth.mix->at;
	for (int i = 0; i < KEY_NOTES; i++) {
		if (keys->ends[i] && keys->ends[i] <= at) {
			synth_note_off(&player->synth, keys->note[i]);
			keys->code[i] = 0;
			keys->ends[i] = 0;
		} else if (keys->ends[i] && keys->ends[i] - at < frames) {
			frames = (uint32_t)(keys->ends[i] - at);
		}
	}
	return frames;
}

static void render(
	struct player *player, const struct tile_sound *sound, uint32_t done, uint32_t until) {
	while (done < until) {
		uint32_t part = end_keys(player, until - done);
		synth_render(&player->synth, sound->frame + done, part, sound->out[0] + done,
			sound->out[1] + done);
		done += part;
	}
}

void play_render(struct tile *tile, const struct tile_sound *sound) {
	struct player *player = tile->scratch;
	struct clip_run run;
	struct clip_event event;
	uint32_t done = 0;
	player->synth.rate = (float)sound->rate;
	synth_echo_frames(&player->synth, echo_frames(tile->transport, sound->frame));
	clip_begin(&run, &player->clip, tile->transport, sound->frame, sound->frames);
	while (clip_next(&run, &event)) {
		uint64_t at = event.frame < sound->frame ? 0 : event.frame - sound->frame;
		uint32_t until = at > sound->frames ? sound->frames : (uint32_t)at;
		if (until > done) {
			render(player, sound, done, until);
			done = until;
		}
		handle(player, &event);
	}
	render(player, sound, done, sound->frames);
	if (!player->wakes &&
		(vat_transport_at(tile->transport, sound->frame)->playing ||
			!synth_silent(&player->synth))) {
		player->wakes = true;
		tile->host->wake_at(tile, 0);
	}
}

/* ---- keys */

/* Semitones above the octave's c, as on a piano: two rows, of which the upper one is an octave
 * higher. */
static int semitone_of(uint32_t code) {
	static const struct {
		uint16_t code;
		int8_t semitone;
	} keys[] = {
		{KEY_Z, 0},
		{KEY_S, 1},
		{KEY_X, 2},
		{KEY_D, 3},
		{KEY_C, 4},
		{KEY_V, 5},
		{KEY_G, 6},
		{KEY_B, 7},
		{KEY_H, 8},
		{KEY_N, 9},
		{KEY_J, 10},
		{KEY_M, 11},
		{KEY_COMMA, 12},
		{KEY_L, 13},
		{KEY_DOT, 14},
		{KEY_SEMICOLON, 15},
		{KEY_SLASH, 16},
		{KEY_Q, 12},
		{KEY_2, 13},
		{KEY_W, 14},
		{KEY_3, 15},
		{KEY_E, 16},
		{KEY_R, 17},
		{KEY_5, 18},
		{KEY_T, 19},
		{KEY_6, 20},
		{KEY_Y, 21},
		{KEY_7, 22},
		{KEY_U, 23},
		{KEY_I, 24},
		{KEY_9, 25},
		{KEY_O, 26},
		{KEY_0, 27},
		{KEY_P, 28},
	};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (keys[i].code == code) {
			return keys[i].semitone;
		}
	}
	return -1;
}

/* Codes that no key has: of the pointer, of what is held, of what ends by itself. */
#define CODE_TOUCH 0x10000u
#define CODE_HELD 0x20000u
#define CODE_ENDING 0x30000u
/* A key that is struck and let go before the next frame is rendered sounds as well: frames. */
#define KEY_LEAST 960

static void key_off(struct player *player, uint32_t code) {
	struct keys *keys = keys_of(player);
	for (int i = 0; i < KEY_NOTES; i++) {
		if (keys->code[i] != code) {
			continue;
		}
		if (keys->hold && code != CODE_HELD) {
			keys->code[i] = CODE_HELD;
		} else if (player->synth.mix->at < keys->began[i] + KEY_LEAST) {
			keys->code[i] = CODE_ENDING;
			keys->ends[i] = keys->began[i] + KEY_LEAST;
		} else {
			synth_note_off(&player->synth, keys->note[i]);
			keys->code[i] = 0;
		}
	}
}

/* A free place, or that of the note that is oldest. */
static int key_place(struct player *player) {
	struct keys *keys = keys_of(player);
	int oldest = 0;
	for (int i = 0; i < KEY_NOTES; i++) {
		if (!keys->code[i]) {
			return i;
		}
		if ((int32_t)(keys->note[i] << 1) - (int32_t)(keys->note[oldest] << 1) < 0) {
			oldest = i;
		}
	}
	synth_note_off(&player->synth, keys->note[oldest]);
	keys->ends[oldest] = 0;
	return oldest;
}

static void key_on(struct player *player, uint32_t code, int pitch, float velocity) {
	struct keys *keys = keys_of(player);
	key_off(player, code);
	int at = key_place(player);
	keys->code[at] = code;
	keys->note[at] = KEY_ID | keys->serial++;
	keys->began[at] = player->synth.mix->at;
	synth_note_on(&player->synth,
		&(struct synth_note){
			.id = keys->note[at],
			.channel = SYNTH_KEYS,
			.sound = keys->sound,
			.pitch = (float)pitch,
			.velocity = velocity,
		});
}

void play_keys_off(struct player *player) {
	struct keys *keys = keys_of(player);
	for (int i = 0; i < KEY_NOTES; i++) {
		if (keys->code[i] && keys->code[i] < CODE_HELD) {
			key_off(player, keys->code[i]);
		}
	}
	player->touched = -1;
}

void play_touch(struct player *player, int pitch, float velocity) {
	if (pitch == player->touched) {
		return;
	}
	player->touched = pitch;
	if (pitch < 0) {
		key_off(player, CODE_TOUCH);
	} else {
		key_on(player, CODE_TOUCH, pitch, velocity);
	}
}

void play_hold(struct player *player, bool hold) {
	keys_of(player)->hold = hold;
	if (!hold) {
		key_off(player, CODE_HELD);
	}
}

void play_all_off(struct player *player) {
	struct keys *keys = keys_of(player);
	memset(keys->code, 0, sizeof(keys->code));
	memset(keys->ends, 0, sizeof(keys->ends));
	player->touched = -1;
	synth_all_off(&player->synth);
}

bool play_key(struct player *player, const struct tile_input_key *key) {
	const struct keys *keys = keys_of(player);
	int semitone = semitone_of(key->keycode);
	if (semitone < 0) {
		return false;
	}
	if (key->state == TILE_KEY_RELEASED) {
		key_off(player, key->keycode);
	} else if (key->state == TILE_KEY_PRESSED &&
		!(key->modifiers & (TILE_MOD_CTRL | TILE_MOD_ALT | TILE_MOD_SUPER))) {
		key_on(player, key->keycode, 12 * (keys->octave + 1) + semitone,
			key->modifiers & TILE_MOD_SHIFT ? 1.0f : 0.72f);
	}
	return true;
}

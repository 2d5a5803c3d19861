/* SPDX-License-Identifier: MIT */
/* The pointer and the keyboard; what one can do the other can, too. */
#include <linux/input-event-codes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <xkbcommon/xkbcommon-keysyms.h>

#include "mixer.h"

#define STEP 50 /* of a volume, thousandths */
#define STEP_SMALL 10
#define A_CLICK 6.0 /* so far the pointer may move in it */

static struct mix_node *find(const struct mixer *mixer, uint64_t id) {
	const struct mix_model model = mix_model(mixer);
	return mix_find(&model, id);
}

static void say(struct mixer *mixer, const char *line) {
	struct mix_face *face = mix_face(mixer);
	mix_text(face->line, sizeof(face->line), line, strlen(line));
	mixer_damage_all(mixer);
}

/* ---- what is done */

static void play_or_stop(struct mixer *mixer) {
	const struct tile *tile = mixer->tile;
	bool playing = vat_transport_at(tile->transport, tile->frame)->playing;
	wire_ask(mixer, AUDIO_TRANSPORT_ASK, 0, 0,
		playing ? TILE_TRANSPORT_STOP : TILE_TRANSPORT_PLAY);
}

static void change_volume(struct mixer *mixer, struct mix_node *node, double by) {
	if (!node || !(node->flags & AUDIO_NODE_VOLUME)) {
		say(mixer, node ? "that has no volume" : "nothing is chosen");
		return;
	}
	double volume = fmin(fmax(mix_volume(node) + by, 0), MIX_VOLUME_MAX);
	wire_ask_volume(mixer, node, (uint32_t)lround(volume));
}

static void set_by_pointer(struct mixer *mixer, struct mix_node *node, double x) {
	struct mix_box fader = layout_fader(mixer, node);
	double volume = (x - fader.x) / fader.width * MIX_VOLUME_MAX;
	/* As loud as it comes is easy to hit. */
	volume = fabs(volume - 1000) < 15 ? 1000 : fmin(fmax(volume, 0), MIX_VOLUME_MAX);
	if ((uint32_t)lround(volume) != mix_volume(node)) {
		wire_ask_volume(mixer, node, (uint32_t)lround(volume));
	}
}

static void mute(struct mixer *mixer, const struct mix_node *node) {
	if (!node || !(node->flags & AUDIO_NODE_VOLUME)) {
		say(mixer, node ? "that cannot be muted" : "nothing is chosen");
		return;
	}
	wire_ask(mixer, AUDIO_SET_MUTE, node->id, 0, !(node->flags & AUDIO_NODE_MUTE));
}

static void make_default(struct mixer *mixer, const struct mix_node *node) {
	if (!node || !mix_is_device(node)) {
		say(mixer, "only an output or an input can be the default one");
		return;
	}
	wire_ask(mixer, AUDIO_SET_DEFAULT, node->id, 0, 0);
}

static void link_or_not(
	struct mixer *mixer, const struct mix_node *one, const struct mix_node *other) {
	const struct mix_model model = mix_model(mixer);
	uint64_t from, to;
	if (!mix_ends(one, other, &from, &to)) {
		say(mixer, "these two cannot be linked");
		return;
	}
	const struct mix_link *link = mix_link_between(&model, from, to);
	link = link ? link : mix_link_between(&model, to, from);
	if (link) {
		wire_ask(mixer, AUDIO_LINK_BREAK, link->id, 0, 0);
	} else {
		wire_ask(mixer, AUDIO_LINK_MAKE, from, to, 0);
	}
}

static void move(
	struct mixer *mixer, const struct mix_node *stream, const struct mix_node *device) {
	if (!mix_can_move(stream, device)) {
		say(mixer, "a program is moved to an output, or to what it records from");
		return;
	}
	wire_ask(mixer, AUDIO_MOVE, stream->id, device->id, 0);
}

static void cut(struct mixer *mixer) {
	struct mix_face *face = mix_face(mixer);
	if (face->chosen_link != MIX_NONE) {
		wire_ask(mixer, AUDIO_LINK_BREAK, face->chosen_link, 0, 0);
		face->chosen_link = MIX_NONE;
		mixer_damage_all(mixer);
	}
}

/* ---- choosing */

static bool moves(const struct mix_face *face) {
	return face->mode == MODE_MOVE || face->drag == DRAG_MOVE;
}

bool input_fits(const struct mixer *mixer, const struct mix_node *node) {
	const struct mix_face *face = mix_face(mixer);
	const struct mix_node *from = find(mixer, face->from);
	uint64_t a, b;
	bool busy = face->mode != MODE_NONE || face->drag == DRAG_LINK || face->drag == DRAG_MOVE;
	if (!from || !busy) {
		return true;
	}
	return moves(face) ? mix_can_move(from, node) : mix_ends(from, node, &a, &b);
}

static void choose(struct mixer *mixer, const struct mix_node *node) {
	struct mix_face *face = mix_face(mixer);
	if (node) {
		face->chosen = node->id;
		face->on_play = 0;
		face->chosen_link = MIX_NONE;
		layout_show(mixer, node);
	}
	mixer_damage_all(mixer);
}

static void leave_mode(struct mixer *mixer) {
	struct mix_face *face = mix_face(mixer);
	face->mode = MODE_NONE;
	face->drag = DRAG_NONE;
	face->from = MIX_NONE;
	mixer_damage_all(mixer);
}

/* The next after the chosen one, of those that fit; the transport's button is one of them. */
static void choose_in_order(struct mixer *mixer, bool back) {
	struct mix_face *face = mix_face(mixer);
	const struct mix_node *nodes = mix_nodes(mixer);
	int count = 0, at = -1;
	while (count < MIX_NODES && nodes[count].id != MIX_NONE) {
		at = nodes[count].id == face->chosen && !face->on_play ? count : at;
		count++;
	}
	for (int i = 0; i <= count; i++) {
		/* -1 is the button. */
		at = back ? (at < 0 ? count - 1 : at - 1) : (at + 1 < count ? at + 1 : -1);
		if (at < 0 && face->mode == MODE_NONE) {
			face->on_play = 1;
			mixer_damage_all(mixer);
			return;
		}
		if (at >= 0 && input_fits(mixer, &nodes[at])) {
			choose(mixer, &nodes[at]);
			return;
		}
	}
}

static void choose_last(struct mixer *mixer, bool first) {
	const struct mix_node *nodes = mix_nodes(mixer);
	const struct mix_node *found = NULL;
	for (int i = 0; i < MIX_NODES && nodes[i].id != MIX_NONE; i++) {
		if (input_fits(mixer, &nodes[i]) && (!first || !found)) {
			found = &nodes[i];
		}
	}
	choose(mixer, found);
}

static void enter_mode(struct mixer *mixer, enum mix_mode mode) {
	struct mix_face *face = mix_face(mixer);
	const struct mix_node *node = find(mixer, face->chosen);
	if (!node) {
		say(mixer, "nothing is chosen: arrows and Tab choose");
		return;
	}
	if (mode == MODE_MOVE && node->kind != AUDIO_PLAYER && node->kind != AUDIO_RECORDER) {
		say(mixer, "only a program that plays or records can be moved");
		return;
	}
	face->mode = mode;
	face->from = node->id;
	/* To where it goes now, or to what is first. */
	const struct mix_node *to = find(mixer, node->target);
	if (to && input_fits(mixer, to)) {
		choose(mixer, to);
	} else {
		choose_last(mixer, true);
	}
}

static void finish_mode(struct mixer *mixer) {
	const struct mix_face *face = mix_face(mixer);
	const struct mix_node *from = find(mixer, face->from), *to = find(mixer, face->chosen);
	if (!from || !to || from == to) {
		return;
	}
	uint64_t back = from->id;
	if (face->mode == MODE_MOVE) {
		move(mixer, from, to);
	} else {
		link_or_not(mixer, from, to);
	}
	leave_mode(mixer);
	choose(mixer, find(mixer, back));
}

/* ---- keys */

static void enter(struct mixer *mixer) {
	const struct mix_face *face = mix_face(mixer);
	if (face->mode != MODE_NONE) {
		finish_mode(mixer);
	} else if (face->on_play) {
		play_or_stop(mixer);
	} else {
		enter_mode(mixer, MODE_LINK);
	}
}

static void leave(struct mixer *mixer) {
	struct mix_face *face = mix_face(mixer);
	uint64_t back = face->from;
	bool mode = face->mode != MODE_NONE;
	leave_mode(mixer);
	face->chosen_link = MIX_NONE;
	if (mode) {
		choose(mixer, find(mixer, back));
	}
}

static void handle_choosing(struct mixer *mixer, uint32_t keysym, bool shift) {
	double page = layout_body(mixer).height * 0.8;
	switch (keysym) {
	case XKB_KEY_Up:
		choose(mixer, layout_next(mixer, 0, -1, input_fits));
		break;
	case XKB_KEY_Down:
		choose(mixer, layout_next(mixer, 0, 1, input_fits));
		break;
	case XKB_KEY_Left:
		choose(mixer, layout_next(mixer, -1, 0, input_fits));
		break;
	case XKB_KEY_Right:
		choose(mixer, layout_next(mixer, 1, 0, input_fits));
		break;
	case XKB_KEY_Tab:
	case XKB_KEY_ISO_Left_Tab:
		choose_in_order(mixer, shift || keysym == XKB_KEY_ISO_Left_Tab);
		break;
	case XKB_KEY_Home:
	case XKB_KEY_End:
		choose_last(mixer, keysym == XKB_KEY_Home);
		break;
	case XKB_KEY_Page_Up:
		layout_scroll(mixer, -page);
		break;
	case XKB_KEY_Page_Down:
		layout_scroll(mixer, page);
		break;
	default:
		break;
	}
}

static void handle_doing(struct mixer *mixer, uint32_t keysym, bool repeated) {
	struct mix_node *node = find(mixer, mix_face(mixer)->chosen);
	switch (keysym) {
	case XKB_KEY_plus:
	case XKB_KEY_equal:
	case XKB_KEY_KP_Add:
		change_volume(mixer, node, STEP);
		return;
	case XKB_KEY_minus:
	case XKB_KEY_KP_Subtract:
		change_volume(mixer, node, -STEP);
		return;
	case XKB_KEY_period:
		change_volume(mixer, node, STEP_SMALL);
		return;
	case XKB_KEY_comma:
		change_volume(mixer, node, -STEP_SMALL);
		return;
	default:
		break;
	}
	if (repeated) {
		return;
	}
	switch (keysym) {
	case XKB_KEY_space:
		play_or_stop(mixer);
		break;
	case XKB_KEY_Return:
	case XKB_KEY_KP_Enter:
		enter(mixer);
		break;
	case XKB_KEY_Escape:
		leave(mixer);
		break;
	case XKB_KEY_Delete:
	case XKB_KEY_BackSpace:
		cut(mixer);
		break;
	case XKB_KEY_m:
		mute(mixer, node);
		break;
	case XKB_KEY_d:
		make_default(mixer, node);
		break;
	case XKB_KEY_l:
		enter_mode(mixer, MODE_LINK);
		break;
	case XKB_KEY_v:
		enter_mode(mixer, MODE_MOVE);
		break;
	default:
		break;
	}
}

static void handle_key(struct mixer *mixer, const struct tile_input_key *key) {
	struct mix_face *face = mix_face(mixer);
	if (key->state == TILE_KEY_RELEASED ||
		(key->modifiers & (TILE_MOD_CTRL | TILE_MOD_ALT | TILE_MOD_SUPER))) {
		return;
	}
	if (face->line[0]) {
		face->line[0] = '\0';
		mixer_damage_all(mixer);
	}
	bool letter = key->base_keysym >= XKB_KEY_a && key->base_keysym <= XKB_KEY_z;
	uint32_t keysym = letter ? key->base_keysym : key->keysym;
	handle_choosing(mixer, keysym, key->modifiers & TILE_MOD_SHIFT);
	handle_doing(mixer, keysym, key->state == TILE_KEY_REPEATED);
}

/* ---- pointer */

static void press(struct mixer *mixer, double x, double y) {
	struct mix_face *face = mix_face(mixer);
	struct mix_hit hit = layout_hit(mixer, x, y);
	bool on_card = hit.part >= PART_CARD && hit.part <= PART_END;
	struct mix_node *node = on_card ? find(mixer, hit.id) : NULL;
	face->line[0] = '\0';
	leave_mode(mixer);
	if (hit.part != PART_CUT) {
		face->chosen_link = hit.part == PART_LINK ? hit.id : MIX_NONE;
	}
	if (node) {
		face->chosen = node->id;
		face->on_play = 0;
		face->from = node->id;
		face->press_x = x;
		face->press_y = y;
	}
	switch (hit.part) {
	case PART_PLAY:
		play_or_stop(mixer);
		break;
	case PART_CUT:
		cut(mixer);
		break;
	case PART_FADER:
		face->drag = DRAG_FADER;
		set_by_pointer(mixer, node, x);
		break;
	case PART_MUTE:
		mute(mixer, node);
		break;
	case PART_DEFAULT:
		make_default(mixer, node);
		break;
	case PART_END:
		face->drag = DRAG_LINK;
		break;
	case PART_CARD:
		face->drag = DRAG_CARD;
		break;
	default:
		break;
	}
}

static void release(struct mixer *mixer, double x, double y) {
	const struct mix_face *face = mix_face(mixer);
	struct mix_hit hit = layout_hit(mixer, x, y);
	bool on_card = hit.part >= PART_CARD && hit.part <= PART_END;
	const struct mix_node *to = on_card ? find(mixer, hit.id) : NULL;
	const struct mix_node *from = find(mixer, face->from);
	if (from && to && from != to && face->drag == DRAG_LINK) {
		link_or_not(mixer, from, to);
	} else if (from && to && from != to && face->drag == DRAG_MOVE) {
		move(mixer, from, to);
	}
	leave_mode(mixer);
}

static void point(struct mixer *mixer, double x, double y) {
	struct mix_face *face = mix_face(mixer);
	struct mix_node *from = find(mixer, face->from);
	face->pointer_x = x;
	face->pointer_y = y;
	if (face->drag == DRAG_FADER && from) {
		set_by_pointer(mixer, from, x);
	} else if (face->drag == DRAG_CARD && from &&
		hypot(x - face->press_x, y - face->press_y) > A_CLICK) {
		bool program = from->kind == AUDIO_PLAYER || from->kind == AUDIO_RECORDER;
		face->drag = program ? DRAG_MOVE : DRAG_LINK;
	}
	if (face->drag == DRAG_LINK || face->drag == DRAG_MOVE) {
		mixer_damage_all(mixer);
	}
	struct mix_hit hit = layout_hit(mixer, x, y);
	enum mix_part part = hit.part;
	uint64_t hover = part >= PART_CARD && part <= PART_END ? hit.id : MIX_NONE;
	if (hover != face->hover) {
		face->hover = hover;
		mixer_damage_all(mixer);
	}
	uint32_t cursor = face->drag > DRAG_CARD	 ? TILE_CURSOR_GRAB
		: part != PART_NONE && part != PART_CARD ? TILE_CURSOR_POINTER
							 : TILE_CURSOR_DEFAULT;
	if (cursor != face->cursor) {
		face->cursor = cursor;
		mixer->tile->host->set_cursor(mixer->tile, cursor);
	}
}

static void scroll(struct mixer *mixer, const struct tile_input_scroll *event) {
	struct mix_hit hit = layout_hit(mixer, event->tx, event->ty);
	struct mix_node *node = hit.part == PART_FADER ? find(mixer, hit.id) : NULL;
	double step = event->modifiers & TILE_MOD_SHIFT ? STEP_SMALL : STEP;
	if (!node) {
		layout_scroll(mixer, event->dy);
	} else if (event->step_y120 != 0) {
		change_volume(mixer, node, -step * event->step_y120 / 120);
	} else {
		change_volume(mixer, node, -event->dy * step / 20);
	}
}

void input_event(struct mixer *mixer, const struct tile_input *event) {
	const struct tile_input_pointer *pointer = &event->pointer;
	struct mix_face *face = mix_face(mixer);
	switch (event->type) {
	case TILE_INPUT_FOCUS:
		face->focused = event->focus;
		wire_wake(mixer);
		mixer_damage_all(mixer);
		break;
	case TILE_INPUT_KEY:
		wire_wake(mixer);
		handle_key(mixer, &event->key);
		break;
	case TILE_INPUT_POINTER_MOTION:
		point(mixer, pointer->tx, pointer->ty);
		break;
	case TILE_INPUT_POINTER_LEAVE:
		face->cursor = TILE_CURSOR_DEFAULT;
		face->hover = MIX_NONE;
		mixer_damage_all(mixer);
		if (face->drag != DRAG_NONE) {
			leave_mode(mixer);
		}
		break;
	case TILE_INPUT_POINTER_BUTTON:
		wire_wake(mixer);
		if (pointer->button == BTN_LEFT && pointer->pressed) {
			press(mixer, pointer->tx, pointer->ty);
		} else if (pointer->button == BTN_LEFT && face->drag != DRAG_NONE) {
			release(mixer, pointer->tx, pointer->ty);
		}
		break;
	case TILE_INPUT_SCROLL:
		scroll(mixer, &event->scroll);
		break;
	default:
		break;
	}
}

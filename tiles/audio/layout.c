/* SPDX-License-Identifier: MIT */
/* Where everything is: cards in columns, what gives sound on the left of what takes it. */
#include <math.h>
#include <string.h>

#include "mixer.h"

#define PAD 14
#define HEADING 24
#define SPACE 10 /* between cards */
#define CARD 88
#define CARD_BARE 52 /* of what has no volume */
#define METER 12
#define CARD_MIN 200
#define CARD_MAX 380
#define GAP_MIN 64 /* between columns, for lines */
#define GUTTER 40  /* beside the only column */
#define INSET 10
#define CONTROLS 46 /* below a card's top */
#define CONTROL 18
#define PERCENT 44
#define END 5 /* radius of where lines begin, to be hit */
#define NEAR 6

static bool inside(const struct mix_box *box, double x, double y) {
	return x >= box->x && y >= box->y && x < box->x + box->width && y < box->y + box->height;
}

struct mix_box layout_play(const struct mixer *mixer) {
	return (struct mix_box){12, 8, 56, MIX_HEADER - 16};
}

struct mix_box layout_body(const struct mixer *mixer) {
	const struct tile *tile = mixer->tile;
	return (struct mix_box){
		0, MIX_HEADER, tile->width, fmax(tile->height - MIX_HEADER - MIX_STATUS, 0)};
}

/* ---- columns */

static int column_of(const struct mix_node *node, int columns) {
	bool takes = node->kind == AUDIO_OUTPUT || node->kind == AUDIO_RECORDER;
	if (columns == 3) {
		return takes ? 2 : node->kind == AUDIO_FILTER;
	}
	return columns == 2 && takes;
}

static int columns_for(const struct mixer *mixer, bool filters) {
	double room = mixer->tile->width - 2 * PAD;
	if (filters && room >= 3 * CARD_MIN + 2 * GAP_MIN) {
		return 3;
	}
	return room >= 2 * CARD_MIN + GAP_MIN ? 2 : 1;
}

static double card_width(const struct mixer *mixer, int columns) {
	double room = mixer->tile->width - 2 * PAD;
	if (columns == 1) {
		return fmax(room - GUTTER, 60);
	}
	/* Lines get a quarter of the room. */
	double gap = fmax(room / (4.0 * (columns - 1)), GAP_MIN);
	return fmin((room - gap * (columns - 1)) / columns, CARD_MAX);
}

void layout_make(struct mixer *mixer) {
	const struct mix_model model = mix_model(mixer);
	struct mix_face *face = mix_face(mixer);
	bool filters = false;
	for (int i = 0; i < MIX_NODES; i++) {
		filters |= model.nodes[i].kind == AUDIO_FILTER;
	}
	int columns = columns_for(mixer, filters);
	double width = card_width(mixer, columns);
	double step = columns > 1 ? (mixer->tile->width - 2 * PAD - width) / (columns - 1) : 0;
	double next[3];
	for (int i = 0; i < 3; i++) {
		next[i] = PAD + HEADING;
	}
	for (int i = 0; i < MIX_NODES && model.nodes[i].id != MIX_NONE; i++) {
		struct mix_node *node = &model.nodes[i];
		node->column = column_of(node, columns);
		node->x = (int32_t)lround(PAD + node->column * step);
		node->y = (int32_t)next[node->column];
		node->width = (int32_t)lround(width);
		node->height = node->flags & AUDIO_NODE_VOLUME ? CARD : CARD_BARE;
		node->height -= node->kind == AUDIO_RECORDER && node->height == CARD ? METER : 0;
		next[node->column] += node->height + SPACE;
	}
	face->columns = columns;
	face->content = (int32_t)(fmax(next[0], fmax(next[1], next[2])) - SPACE + PAD);
	if (face->chosen != MIX_NONE && !mix_find(&model, face->chosen)) {
		face->chosen = MIX_NONE;
	}
	if (face->from != MIX_NONE && !mix_find(&model, face->from)) {
		face->from = MIX_NONE;
		face->mode = MODE_NONE;
		face->drag = DRAG_NONE;
	}
	layout_scroll(mixer, 0);
}

void layout_scroll(struct mixer *mixer, double by) {
	struct mix_face *face = mix_face(mixer);
	double most = fmax(face->content - layout_body(mixer).height, 0);
	int32_t scroll = (int32_t)lround(fmin(fmax(face->scroll + by, 0), most));
	if (scroll != face->scroll) {
		face->scroll = scroll;
		mixer_damage_all(mixer);
	}
}

void layout_show(struct mixer *mixer, const struct mix_node *node) {
	const struct mix_face *face = mix_face(mixer);
	double height = layout_body(mixer).height;
	double above = node->y - HEADING - PAD - face->scroll;
	double below = node->y + node->height + PAD - (face->scroll + height);
	if (above < 0) {
		layout_scroll(mixer, above);
	} else if (below > 0) {
		layout_scroll(mixer, fmin(below, above));
	}
}

/* ---- of a card */

struct mix_box layout_card(const struct mixer *mixer, const struct mix_node *node) {
	return (struct mix_box){
		node->x, node->y - mix_face(mixer)->scroll + MIX_HEADER, node->width, node->height};
}

struct mix_box layout_mute(const struct mixer *mixer, const struct mix_node *node) {
	struct mix_box card = layout_card(mixer, node);
	return (struct mix_box){card.x + INSET, card.y + CONTROLS, CONTROL + 4, CONTROL};
}

struct mix_box layout_default(const struct mixer *mixer, const struct mix_node *node) {
	struct mix_box card = layout_card(mixer, node);
	double width = node->flags & AUDIO_NODE_DEFAULT ? 54 : 80;
	return (struct mix_box){card.x + card.width - INSET - width, card.y + 7, width, CONTROL};
}

struct mix_box layout_fader(const struct mixer *mixer, const struct mix_node *node) {
	struct mix_box card = layout_card(mixer, node);
	double left = INSET + CONTROL + 4 + 10;
	return (struct mix_box){card.x + left, card.y + CONTROLS,
		fmax(card.width - left - PERCENT - INSET, 10), CONTROL};
}

struct mix_box layout_meter(const struct mixer *mixer, const struct mix_node *node) {
	/* The audio process does not measure the others. */
	if (!(node->flags & AUDIO_NODE_VOLUME) || node->kind == AUDIO_RECORDER ||
		node->kind == AUDIO_FILTER) {
		return (struct mix_box){0};
	}
	struct mix_box fader = layout_fader(mixer, node);
	return (struct mix_box){fader.x, fader.y + CONTROL + 5, fader.width, 9};
}

/* On the side where the others are. */
static bool end_is_left(const struct mixer *mixer, const struct mix_node *node) {
	int columns = mix_face(mixer)->columns;
	return columns > 1 && node->column == columns - 1;
}

struct mix_box layout_end(const struct mixer *mixer, const struct mix_node *node) {
	struct mix_box card = layout_card(mixer, node);
	double x = end_is_left(mixer, node) ? card.x : card.x + card.width;
	return (struct mix_box){
		x - END - 2, card.y + card.height / 2 - END - 2, 2 * END + 4, 2 * END + 4};
}

/* ---- lines */

bool layout_path(const struct mixer *mixer, const struct mix_link *link, struct mix_path *path) {
	const struct mix_model model = mix_model(mixer);
	const struct mix_node *from = mix_find(&model, link->from),
			      *to = mix_find(&model, link->to);
	if (!from || !to || from == to) {
		return false;
	}
	struct mix_box a = layout_card(mixer, from), b = layout_card(mixer, to);
	*path = (struct mix_path){a.x + a.width, a.y + a.height / 2, b.x, b.y + b.height / 2, 0};
	if (from->column < to->column) {
		return true;
	}
	/* In one column, or backwards: around the side, further out the longer it is. */
	double bow = fmin(14 + fabs(path->y2 - path->y1) / 12, GUTTER - 2);
	bool left = end_is_left(mixer, from) && end_is_left(mixer, to);
	path->x1 = left ? a.x : a.x + a.width;
	path->x2 = left ? b.x : b.x + b.width;
	path->bow = left ? -bow : bow;
	/* What goes and what comes is not on the same spot. */
	path->y1 += 6;
	path->y2 -= 6;
	return true;
}

void layout_point(const struct mix_path *path, double t, double *x, double *y) {
	double smooth = t * t * (3 - 2 * t);
	if (path->bow != 0) {
		*x = path->x1 + (path->x2 - path->x1) * t + path->bow * 4 * t * (1 - t);
		*y = path->y1 + (path->y2 - path->y1) * t;
	} else {
		*x = path->x1 + (path->x2 - path->x1) * t;
		*y = path->y1 + (path->y2 - path->y1) * smooth;
	}
}

static bool near_path(const struct mix_path *path, double x, double y) {
	double x1, y1, x2, y2;
	layout_point(path, 0, &x1, &y1);
	for (int i = 1; i <= 32; i++) {
		layout_point(path, i / 32.0, &x2, &y2);
		double dx = x2 - x1, dy = y2 - y1, length = dx * dx + dy * dy;
		double t = length > 0 ? ((x - x1) * dx + (y - y1) * dy) / length : 0;
		t = fmin(fmax(t, 0), 1);
		if (hypot(x - x1 - t * dx, y - y1 - t * dy) <= NEAR) {
			return true;
		}
		x1 = x2;
		y1 = y2;
	}
	return false;
}

/* ---- what is at a place */

static enum mix_part part_of_card(
	const struct mixer *mixer, const struct mix_node *node, double x, double y) {
	struct mix_box box = layout_end(mixer, node);
	if (inside(&box, x, y)) {
		return PART_END;
	}
	box = layout_card(mixer, node);
	if (!inside(&box, x, y)) {
		return PART_NONE;
	}
	box = layout_default(mixer, node);
	if (mix_is_device(node) && inside(&box, x, y)) {
		return PART_DEFAULT;
	}
	box = layout_mute(mixer, node);
	if (node->flags & AUDIO_NODE_VOLUME && inside(&box, x, y)) {
		return PART_MUTE;
	}
	box = layout_fader(mixer, node);
	if (node->flags & AUDIO_NODE_VOLUME && inside(&box, x, y)) {
		return PART_FADER;
	}
	return PART_CARD;
}

static struct mix_hit hit_link(const struct mixer *mixer, double x, double y) {
	const struct mix_model model = mix_model(mixer);
	const struct mix_link *chosen = mix_find_link(&model, mix_face(mixer)->chosen_link);
	struct mix_path path;
	double mx, my;
	if (chosen && layout_path(mixer, chosen, &path)) {
		layout_point(&path, 0.5, &mx, &my);
		if (hypot(x - mx, y - my) <= 10) {
			return (struct mix_hit){PART_CUT, chosen->id};
		}
	}
	for (int i = 0; i < MIX_LINKS; i++) {
		if (model.links[i].id != MIX_NONE && layout_path(mixer, &model.links[i], &path) &&
			near_path(&path, x, y)) {
			return (struct mix_hit){PART_LINK, model.links[i].id};
		}
	}
	return (struct mix_hit){0};
}

struct mix_hit layout_hit(const struct mixer *mixer, double x, double y) {
	const struct mix_node *nodes = mix_nodes(mixer);
	struct mix_box play = layout_play(mixer), body = layout_body(mixer);
	if (inside(&play, x, y)) {
		return (struct mix_hit){PART_PLAY, MIX_NONE};
	}
	if (!inside(&body, x, y)) {
		return (struct mix_hit){0};
	}
	for (int i = 0; i < MIX_NODES && nodes[i].id != MIX_NONE; i++) {
		enum mix_part part = part_of_card(mixer, &nodes[i], x, y);
		if (part != PART_NONE) {
			return (struct mix_hit){part, nodes[i].id};
		}
	}
	return hit_link(mixer, x, y);
}

/* ---- by keyboard */

static double distance(
	const struct mix_node *from, const struct mix_node *to, int right, int down) {
	double dx = to->column - from->column;
	double dy = to->y + to->height / 2.0 - from->y - from->height / 2.0;
	if (right) {
		return dx * right > 0 ? fabs(dx) * 10000 + fabs(dy) : INFINITY;
	}
	return dx == 0 && dy * down > 0 ? fabs(dy) : INFINITY;
}

struct mix_node *layout_next(struct mixer *mixer, int right, int down,
	bool (*fits)(const struct mixer *mixer, const struct mix_node *node)) {
	const struct mix_model model = mix_model(mixer);
	const struct mix_node *from = mix_find(&model, mix_face(mixer)->chosen);
	struct mix_node *best = NULL;
	double least = INFINITY;
	for (int i = 0; i < MIX_NODES && model.nodes[i].id != MIX_NONE; i++) {
		struct mix_node *node = &model.nodes[i];
		double far = from ? distance(from, node, right, down) : i;
		if (far < least && fits(mixer, node)) {
			best = node;
			least = far;
		}
	}
	return best;
}

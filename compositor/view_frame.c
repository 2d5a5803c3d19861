/* SPDX-License-Identifier: MIT */
/* What the city draws round and over a view: frame, title and badge. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/config.h"
#include "compositor/label.h"
#include "compositor/map.h"
#include "compositor/scape.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/theme.h"
#include "compositor/view.h"

/* Names on the map, where frames have no room for a title. */
#define BADGE_MIN_WIDTH 80

enum { TOP, LEFT, RIGHT, BOTTOM, TITLE };

static void set_bar(struct city_sight *sight, int which, struct wlr_box box, uint32_t rgba) {
	float color[4];
	city_color_float(rgba, color);
	struct wlr_scene_rect **bar = &sight->bars[which];
	if (*bar == NULL) {
		*bar = wlr_scene_rect_create(sight->frame, 0, 0, color);
		if (*bar == NULL) {
			return;
		}
	}
	if (!city_color_same((*bar)->color, color)) {
		wlr_scene_rect_set_color(*bar, color);
	}
	wlr_scene_rect_set_size(*bar, box.width, box.height);
	wlr_scene_node_set_position(&(*bar)->node, box.x, box.y);
}

/* How much is seen of the bar with the title: it is gone where it becomes too low for one, and only
 * the name stays where it was. */
static double bar_share(double zoom) {
	double share = (CITY_TITLEBAR * zoom - CITY_TITLE_MIN) / 6;
	return fmin(fmax(share, 0), 1);
}

static const char *shown_title(struct city_view *view) {
	const char *title = city_view_title(view);
	return title[0] != '\0' ? title : city_view_app_id(view);
}

struct wlr_box city_view_close_box(const struct city_view *view, const struct city_stage *stage) {
	struct wlr_box box = city_view_box_on(view, stage);
	int bar = (int)round(CITY_TITLEBAR * stage->camera.zoom);
	if (!view->framed || view->fullscreen || bar < CITY_TITLE_MIN || box.width < 4 * bar) {
		return (struct wlr_box){0};
	}
	return (struct wlr_box){box.x + box.width - bar, box.y - bar, bar, bar};
}

static void update_title(struct city_sight *sight, int width, int bar) {
	struct city_view *view = sight->view;
	const struct city_stage *stage = sight->stage;
	const struct city_palette *palette = city_palette_of(view->server->config->style);
	bool in_bar = bar >= CITY_TITLE_MIN;
	if (sight->title_label == NULL) {
		sight->title_label = city_label_create(sight->frame);
		sight->close_label = city_label_create(sight->frame);
	}
	city_label_set_enabled(sight->close_label, false);
	bool shown = (in_bar || width >= CITY_NAME_WIDTH) && width > 24;
	city_label_set_enabled(sight->title_label, shown);
	if (!shown) {
		return;
	}
	/* The close button is as wide as the bar is high. */
	struct wlr_box close = city_view_close_box(view, stage);
	double zoom = stage->camera.zoom;
	double size = fmin(fmax(CITY_TYPE_TEXT * zoom, CITY_TYPE_SMALL), CITY_TYPE_MOST);
	double pad = fmin(CITY_SPACE * zoom, CITY_SPACE_LARGE) * bar_share(zoom);
	struct city_label_style style = {
		.font = view->server->config->font,
		.size = (int)round(size),
		.color = view->active ? palette->focus_text : palette->frame_text,
		.pad_x = (int)round(pad),
		.max_width = width - close.width,
		.max_lines = 1,
	};
	char note[32] = "", text[1024];
	if (view->impl->note && !city_map_is_room(&stage->camera)) {
		view->impl->note(view, note, sizeof(note));
	}
	snprintf(text, sizeof(text), "%.900s%s%s", shown_title(view), *note ? "  " : "", note);
	city_label_set(sight->title_label, text, &style, stage->scale);
	/* It goes before the building that has the name on it has come. */
	city_label_set_opacity(
		sight->title_label, in_bar ? 1 : city_scape_names(zoom) * city_name_share(width));
	int height = city_label_height(sight->title_label);
	int y = in_bar ? -bar + (bar - height) / 2 : -bar - height - 1;
	city_label_set_position(sight->title_label, 0, y);
	if (wlr_box_empty(&close)) {
		return;
	}
	style.max_width = 0;
	style.pad_x = 0;
	city_label_set_enabled(sight->close_label, true);
	city_label_set(sight->close_label, "\u00d7", &style, stage->scale);
	city_label_set_opacity(sight->close_label, bar_share(zoom));
	city_label_set_position(sight->close_label,
		width - close.width + (close.width - city_label_width(sight->close_label)) / 2,
		-bar + (bar - city_label_height(sight->close_label)) / 2);
}

static void update_badge(struct city_sight *sight, struct wlr_box content) {
	const struct city_view *view = sight->view;
	bool shown = view->badge_kind != CITY_BADGE_NONE && content.width >= BADGE_MIN_WIDTH &&
		content.height >= 2 * CITY_TYPE_SMALL;
	if (!shown) {
		city_label_destroy(sight->badge);
		sight->badge = NULL;
		return;
	}
	if (sight->badge == NULL) {
		sight->badge = city_label_create(sight->tree);
		if (sight->badge == NULL) {
			return;
		}
	}
	const struct city_palette *palette = city_palette_of(view->server->config->style);
	const uint32_t backgrounds[] = {
		[CITY_BADGE_INFO] = palette->badge_info,
		[CITY_BADGE_WARN] = palette->badge_warn,
		[CITY_BADGE_ERROR] = palette->badge_error,
	};
	/* At most half of the content is covered. */
	int lines = (content.height / 2 - 12) / (CITY_TYPE_TEXT + 3);
	struct city_label_style style = {
		.font = CITY_FONT_MONO,
		.size = CITY_TYPE_TEXT,
		.color = palette->badge_text,
		.background = backgrounds[view->badge_kind],
		.pad_x = CITY_SPACE,
		.pad_y = CITY_SPACE_SMALL,
		.max_width = content.width,
		.max_lines = lines < 1 ? 1 : lines,
		.fill_width = true,
	};
	city_label_set(sight->badge, view->badge_text, &style, sight->stage->scale);
	city_label_set_opacity(sight->badge, (content.width - BADGE_MIN_WIDTH) / 12.0);
	city_label_set_position(sight->badge, 0, content.height - city_label_height(sight->badge));
	struct wlr_scene_buffer *node = city_label_node(sight->badge);
	if (node != NULL) {
		wlr_scene_node_raise_to_top(&node->node);
	}
}

void city_sight_update_frame(struct city_sight *sight, struct wlr_box content) {
	const struct city_view *view = sight->view;
	update_badge(sight, content);
	bool framed = view->framed && !view->fullscreen && content.width > 0;
	if (!framed) {
		wlr_scene_node_set_enabled(&sight->frame->node, false);
		return;
	}
	if (!wlr_box_equal(&sight->framed, &content)) {
		/* All of it changes: the scene looks once, and not for each part. */
		sight->framed = content;
		wlr_scene_node_set_enabled(&sight->frame->node, false);
	}
	const struct city_config *config = view->server->config;
	double zoom = sight->stage->camera.zoom;
	uint32_t color = view->active ? config->color_focus : config->color_frame;
	int border = (int)round(CITY_BORDER * zoom), bar = (int)round(CITY_TITLEBAR * zoom);
	border = border < 1 ? 1 : border;
	/* Where the title has no room the frame is as thin above as elsewhere. */
	bar = bar < CITY_TITLE_MIN ? border : bar;

	int w = content.width, h = content.height;
	set_bar(sight, TOP, (struct wlr_box){-border, -border, w + 2 * border, border}, color);
	set_bar(sight, TITLE, (struct wlr_box){-border, -bar, w + 2 * border, bar - border},
		city_color_faded(color, bar_share(zoom)));
	set_bar(sight, LEFT, (struct wlr_box){-border, 0, border, h}, color);
	set_bar(sight, RIGHT, (struct wlr_box){w, 0, border, h}, color);
	set_bar(sight, BOTTOM, (struct wlr_box){-border, h, w + 2 * border, border}, color);
	update_title(sight, w, bar);
	wlr_scene_node_set_enabled(&sight->frame->node, true);
}

void city_sight_finish_frame(struct city_sight *sight) {
	city_label_destroy(sight->title_label);
	city_label_destroy(sight->close_label);
	city_label_destroy(sight->badge);
	sight->title_label = sight->close_label = NULL;
	sight->badge = NULL;
}

/* SPDX-License-Identifier: MIT */
/* Where the camera goes by name: a tile, a window, a district, a quarter, a bookmark, or all. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compositor/bookmarks.h"
#include "compositor/go.h"
#include "compositor/ground.h"
#include "compositor/scape.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/view.h"

static struct city_view *find_view(struct city_server *server, const char *name) {
	struct city_view *view, *titled = NULL;
	wl_list_for_each(view, &server->views, link) {
		if (!view->shown) {
			continue;
		}
		if (strcmp(city_view_app_id(view), name) == 0) {
			return view;
		}
		if (titled == NULL && strcmp(city_view_title(view), name) == 0) {
			titled = view;
		}
	}
	return titled;
}

static bool find_quarter(const struct city_server *server, const char *name, struct city_box *box) {
	const struct city_survey *survey = city_scape_survey(server);
	size_t count = 0;
	const struct city_quarter *quarters =
		survey == NULL ? NULL : city_survey_quarters(survey, &count);
	for (size_t i = 0; i < count; i++) {
		if (quarters[i].site != CITY_NO_SITE && strcmp(quarters[i].name, name) == 0) {
			*box = quarters[i].box;
			return true;
		}
	}
	return false;
}

bool city_go(struct city_stage *stage, const char *name, char *error, size_t error_size) {
	struct city_server *server = stage->server;
	struct city_box box;
	if (strcmp(name, "all") == 0) {
		city_map_show_all(stage);
		return true;
	}
	if (strcmp(name, "city") == 0 && city_scape_bounds(server, &box)) {
		city_map_show(stage, box);
		return true;
	}
	if (strcmp(name, "back") == 0) {
		city_map_back(stage);
		return true;
	}
	struct city_view *view = find_view(server, name);
	if (view != NULL) {
		city_view_set_minimized(view, false);
		city_server_focus(server, view, false);
		city_map_room(stage, city_view_outer_box(view));
		return true;
	}
	if (city_ground_find_district(server, name, &box) || find_quarter(server, name, &box)) {
		city_map_fit(stage, box);
		return true;
	}
	const struct city_bookmark *bookmark = city_bookmarks_find(server, name);
	if (bookmark != NULL) {
		city_map_centre(stage, bookmark->cx, bookmark->cy, bookmark->zoom);
		return true;
	}
	snprintf(error, error_size,
		"no tile, window, district, quarter or bookmark is called \"%.200s\"; allowed too: "
		"all, city, back",
		name);
	return false;
}

bool city_go_mark(struct city_stage *stage, const char *name, char *error, size_t error_size) {
	struct city_camera end = city_map_end(&stage->camera);
	struct city_box seen = city_map_visible(&end, city_map_screen(stage));
	return city_bookmarks_set(stage->server, name, seen.cx + seen.width / 2,
		seen.cy + seen.height / 2, end.zoom, error, error_size);
}

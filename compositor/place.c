/* SPDX-License-Identifier: MIT */
/* Where a new view goes: free ground as near to the middle of the screen as there is. */
#include <math.h>
#include <stdlib.h>

#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/theme.h"
#include "compositor/view.h"

/* More neighbours than this are not looked at: the spots grow with their square. */
#define MAX_NEIGHBOURS 48

struct spot_search {
	struct city_box taken[MAX_NEIGHBOURS]; /* with the gap round them */
	size_t taken_count;
	double xs[2 * MAX_NEIGHBOURS + 1], ys[2 * MAX_NEIGHBOURS + 1];
	size_t x_count, y_count;
};

static bool overlap(struct city_box a, struct city_box b) {
	return a.cx < b.cx + b.width && b.cx < a.cx + a.width && a.cy < b.cy + b.height &&
		b.cy < a.cy + a.height;
}

struct city_box city_view_find_place(struct city_server *server, int width, int height) {
	struct city_stage *stage = city_stage_focused(server);
	struct wlr_box screen = city_map_screen(stage);
	/* Where the camera is going counts, not where it is on the way. */
	struct city_camera camera = city_map_end(&stage->camera);
	struct city_box seen = city_map_visible(&camera, screen);
	/* The new view with its frame. */
	struct city_box box = {
		.width = width + 2 * CITY_BORDER, .height = height + CITY_TITLEBAR + CITY_BORDER};
	double middle_x = seen.cx + seen.width / 2 - box.width / 2;
	double middle_y = seen.cy + seen.height / 2 - box.height / 2;
	/* What does not fit shows its beginning. */
	middle_x = fmax(middle_x, seen.cx);
	middle_y = fmax(middle_y, seen.cy);

	struct spot_search search = {0};
	search.xs[search.x_count++] = middle_x;
	search.ys[search.y_count++] = middle_y;
	struct city_view *view;
	wl_list_for_each(view, &server->views, link) {
		if (!view->shown || search.taken_count == MAX_NEIGHBOURS) {
			continue;
		}
		struct city_box other = city_view_outer_box(view);
		other.cx -= CITY_GAP;
		other.cy -= CITY_GAP;
		other.width += 2 * CITY_GAP;
		other.height += 2 * CITY_GAP;
		search.taken[search.taken_count++] = other;
		search.xs[search.x_count++] = other.cx - box.width;
		search.xs[search.x_count++] = other.cx + other.width;
		search.ys[search.y_count++] = other.cy - box.height;
		search.ys[search.y_count++] = other.cy + other.height;
	}

	double best = INFINITY;
	struct city_box found = {middle_x, middle_y, box.width, box.height};
	for (size_t i = 0; i < search.x_count; i++) {
		for (size_t j = 0; j < search.y_count; j++) {
			box.cx = search.xs[i];
			box.cy = search.ys[j];
			/* Sideways is nearer than up and down, as screens are wide. */
			double distance = hypot(box.cx - middle_x, (box.cy - middle_y) * 1.5);
			if (distance >= best) {
				continue;
			}
			bool is_free = true;
			for (size_t k = 0; k < search.taken_count && is_free; k++) {
				is_free = !overlap(box, search.taken[k]);
			}
			if (is_free) {
				best = distance;
				found = box;
			}
		}
	}
	return (struct city_box){
		round(found.cx) + CITY_BORDER, round(found.cy) + CITY_TITLEBAR, width, height};
}

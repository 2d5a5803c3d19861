/* SPDX-License-Identifier: MIT */
/* Where a new view goes: free ground as near to the middle of the screen as there is. */
#include <math.h>
#include <stdlib.h>

#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/theme.h"
#include "compositor/view.h"

/* Spots beside more neighbours than this, the nearest, are not looked at: they grow with its
 * square.
 */
#define MAX_NEIGHBOURS 48
/* Between windows and tiles, so that the plaza of the ones and the block of the others have room.
 */
#define PLAZA_GAP 104

struct neighbour {
	struct city_box box; /* with the gap round it */
	double distance;
};

static bool overlap(struct city_box a, struct city_box b) {
	return a.cx < b.cx + b.width && b.cx < a.cx + a.width && a.cy < b.cy + b.height &&
		b.cy < a.cy + a.height;
}

static int nearest_first(const void *a, const void *b) {
	const struct neighbour *x = a, *y = b;
	return (x->distance > y->distance) - (x->distance < y->distance);
}

struct city_box city_view_find_place(
	struct city_server *server, int width, int height, enum city_view_kind kind) {
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

	double xs[2 * MAX_NEIGHBOURS + 1] = {middle_x}, ys[2 * MAX_NEIGHBOURS + 1] = {middle_y};
	size_t spots = 1, count = 0;
	double bottom = middle_y;
	struct neighbour *taken =
		calloc((size_t)wl_list_length(&server->views) + 1, sizeof(*taken));
	struct city_view *view;
	wl_list_for_each(view, &server->views, link) {
		if (!view->shown || taken == NULL) {
			continue;
		}
		struct city_box other = city_view_outer_box(view);
		double gap = view->kind == kind ? CITY_GAP : PLAZA_GAP;
		other.cx -= gap;
		other.cy -= gap;
		other.width += 2 * gap;
		other.height += 2 * gap;
		double x = fmax(
			fmax(other.cx - middle_x - box.width, middle_x - other.cx - other.width),
			0);
		double y = fmax(
			fmax(other.cy - middle_y - box.height, middle_y - other.cy - other.height),
			0);
		taken[count++] = (struct neighbour){other, hypot(x, y)};
		bottom = fmax(bottom, other.cy + other.height);
	}
	if (count > 0) {
		qsort(taken, count, sizeof(*taken), nearest_first);
	}
	for (size_t i = 0; i < count && i < MAX_NEIGHBOURS; i++) {
		struct city_box other = taken[i].box;
		xs[spots] = other.cx - box.width;
		ys[spots++] = other.cy - box.height;
		xs[spots] = other.cx + other.width;
		ys[spots++] = other.cy + other.height;
	}

	double best = INFINITY;
	/* Where all is taken: below all. */
	struct city_box found = {middle_x, bottom, box.width, box.height};
	for (size_t i = 0; i < spots; i++) {
		for (size_t j = 0; j < spots; j++) {
			box.cx = xs[i];
			box.cy = ys[j];
			/* Sideways is nearer than up and down, as screens are wide. */
			double distance = hypot(box.cx - middle_x, (box.cy - middle_y) * 1.5);
			if (distance >= best) {
				continue;
			}
			bool is_free = true;
			for (size_t k = 0; k < count && is_free; k++) {
				is_free = !overlap(box, taken[k].box);
			}
			if (is_free) {
				best = distance;
				found = box;
			}
		}
	}
	free(taken);
	return (struct city_box){
		round(found.cx) + CITY_BORDER, round(found.cy) + CITY_TITLEBAR, width, height};
}

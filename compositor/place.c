/* SPDX-License-Identifier: MIT */
/* Where a new view goes: free ground as near to the middle of the screen as there is. */
#include <math.h>
#include <stdlib.h>

#include "compositor/ground.h"
#include "compositor/scape.h"
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
#define PLAZA_GAP 144
#define BLOCK_GAP 104

struct neighbour {
	struct city_box box; /* with the gap round it */
	double distance;
};

static bool overlap(struct city_box a, struct city_box b) {
	return a.cx < b.cx + b.width && b.cx < a.cx + a.width && a.cy < b.cy + b.height &&
		b.cy < a.cy + a.height;
}

/* What is taken, as seen from where a view would be best. */
struct search {
	struct city_box best;
	struct neighbour *taken; /* NULL: no memory */
	size_t count, room;
	double bottom;
};

static void take(struct search *search, struct city_box box, double gap) {
	if (!isfinite(box.cx) || !isfinite(box.cy)) {
		return;
	}
	if (search->count == search->room) {
		size_t room = search->room * 2 + 64;
		struct neighbour *taken = reallocarray(search->taken, room, sizeof(*taken));
		if (taken == NULL) {
			return;
		}
		search->taken = taken;
		search->room = room;
	}
	struct city_box best = search->best;
	box.cx -= gap;
	box.cy -= gap;
	box.width += 2 * gap;
	box.height += 2 * gap;
	double x = fmax(fmax(box.cx - best.cx - best.width, best.cx - box.cx - box.width), 0);
	double y = fmax(fmax(box.cy - best.cy - best.height, best.cy - box.cy - box.height), 0);
	search->taken[search->count++] = (struct neighbour){box, hypot(x, y)};
	search->bottom = fmax(search->bottom, box.cy + box.height);
}

static void take_block(void *data, const char *name, struct city_box box) {
	take(data, box, BLOCK_GAP);
}

/* Views; quarters of source; and for windows the blocks of tiles, also where these are empty. */
static void take_all(
	struct search *search, const struct city_server *server, enum city_view_kind kind) {
	const struct city_view *view;
	wl_list_for_each(view, &server->views, link) {
		if (view->shown) {
			take(search, city_view_outer_box(view),
				view->kind == kind ? CITY_GAP : PLAZA_GAP);
		}
	}
	size_t count = 0;
	const struct city_survey *survey = city_scape_survey(server);
	const struct city_quarter *quarters =
		survey == NULL ? NULL : city_survey_quarters(survey, &count);
	for (size_t i = 0; i < count; i++) {
		if (quarters[i].site != CITY_NO_SITE) {
			take(search, quarters[i].box, PLAZA_GAP);
		}
	}
	if (kind == CITY_VIEW_GUEST) {
		city_ground_for_each_block(server, take_block, search);
	}
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
	size_t spots = 1;
	struct search search = {
		.best = {middle_x, middle_y, box.width, box.height}, .bottom = middle_y};
	take_all(&search, server, kind);
	struct neighbour *taken = search.taken;
	size_t count = search.count;
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
	struct city_box found = {middle_x, search.bottom, box.width, box.height};
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

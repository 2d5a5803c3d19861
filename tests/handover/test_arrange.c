/* SPDX-License-Identifier: MIT */
/* Parts of a room and edges that hold, without a screen. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "compositor/arrange.h"

static const struct city_box room = {100, 50, 1280, 720};

static bool inside(struct city_box box) {
	return box.cx >= room.cx && box.cy >= room.cy &&
		box.cx + box.width <= room.cx + room.width &&
		box.cy + box.height <= room.cy + room.height;
}

static bool overlap(struct city_box a, struct city_box b) {
	return a.cx < b.cx + b.width && b.cx < a.cx + a.width && a.cy < b.cy + b.height &&
		b.cy < a.cy + a.height;
}

static void halves_meet_at_a_gap(void **state) {
	struct city_part left, right;
	assert_true(city_part_named("left", &left));
	assert_true(city_part_named("right", &right));
	struct city_box a = city_part_box(left, room), b = city_part_box(right, room);
	assert_true(inside(a) && inside(b));
	assert_true(b.cx - (a.cx + a.width) == 8);
	assert_true(a.cx - room.cx == 8);
	assert_true(room.cx + room.width - b.cx - b.width == 8);
	assert_true(a.cy == b.cy && a.height == b.height);
	assert_false(city_part_named("middle", &left));
}

static void any_number_shares_the_room(void **state) {
	for (size_t n = 1; n <= 200; n++) {
		struct city_box boxes[200];
		for (size_t i = 0; i < n; i++) {
			boxes[i] = city_part_box(city_part_of(i, n, room), room);
			assert_true(inside(boxes[i]));
			assert_true(boxes[i].cx == round(boxes[i].cx));
			assert_true(boxes[i].width >= 1 && boxes[i].height >= 1);
			for (size_t j = 0; j < i; j++) {
				assert_false(overlap(boxes[i], boxes[j]));
			}
		}
	}
	/* One has it all, two stand side by side, four in the corners. */
	assert_true(city_part_of(0, 1, room).right == 1);
	assert_true(city_part_of(0, 2, room).right == 0.5 && city_part_of(0, 2, room).bottom == 1);
	assert_true(city_part_of(3, 4, room).left == 0.5 && city_part_of(3, 4, room).top == 0.5);
}

static void tiny_rooms_do_no_harm(void **state) {
	struct city_box none = {0, 0, 0, 0};
	for (size_t n = 0; n < 50; n++) {
		struct city_box box = city_part_box(city_part_of(n / 2, n, none), none);
		assert_true(box.width >= 1 && box.height >= 1);
	}
}

static void edges_hold_what_comes_near(void **state) {
	struct city_box other = {400, 300, 200, 100};
	struct city_box box = {605, 310, 150, 80};
	double dx, dy;
	/* Beside it, at a gap, and in line with neither of its other edges. */
	city_magnet(box, &other, 1, room, 6, &dx, &dy);
	assert_true(dx == 3 && dy == 0);
	box.cy = 304;
	city_magnet(box, &other, 1, room, 6, &dx, &dy);
	assert_true(dx == 3 && dy == -4);
	/* Too far away in height to be beside it. */
	box.cy = 500;
	city_magnet(box, &other, 1, room, 6, &dx, &dy);
	assert_true(dx == 0 && dy == 0);
	/* The room's own edge, from within. */
	box = (struct city_box){room.cx + 5, room.cy + 200, 50, 50};
	city_magnet(box, NULL, 0, room, 6, &dx, &dy);
	assert_true(dx == 3 && dy == 0);
}

static void what_is_held_is_near(void **state) {
	srand(1);
	for (int i = 0; i < 20000; i++) {
		struct city_box others[8],
			box = {rand() % 1500, rand() % 900, rand() % 300 + 1, rand() % 300 + 1};
		size_t count = (size_t)(rand() % 9);
		for (size_t j = 0; j < count; j++) {
			others[j] = (struct city_box){
				rand() % 1500, rand() % 900, rand() % 300 + 1, rand() % 300 + 1};
		}
		double dx, dy, again_x, again_y;
		city_magnet(box, others, count, room, 12, &dx, &dy);
		assert_true(fabs(dx) <= 12 && fabs(dy) <= 12);
		if (dx != 0 && dy == 0) {
			/* It stays where it was pulled. */
			box.cx += dx;
			city_magnet(box, others, count, room, 0, &again_x, &again_y);
			assert_true(again_x == 0);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(halves_meet_at_a_gap),
		cmocka_unit_test(any_number_shares_the_room),
		cmocka_unit_test(tiny_rooms_do_no_harm),
		cmocka_unit_test(edges_hold_what_comes_near),
		cmocka_unit_test(what_is_held_is_near),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

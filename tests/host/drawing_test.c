/* SPDX-License-Identifier: MIT */
/* When a tile in its host is updated and drawn, what of it, and when it rests. */
#include "host_test.h"

#include <time.h>

/* With two buffers in use each holds an older picture than the other: only what is stale is drawn.
 */
static void test_buffer_age(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, NULL);
	a->hold_buffers = true;
	fake_attach(a, TILE_ATTACH_COLD, -1);
	uint32_t expected[64 * 48];
	for (size_t i = 0; i < 64 * 48; i++) {
		expected[i] = 0xff102030;
	}
	for (int n = 1; n <= 12; n++) {
		int x = n * 5 % 8 * 8, y = n * 11 % 6 * 8;
		a->damage_x1 = a->damage_y1 = INT32_MAX;
		a->damage_x2 = a->damage_y2 = 0;
		unsigned commits = a->commits;
		fake_click(a, x, y);
		FAKE_WAIT(&city, a->commits > commits);
		assert_int_equal(a->damage_x1, x);
		assert_int_equal(a->damage_y1, y);
		assert_int_equal(a->damage_x2, x + 8);
		assert_int_equal(a->damage_y2, y + 8);
		for (int py = y; py < y + 8; py++) {
			for (int px = x; px < x + 8; px++) {
				expected[py * 64 + px] = 0xff800000 + n;
			}
		}
		assert_memory_equal(a->pixels, expected, sizeof(expected));
	}
	fake_city_finish(&city);
}

static void test_resize(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, NULL);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	for (int i = 1; i <= 20; i++) {
		fake_send_configure(a, 64 + 8 * i, 48 + i);
	}
	FAKE_WAIT(&city, a->width == 64 + 160);
	assert_int_equal(a->height, 68);
	assert_int_equal(a->viewport_width, 224);
	assert_int_equal(a->acked, city.serial);
	assert_pixels(a, 0x102030);
	fake_send_configure(a, 224, 68);
	FAKE_WAIT(&city, a->acked == city.serial);
	fake_city_finish(&city);
}

static uint64_t switches(pid_t pid) {
	char path[64], line[256];
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *file = fopen(path, "re");
	uint64_t count = 0;
	while (file && fgets(line, sizeof(line), file)) {
		sscanf(line, "voluntary_ctxt_switches: %lu", &count);
	}
	if (file) {
		fclose(file);
	}
	return count;
}

static void pause_ms(struct fake_city *city, int ms) {
	struct timespec start, now;
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		fake_dispatch(city, 10);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < ms);
}

/* Nothing to do: not one wake-up. The pause is what is measured. */
static void test_idle(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, NULL);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	pause_ms(&city, 100);
	uint64_t before = switches(a->pid);
	pause_ms(&city, 500);
	assert_int_equal(switches(a->pid), before);
	fake_city_finish(&city);
}

/* A tile that animates, but is not shown: its updates wait, and go on when it is seen again. */
static void test_hidden(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a =
		fake_start_ready(&city, probe, OPTIONS("wake_ms=5", "damage=update"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	FAKE_WAIT(&city, a->commits > 5);
	a->hold_frames = true;
	FAKE_WAIT(&city, a->frame_callback_count > 0);
	pause_ms(&city, 200);
	uint64_t before = switches(a->pid);
	unsigned commits = a->commits;
	pause_ms(&city, 500);
	assert_int_equal(switches(a->pid), before);
	assert_int_equal(a->commits, commits);
	a->hold_frames = false;
	fake_send_frames(a);
	FAKE_WAIT(&city, a->commits > commits + 5);
	fake_city_finish(&city);
}

/* What an update takes is told to those after it. */
static void test_update_time(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS("took=tell", "wake_ms=1"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	FAKE_WAIT(&city, strcmp(a->title, "told") == 0 || strcmp(a->title, "wrong") == 0);
	assert_string_equal(a->title, "told");
	fake_city_finish(&city);
}

int main(void) {
	if (!have_probes()) {
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buffer_age),
		cmocka_unit_test(test_resize),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_update_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

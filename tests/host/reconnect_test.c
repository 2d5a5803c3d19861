/* SPDX-License-Identifier: MIT */
/* The compositor of a tile in its host ends, and another comes. */
#include "host_test.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "source-city-tile-v1-server-protocol.h"

/* A version that has not taken over ends with the compositor. */
static void test_compositor_gone_early(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, NULL);
	fake_disconnect(a);
	fake_wait_exit(a);
	assert_int_equal(a->status, 0);
	fake_city_finish(&city);
}

/* The compositor goes away: the tile runs on, and the next one gets it as it is. */
static void test_compositor_gone(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a =
		fake_start_ready(&city, probe, OPTIONS("wake_ms=5", "damage=update"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_focus(a);
	fake_key(a, KEY_A);
	const struct state *state = fake_cell(&city, "state");
	FAKE_WAIT(&city, state->value == 0x102031);
	for (int round = 0; round < 3; round++) {
		fake_disconnect(a);
		uint32_t updates = state->updates;
		FAKE_WAIT(&city, state->updates > updates + 2);
		assert_false(a->ended);
		fake_reconnect(a);
		assert_int_equal(a->standing, SOURCE_CITY_TILE_V1_STANDING_LIVE);
		assert_int_equal(a->rejoined_epoch, city.epoch);
		FAKE_WAIT(&city, a->commits > 0 && *a->title);
		assert_int_equal(a->width, 64);
		assert_string_equal(a->title, "probe one");
		fake_focus(a);
		fake_key(a, KEY_A);
		FAKE_WAIT(&city, state->value == 0x102032 + (uint32_t)round);
	}
	assert_int_equal(state->attaches, 1);
	/* Handovers as before. */
	struct fake_version *b = fake_start_ready(&city, probe, NULL);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	fake_attach(b, TILE_ATTACH_HANDOVER, -1);
	fake_disconnect(a);
	fake_reconnect(a);
	assert_int_equal(a->standing, SOURCE_CITY_TILE_V1_STANDING_FROZEN);
	assert_int_equal(a->rejoined_epoch, city.epoch - 1);
	fake_kill(b);
	fake_send_resume(a);
	FAKE_WAIT(&city, a->commits > 0);
	assert_int_equal(((const struct state *)fake_cell(&city, "state"))->value, 0x102034);
	/* The end of the city: what the tile has is put into cells. */
	fake_disconnect(a);
	kill(a->pid, SIGTERM);
	fake_wait_exit(a);
	assert_true(WIFEXITED(a->status) && WEXITSTATUS(a->status) == 0);
	struct fake_version *c = fake_start_ready(&city, probe, NULL);
	fake_attach(c, TILE_ATTACH_RESTART, -1);
	fake_city_finish(&city);
}

/* In probation the log goes on, until the version is told that it is good. */
static void test_compositor_gone_in_probation(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, NULL);
	int undo_fd = vat_undo_create(city.region, NULL);
	assert_true(undo_fd >= 0);
	fake_attach(a, TILE_ATTACH_COLD, undo_fd);
	fake_disconnect(a);
	fake_reconnect(a);
	assert_int_equal(a->standing, SOURCE_CITY_TILE_V1_STANDING_PROBATION);
	struct vat_undo_stats stats;
	assert_int_equal(vat_undo_stats(undo_fd, &stats, NULL), 0);
	fake_send_settle(a);
	fake_send_check(a);
	FAKE_WAIT(&city, a->checked);
	assert_int_equal(vat_undo_stats(undo_fd, &stats, NULL), -EALREADY);
	fake_disconnect(a);
	fake_reconnect(a);
	assert_int_equal(a->standing, SOURCE_CITY_TILE_V1_STANDING_LIVE);
	close(undo_fd);
	fake_city_finish(&city);
}

int main(void) {
	if (!have_probes()) {
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compositor_gone_early),
		cmocka_unit_test(test_compositor_gone),
		cmocka_unit_test(test_compositor_gone_in_probation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

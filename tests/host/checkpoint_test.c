/* SPDX-License-Identifier: MIT */
/* Checkpoints of a tile in its host: a write barrier while the keeper copies its state. */
#include "host_test.h"

#include <errno.h>

static uint64_t undo_word(int undo_fd, off_t at) {
	uint64_t word;
	assert_int_equal(pread(undo_fd, &word, sizeof(word), at), sizeof(word));
	return word;
}
#define UNDO_ENDED 104 /* as vat/FORMAT.md says */

static void track(struct fake_city *city, struct fake_version *version, int undo_fd) {
	fake_send_track(version, undo_fd);
	FAKE_WAIT(city, version->tracked);
	assert_int_equal(version->track_status, 0);
}

/* While a copy is made all goes on, system calls among it, and the log has what was. */
static void test_track(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(
		&city, probe, OPTIONS("pty=stty -echo; read x; echo $x; exec sleep 1000"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_focus(a);
	fake_key(a, KEY_A);
	FAKE_WAIT(&city, a->pixels[0] == 0xff102031);
	assert_int_equal(a->changes, 1);
	int undo = vat_undo_create(city.region, NULL);
	uint64_t clock = vat_region_get(city.region, VAT_CLOCK);
	track(&city, a, undo);
	assert_true(vat_region_get(city.region, VAT_CLOCK) > clock);
	fake_key(a, KEY_A);
	fake_key(a, KEY_A);
	assert_int_equal(write(fake_stream(&city, "shell")->fd, "tracked\n", 8), 8);
	const struct state *state;
	FAKE_WAIT(&city, (state = fake_cell(&city, "state"))->text_size > 0);
	FAKE_WAIT(&city, a->pixels[0] == 0xff102033);
	assert_int_equal(a->changes, 2);
	struct vat_undo_stats stats;
	assert_int_equal(vat_undo_stats(undo, &stats, NULL), 0);
	assert_true(stats.pages >= 3); /* the header, the state, and the text */
	assert_int_equal(undo_word(undo, UNDO_ENDED), 0);
	undo_writes(&city, a, undo);
	state = fake_cell(&city, "state");
	assert_int_equal(state->value, 0x102031);
	assert_int_equal(state->text_size, 0);
	assert_int_equal(((const char *)fake_cell(&city, "text"))[0], 0);
	close(undo);
	fake_city_finish(&city);
}

/* Ended by the keeper, ended by a handover, and not begun at all on probation. */
static void test_track_end(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, NULL);
	int undo = vat_undo_create(city.region, NULL);
	fake_send_track(a, undo);
	FAKE_WAIT(&city, a->tracked);
	assert_int_equal(a->track_status, ESTALE);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_focus(a);
	track(&city, a, undo);
	fake_send_track_end(a);
	fake_key(a, KEY_A);
	FAKE_WAIT(&city, a->pixels[0] == 0xff102031);
	assert_int_equal(undo_word(undo, UNDO_ENDED), 1);
	/* Asked twice, as by another keeper: the newer one counts. */
	int again = vat_undo_create(city.region, NULL);
	track(&city, a, undo);
	track(&city, a, again);
	assert_int_equal(undo_word(undo, UNDO_ENDED), 1);
	assert_int_equal(undo_word(again, UNDO_ENDED), 0);
	close(again);
	/* Again, over the same log; then a handover comes between. */
	track(&city, a, undo);
	assert_int_equal(undo_word(undo, UNDO_ENDED), 0);
	struct fake_version *b = fake_start_ready(&city, probe2, NULL);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	assert_int_equal(undo_word(undo, UNDO_ENDED), 1);
	int undo2 = vat_undo_create(city.region, NULL);
	fake_attach(b, TILE_ATTACH_HANDOVER, undo2);
	fake_send_track(b, undo);
	FAKE_WAIT(&city, b->tracked);
	assert_int_equal(b->track_status, EBUSY);
	assert_int_equal(b->changes, 0);
	fake_send_settle(b);
	FAKE_WAIT(&city, b->changes == 1);
	assert_true(b->settled_change);
	track(&city, b, undo);
	fake_focus(b);
	fake_key(b, KEY_A);
	FAKE_WAIT(&city, b->pixels[0] == 0xff102032);
	fake_send_track_end(b);
	fake_send_track_end(b);
	fake_send_retire(a);
	fake_send_retire(b);
	fake_wait_exit(a);
	fake_wait_exit(b);
	assert_int_equal(a->status, 0);
	assert_int_equal(b->status, 0);
	close(undo);
	close(undo2);
	fake_city_finish(&city);
}

int main(void) {
	if (!have_probes()) {
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_track),
		cmocka_unit_test(test_track_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

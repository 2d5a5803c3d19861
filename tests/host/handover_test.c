/* SPDX-License-Identifier: MIT */
/* Handovers of the tile host, between a compositor and a keeper of our own: every step, and every
 * failure. */
#include "host_test.h"

#include <signal.h>
#include <sys/wait.h>

#include "source-city-tile-v1-server-protocol.h"

static void test_cold(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, NULL);
	assert_string_equal(a->role, "probe");
	assert_int_equal(a->default_width, 64);
	assert_int_equal(a->commits, 0);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	assert_true(a->attached_before_frame);
	assert_int_equal(a->width, 64);
	assert_int_equal(a->height, 48);
	assert_int_equal(a->viewport_width, 64);
	assert_int_equal(a->acked, 1);
	assert_pixels(a, 0x102030);
	assert_string_equal(a->title, "probe one");
	assert_true(a->state_bytes > 65536);
	const struct state *state = fake_cell(&city, "state");
	assert_int_equal(state->attaches, 1);
	assert_int_equal(state->reason, TILE_ATTACH_COLD);
	assert_int_equal(vat_region_epoch(city.region), 1);
	fake_send_retire(a);
	fake_wait_exit(a);
	assert_true(WIFEXITED(a->status) && WEXITSTATUS(a->status) == 0);
	fake_city_finish(&city);
}

static void test_update_before_first_frame(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS("update=now"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	assert_int_equal(((const struct state *)fake_cell(&city, "state"))->updates, 1);
	assert_int_equal(vat_region_get(city.region, VAT_UPDATES), 1);
	fake_city_finish(&city);
}

/* The same version again: the cells are shared, and B goes on from where A was. */
static void test_handover(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS("update=now"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_focus(a);
	fake_key(a, KEY_A);
	FAKE_WAIT(&city, a->commits == 2);
	assert_pixels(a, 0x102031);
	struct fake_version *b = fake_start_ready(&city, probe, NULL);
	/* It typed before it was there: kept for later. */
	fake_focus(b);
	fake_key(b, KEY_A);
	fake_key(b, KEY_A);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	int undo = vat_undo_create(city.region, NULL);
	b->hold_frames = true;
	fake_attach(b, TILE_ATTACH_HANDOVER, undo);
	assert_pixels(b, 0x102031);
	assert_true(((const struct state *)fake_cell(&city, "state"))->focused);
	assert_true(b->first_update > a->last_update);
	assert_int_equal(b->migrated_bytes, 0);
	fake_send_frames(b);
	FAKE_WAIT(&city, b->commits == 2);
	assert_pixels(b, 0x102033);
	const struct state *state = fake_cell(&city, "state");
	assert_int_equal(state->attaches, 2);
	assert_int_equal(state->reason, TILE_ATTACH_HANDOVER);
	fake_send_check(b);
	FAKE_WAIT(&city, b->checked);
	assert_true(b->check_ok);
	fake_send_settle(b);
	fake_send_retire(a);
	fake_wait_exit(a);
	assert_int_equal(a->status, 0);
	fake_key(b, KEY_A);
	fake_send_frames(b);
	FAKE_WAIT(&city, b->commits == 3);
	assert_pixels(b, 0x102034);
	close(undo);
	fake_city_finish(&city);
}

/* Another schema: the value is widened, and a field is new. */
static void test_migration(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, NULL);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	struct fake_version *b = fake_start_ready(&city, probe2, NULL);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	int undo = vat_undo_create(city.region, NULL);
	fake_attach(b, TILE_ATTACH_HANDOVER, undo);
	assert_pixels(b, 0x102030);
	assert_true(b->migrated_bytes > 0);
	assert_true(b->migrated_bytes < 65536);
	const struct {
		uint64_t value;
		uint32_t version;
	} *state = fake_cell(&city, "state");
	assert_int_equal(state->value, 0x102030);
	assert_int_equal(state->version, 2);
	fake_send_settle(b);
	fake_send_check(b);
	FAKE_WAIT(&city, b->checked);
	close(undo);
	fake_city_finish(&city);
}

/* A state that it cannot keep: refused before anything of it ran, and so nothing of it is freed. */
static void test_unfit_state(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe2, NULL);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	struct fake_version *b = fake_start(&city, probe, OPTIONS("crash=detach"));
	fake_wait_exit(b);
	assert_int_equal(b->failed_step, SOURCE_CITY_TILE_V1_FAILURE_ATTACH);
	assert_non_null(strstr(b->reason, "value"));
	assert_true(WIFEXITED(b->status));
	fake_city_finish(&city);
}

static void rollback_with(const char *artifact) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, NULL);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	struct fake_version *b = fake_start_ready(&city, artifact, NULL);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	/* What is typed meanwhile is not lost. */
	fake_focus(a);
	fake_key(a, KEY_A);
	int undo = vat_undo_create(city.region, NULL);
	fake_attach(b, TILE_ATTACH_HANDOVER, undo);
	unsigned commits = b->commits;
	fake_focus(b);
	fake_key(b, KEY_A);
	FAKE_WAIT(&city, b->commits > commits);
	assert_pixels(b, 0x102031);
	undo_and_resume(&city, a, b, undo);
	FAKE_WAIT(&city, a->pixels[0] == 0xff102031);
	const struct state *state = fake_cell(&city, "state");
	assert_int_equal(state->attaches, 2);
	assert_int_equal(state->reason, TILE_ATTACH_ROLLBACK);
	/* And it can be asked again. */
	struct fake_version *c = fake_start_ready(&city, artifact, NULL);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	int undo2 = vat_undo_create(city.region, NULL);
	fake_attach(c, TILE_ATTACH_HANDOVER, undo2);
	assert_pixels(c, 0x102031);
	fake_send_settle(c);
	fake_send_retire(a);
	fake_wait_exit(a);
	assert_int_equal(a->status, 0);
	close(undo);
	close(undo2);
	fake_city_finish(&city);
}

static void test_rollback(void **context) {
	rollback_with(probe);
}

static void test_rollback_of_migration(void **context) {
	rollback_with(probe2);
}

/* The city ends in the probation of a version with another schema, and starts the good one. */
static void test_end_in_probation(void **context) {
	const struct {
		const char *artifact;
		uint32_t pixels;
	} next[] = {{probe, 0x102030}, {probe2, 0x102031}};
	for (size_t i = 0; i < 2; i++) {
		struct fake_city city;
		fake_city_init(&city);
		struct fake_version *a = fake_start_ready(&city, probe, NULL);
		fake_attach(a, TILE_ATTACH_COLD, -1);
		struct fake_version *b = fake_start_ready(&city, probe2, NULL);
		fake_send_migrate(a);
		FAKE_WAIT(&city, a->yielded);
		int undo = vat_undo_create(city.region, NULL);
		fake_attach(b, TILE_ATTACH_HANDOVER, undo);
		unsigned commits = b->commits;
		fake_focus(b);
		fake_key(b, KEY_A);
		FAKE_WAIT(&city, b->commits > commits);
		assert_pixels(b, 0x102031);
		fake_kill(a);
		fake_kill(b);
		close(undo);
		struct fake_version *c = fake_start_ready(&city, next[i].artifact, NULL);
		undo = vat_undo_create(city.region, NULL);
		fake_attach(c, TILE_ATTACH_RESTART, undo);
		assert_pixels(c, next[i].pixels);
		fake_send_settle(c);
		fake_send_check(c);
		FAKE_WAIT(&city, c->checked);
		assert_int_equal(vat_region_refresh(city.region, NULL), 0);
		assert_false(vat_region_has_previous(city.region));
		close(undo);
		fake_city_finish(&city);
	}
}

/* Without B ever having attached. */
static void test_resume(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, NULL);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_focus(a);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	fake_key(a, KEY_A);
	fake_send_configure(a, 80, 60);
	uint32_t configured = city.serial;
	unsigned commits = a->commits;
	fake_send_resume(a);
	FAKE_WAIT(&city, a->commits > commits && a->pixels[0] == 0xff102031);
	assert_int_equal(a->width, 80);
	assert_int_equal(a->acked, configured);
	fake_city_finish(&city);
}

static void test_refuse(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS("refuse=quiesce"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->refused);
	assert_string_equal(a->reason, "quiesce was told to refuse");
	fake_focus(a);
	fake_key(a, KEY_A);
	FAKE_WAIT(&city, a->commits == 2);

	struct fake_version *b = fake_start(&city, probe, OPTIONS("refuse=warm"));
	fake_wait_exit(b);
	assert_int_equal(b->failed_step, SOURCE_CITY_TILE_V1_FAILURE_WARM);
	assert_string_equal(b->reason, "warm was told to refuse");
	assert_int_equal(WEXITSTATUS(b->status), 1);
	fake_city_finish(&city);

	fake_city_init(&city);
	b = fake_start_ready(&city, probe, OPTIONS("refuse=attach"));
	fake_send_attach(b, TILE_ATTACH_COLD, -1);
	fake_wait_exit(b);
	assert_int_equal(b->failed_step, SOURCE_CITY_TILE_V1_FAILURE_ATTACH);
	assert_string_equal(b->reason, "attach was told to refuse");
	assert_int_equal(b->commits, 0);
	fake_city_finish(&city);

	fake_city_init(&city);
	b = fake_start_ready(&city, probe, OPTIONS("refuse=check"));
	fake_attach(b, TILE_ATTACH_COLD, -1);
	fake_send_check(b);
	FAKE_WAIT(&city, b->checked);
	assert_false(b->check_ok);
	assert_string_equal(b->reason, "check was told to refuse");
	fake_city_finish(&city);
}

static void test_not_a_tile(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start(&city, "/proc/self/exe", NULL);
	fake_wait_exit(a);
	assert_int_equal(a->failed_step, SOURCE_CITY_TILE_V1_FAILURE_LOAD);
	assert_true(*a->reason);
	fake_city_finish(&city);
}

/* A dies by the signal that the crash means, whatever operation it is in; the city's region holds.
 */
static void crash_in(const char *how, const char *operation, int number) {
	struct fake_city city;
	fake_city_init(&city);
	char option[64], pty[] = "pty=echo x; exec sleep 1000";
	snprintf(option, sizeof(option), "%s=%s", how, operation);
	bool streams = strcmp(operation, "stream_ready") == 0;
	bool update = strcmp(operation, "update") == 0;
	struct fake_version *a = fake_start(
		&city, probe, OPTIONS(option, streams ? pty : "x=", update ? "update=now" : "y="));
	FAKE_WAIT(&city, a->ready || a->ended);
	if (a->ready) {
		fake_send_attach(a, TILE_ATTACH_COLD, -1);
		FAKE_WAIT(&city, a->commits > 0 || a->ended);
	}
	if (!a->ended && a->client && !streams) {
		fake_focus(a);
		fake_key(a, KEY_A);
		fake_send_check(a);
		fake_send_migrate(a);
		FAKE_WAIT(&city, a->yielded || !a->client);
		if (a->client) {
			fake_send_retire(a);
		}
	}
	fake_wait_exit(a);
	bool sanitized = WIFEXITED(a->status) && getenv("ASAN_OPTIONS");
	assert_true(sanitized || (WIFSIGNALED(a->status) && WTERMSIG(a->status) == number));
	if (!sanitized) {
		FAKE_WAIT(&city, *a->trouble);
		assert_string_equal(a->trouble, operation);
		assert_int_equal(a->trouble_status, number);
	}
	assert_int_equal(vat_region_refresh(city.region, NULL), 0);
	fake_city_finish(&city);
}

static void test_crash(void **context) {
	static const char *const operations[] = {"warm", "attach", "update", "draw", "input",
		"stream_ready", "quiesce", "check", "detach"};
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		crash_in("crash", operations[i], SIGSEGV);
	}
	crash_in("abort", "draw", SIGABRT);
}

/* B crashes in probation: what it wrote is undone, A goes on. */
static void test_crash_in_probation(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, NULL);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	struct fake_version *b = fake_start_ready(&city, probe2, OPTIONS("crash=draw"));
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	int undo = vat_undo_create(city.region, NULL);
	fake_send_attach(b, TILE_ATTACH_HANDOVER, undo);
	fake_wait_exit(b);
	assert_int_equal(b->commits, 0);
	undo_and_resume(&city, a, b, undo);
	assert_pixels(a, 0x102030);
	close(undo);
	fake_city_finish(&city);
}

static void test_cell_resize(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS("resize=3"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_cell(&city, "text");
	assert_int_equal(vat_region_find(city.region, "text", NULL, 0)->count, 3);
	struct fake_version *b = fake_start_ready(&city, probe, OPTIONS("resize=5"));
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	int undo = vat_undo_create(city.region, NULL);
	fake_attach(b, TILE_ATTACH_HANDOVER, undo);
	fake_cell(&city, "text");
	assert_int_equal(vat_region_find(city.region, "text", NULL, 0)->count, 5);
	undo_and_resume(&city, a, b, undo);
	fake_cell(&city, "text");
	assert_int_equal(vat_region_find(city.region, "text", NULL, 0)->count, 3);
	close(undo);
	/* A version that does not resize it finds it as it is. */
	struct fake_version *c = fake_start_ready(&city, probe, NULL);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	undo = vat_undo_create(city.region, NULL);
	fake_attach(c, TILE_ATTACH_HANDOVER, undo);
	fake_cell(&city, "text");
	assert_int_equal(vat_region_find(city.region, "text", NULL, 0)->count, 3);
	close(undo);
	fake_city_finish(&city);
}

int main(void) {
	if (!have_probes()) {
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cold),
		cmocka_unit_test(test_update_before_first_frame),
		cmocka_unit_test(test_handover),
		cmocka_unit_test(test_migration),
		cmocka_unit_test(test_unfit_state),
		cmocka_unit_test(test_rollback),
		cmocka_unit_test(test_rollback_of_migration),
		cmocka_unit_test(test_end_in_probation),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_not_a_tile),
		cmocka_unit_test(test_crash),
		cmocka_unit_test(test_crash_in_probation),
		cmocka_unit_test(test_cell_resize),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Cells that go from one version to the next without the compositor between them. */
#include "host_test.h"

#include <poll.h>
#include <sys/socket.h>

#include "source-city-tile-v1-server-protocol.h"

static bool comes(struct fake_city *city, int fd) {
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	uint64_t limit = 0;
	while (poll(&poll_fd, 1, 0) == 0 && fake_time_left(&limit)) {
		fake_dispatch(city, 20);
	}
	return poll_fd.revents != 0;
}

/* One byte, or the end of it: 0. */
static ssize_t taken(struct fake_city *city, int baton) {
	char byte;
	assert_true(comes(city, baton));
	return recv(baton, &byte, 1, MSG_DONTWAIT);
}

static uint32_t attaches(struct fake_city *city) {
	return ((const struct state *)fake_cell(city, "state"))->attaches;
}

struct pair {
	struct fake_city city;
	struct fake_version *a, *b;
	int undo, baton;
};

/* A has yielded, and B stands by. */
static void setup(struct pair *pair, const char *artifact, const char *const *options) {
	fake_city_init(&pair->city);
	pair->a = fake_start_ready(&pair->city, probe, NULL);
	fake_attach(pair->a, TILE_ATTACH_COLD, -1);
	pair->b = fake_start_ready(&pair->city, artifact, options);
	pair->undo = vat_undo_create(pair->city.region, NULL);
	pair->baton = fake_send_stand_by(pair->b, pair->undo);
	fake_send_migrate(pair->a);
	FAKE_WAIT(&pair->city, pair->a->yielded);
}

static void finish(struct pair *pair) {
	close(pair->baton);
	close(pair->undo);
	fake_city_finish(&pair->city);
}

static void give(struct pair *pair) {
	assert_int_equal(send(pair->baton, "x", 1, MSG_NOSIGNAL), 1);
}

static void test_takes(void **context) {
	struct pair pair;
	setup(&pair, probe, NULL);
	assert_int_equal(attaches(&pair.city), 1);
	give(&pair);
	assert_int_equal(taken(&pair.city, pair.baton), 1);
	assert_int_equal(attaches(&pair.city), 2);
	assert_int_equal(vat_region_epoch(pair.city.region), pair.b->stand_by_epoch);
	/* It says nothing, and shows nothing, before it is told. */
	fake_dispatch(&pair.city, 0);
	assert_false(pair.b->attached);
	assert_int_equal(pair.b->commits, 0);
	fake_send_attach_to(pair.b, pair.undo);
	FAKE_WAIT(&pair.city, pair.b->commits > 0);
	assert_true(pair.b->attached && pair.b->attached_before_frame);
	assert_int_equal(attaches(&pair.city), 2);
	assert_true(pair.b->first_update > pair.a->last_update);
	/* What it writes is kept as ever. */
	fake_focus(pair.b);
	fake_key(pair.b, KEY_A);
	FAKE_WAIT(&pair.city, pair.b->commits > 1);
	undo_and_resume(&pair.city, pair.a, pair.b, pair.undo);
	assert_pixels(pair.a, 0x102030);
	finish(&pair);
}

/* The cells are built as B wants them, too. */
static void test_takes_another_schema(void **context) {
	struct pair pair;
	setup(&pair, probe2, NULL);
	give(&pair);
	assert_int_equal(taken(&pair.city, pair.baton), 1);
	fake_send_attach_to(pair.b, pair.undo);
	FAKE_WAIT(&pair.city, pair.b->commits > 0);
	assert_pixels(pair.b, 0x102030);
	assert_true(pair.b->migrated_bytes > 0);
	undo_and_resume(&pair.city, pair.a, pair.b, pair.undo);
	assert_pixels(pair.a, 0x102030);
	finish(&pair);
}

/* Why it could not is told when it is asked. */
static void test_takes_and_fails(void **context) {
	struct pair pair;
	setup(&pair, probe, OPTIONS("refuse=attach"));
	give(&pair);
	assert_int_equal(taken(&pair.city, pair.baton), 1);
	fake_dispatch(&pair.city, 0);
	assert_int_equal(pair.b->failed_step, -1);
	fake_send_attach_to(pair.b, pair.undo);
	fake_wait_exit(pair.b);
	assert_int_equal(pair.b->failed_step, SOURCE_CITY_TILE_V1_FAILURE_ATTACH);
	assert_string_equal(pair.b->reason, "attach was told to refuse");
	finish(&pair);
}

/* Without a baton, with one that ends, with another serial: as one that does not stand by. */
static void test_attach_comes_first(void **context) {
	for (int i = 0; i < 3; i++) {
		struct pair pair;
		setup(&pair, probe, NULL);
		if (i == 1) {
			shutdown(pair.baton, SHUT_WR);
			assert_int_equal(taken(&pair.city, pair.baton), 0);
		}
		if (i == 2) {
			fake_attach(pair.b, TILE_ATTACH_HANDOVER, pair.undo);
		} else {
			fake_send_attach_to(pair.b, pair.undo);
			FAKE_WAIT(&pair.city, pair.b->commits > 0);
		}
		assert_true(pair.b->attached);
		assert_int_equal(attaches(&pair.city), 2);
		/* And the baton is of no use any more. */
		assert_int_equal(taken(&pair.city, pair.baton), 0);
		finish(&pair);
	}
}

/* The compositor ends in between: the next one finds it as one that has attached. */
static void test_compositor_ends(void **context) {
	struct pair pair;
	setup(&pair, probe, NULL);
	give(&pair);
	assert_int_equal(taken(&pair.city, pair.baton), 1);
	fake_disconnect(pair.b);
	fake_reconnect(pair.b);
	assert_int_equal(pair.b->standing, SOURCE_CITY_TILE_V1_STANDING_PROBATION);
	assert_int_equal(pair.b->rejoined_epoch, pair.b->stand_by_epoch);
	FAKE_WAIT(&pair.city, pair.b->commits > 0);
	assert_int_equal(attaches(&pair.city), 2);
	finish(&pair);
}

/* As the other side of it. */
static void test_gives(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, NULL);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	int baton = fake_send_baton(a);
	fake_send_migrate(a);
	assert_int_equal(taken(&city, baton), 1);
	/* Who does not answer, and who has gone, is not waited for. */
	FAKE_WAIT(&city, a->yielded);
	close(baton);
	fake_send_resume(a);
	close(fake_send_baton(a));
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	fake_city_finish(&city);
}

static void test_does_not_give(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS("refuse=quiesce"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	int baton = fake_send_baton(a);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->refused);
	assert_int_equal(taken(&city, baton), 0);
	close(baton);
	fake_city_finish(&city);
}

int main(void) {
	if (!have_probes()) {
		return 2;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes),
		cmocka_unit_test(test_takes_another_schema),
		cmocka_unit_test(test_takes_and_fails),
		cmocka_unit_test(test_attach_comes_first),
		cmocka_unit_test(test_compositor_ends),
		cmocka_unit_test(test_gives),
		cmocka_unit_test(test_does_not_give),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The audio process's clock, without a sound server: drivers that make cycles, streams that come,
 * go and move between them. Whatever happens, nobody is asked for a frame twice, frames do not go
 * back, and whoever has cycles is heard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"

#define QUANTUM 256

struct driver {
	struct clock_cycle cycle;
	uint32_t frames; /* of its cycles */
};

struct stream {
	struct clock_place place;
	uint64_t first, last;	 /* frames heard in the cycle before: [first, last) */
	uint64_t heard, skipped; /* frames in all */
	uint64_t silent;	 /* frames since something was heard */
	uint32_t jumps;
};

static struct clock city;
static uint64_t now;

static int set_up(void **state) {
	clock_init(&city);
	now = 1000000000;
	return 0;
}

static struct driver make_driver(uint32_t id, bool freewheel) {
	return (struct driver){.cycle = {.driver = id,
				       .rate = VAT_RATE,
				       .quantum = QUANTUM,
				       .freewheel = freewheel},
		.frames = QUANTUM};
}

static void begin(struct driver *driver) {
	driver->cycle.number++;
	driver->cycle.ns = now;
}

/* As a port does it; see port_play. */
static void play(struct stream *stream, const struct driver *driver) {
	uint64_t frame, clock_was = city.next;
	struct clock_place *place = &stream->place;
	assert_true(clock_join(&city, place, &driver->cycle, now, &frame));
	uint64_t ahead = place->next > frame ? place->next - frame : 0;
	if (frame > place->next) {
		stream->skipped += stream->heard ? frame - place->next : 0;
		stream->jumps += stream->heard > 0;
		place->next = frame;
	}
	place->heard = true;
	stream->silent += ahead < driver->frames ? ahead : driver->frames;
	if (ahead < driver->frames) {
		assert_true(place->next >= stream->last);
		stream->first = place->next;
		place->next += driver->frames - ahead;
		stream->last = place->next;
		stream->heard += driver->frames - ahead;
		stream->silent = 0;
	}
	clock_passed(&city, place, frame + driver->frames);
	assert_true(city.next >= clock_was);
}

static void cycle(struct driver *driver, struct stream *one, struct stream *two) {
	begin(driver);
	play(one, driver);
	if (two)
		play(two, driver);
}

static void test_one_goes_on(void **state) {
	struct driver driver = make_driver(1, false);
	struct stream stream = {};
	for (int i = 0; i < 1000; i++, now += 5333333) {
		driver.frames = 16u << i % 10;
		cycle(&driver, &stream, NULL);
		assert_int_equal(stream.silent, 0);
	}
	assert_int_equal(stream.skipped, 0);
	assert_int_equal(stream.heard, city.next);
}

/* A driver that does not count its cycles. */
static void test_cycles_without_number(void **state) {
	struct driver driver = make_driver(1, true);
	struct stream stream = {};
	for (int i = 0; i < 1000; i++) {
		play(&stream, &driver);
		assert_int_equal(stream.silent, 0);
	}
	assert_int_equal(stream.skipped, 0);
	assert_int_equal(stream.heard, city.next);
}

/* They come at different times, ask for a frame more or fewer, and are at the same place. */
static void test_one_cycle_is_one_frame(void **state) {
	struct driver driver = make_driver(1, true);
	struct stream one = {}, two = {};
	cycle(&driver, &one, NULL);
	for (int i = 0; i < 100; i++) {
		begin(&driver);
		driver.frames = QUANTUM - i % 2;
		play(&one, &driver);
		if (i >= 10) {
			driver.frames = QUANTUM - !(i % 2);
			play(&two, &driver);
			assert_uint_in_range(two.first - one.first + 2, 0, 4);
		}
	}
	assert_int_equal(one.skipped + two.skipped, 0);
	/* One that misses cycles is where the others are, behind what it had. */
	for (int i = 0; i < 5; i++)
		cycle(&driver, &one, NULL);
	cycle(&driver, &one, &two);
	assert_int_equal(two.first, one.first);
	assert_int_equal(two.jumps, 1);
}

/* Without a pause, where nothing is in real time: no frame is lost, and it goes on being heard. */
static void test_moves_between_drivers(void **state) {
	struct driver drivers[] = {make_driver(1, true), make_driver(2, true)};
	struct stream one = {}, two = {};
	for (int i = 0; i < 20; i++) {
		for (int n = 0; n < 100; n++) {
			cycle(&drivers[i % 2], &one, NULL);
			assert_int_equal(one.silent, 0);
		}
	}
	assert_int_equal(one.skipped, 0);
	/* With another one, whoever of them is first. */
	for (int i = 0; i < 20; i++) {
		struct driver *driver = &drivers[i % 2];
		for (int n = 0; n < 100; n++) {
			if (i % 3)
				cycle(driver, &one, &two);
			else
				cycle(driver, &two, &one);
			if (n > 0) {
				assert_int_equal(two.first, one.first);
				assert_int_equal(one.silent + two.silent, 0);
			}
		}
	}
	assert_int_equal(one.skipped + two.skipped, 0);
	assert_int_equal(city.next, one.place.next);
}

/* Two devices that are not joined, the second one a little faster or slower than the first. */
static void drift(bool faster) {
	struct driver drivers[] = {make_driver(1, false), make_driver(2, false)};
	struct stream one = {}, two = {};
	uint64_t next[2] = {now, now + 1000}, period[2] = {5333333, faster ? 5280000 : 5390000};
	uint64_t most_silent = 0;
	for (int i = 0; i < 100000; i++) {
		int which = next[1] < next[0];
		now = next[which];
		next[which] += period[which];
		cycle(&drivers[which], which ? &two : &one, NULL);
		most_silent = two.silent > most_silent ? two.silent : most_silent;
		assert_int_equal(one.silent, 0);
	}
	assert_int_equal(city.groups[0].driver, 1);
	assert_ptr_equal(city.leader, &city.groups[0]);
	assert_int_equal(one.skipped, 0);
	assert_uint_in_range(most_silent, 0, CLOCK_APART + QUANTUM);
	uint64_t far = one.last > two.last ? one.last - two.last : two.last - one.last;
	assert_uint_in_range(far, 0, CLOCK_APART + 2 * QUANTUM);
	/* It had 1 % more or fewer cycles: what is left out or waited for is that, in few places.
	 */
	if (faster)
		assert_true(most_silent > 0 && two.skipped == 0);
	else
		assert_true(two.jumps > 10 && two.skipped / two.jumps >= CLOCK_APART);
}

/* Two devices of the same speed; a cycle of the first is as long as 32 of the second. */
static void test_long_cycles(void **state) {
	struct driver drivers[] = {make_driver(1, false), make_driver(2, false)};
	struct stream one = {}, two = {};
	drivers[0].frames = drivers[0].cycle.quantum = 32 * QUANTUM;
	for (int i = 0; i < 10000; i++, now += 5333333) {
		if (i % 32 == 0)
			cycle(&drivers[0], &one, NULL);
		cycle(&drivers[1], &two, NULL);
		assert_int_equal(one.silent + two.silent, 0);
		assert_int_equal(one.skipped + two.skipped, 0);
	}
	assert_uint_in_range(one.last - two.last, 0, 64 * QUANTUM);
}

/* One that is ahead of the clock goes to a device of its own, and leads there: the clock goes on,
 * and it waits no longer than it was ahead. */
static void test_a_leader_that_waits(void **state) {
	struct driver driver = make_driver(1, false);
	struct stream stream = {};
	cycle(&driver, &stream, NULL);
	uint64_t at = city.next;
	stream.place.next = at + 2000;
	driver.cycle.driver = 2;
	for (int i = 0; i < 100; i++, now += 5333333) {
		cycle(&driver, &stream, NULL);
		assert_true(stream.silent <= 2000);
	}
	assert_int_equal(stream.silent, 0);
	assert_uint_in_range(city.next - at - 100 * (uint64_t)QUANTUM, 0, CLOCK_NEAR);
}

static void test_devices_drift(void **state) {
	drift(true);
	set_up(state);
	drift(false);
}

/* The leading device is gone without a word: another one leads. */
static void test_the_leader_stops(void **state) {
	struct driver drivers[] = {make_driver(1, false), make_driver(2, false)};
	struct stream one = {}, two = {};
	for (int i = 0; i < 1000; i++, now += 5333333) {
		cycle(&drivers[0], &one, NULL);
		cycle(&drivers[1], &two, NULL);
	}
	uint64_t was = city.next;
	for (int i = 0; i < 1000; i++, now += 5333333) {
		cycle(&drivers[1], &two, NULL);
		assert_int_equal(two.silent, 0);
	}
	assert_int_equal(two.skipped, 0);
	assert_true(city.next >= was + 990 * QUANTUM);
	/* It comes again and finds its place. */
	cycle(&drivers[0], &one, NULL);
	assert_int_equal(one.jumps, 1);
	assert_uint_in_range(one.last - two.last + QUANTUM, 0, 2 * QUANTUM);
}

/* One that is not in real time is waited for, but not when its streams have left. */
static void test_the_leader_leaves(void **state) {
	struct driver drivers[] = {make_driver(1, true), make_driver(2, false)};
	struct stream one = {}, two = {};
	cycle(&drivers[0], &one, NULL);
	cycle(&drivers[1], &two, NULL);
	now += 3 * (uint64_t)CLOCK_STALE_NS;
	assert_int_equal(clock_pump(&city, true, now), QUANTUM);
	cycle(&drivers[1], &two, NULL);
	assert_int_equal(city.leader->driver, 1);
	clock_leave(&city, &one.place);
	for (int i = 0; i < 100; i++, now += 5333333)
		cycle(&drivers[1], &two, NULL);
	assert_int_equal(two.silent + two.skipped, 0);
	assert_int_equal(city.next, two.last);
	assert_false(city.freewheel);
	clock_leave(&city, &two.place);
	/* Nobody: the pump goes on from there. */
	uint64_t at = clock_pump(&city, false, now);
	assert_int_equal(at, two.last);
	assert_int_equal(clock_pump(&city, false, now + 1000000000), at + VAT_RATE);
}

static void test_many_drivers(void **state) {
	struct driver drivers[3 * CLOCK_GROUPS];
	struct stream streams[3 * CLOCK_GROUPS] = {};
	for (uint32_t i = 0; i < 3 * CLOCK_GROUPS; i++)
		drivers[i] = make_driver(i, false);
	for (int n = 0; n < 100; n++, now += 5333333) {
		for (uint32_t i = 0; i < 3 * CLOCK_GROUPS; i++) {
			cycle(&drivers[i], &streams[i], NULL);
			uint64_t last = streams[i].last, far = city.next - last + CLOCK_APART;
			assert_uint_in_range(far, 0, 2 * CLOCK_APART);
		}
	}
	assert_ptr_equal(city.lead, &streams[0].place);
	assert_int_equal(streams[0].skipped, 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_one_goes_on, set_up),
		cmocka_unit_test_setup(test_cycles_without_number, set_up),
		cmocka_unit_test_setup(test_one_cycle_is_one_frame, set_up),
		cmocka_unit_test_setup(test_moves_between_drivers, set_up),
		cmocka_unit_test_setup(test_devices_drift, set_up),
		cmocka_unit_test_setup(test_long_cycles, set_up),
		cmocka_unit_test_setup(test_a_leader_that_waits, set_up),
		cmocka_unit_test_setup(test_the_leader_stops, set_up),
		cmocka_unit_test_setup(test_the_leader_leaves, set_up),
		cmocka_unit_test_setup(test_many_drivers, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

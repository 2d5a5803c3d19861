/* SPDX-License-Identifier: MIT */
/* A ring and the transport's page with a thread on each side, as in two processes. */
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "ring.h"
#include "transport.h"

#define QUANTUM 256
#define CYCLES 3000
#define PATIENT 60000000000ull
#define FADE 256

struct both {
	struct ring producer, consumer;
	int wake;
	_Atomic bool done;
	bool handovers;
};

static float sample(uint64_t frame) {
	return ldexpf((float)(frame % 65536), -17);
}

static void render(float *to, uint64_t frame, uint32_t frames) {
	for (uint32_t i = 0; i < frames; i++)
		to[i] = sample(frame + i);
}

static void hand_over(struct ring *ring, uint64_t frame) {
	static float buffer[RING_FRAMES];
	const float *const samples[RING_CHANNELS_MAX] = {buffer};
	ring_tail_begin(ring, frame, 700);
	for (uint32_t done = 0; done < 700; done += 350) {
		render(buffer, frame + done, 350);
		ring_tail_write(ring, 350, samples);
	}
}

static void *produce(void *data) {
	struct both *both = data;
	static float buffer[RING_FRAMES];
	const float *const samples[RING_CHANNELS_MAX] = {buffer};
	uint32_t slice = 1, writes = 0;
	while (!atomic_load(&both->done)) {
		uint64_t frame, skipped;
		uint32_t n = ring_wanted(&both->producer, &frame, &skipped);
		if (n == 0) {
			uint64_t count;
			struct pollfd poll_fd = {both->wake, POLLIN, 0};
			poll(&poll_fd, 1, 60000);
			(void)!read(both->wake, &count, sizeof(count));
			continue;
		}
		slice = slice * 7 % 1021 + 1;
		n = n < slice ? n : slice;
		if (both->handovers && ++writes % 16 == 0)
			hand_over(&both->producer, frame);
		render(buffer, frame, n);
		ring_write(&both->producer, frame, n, samples);
	}
	return NULL;
}

static void wake(struct both *both) {
	uint64_t one = 1;
	if (ring_should_wake(&both->consumer))
		(void)!write(both->wake, &one, sizeof(one));
}

/* `wait`: each frame is there in the end. Otherwise some are late, and faded. */
static void run(bool wait, bool handovers) {
	struct both both = {.wake = eventfd(0, EFD_CLOEXEC), .handovers = handovers};
	int fd = ring_create(1, NULL);
	assert_int_equal(ring_map(&both.producer, fd, false, NULL), 0);
	assert_int_equal(ring_map(&both.consumer, fd, true, NULL), 0);
	ring_want(&both.consumer, 2 * QUANTUM);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, produce, &both), 0);
	float buffer[QUANTUM], before = 0;
	float *const out[RING_CHANNELS_MAX] = {buffer};
	uint64_t frame = 0, wrong = 0, late = 0, jumps = 0;
	/* It rests until the first are there. */
	while (ring_ready(&both.consumer, 0) == 0)
		wake(&both), poll(NULL, 0, 1);
	for (int cycle = 0; cycle < CYCLES; cycle++, frame += QUANTUM) {
		wake(&both);
		if (wait)
			assert_true(ring_wait(&both.consumer, frame, QUANTUM, PATIENT));
		late += ring_read(&both.consumer, frame, QUANTUM, out);
		for (uint32_t i = 0; i < QUANTUM; i++) {
			bool begins = (frame + i) % 65536 == 0; /* the sound itself jumps there */
			wrong += wait && frame + i >= FADE && buffer[i] != sample(frame + i);
			jumps += !begins && fabsf(buffer[i] - before) > 1.5f / FADE;
			before = buffer[i];
		}
	}
	atomic_store(&both.done, true);
	(void)!write(both.wake, &(uint64_t){1}, 8);
	pthread_join(thread, NULL);
	assert_int_equal(wrong, 0);
	assert_int_equal(jumps, 0);
	if (wait)
		assert_int_equal(late, 0);
	struct ring_counts counts;
	ring_counts(&both.producer, &counts);
	assert_int_equal(counts.frames + counts.late, (uint64_t)CYCLES * QUANTUM);
	ring_unmap(&both.producer);
	ring_unmap(&both.consumer);
	close(both.wake);
	close(fd);
}

static void test_ring_that_is_waited_for(void **state) {
	run(true, false);
	run(true, true);
}

static void test_ring_that_is_not(void **state) {
	run(false, false);
}

/* Nobody writes: the wait ends. */
static void test_wait_ends(void **state) {
	struct ring ring;
	int fd = ring_create(1, NULL);
	assert_int_equal(ring_map(&ring, fd, false, NULL), 0);
	assert_false(ring_wait(&ring, 0, 1, PATIENT)); /* it rests */
	float silence[10] = {0};
	const float *const samples[RING_CHANNELS_MAX] = {silence};
	ring_write(&ring, 0, 10, samples);
	assert_true(ring_wait(&ring, 0, 10, 0));
	assert_false(ring_wait(&ring, 0, 11, 1000000));
	ring_unmap(&ring);
	close(fd);
}

struct pages {
	struct vat_transport_page *page;
	_Atomic bool done;
	uint64_t torn, unread;
};

static void *read_page(void *data) {
	struct pages *pages = data;
	while (!atomic_load(&pages->done)) {
		struct vat_transport transport;
		struct vat_transport_clock clock;
		if (!vat_transport_read(pages->page, &transport)) {
			pages->unread++;
			continue;
		}
		int64_t tick = transport.parts[0].tick;
		pages->torn += transport.parts[1].tick != tick ||
			transport.parts[1].frame != (uint64_t)tick;
		for (uint32_t i = 0; i < transport.marker_count; i++)
			pages->torn += transport.markers[i].tick != tick;
		if (vat_transport_read_clock(pages->page, &clock))
			pages->torn += clock.frame * 3 != clock.ns;
		else
			pages->unread++;
	}
	return NULL;
}

static void *write_clock(void *data) {
	struct pages *pages = data;
	for (uint64_t i = 1; i < 200000; i++)
		vat_transport_write_clock(
			pages->page, &(struct vat_transport_clock){i, i * 3, i & 1});
	return NULL;
}

static void test_transport_is_whole(void **state) {
	int fd = vat_transport_create(VAT_RATE, NULL);
	struct pages pages = {.page = vat_transport_map(fd, true, NULL)};
	assert_non_null(pages.page);
	pthread_t reader, clock;
	assert_int_equal(pthread_create(&reader, NULL, read_page, &pages), 0);
	assert_int_equal(pthread_create(&clock, NULL, write_clock, &pages), 0);
	for (int64_t i = 0; i < 20000; i++) {
		struct vat_transport transport = {
			.rate = VAT_RATE, .marker_count = VAT_MARKERS_MAX};
		for (int k = 0; k < 2; k++)
			transport.parts[k] =
				(struct vat_transport_part){(uint64_t)i, i, VAT_TEMPO, 4, 4, 1};
		for (int k = 0; k < VAT_MARKERS_MAX; k++) {
			transport.markers[k].tick = i;
			strcpy(transport.markers[k].name, "m");
		}
		vat_transport_write(pages.page, &transport);
	}
	pthread_join(clock, NULL);
	atomic_store(&pages.done, true);
	pthread_join(reader, NULL);
	assert_int_equal(pages.torn, 0);
	vat_transport_unmap(pages.page);
	close(fd);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring_that_is_waited_for),
		cmocka_unit_test(test_ring_that_is_not),
		cmocka_unit_test(test_wait_ends),
		cmocka_unit_test(test_transport_is_whole),
	};
	return cmocka_run_group_tests_name("sound threads", tests, NULL, NULL);
}

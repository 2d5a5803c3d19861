/* SPDX-License-Identifier: MIT */
/*
 * Sound through the tile host: the test is the audio process, which takes frames as soon as they
 * are there; so nothing depends on how fast anything is. Every sample is looked at.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "audio_wire.h"
#include "fake.h"
#include "source-city-tile-v1-server-protocol.h"
#include "tile.h"

#define WRAP (1u << 20)
#define WANT 2048
#define QUANTUM_MAX 2000

static const char *ramp, *ramp2;

struct state {
	uint64_t count, next, skipped, frame, change, place;
	int64_t tick;
	uint32_t wrong, attaches, saved, markers, late, denormal;
};

static const struct state *state_of(struct fake_city *city) {
	return fake_cell(city, "state");
}

static float left[QUANTUM_MAX], right[QUANTUM_MAX];

/* What the tile makes of a frame, that is the count-th it goes through. */
static void assert_frame(uint32_t i, float sign, uint64_t frame, uint64_t count) {
	float expected = sign * (float)(frame % WRAP) / WRAP;
	if (left[i] != expected || right[i] != sign * (float)(count % WRAP) / WRAP) {
		fail_msg("frame %lu is %.9g and %.9g in place of %.9g and %.9g",
			(unsigned long)frame, (double)left[i], (double)right[i], (double)expected,
			(double)(sign * (float)(count % WRAP) / WRAP));
	}
}

/* Take the next frames, all of which come from one version that has missed none. A new ring begins
 * with a fade. */
static void pull(struct fake_city *city, struct fake_ring *ring, uint32_t frames, float sign,
	uint64_t missed) {
	uint64_t frame = ring->position;
	assert_true(frames <= QUANTUM_MAX);
	fake_pull(city, ring, frames, left, right);
	for (uint32_t i = 0; i < frames; i++) {
		if (frame + i >= 4096) {
			assert_frame(i, sign, frame + i, frame + i + 1 - missed);
		}
	}
}

static struct fake_version *begin(
	struct fake_city *city, const char *const *options, struct fake_ring **ring) {
	fake_city_init(city);
	struct fake_version *a = fake_start_ready(city, ramp, options);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	*ring = fake_ring(city, "out", WANT);
	return a;
}

/* However it is sliced, and whatever is taken at a time. */
static void test_render(void **context) {
	struct fake_city city;
	struct fake_ring *ring;
	struct fake_version *a = begin(&city, NULL, &ring);
	uint32_t seed = 1;
	for (int i = 0; i < 100; i++) {
		seed = seed * 1103515245 + 12345;
		uint32_t frames = 1 + (seed >> 16) % (QUANTUM_MAX - 1);
		ring_want(&ring->ring, 2 * frames);
		pull(&city, ring, frames, 1, 0);
	}
	assert_int_equal(state_of(&city)->wrong, 0);
	assert_int_equal(state_of(&city)->denormal, 0);
	FAKE_WAIT(&city, a->sound_begins == 1);
	assert_int_equal(a->sound_began, 0);
	/* Late once: what nobody could hear is skipped, and told. */
	FAKE_WAIT(&city, ring_written(&ring->ring) - ring_position(&ring->ring) >= ring->ring.want);
	uint64_t written = ring_written(&ring->ring);
	float *const out[RING_CHANNELS_MAX] = {left, right};
	assert_true(ring_read(&ring->ring, written + 5000, 64, out) > 0);
	ring->position = written + 5000 + 64;
	fake_pull(&city, ring, 1000, left, right);
	fake_pull(&city, ring, 1000, left, right);
	assert_int_equal(state_of(&city)->skipped, 5064);
	assert_int_equal(state_of(&city)->wrong, 0);
	pull(&city, ring, 1000, 1, 5064);
	fake_focus(a);
	fake_key(a, KEY_A);
	FAKE_WAIT(&city, state_of(&city)->late == 2);
	fake_city_finish(&city);
}

/* The transport reaches every operation; no call goes over a change of it. */
static void test_transport(void **context) {
	struct fake_city city;
	struct fake_ring *ring;
	struct fake_version *a = begin(&city, NULL, &ring);
	struct vat_transport transport;
	assert_true(vat_transport_read(city.transport, &transport));
	transport.parts[1].frame = 10001;
	transport.parts[1].tempo = 60000;
	transport.parts[1].playing = 1;
	transport.marker_count = 1;
	strcpy(transport.markers[0].name, "verse");
	vat_transport_write(city.transport, &transport);
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	const struct vat_transport_clock heard = {
		.frame = 5000000, .ns = (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec};
	vat_transport_write_clock(city.transport, &heard);
	for (int i = 0; i < 20; i++) {
		pull(&city, ring, 1000, 1, 0);
	}
	assert_int_equal(state_of(&city)->wrong, 0);
	assert_int_equal(state_of(&city)->change, 10001);
	pull(&city, ring, 512, 1, 0);
	const struct state *state = state_of(&city);
	assert_int_equal(state->tick, (state->next - 1 - 10001) * 96 / 48000);
	fake_focus(a);
	fake_key(a, KEY_A);
	FAKE_WAIT(&city, state_of(&city)->markers == 1);
	assert_true(state_of(&city)->frame >= 5000000);
	fake_city_finish(&city);
}

static int give_up(struct fake_city *city, struct fake_version *a) {
	fake_send_migrate(a);
	FAKE_WAIT(city, a->yielded);
	int undo = vat_undo_create(city->region, NULL);
	assert_true(undo >= 0);
	return undo;
}

/* The same code goes on with the very next frame, and the tail of the old version is what the new
 * one does: not one sample is another. */
static void test_handover(void **context) {
	struct fake_city city;
	struct fake_ring *ring;
	struct fake_version *a = begin(&city, NULL, &ring);
	for (int i = 0; i < 5; i++) {
		pull(&city, ring, 1000, 1, 0);
	}
	for (int round = 0; round < 6; round++) {
		struct fake_version *b = fake_start_ready(&city, ramp, NULL);
		uint32_t fade = round == 0 ? 0 : round == 1 ? 48 : 12000;
		uint64_t end = ring_written(&ring->ring);
		if (round < 5) {
			uint32_t serial = fake_send_sound_end(a, 0, 3000, fade);
			FAKE_WAIT(&city, a->sound_ended == serial);
			/* Enough for the pause, and nothing beyond it. */
			assert_true(a->sound_frame >= ring->position + 3000);
			end = a->sound_frame;
			assert_int_equal(ring_written(&ring->ring), end);
			pull(&city, ring, 700, 1, 0);
			assert_int_equal(ring_written(&ring->ring), end);
		}
		int undo = give_up(&city, a);
		end = ring_written(&ring->ring);
		/* One that was not told to end has 50 ms more for it, too. */
		assert_true(end >= ring->position + 2000);
		pull(&city, ring, 1000, 1, 0);
		fake_attach(b, TILE_ATTACH_HANDOVER, undo);
		for (int i = 0; i < 20; i++) {
			pull(&city, ring, 1000, 1, 0);
		}
		FAKE_WAIT(&city, b->sound_begins == 1);
		assert_int_equal(b->sound_began, end);
		assert_int_equal(b->sound_skipped, 0);
		fake_send_settle(b);
		fake_send_retire(a);
		fake_wait_exit(a);
		assert_int_equal(a->status, 0);
		close(undo);
		a = b;
	}
	const struct state *state = state_of(&city);
	assert_int_equal(state->wrong, 0);
	assert_int_equal(state->attaches, 7);
	assert_int_equal(state->skipped, 0);
	fake_city_finish(&city);
}

/* At a frame that is far away: the old version up to it, the new one from it on. */
static void test_end_at_a_frame(void **context) {
	struct fake_city city;
	struct fake_ring *ring;
	struct fake_version *a = begin(&city, NULL, &ring);
	for (int i = 0; i < 5; i++) {
		pull(&city, ring, 1000, 1, 0);
	}
	struct fake_version *b = fake_start_ready(&city, ramp2, NULL);
	/* Too late; and nothing has changed by it. */
	uint32_t serial = fake_send_sound_end(a, ring->position, 1000, 0);
	FAKE_WAIT(&city, a->sound_missed == serial);
	assert_int_equal(a->sound_frame, ring_written(&ring->ring));
	pull(&city, ring, 1000, 1, 0);
	/* Taken back, before it has come to it and after. */
	fake_send_sound_end(a, ring->position + 20000, 1000, 0);
	serial = fake_send_sound_end(a, 0, 1000, 0);
	FAKE_WAIT(&city, a->sound_ended == serial);
	fake_send_sound_go_on(a);
	for (int i = 0; i < 5; i++) {
		pull(&city, ring, 1000, 1, 0);
	}
	const uint64_t end = 25057;
	serial = fake_send_sound_end(a, end, 3000, 0);
	while (ring->position < 19000) {
		pull(&city, ring, 1000, 1, 0);
		assert_true(ring_written(&ring->ring) < end);
	}
	/* Input is handled all the while. */
	fake_focus(a);
	fake_key(a, KEY_A);
	FAKE_WAIT(&city, state_of(&city)->late == 1);
	/* As soon as what is ahead is enough. */
	while (ring->position + 3000 + WANT < end) {
		pull(&city, ring, 100, 1, 0);
	}
	FAKE_WAIT(&city, a->sound_ended == serial);
	assert_int_equal(a->sound_frame, end);
	int undo = give_up(&city, a);
	fake_attach(b, TILE_ATTACH_HANDOVER, undo);
	while (ring->position + 1000 < end) {
		pull(&city, ring, 1000, 1, 0);
	}
	uint32_t before = (uint32_t)(end - ring->position);
	pull(&city, ring, before, 1, 0);
	for (int i = 0; i < 10; i++) {
		pull(&city, ring, 1000, -1, 0);
	}
	FAKE_WAIT(&city, b->sound_begins == 1);
	assert_int_equal(b->sound_began, end);
	assert_int_equal(state_of(&city)->wrong, 0);
	close(undo);
	fake_city_finish(&city);
}

/* Other code, with a tail: from the one to the other without a step. */
static void test_fade(void **context) {
	struct fake_city city;
	struct fake_ring *ring;
	const uint32_t fade = 1000;
	struct fake_version *a = begin(&city, NULL, &ring);
	for (int i = 0; i < 400; i++) {
		pull(&city, ring, QUANTUM_MAX, 1, 0);
	}
	struct fake_version *b = fake_start_ready(&city, ramp2, NULL);
	uint32_t serial = fake_send_sound_end(a, 0, 3000, fade);
	FAKE_WAIT(&city, a->sound_ended == serial);
	uint64_t end = a->sound_frame;
	int undo = give_up(&city, a);
	fake_attach(b, TILE_ATTACH_HANDOVER, undo);
	while (ring->position + QUANTUM_MAX < end) {
		pull(&city, ring, QUANTUM_MAX, 1, 0);
	}
	pull(&city, ring, (uint32_t)(end - ring->position), 1, 0);
	/* Both are about 0.77 then, with different signs. */
	float last = (float)((end - 1) % WRAP) / WRAP;
	assert_true(last > 0.7f);
	fake_pull(&city, ring, fade, left, right);
	for (uint32_t i = 0; i < fade; i++) {
		assert_true(last - left[i] > -1e-5f && last - left[i] < 5 * 2.0f / fade);
		last = left[i];
	}
	assert_true(last < -0.7f);
	pull(&city, ring, QUANTUM_MAX, -1, 0);
	/* What the tail did to the state went nowhere. */
	assert_int_equal(state_of(&city)->wrong, 0);
	assert_int_equal(state_of(&city)->attaches, 2);
	close(undo);
	fake_city_finish(&city);
}

/* The new version is undone: the old one goes on from its own state, what it has not been through
 * is told. */
static void test_rollback(void **context) {
	struct fake_city city;
	struct fake_ring *ring;
	struct fake_version *a = begin(&city, NULL, &ring);
	for (int i = 0; i < 5; i++) {
		pull(&city, ring, 1000, 1, 0);
	}
	struct fake_version *b = fake_start_ready(&city, ramp2, NULL);
	int undo = give_up(&city, a);
	uint64_t end = ring_written(&ring->ring);
	fake_attach(b, TILE_ATTACH_HANDOVER, undo);
	while (ring->position < end + 5000) {
		fake_pull(&city, ring, 1000, left, right);
	}
	fake_kill(b);
	struct vat_region *region;
	assert_int_equal(vat_region_map(city.region_fd, VAT_WRITE, &region, NULL), 0);
	assert_int_equal(vat_undo_apply(region, undo, NULL), 0);
	vat_region_unmap(region);
	uint64_t written = ring_written(&ring->ring);
	unsigned commits = a->commits;
	fake_send_resume(a);
	FAKE_WAIT(&city, a->commits > commits);
	while (ring->position < written + 2000) {
		fake_pull(&city, ring, 1000, left, right);
	}
	pull(&city, ring, 1000, 1, written - end);
	assert_int_equal(state_of(&city)->skipped, written - end);
	assert_int_equal(state_of(&city)->wrong, 0);
	close(undo);
	fake_city_finish(&city);
}

/* Before anybody has attached: it goes on where it was, and nothing is missing. */
static void test_resume(void **context) {
	struct fake_city city;
	struct fake_ring *ring;
	struct fake_version *a = begin(&city, NULL, &ring);
	for (int i = 0; i < 5; i++) {
		pull(&city, ring, 1000, 1, 0);
	}
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	fake_send_resume(a);
	for (int i = 0; i < 10; i++) {
		pull(&city, ring, 1000, 1, 0);
	}
	assert_int_equal(state_of(&city)->skipped, 0);
	assert_int_equal(state_of(&city)->attaches, 2);
	fake_city_finish(&city);
}

/* Nobody takes anything: nothing is rendered, and an end is where it is. */
static void test_unheard(void **context) {
	struct fake_city city;
	struct fake_ring *ring;
	struct fake_version *a = begin(&city, NULL, &ring);
	ring_want(&ring->ring, 0);
	uint32_t serial = fake_send_sound_end(a, 0, 3000, 1000);
	FAKE_WAIT(&city, a->sound_ended == serial);
	assert_int_equal(a->sound_frame, 0);
	struct fake_version *b = fake_start_ready(&city, ramp, NULL);
	int undo = give_up(&city, a);
	fake_attach(b, TILE_ATTACH_HANDOVER, undo);
	assert_int_equal(state_of(&city)->count, 0);
	fake_focus(b);
	fake_key(b, KEY_A);
	FAKE_WAIT(&city, b->commits > 1);
	assert_int_equal(state_of(&city)->late, 0);
	close(undo);
	fake_city_finish(&city);
}

/* The city is told in which operation it was. */
static void test_crash(void **context) {
	struct fake_city city;
	struct fake_ring *ring;
	struct fake_version *a = begin(&city, OPTIONS("crash=yes"), &ring);
	eventfd_write(ring->wake_fd, 1);
	fake_wait_exit(a);
	FAKE_WAIT(&city, *a->trouble);
	assert_string_equal(a->trouble, "render");
	assert_int_equal(a->trouble_status, SIGABRT);
	fake_city_finish(&city);
}

/* ---- the transport, asked */

static void expect_ask(struct fake_city *city) {
	struct audio_message message;
	FAKE_WAIT(city, city->audio_fd >= 0);
	ssize_t got = recv(city->audio_fd, &message, sizeof(message), MSG_WAITALL);
	assert_int_equal(got, sizeof(message));
	assert_int_equal(message.version, AUDIO_WIRE_VERSION);
	assert_int_equal(message.type, AUDIO_TRANSPORT_ASK);
	assert_int_equal(message.ask.what, TILE_TRANSPORT_MARK);
	assert_int_equal(message.ask.tick, 96);
	assert_string_equal(message.ask.name, "verse");
}

static void test_ask(void **context) {
	struct fake_city city;
	struct fake_ring *ring;
	struct fake_version *a = begin(&city, OPTIONS("ask=yes"), &ring);
	fake_focus(a);
	fake_key(a, KEY_A);
	expect_ask(&city);
	FAKE_WAIT(&city, strcmp(a->title, "asked") == 0);
	/* The audio process ends, and there is another one. */
	close(city.audio_fd);
	city.audio_fd = -1;
	fake_key(a, KEY_A);
	expect_ask(&city);
	close(city.audio_fd);
	city.audio_fd = -1;
	city.no_audio = true;
	fake_key(a, KEY_A);
	FAKE_WAIT(&city, strcmp(a->title, "not possible") == 0);
	fake_city_finish(&city);
}

/* ---- files that are followed */

static char folder[] = "/tmp/source-city-sound-XXXXXX";

static const char *path_of(const char *name) {
	static char paths[4][128];
	static unsigned n;
	char *path = paths[n++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void save(const char *name, const char *text) {
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* As many editors save. */
static void replace(const char *name, const char *text) {
	save(".new", text);
	assert_int_equal(rename(path_of(".new"), path_of(name)), 0);
}

static void expect(struct fake_city *city, struct fake_version *a, const char *title) {
	FAKE_WAIT(city, strcmp(a->title, title) == 0);
}

static void test_file(void **context) {
	struct fake_city city;
	char option[128];
	assert_non_null(mkdtemp(folder));
	snprintf(option, sizeof(option), "clip=%s", path_of("songs/a.clip"));
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, ramp, OPTIONS(option));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	expect(&city, a, "nothing");
	/* Neither it nor its folder was there. */
	assert_int_equal(mkdir(path_of("songs"), 0700), 0);
	save("songs/a.clip", "one");
	expect(&city, a, "one");
	save("songs/a.clip", "two");
	expect(&city, a, "two");
	replace("songs/a.clip", "three");
	expect(&city, a, "three");
	/* Put away, and made anew: who has seen the half of it, and nothing else, waits. */
	uint32_t before = state_of(&city)->saved;
	assert_int_equal(kill(a->pid, SIGSTOP), 0);
	assert_int_equal(rename(path_of("songs/a.clip"), path_of("songs/a.clip~")), 0);
	int half = open(path_of("songs/a.clip"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_int_equal(write(half, "fo", 2), 2);
	assert_int_equal(kill(a->pid, SIGCONT), 0);
	/* A picture for a key: it has been through all that was there. */
	unsigned commits = a->commits;
	fake_key(a, KEY_A);
	FAKE_WAIT(&city, a->commits > commits);
	assert_int_equal(write(half, "ur", 2), 2);
	close(half);
	expect(&city, a, "four");
	assert_int_equal(state_of(&city)->saved, before + 1);
	assert_int_equal(unlink(path_of("songs/a.clip")), 0);
	expect(&city, a, "nothing");
	/* A link to a file elsewhere, which is then saved in both ways. */
	save("elsewhere", "four");
	assert_int_equal(symlink("../elsewhere", path_of("songs/a.clip")), 0);
	expect(&city, a, "four");
	save("elsewhere", "five");
	expect(&city, a, "five");
	replace("elsewhere", "six");
	expect(&city, a, "six");
	/* The folder is moved away, and another one takes its place. */
	assert_int_equal(rename(path_of("songs"), path_of("old")), 0);
	expect(&city, a, "nothing");
	assert_int_equal(mkdir(path_of("songs"), 0700), 0);
	save("songs/a.clip", "seven");
	expect(&city, a, "seven");
	/* The next version asks again; what others save is of no interest. */
	struct fake_version *b = fake_start_ready(&city, ramp, OPTIONS(option));
	int undo = give_up(&city, a);
	fake_attach(b, TILE_ATTACH_HANDOVER, undo);
	expect(&city, b, "seven");
	uint32_t saved = state_of(&city)->saved;
	save("songs/b.clip", "no");
	save("songs/a.clip", "eight");
	expect(&city, b, "eight");
	assert_int_equal(state_of(&city)->saved, saved + 1);
	close(undo);
	fake_city_finish(&city);
	/* No path at all. */
	fake_city_init(&city);
	a = fake_start_ready(&city, ramp, OPTIONS("clip=songs"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	expect(&city, a, "not watched");
	fake_city_finish(&city);
	char command[128];
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0);
}

int main(void) {
	ramp = getenv("SOURCE_CITY_RAMP");
	ramp2 = getenv("SOURCE_CITY_RAMP2");
	if (!ramp || !ramp2 || !getenv("SOURCE_CITY_TILE")) {
		fprintf(stderr, "run by meson: it names the host and the tiles\n");
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_render),
		cmocka_unit_test(test_transport),
		cmocka_unit_test(test_handover),
		cmocka_unit_test(test_end_at_a_frame),
		cmocka_unit_test(test_fade),
		cmocka_unit_test(test_rollback),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_unheard),
		cmocka_unit_test(test_crash),
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_file),
	};
	return cmocka_run_group_tests_name("sound", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The tile host against a compositor and a keeper of our own: every step of a handover, and every
 * failure. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake.h"
#include "keeper/wire.h"
#include "source-city-tile-v1-server-protocol.h"
#include "tile.h"

#define KEY_A 30

static const char *probe, *probe2;

struct state {
	uint32_t value, attaches, reason, updates, text_size;
	int32_t end_status;
	uint64_t time_ns;
	uint32_t focused;
};

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_pixels(const struct fake_version *version, uint32_t colour) {
	for (int32_t i = 0; i < version->width * version->height; i++) {
		assert_int_equal(version->pixels[i], 0xff000000 | colour);
	}
}

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

static void undo_writes(struct fake_city *city, struct fake_version *b, int undo_fd) {
	fake_kill(b);
	struct vat_region *region;
	assert_int_equal(vat_region_map(city->region_fd, VAT_WRITE, &region, NULL), 0);
	struct vat_error error;
	if (vat_undo_apply(region, undo_fd, &error) < 0) {
		fail_msg("%s", error.text);
	}
	vat_region_unmap(region);
}

static void undo_and_resume(
	struct fake_city *city, struct fake_version *a, struct fake_version *b, int undo_fd) {
	undo_writes(city, b, undo_fd);
	unsigned commits = a->commits;
	fake_send_resume(a);
	FAKE_WAIT(city, a->commits > commits);
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

static void wait_text(struct fake_city *city, size_t size) {
	FAKE_WAIT(city, ((const struct state *)fake_cell(city, "state"))->text_size >= size);
}

/* The program behind the PTY never notices, and no byte is lost: not in a handover, not in a
 * rollback, be it to a version that waited or to one that has to be started again. With `little` at
 * a time there is always something left that was read once and goes to another version. */
static void stream_with(const char *read) {
	struct fake_city city;
	fake_city_init(&city);
	const char *const *options = OPTIONS("pty=stty -echo -opost; i=0; while [ $i -lt 2000 ]; "
					     "do echo $i; i=$((i+1)); done; exit 3",
		read);
	struct fake_version *a = fake_start_ready(&city, probe, options);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	wait_text(&city, 1);
	for (int round = 0; round < 9; round++) {
		struct fake_version *b = fake_start_ready(&city, probe, options);
		fake_send_migrate(a);
		FAKE_WAIT(&city, a->yielded);
		int undo_fd = vat_undo_create(city.region, NULL);
		fake_attach(b, TILE_ATTACH_HANDOVER, undo_fd);
		fake_dispatch(&city, 1);
		switch (round % 3) {
		case 0:
			undo_and_resume(&city, a, b, undo_fd);
			break;
		case 1:
			fake_kill(a);
			undo_writes(&city, b, undo_fd);
			a = fake_start_ready(&city, probe, options);
			fake_attach(a, TILE_ATTACH_RESTART, -1);
			break;
		default:
			fake_send_settle(b);
			fake_send_retire(a);
			fake_wait_exit(a);
			a = b;
			break;
		}
		close(undo_fd);
	}
	size_t size = 0;
	static char expected[65536];
	for (int i = 0; i < 2000; i++) {
		size += sprintf(expected + size, "%d\n", i);
	}
	wait_text(&city, size);
	const struct state *state = fake_cell(&city, "state");
	assert_int_equal(state->text_size, size);
	assert_memory_equal(fake_cell(&city, "text"), expected, size);
	fake_city_finish(&city);
}

static void test_stream(void **context) {
	stream_with("read=all");
	stream_with("read=little");
}

/* A, which has begun with a program that says each line once more, has yielded, and B has drawn
 * what it was given: while the keeper has not answered for any stream. */
static struct fake_version *attach_unanswered(
	struct fake_city *city, struct fake_version **a, int *undo_fd) {
	fake_city_init(city);
	*a = fake_start_ready(city, probe, OPTIONS("pty=stty -echo -opost; echo on; exec cat"));
	fake_attach(*a, TILE_ATTACH_COLD, -1);
	wait_text(city, 3);
	struct fake_version *b = fake_start_ready(city, probe, NULL);
	*undo_fd = vat_undo_create(city->region, NULL);
	city->hold_claims = true;
	city->claims = 0;
	fake_send_prepare(b, *undo_fd);
	FAKE_WAIT(city, b->prepared);
	fake_send_migrate(*a);
	FAKE_WAIT(city, (*a)->yielded);
	fake_attach(b, TILE_ATTACH_HANDOVER, *undo_fd);
	FAKE_WAIT(city, city->claims == 1);
	return b;
}

/* In the pause of a handover nobody waits for the keeper; and no byte is lost by it. */
static void test_stream_comes_later(void **context) {
	struct fake_city city;
	struct fake_version *a;
	int undo_fd;
	struct fake_version *b = attach_unanswered(&city, &a, &undo_fd);
	const struct fake_stream *shell = fake_stream(&city, "shell");
	assert_int_equal(write(shell->fd, "first\n", 6), 6);
	fake_send_claimed(b);
	wait_text(&city, 9);
	assert_int_equal(write(shell->fd, "second\n", 7), 7);
	wait_text(&city, 16);
	assert_memory_equal(fake_cell(&city, "text"), "on\nfirst\nsecond\n", 16);
	assert_int_equal(city.claims, 1);
	fake_send_settle(b);
	fake_send_retire(a);
	fake_wait_exit(a);
	/* It is there: the next one has it, too, and reads what this one has not. */
	city.hold_claims = false;
	struct fake_version *c = fake_start_ready(&city, probe, NULL);
	fake_send_prepare(c, undo_fd);
	fake_send_migrate(b);
	FAKE_WAIT(&city, b->yielded);
	fake_attach(c, TILE_ATTACH_HANDOVER, undo_fd);
	assert_int_equal(write(shell->fd, "third\n", 6), 6);
	wait_text(&city, 22);
	close(undo_fd);
	fake_city_finish(&city);
}

/* One that the version before has closed at the last moment is one that has ended. */
static void test_stream_does_not_come(void **context) {
	struct fake_city city;
	struct fake_version *a;
	int undo_fd;
	struct fake_version *b = attach_unanswered(&city, &a, &undo_fd);
	struct fake_stream *shell = fake_stream(&city, "shell");
	assert_int_equal(((const struct state *)fake_cell(&city, "state"))->end_status, -1);
	snprintf(shell->name, sizeof(shell->name), "another");
	fake_send_claimed(b);
	FAKE_WAIT(&city, ((const struct state *)fake_cell(&city, "state"))->end_status == 0);
	fake_send_check(b);
	FAKE_WAIT(&city, b->checked);
	close(undo_fd);
	fake_city_finish(&city);
}

/* ---- files and code */

#define FILE_SIZE 40000

static void write_text(int fd, const char *text) {
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void make_file(char *path, size_t size) {
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)(i * 7 + i / 256);
		assert_int_equal(write(fd, &byte, 1), 1);
	}
	close(fd);
}

/* A file that an option names; the next version goes on behind what there is. */
static void test_file(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	char path[] = "/tmp/source-city-host-XXXXXX", option[64];
	make_file(path, FILE_SIZE);
	snprintf(option, sizeof(option), "image=%s", path);
	const char *const *options = OPTIONS("file=read", option);
	struct fake_version *a = fake_start_ready(&city, probe, options);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	FAKE_WAIT(&city, strcmp(a->title, "40000 bytes, to its end") == 0);
	const struct state *state = fake_cell(&city, "state");
	const uint8_t *text = fake_cell(&city, "text");
	assert_int_equal(state->text_size, FILE_SIZE);
	for (size_t i = 0; i < FILE_SIZE; i++) {
		assert_int_equal(text[i], (uint8_t)(i * 7 + i / 256));
	}
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	write_text(fd, "more");
	close(fd);
	struct fake_version *b = fake_start_ready(&city, probe, options);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	int undo = vat_undo_create(city.region, NULL);
	fake_attach(b, TILE_ATTACH_HANDOVER, undo);
	FAKE_WAIT(&city, strcmp(b->title, "40004 bytes, to its end") == 0);
	assert_memory_equal((const uint8_t *)fake_cell(&city, "text") + FILE_SIZE, "more", 4);
	/* Rolled back, the first one reads that again. */
	undo_and_resume(&city, a, b, undo);
	FAKE_WAIT(&city, strcmp(a->title, "40004 bytes, to its end") == 0);
	assert_memory_equal((const uint8_t *)fake_cell(&city, "text") + FILE_SIZE, "more", 4);
	close(undo);
	unlink(path);
	fake_city_finish(&city);
}

static void expect_no_file(const char *artifact, const char *option, const char *why) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, artifact, OPTIONS("file=read", option));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	FAKE_WAIT(&city, strcmp(a->title, why) == 0);
	fake_city_finish(&city);
}

static void test_no_file(void **context) {
	char fifo[] = "/tmp/source-city-host-XXXXXX";
	char option[600], why[600];
	expect_no_file(probe, "nothing=", "option image is not set");
	expect_no_file(probe, "image=vmlinux",
		"option image: vmlinux: the path has to begin with / or ~/");
	expect_no_file(probe, "image=/nowhere/at all",
		"option image: /nowhere/at all: No such file or directory");
	expect_no_file(probe, "image=/tmp", "option image: /tmp: not an ordinary file");
	expect_no_file(probe2, "image=/tmp", "the tile may not read files");
	/* Nobody waits for the other end. */
	close(mkstemp(fifo));
	unlink(fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	snprintf(option, sizeof(option), "image=%s", fifo);
	snprintf(why, sizeof(why), "option image: %s: not an ordinary file", fifo);
	expect_no_file(probe, option, why);
	unlink(fifo);
	/* A long path is shown by its end. */
	memset(option, 'x', sizeof(option));
	memcpy(option, "image=/", 7);
	option[406] = 0;
	snprintf(why, sizeof(why), "option image: ...%.96s: File name too long", option + 310);
	expect_no_file(probe, option, why);
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

/* What there was when the cell was made larger counts too. */
static void test_holes(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS("resize=8", "holes=find"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	FAKE_WAIT(&city, strcmp(a->title, "0-16 32-33 127-128 ") == 0);
	fake_city_finish(&city);
}

static void test_code(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS("code=run"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	FAKE_WAIT(&city, strcmp(a->title, "ran") == 0);
	assert_pixels(a, 0x123456);
	fake_city_finish(&city);
	/* Not declared, not given. */
	fake_city_init(&city);
	a = fake_start_ready(&city, probe2, OPTIONS("code=run"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	FAKE_WAIT(&city, strcmp(a->title, "no code") == 0);
	fake_city_finish(&city);
	/* What can be executed cannot be written. */
	fake_city_init(&city);
	a = fake_start_ready(&city, probe, OPTIONS("code=written to"));
	fake_send_attach(a, TILE_ATTACH_COLD, -1);
	fake_wait_exit(a);
	bool sanitized = WIFEXITED(a->status) && getenv("ASAN_OPTIONS");
	assert_true(sanitized || WIFSIGNALED(a->status));
	if (!sanitized) {
		FAKE_WAIT(&city, *a->trouble);
		assert_string_equal(a->trouble, "attach");
	}
	fake_city_finish(&city);
}

/* ---- the clipboard */

static void close_paste(struct fake_version *version) {
	close(version->paste_fd);
	version->paste_fd = -1;
}

/* A paste that is on its way comes before the handover: it is there once. */
static void test_paste_and_handover(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS("key=pastes"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	struct fake_version *b = fake_start_ready(&city, probe, NULL);
	fake_focus(a);
	fake_offer(a);
	fake_key(a, KEY_A);
	FAKE_WAIT(&city, a->paste_fd >= 0);
	write_text(a->paste_fd, "one ");
	fake_send_migrate(a);
	/* Answered after migrate was handled. */
	fake_send_check(a);
	FAKE_WAIT(&city, a->checked);
	assert_false(a->yielded);
	write_text(a->paste_fd, "two");
	close_paste(a);
	FAKE_WAIT(&city, a->yielded);
	int undo_fd = vat_undo_create(city.region, NULL);
	fake_attach(b, TILE_ATTACH_HANDOVER, undo_fd);
	assert_int_equal(((const struct state *)fake_cell(&city, "state"))->text_size, 7);
	assert_memory_equal(fake_cell(&city, "text"), "one two", 7);
	close(undo_fd);
	fake_city_finish(&city);
}

/* Whoever has the text does not give it: the handover is what fails, the tile goes on. */
static void test_paste_that_does_not_come(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS("key=pastes"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_focus(a);
	fake_offer(a);
	fake_key(a, KEY_A);
	FAKE_WAIT(&city, a->paste_fd >= 0);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->refused);
	assert_non_null(strstr(a->reason, "paste"));
	write_text(a->paste_fd, "late");
	close_paste(a);
	wait_text(&city, 4);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	fake_city_finish(&city);
}

/* Somebody is pasting from it, slowly, when it is told to end: the text is given whole. */
static void test_copy_and_retire(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	static char option[5 + 200000 + 1] = "copy=";
	enum { SIZE = sizeof(((struct keeper_message *)0)->text) / 2 };
	memset(option + 5, 'x', SIZE);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS(option));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_focus(a);
	fake_key(a, KEY_A);
	FAKE_WAIT(&city, a->source);
	int fds[2];
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) == 4096);
	wl_data_source_send_send(a->source, "text/plain", fds[1]);
	close(fds[1]);
	fake_send_retire(a);
	size_t size = 0;
	ssize_t got;
	char part[1000];
	uint64_t limit = 0;
	while ((got = read(fds[0], part, sizeof(part))) != 0 && fake_time_left(&limit)) {
		size += got > 0 ? got : 0;
		fake_dispatch(&city, got > 0 ? 0 : 1);
	}
	assert_int_equal(size, SIZE);
	close(fds[0]);
	fake_wait_exit(a);
	assert_int_equal(a->status, 0);
	fake_city_finish(&city);
}

/* The end of the program is told after the last byte of it. */
static void test_stream_end(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, probe, OPTIONS("pty=echo bye; exit 3"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	wait_text(&city, 5);
	int status;
	struct fake_stream *shell = fake_stream(&city, "shell");
	assert_int_equal(waitpid(shell->pid, &status, 0), shell->pid);
	assert_int_equal(((const struct state *)fake_cell(&city, "state"))->end_status, -1);
	fake_send_stream_ended(a, "shell", status);
	shell->pid = 0;
	FAKE_WAIT(&city, ((const struct state *)fake_cell(&city, "state"))->end_status == status);
	assert_int_equal(((const struct state *)fake_cell(&city, "state"))->text_size, 5);
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
	probe = getenv("SOURCE_CITY_PROBE");
	probe2 = getenv("SOURCE_CITY_PROBE2");
	if (!probe || !probe2 || !getenv("SOURCE_CITY_TILE")) {
		fprintf(stderr, "run by meson: it names the host and the probes\n");
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
		cmocka_unit_test(test_buffer_age),
		cmocka_unit_test(test_resize),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_update_time),
		cmocka_unit_test(test_code),
		cmocka_unit_test(test_paste_and_handover),
		cmocka_unit_test(test_paste_that_does_not_come),
		cmocka_unit_test(test_copy_and_retire),
		cmocka_unit_test(test_stream_end),
		cmocka_unit_test(test_stream_comes_later),
		cmocka_unit_test(test_stream_does_not_come),
		cmocka_unit_test(test_cell_resize),
		cmocka_unit_test(test_compositor_gone_early),
		cmocka_unit_test(test_compositor_gone),
		cmocka_unit_test(test_compositor_gone_in_probation),
		cmocka_unit_test(test_track),
		cmocka_unit_test(test_track_end),
	};
	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}

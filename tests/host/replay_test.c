/* SPDX-License-Identifier: MIT */
/*
 * Recordings of a live tile, and what becomes of them: forgetful.c forgets something in a handover,
 * and the replay of a real session has to say what, where and since when.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake.h"
#include "keeper/wire.h"
#include "recording.h"
#include "tile.h"

static char folder[] = "/tmp/source-city-replay-XXXXXX";
static char file[64];
static char said[65536];

struct book {
	uint32_t keys, total;
	uint64_t place;
	uint32_t read;
};

static const char *artifact(const char *what) {
	static char paths[4][512];
	static unsigned n;
	char *path = paths[n++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/forgets-%s.so", getenv("SOURCE_CITY_FORGETFUL"), what);
	return path;
}

/* The recording as it is now becomes the file. */
static void collect(struct fake_city *city, struct recording *recording) {
	struct vat_error error;
	int memory = fake_stream(city, KEEPER_STREAM_RECORDING)->fd;
	if (recording_collect_fd(memory, recording, &error) < 0) {
		fail_msg("%s", error.text);
	}
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(recording_save(recording, fd, &error), 0);
	close(fd);
}

static void save(struct fake_city *city) {
	struct recording recording;
	collect(city, &recording);
	recording_finish(&recording);
}

static unsigned count(const struct recording *recording, unsigned type) {
	unsigned n = 0;
	uint64_t at = 0;
	const struct recording_event *event;
	while ((event = recording_next(recording, &at))) {
		n += event->type == type;
	}
	return n;
}

static void type_keys(struct fake_version *version, int keys) {
	for (int i = 0; i < keys; i++) {
		unsigned commits = version->commits;
		fake_key(version, KEY_A);
		FAKE_WAIT(version->city, version->commits > commits);
	}
}

/* A session of five keys. */
static void record(const char *what, const char *const *options) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, artifact(what), options);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_focus(a);
	type_keys(a, 5);
	if (options && strncmp(options[0], "pty", 3) == 0) {
		/* cat and the line discipline both say it again. */
		FAKE_WAIT(&city, ((const struct book *)fake_cell(&city, "book"))->read >= 30);
	}
	save(&city);
	fake_city_finish(&city);
}

/* Runs source-city-tile --replay; what it said comes into `said`. */
static int replay(const char *what, const char *more) {
	char command[1600];
	snprintf(command, sizeof(command), "%s --replay %s %s %s 2>&1", getenv("SOURCE_CITY_TILE"),
		file, artifact(what), more);
	FILE *pipe = popen(command, "re");
	assert_non_null(pipe);
	size_t size = fread(said, 1, sizeof(said) - 1, pipe);
	said[size] = 0;
	int status = pclose(pipe);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define assert_said(...) check_said((const char *const[]){__VA_ARGS__, NULL})
static void check_said(const char *const *words) {
	for (; *words; words++) {
		if (!strstr(said, *words)) {
			fail_msg("nothing of \"%s\" in:\n%s", *words, said);
		}
	}
}

static void assert_replay(int status, const char *what, const char *more) {
	int got = replay(what, more);
	if (got != status) {
		fail_msg("%s %s gave %d:\n%s", what, more, got, said);
	}
}

static void test_good_tiles_pass(void **context) {
	record("nothing", NULL);
	assert_replay(0, "nothing", "--amnesia --every 1");
	assert_said("twice the same", "nothing is lost", "\nok: ");
	assert_replay(0, "quiesced", "--amnesia --every 1");
	record("nothing", OPTIONS("pty=yes"));
	assert_replay(0, "nothing", "--amnesia --every 1");
}

/* What was due at the moment of a handover is done by both, whoever comes to it first. */
static void test_due(void **context) {
	record("due", NULL);
	assert_replay(0, "due", "--amnesia --every 1");
	assert_said("nothing is lost");
}

/* What was read of files is in the recording: they may be gone. */
static void test_files(void **context) {
	char path[] = "/tmp/source-city-replay-XXXXXX", option[64];
	int fd = mkstemp(path);
	assert_int_equal(write(fd, "abcdefghijklmnopqrstuvwxyzabcdefghijkl", 38), 38);
	close(fd);
	snprintf(option, sizeof(option), "image=%s", path);
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a =
		fake_start_ready(&city, artifact("nothing"), (const char *const[]){option, NULL});
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_focus(a);
	type_keys(a, 5);
	const struct book *book = fake_cell(&city, "book");
	assert_int_equal(book->place, 35);
	save(&city);
	fake_city_finish(&city);
	unlink(path);
	assert_replay(0, "nothing", "--amnesia --every 1");
	/* There was none. */
	snprintf(option, sizeof(option), "image=/nowhere");
	record("nothing", (const char *const[]){option, NULL});
	assert_replay(0, "nothing", "--amnesia --every 1");
}

/* The count is gone: the handover, the cell, the field and the frame are named. */
static void test_heap_counter(void **context) {
	record("count", NULL);
	assert_replay(1, "count", "--amnesia");
	assert_said("amnesia: a handover after operation", "key 30 pressed",
		"cell book, element 0, field total: without: 2; with the handover: 1",
		"frame 4, 3072 pixels, the first at 0,0: without: ff000002; with the handover: "
		"ff000001",
		"\nfailed: ", "keeps state outside of its cells");
	assert_replay(1, "count", "--amnesia --json");
	assert_said("\"cell\":\"book\"", "\"field\":\"total\"", "\"left\":\"2\"", "\"frame\":4",
		"{\"event\":\"result\",\"ok\":false,\"failed\":\"amnesia\"}");
	/* The handover named is the first that loses: right after the first key. */
	assert_said("\"handover\":");
	unsigned handover = 0;
	assert_int_equal(sscanf(strstr(said, "\"handover\":"), "\"handover\":%u", &handover), 1);
	char at[64];
	snprintf(at, sizeof(at), "a handover after operation %u (input: key 30 pressed", handover);
	assert_said(at);
}

static void test_forgotten_requests(void **context) {
	record("wake", NULL);
	assert_replay(1, "wake", "--amnesia");
	assert_said("wake_at: without: in 3600000.000 ms; with the handover: not at all");
	record("watch", OPTIONS("pty=yes"));
	assert_replay(1, "watch", "--amnesia");
	assert_said("stream pty: without: watched for reading; with the handover: not watched");
}

static void test_picture_without_cells(void **context) {
	record("picture", NULL);
	assert_replay(1, "picture", "--amnesia");
	assert_said("frame 2", "No cell differs");
}

/* Keys with sound in between, and a transport that moves on. */
static void record_sound(const char *what) {
	struct fake_city city;
	static float left[500], right[500];
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, artifact(what), NULL);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_focus(a);
	struct fake_ring *ring = fake_ring(&city, "out", 1000);
	for (uint32_t i = 0; i < 5; i++) {
		struct vat_transport transport;
		type_keys(a, 1);
		fake_pull(&city, ring, 500, left, right);
		fake_pull(&city, ring, 500, left, right);
		assert_true(vat_transport_read(city.transport, &transport));
		transport.parts[1].tempo = 60000 + i;
		vat_transport_write(city.transport, &transport);
	}
	save(&city);
	fake_city_finish(&city);
}

/* What was rendered is rendered again; what sounds otherwise after a handover is named. */
static void test_sound(void **context) {
	record_sound("nothing");
	assert_replay(0, "nothing", "--amnesia --every 1");
	assert_replay(0, "nothing", "--trace --no-repeat");
	record_sound("sound");
	assert_replay(0, "sound", "");
	assert_replay(1, "sound", "--amnesia");
	assert_said("(render", "sound of out, ", "the first at frame ",
		"channel 0: without: ", "No cell differs: what is heard");
	assert_replay(1, "sound", "--amnesia --json");
	assert_said("\"kind\":\"sound\",", "\"name\":\"out\",\"frame\":");
}

static void test_not_deterministic(void **context) {
	record("address", NULL);
	assert_replay(1, "address", "");
	assert_said("the same input gives another result", "cell book, element 0, field place",
		"depends on more than its input");
}

/* A candidate on what was recorded with another version. */
static void test_candidates(void **context) {
	char against[600];
	record("nothing", OPTIONS("pty=yes"));
	snprintf(against, sizeof(against), "--against %s", artifact("nothing"));
	assert_replay(0, "nothing", against);
	assert_said("as the old version");
	assert_replay(0, "new-one", against);
	assert_said("differs from the old version", "field total: old: 1; new: 101",
		"stream pty: old: 2 bytes, now \"1\\x0a\"; new: 4 bytes, now \"101\\x0a\"");
	assert_replay(1, "crash", against);
	assert_said("crashes with", "in input", "key 30 pressed");
	assert_replay(1, "hang", against);
	assert_said("does not return in input");
	assert_replay(1, "check", against);
	assert_said("its own check fails: a total of");
	assert_replay(1, "refuse", "--amnesia");
	assert_said("cannot be run: there are keys already");
}

/* One recording over a handover; what a version did that was rolled back is not in it. */
static void test_over_handovers(void **context) {
	struct fake_city city;
	struct recording recording;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, artifact("nothing"), NULL);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_focus(a);
	type_keys(a, 2);
	struct fake_version *b = fake_start_ready(&city, artifact("nothing"), NULL);
	fake_send_migrate(a);
	FAKE_WAIT(&city, a->yielded);
	int undo = vat_undo_create(city.region, NULL);
	fake_attach(b, TILE_ATTACH_HANDOVER, undo);
	fake_focus(b);
	type_keys(b, 2);
	collect(&city, &recording);
	/* Each key is pressed and released. */
	assert_int_equal(count(&recording, RECORDING_INPUT), 2 + 8);
	recording_finish(&recording);
	fake_kill(b);
	struct vat_region *region;
	assert_int_equal(vat_region_map(city.region_fd, VAT_WRITE, &region, NULL), 0);
	assert_int_equal(vat_undo_apply(region, undo, NULL), 0);
	vat_region_unmap(region);
	unsigned commits = a->commits;
	fake_send_resume(a);
	FAKE_WAIT(&city, a->commits > commits);
	type_keys(a, 1);
	collect(&city, &recording);
	assert_int_equal(count(&recording, RECORDING_INPUT), 1 + 6);
	recording_finish(&recording);
	assert_int_equal(((const struct book *)fake_cell(&city, "book"))->total, 3);
	close(undo);
	fake_city_finish(&city);
	assert_replay(0, "nothing", "--amnesia --every 1");
}

/* After a crash the recording is there, with the operation that it happened in. */
static void test_crash_is_recorded(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, artifact("crash"), NULL);
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_focus(a);
	type_keys(a, 2);
	fake_key(a, KEY_A);
	fake_wait_exit(a);
	save(&city);
	fake_city_finish(&city);
	assert_replay(1, "crash", "");
	assert_said("crashes with", "in input");
	assert_replay(0, "nothing", "--amnesia");
}

/* More than there is room for: what is kept is whole, and goes on from a newer state. */
static void test_room(void **context) {
	struct fake_city city;
	struct recording recording;
	fake_city_init(&city);
	struct fake_version *a = fake_start_ready(&city, artifact("nothing"), OPTIONS("record=1M"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	fake_focus(a);
	collect(&city, &recording);
	assert_true(recording.header.base_used == 0);
	do {
		recording_finish(&recording);
		type_keys(a, 20);
		collect(&city, &recording);
	} while (recording.header.base_used == 0 || recording.header.number < 4);
	assert_false(recording.header.flags & RECORDING_CUT);
	recording_finish(&recording);
	fake_city_finish(&city);
	assert_replay(0, "nothing", "--amnesia");
	assert_said("nothing is lost");
}

static void test_off(void **context) {
	struct fake_city city;
	fake_city_init(&city);
	struct fake_version *a =
		fake_start_ready(&city, artifact("nothing"), OPTIONS("record=off"));
	fake_attach(a, TILE_ATTACH_COLD, -1);
	for (size_t i = 0; i < city.stream_count; i++) {
		assert_string_not_equal(city.streams[i].name, KEEPER_STREAM_RECORDING);
	}
	fake_city_finish(&city);
}

/* Damaged anywhere: an error, and no crash. */
static void test_damaged(void **context) {
	record("nothing", OPTIONS("pty=yes"));
	struct stat st;
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	size_t size = (size_t)st.st_size;
	uint8_t *bytes = malloc(size), *copy = malloc(size);
	assert_int_equal(read(fd, bytes, size), size);
	close(fd);
	struct recording recording;
	struct vat_error error;
	assert_int_equal(recording_parse(bytes, size, &recording, &error), 0);
	recording_finish(&recording);
	for (size_t length = 0; length < size; length += 61) {
		assert_true(recording_parse(bytes, length, &recording, &error) < 0);
	}
	for (size_t at = 0; at < size; at += 7) {
		memcpy(copy, bytes, size);
		copy[at] ^= 0x10;
		/* What fills up the header's page means nothing. */
		if (at < sizeof(struct recording_header) || at >= RECORDING_HEADER) {
			assert_true(recording_parse(copy, size, &recording, &error) < 0);
		}
	}
	fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, bytes, size - 8), size - 8);
	close(fd);
	assert_replay(2, "nothing", "");
	assert_said("recording: its header does not fit");
	free(bytes);
	free(copy);
}

static int make_folder(void **context) {
	snprintf(file, sizeof(file), "%s/recording", folder);
	if (!mkdtemp(folder)) {
		return -1;
	}
	snprintf(file, sizeof(file), "%s/recording", folder);
	return 0;
}

static int remove_folder(void **context) {
	unlink(file);
	return rmdir(folder);
}

int main(void) {
	if (!getenv("SOURCE_CITY_FORGETFUL") || !getenv("SOURCE_CITY_TILE")) {
		fprintf(stderr, "run by meson: it names the host and the tiles\n");
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_tiles_pass),
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_heap_counter),
		cmocka_unit_test(test_forgotten_requests),
		cmocka_unit_test(test_picture_without_cells),
		cmocka_unit_test(test_sound),
		cmocka_unit_test(test_not_deterministic),
		cmocka_unit_test(test_candidates),
		cmocka_unit_test(test_over_handovers),
		cmocka_unit_test(test_crash_is_recorded),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_damaged),
	};
	return cmocka_run_group_tests_name("replay", tests, make_folder, remove_folder);
}

/* SPDX-License-Identifier: MIT */
/* The parts of handovers that need no running city: places, records, the store. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <yyjson.h>

#include "compositor/handover.h"
#include "compositor/places.h"
#include "compositor/record.h"
#include "compositor/store.h"
#include "compositor/tile.h"
#include "compositor/versions.h"

static char folder[] = "/tmp/city-parts-XXXXXX";

static void write_file(const char *path, const char *text) {
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* ---- places */

static void test_places_round_trip(void **state) {
	struct city_places *places = city_places_load();
	assert_non_null(places);
	assert_false(places->existed);
	struct city_place *place = city_places_add(places, "terminal");
	place->kind = strdup("terminal");
	place->source = strdup("/home/me/a \"quoted\" \\ place");
	place->artifact = strdup("abc");
	place->has_place = true;
	place->cx = -12.5;
	place->cy = 1e12; /* farther than can be, but no reason to give everything up */
	place->width = 800;
	place->height = 600;
	static const char said[] = "command=say \"a = b\"\0empty=";
	char error[200];
	assert_true(city_options_read(&place->options, said, sizeof(said), error, sizeof(error)));
	assert_int_equal(vat_uuid_generate(&place->uuid), 0);
	struct vat_uuid uuid = place->uuid;
	assert_true(city_places_save(places));
	city_places_destroy(places);

	places = city_places_load();
	assert_non_null(places);
	assert_true(places->existed);
	place = city_places_find(places, "terminal");
	assert_non_null(place);
	assert_string_equal(place->source, "/home/me/a \"quoted\" \\ place");
	assert_string_equal(place->artifact, "abc");
	assert_true(vat_uuid_equal(&place->uuid, &uuid));
	assert_true(place->cx == -12.5 && place->cy == 1e9);
	assert_int_equal(place->width, 800);
	assert_int_equal(place->options.count, 2);
	assert_string_equal(place->options.list[0], "command=say \"a = b\"");
	assert_string_equal(place->options.list[1], "empty=");
	city_places_destroy(places);
}

static void test_options_refused(void **state) {
	static const struct {
		const char *texts;
		size_t size;
	} bad[] = {
		{"nonsense", 9},
		{"=value", 7},
		{"a=b\0c=d\ne=f", 12},
		{"a=b\0c=d", 7}, /* without its end */
		{"", 1},
	};
	char error[200], many[CITY_OPTIONS_SIZE + 1] = "a=";
	struct city_options options;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(city_options_read(
			&options, bad[i].texts, bad[i].size, error, sizeof(error)));
		assert_int_equal(options.count, 0);
		assert_null(strchr(error, '\n'));
	}
	assert_false(city_options_read(&options, many, sizeof(many), error, sizeof(error)));
}

static void test_places_damaged(void **state) {
	static const char *const bad[] = {
		"tile {\n}\n",
		"tile a {\n\tuuid nonsense\n}\n",
		"tile a {\n}\n",
		"tile \"A b\" {\n\tuuid 00112233-4455-6677-8899-aabbccddeeff\n}\n",
		"tile a {\n\tuuid 00112233-4455-6677-8899-aabbccddeeff\n\tat 1 nan\n}\n",
		"tile a {\n\tuuid 00112233-4455-6677-8899-aabbccddeeff\n",
	};
	char path[512], aside[560];
	snprintf(path, sizeof(path), "%s/state/source-city/places", folder);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_file(path, bad[i]);
		struct city_places *places = city_places_load();
		assert_non_null(places);
		assert_true(wl_list_empty(&places->list));
		city_places_destroy(places);
		snprintf(aside, sizeof(aside), "%s.damaged-%zu", path, i + 1);
		assert_int_equal(access(aside, F_OK), 0);
		assert_int_equal(access(path, F_OK), -1);
	}
}

/* ---- records */

static struct city_record sample(void) {
	struct city_record record = {
		.id = 7,
		.wall_ns = INT64_C(1700000000123456789),
		.tile = "terminal",
		.kind = "terminal",
		.origin = "swap /tmp/x.so",
		.strategy = "melt",
		.strategy_asked = "auto",
		.splice_met = "frame",
		.epoch = 3,
		.pause_ns = 123456,
		.state_bytes = 4096,
		.migrated_bytes = 0,
		.undo_pages = -1,
		.rollback_ns = 1500,
		.build_ns = -1,
		.begin_ns = 1000,
		.end_ns = 5001000,
		.result = CITY_RESULT_LIVE,
		.step = "",
	};
	city_record_step(&record, "spawn", 1000);
	city_record_step(&record, "warm", 2001000);
	return record;
}

static void test_record_json(void **state) {
	struct city_record record = sample();
	char *json = city_record_json(&record);
	assert_non_null(json);
	assert_non_null(strstr(json, "\"time\":\"2023-11-14T22:13:20.123Z\""));
	assert_non_null(strstr(json, "\"pause_us\":123.4"));
	assert_non_null(strstr(json, "\"undo_pages\":null"));
	assert_non_null(strstr(json, "\"rollback_us\":1.5"));
	assert_non_null(strstr(json, "{\"step\":\"warm\",\"at_us\":2000.0}"));
	assert_non_null(strstr(json, "\"result\":\"live\""));
	assert_null(strchr(json, '\n'));
	free(json);
}

static void test_record_limit(void **state) {
	struct city_record record = sample();
	memset(record.reason, 1, sizeof(record.reason) - 1);
	memset(record.origin, '\n', sizeof(record.origin) - 1);
	for (int i = 0; i < 2 * CITY_RECORD_STEPS; i++) {
		city_record_step(&record, "a step with a very long name indeed", INT64_MAX / 2);
	}
	char *json = city_record_json(&record);
	assert_non_null(json);
	assert_true(strlen(json) < CITY_RECORD_SIZE);
	free(json);
}

/* Whatever tiles and paths say, the line is JSON for strict readers, and no character is cut. */
static void test_record_is_utf8(void **state) {
	struct city_record record = sample();
	snprintf(record.origin, sizeof(record.origin), "swap /tmp/\xff\xfe/\xe2\x82");
	for (size_t i = 0; i + 3 < sizeof(record.reason); i += 3) {
		memcpy(record.reason + i, "\xe2\x82\xac", 3);
	}
	for (int i = 0; i < 2 * CITY_RECORD_STEPS; i++) {
		city_record_step(&record, "a step with a very long name indeed, so that all is cut",
			INT64_MAX / 2);
	}
	char *json = city_record_json(&record);
	assert_non_null(json);
	yyjson_doc *doc = yyjson_read(json, strlen(json), 0);
	assert_non_null(doc);
	const char *reason = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "reason"));
	assert_true(strlen(reason) > 0 && strlen(reason) % 3 == 0);
	yyjson_doc_free(doc);
	free(json);
}

static void test_history(void **state) {
	struct city_history *history = city_history_create();
	assert_non_null(history);
	for (int i = 0; i < CITY_HISTORY_MAX + 10; i++) {
		struct city_record record = sample();
		record.id = city_history_next_id(history);
		assert_non_null(city_history_add(history, &record));
	}
	assert_int_equal(city_history_count(history), CITY_HISTORY_MAX);
	assert_non_null(strstr(city_history_get(history, 0), "\"id\":11,"));
	city_history_destroy(history);

	/* A line cut short by a crash costs that line only. */
	char path[512];
	snprintf(path, sizeof(path), "%s/state/source-city/history.jsonl", folder);
	FILE *file = fopen(path, "a");
	assert_non_null(file);
	fputs("{\"id\":9999,\"ti", file);
	fclose(file);
	history = city_history_create();
	assert_int_equal(city_history_count(history), CITY_HISTORY_MAX);
	struct city_record record = sample();
	record.id = city_history_next_id(history);
	assert_int_equal(record.id, CITY_HISTORY_MAX + 11);
	assert_non_null(city_history_add(history, &record));
	city_history_destroy(history);
	history = city_history_create();
	assert_int_equal(city_history_next_id(history), CITY_HISTORY_MAX + 12);
	city_history_destroy(history);
}

/* ---- store */

static void test_store(void **state) {
	struct city_store *store = city_store_create();
	assert_non_null(store);
	char path[512], hash[CITY_HASH_SIZE], again[CITY_HASH_SIZE], error[512] = "";
	snprintf(path, sizeof(path), "%s/artifact", folder);
	write_file(path, "some bytes");
	int source = open(path, O_RDONLY);
	int fd = city_store_put(store, source, hash, error, sizeof(error));
	assert_true(fd >= 0);
	/* BLAKE2b-256 */
	assert_true(city_hash_valid(hash));
	char bytes[32] = "";
	assert_int_equal(read(fd, bytes, sizeof(bytes)), 10);
	assert_memory_equal(bytes, "some bytes", 10);
	close(fd);
	fd = city_store_put(store, source, again, error, sizeof(error));
	assert_true(fd >= 0);
	assert_string_equal(hash, again);
	close(fd);
	close(source);
	fd = city_store_open(store, hash, error, sizeof(error));
	assert_true(fd >= 0);
	close(fd);

	/* Damage is found, set aside, and mended by the next put. */
	char stored[700];
	snprintf(stored, sizeof(stored), "%s/data/source-city/store/%s.so", folder, hash);
	struct stat info;
	assert_int_equal(stat(stored, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0444);
	unlink(stored);
	write_file(stored, "other bytes");
	assert_int_equal(city_store_open(store, hash, error, sizeof(error)), -1);
	assert_non_null(strstr(error, "damaged"));
	source = open(path, O_RDONLY);
	fd = city_store_put(store, source, hash, error, sizeof(error));
	assert_true(fd >= 0);
	close(fd);
	close(source);

	assert_int_equal(city_store_open(store, "../../etc/passwd", error, sizeof(error)), -1);
	int dir = open("/tmp", O_RDONLY);
	assert_int_equal(city_store_put(store, dir, hash, error, sizeof(error)), -1);
	close(dir);
	write_file(path, "");
	source = open(path, O_RDONLY);
	assert_int_equal(city_store_put(store, source, hash, error, sizeof(error)), -1);
	close(source);
	city_store_destroy(store);
}

/* ---- versions to go back to */

/* A hash that begins with these digits. */
static const char *hash_of(const char *digits) {
	static char hashes[4][CITY_HASH_SIZE];
	static unsigned next;
	char *hash = hashes[next++ % 4];
	memset(hash, '0', CITY_HASH_SIZE - 1);
	memcpy(hash, digits, strlen(digits));
	return hash;
}

static void assert_versions(const struct city_versions *versions, const char *digits, size_t at) {
	assert_int_equal(versions->count, strlen(digits));
	assert_int_equal(versions->at, at);
	for (size_t i = 0; i < versions->count; i++) {
		assert_int_equal(versions->hashes[i][0], digits[i]);
	}
}

static void test_versions_order(void **state) {
	struct city_versions versions = {0};
	assert_string_equal(city_versions_good(&versions), "");
	for (const char *digit = "abcd"; *digit; digit++) {
		city_versions_add(&versions, hash_of((char[]){*digit, '\0'}), false);
	}
	assert_versions(&versions, "dcba", 0);
	/* Again the same. */
	city_versions_add(&versions, hash_of("d"), false);
	assert_versions(&versions, "dcba", 0);
	/* Back, and further back. */
	city_versions_add(&versions, hash_of("c"), true);
	assert_versions(&versions, "dcba", 1);
	city_versions_add(&versions, hash_of("a"), true);
	assert_versions(&versions, "dcba", 3);
	/* What comes new comes before what it replaces. */
	city_versions_add(&versions, hash_of("e"), false);
	assert_versions(&versions, "eadcb", 0);
	/* An old one, but not by going back. */
	city_versions_add(&versions, hash_of("c"), false);
	assert_versions(&versions, "ceadb", 0);
	for (int i = 0; i < 2 * CITY_VERSIONS_MAX; i++) {
		char digits[16];
		snprintf(digits, sizeof(digits), "f%03d", i);
		city_versions_add(&versions, hash_of(digits), false);
	}
	assert_int_equal(versions.count, CITY_VERSIONS_MAX);
	assert_int_equal(strncmp(city_versions_good(&versions), "f063", 4), 0);
}

static const char *find(const struct city_versions *versions, const char *running,
	const char *which, char error[256]) {
	char hash[CITY_HASH_SIZE];
	snprintf(hash, sizeof(hash), "%s", hash_of(running));
	error[0] = '\0';
	return city_versions_find(versions, hash, which, error, 256);
}

static void test_versions_find(void **state) {
	struct city_versions versions = {0};
	char error[256];
	assert_null(find(&versions, "a", "", error));
	assert_non_null(strstr(error, "no earlier version"));
	city_versions_add(&versions, hash_of("aaaa1"), false);
	city_versions_add(&versions, hash_of("aaaa2"), false);
	city_versions_add(&versions, hash_of("bbbb"), false);
	assert_string_equal(find(&versions, "bbbb", "", error), hash_of("aaaa2"));
	assert_string_equal(find(&versions, "bbbb", "1", error), hash_of("aaaa2"));
	assert_string_equal(find(&versions, "bbbb", "2", error), hash_of("aaaa1"));
	assert_null(find(&versions, "bbbb", "3", error));
	assert_non_null(strstr(error, "only 2 earlier versions"));
	/* What runs was not found good: the good one is the one before. */
	assert_string_equal(find(&versions, "cccc", "", error), hash_of("bbbb"));
	assert_string_equal(find(&versions, "cccc", "3", error), hash_of("aaaa1"));
	assert_string_equal(find(&versions, "bbbb", "aaaa1", error), hash_of("aaaa1"));
	assert_null(find(&versions, "bbbb", "aaaa", error));
	assert_non_null(strstr(error, "more than one"));
	assert_null(find(&versions, "bbbb", "dddd", error));
	assert_non_null(strstr(error, "dddd"));
	assert_null(find(&versions, "bbbb", "0", error));
	assert_null(find(&versions, "bbbb", "abc", error));
	city_versions_add(&versions, hash_of("aaaa1"), true);
	assert_null(find(&versions, "aaaa1", "", error));
	assert_string_equal(find(&versions, "aaaa1", "bbbb", error), hash_of("bbbb"));
}

static void test_versions_are_kept(void **state) {
	struct city_places *places = city_places_load();
	assert_non_null(places);
	struct city_place *place = city_places_add(places, "versions");
	assert_int_equal(vat_uuid_generate(&place->uuid), 0);
	for (const char *digit = "abcde"; *digit; digit++) {
		city_versions_add(&place->versions, hash_of((char[]){*digit, '\0'}), false);
	}
	city_versions_add(&place->versions, hash_of("c"), true);
	place->artifact = strdup(city_versions_good(&place->versions));
	assert_true(city_places_save(places));
	city_places_destroy(places);
	places = city_places_load();
	place = city_places_find(places, "versions");
	assert_non_null(place);
	assert_versions(&place->versions, "edcba", 2);
	city_places_remove(places, place);
	assert_true(city_places_save(places));
	city_places_destroy(places);
}

/* ---- the table of steps */

static void test_steps(void **state) {
	bool shown = false, replaceable = true;
	for (int i = 0; i < CITY_STEP_COUNT; i++) {
		const struct city_step_info *step = &city_steps[i];
		assert_non_null(step->name);
		/* What is on the screen stays there to the end; what can be replaced comes first.
		 */
		assert_true(step->shown || !shown);
		assert_true(!step->replaceable || replaceable);
		shown = step->shown;
		replaceable = step->replaceable;
		assert_true(step->limit == SIZE_MAX ||
			step->limit <= sizeof(struct city_limits) - sizeof(int));
		assert_true(step->late == NULL || step->limit != SIZE_MAX);
	}
}

/* Whoever builds gigabytes of cells does not hang. */
static void test_limits_of_builders(void **state) {
	struct city_limits limits;
	city_limits_read(&limits);
	assert_int_equal(city_step_limit_ms(&limits, CITY_STEP_WARM, 0), limits.warm_ms);
	assert_int_equal(city_step_limit_ms(&limits, CITY_STEP_SPLICE, 0), 0);
	uint64_t room = 1ull << 30;
	assert_int_in_range(
		city_step_limit_ms(&limits, CITY_STEP_WARM, room) - limits.warm_ms, 64000, 64100);
	assert_int_in_range(city_step_limit_ms(&limits, CITY_STEP_ATTACH, room) - limits.attach_ms,
		64000, 64100);
	assert_int_equal(city_step_limit_ms(&limits, CITY_STEP_FRAME, room), limits.frame_ms);
	assert_true(city_step_limit_ms(&limits, CITY_STEP_WARM, UINT64_MAX) > 0);
	limits.warm_ms = 0;
	assert_int_equal(city_step_limit_ms(&limits, CITY_STEP_WARM, room), 0);
}

static int set_up(void **state) {
	if (!mkdtemp(folder)) {
		return -1;
	}
	char path[512];
	snprintf(path, sizeof(path), "%s/state", folder);
	setenv("XDG_STATE_HOME", path, 1);
	snprintf(path, sizeof(path), "%s/data", folder);
	setenv("XDG_DATA_HOME", path, 1);
	return 0;
}

static int tear_down(void **state) {
	char command[600];
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places_round_trip),
		cmocka_unit_test(test_options_refused),
		cmocka_unit_test(test_places_damaged),
		cmocka_unit_test(test_record_json),
		cmocka_unit_test(test_record_limit),
		cmocka_unit_test(test_record_is_utf8),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_versions_order),
		cmocka_unit_test(test_versions_find),
		cmocka_unit_test(test_versions_are_kept),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_limits_of_builders),
	};
	return cmocka_run_group_tests_name("city-parts", tests, set_up, tear_down);
}

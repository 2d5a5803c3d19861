/* SPDX-License-Identifier: MIT */
#include "city.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wayland-server.h>

#include <cmocka.h>

#include "source-city-control-v1-server-protocol.h"

/* ---- answers */

static struct answer *add_answer(struct city *city, enum answer_type type, uint32_t job) {
	if (city->count == city->capacity) {
		city->capacity = city->capacity == 0 ? 64 : city->capacity * 2;
		city->answers = realloc(city->answers, city->capacity * sizeof(*city->answers));
		assert_non_null(city->answers);
	}
	struct answer *answer = &city->answers[city->count++];
	*answer = (struct answer){.type = type, .job = job, .at_ms = now_ms()};
	return answer;
}

static void handle_destroy(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static void handle_started(struct wl_client *client, struct wl_resource *resource, uint32_t job) {
	add_answer(wl_resource_get_user_data(resource), STARTED, job);
}

static void handle_output(
	struct wl_client *client, struct wl_resource *resource, uint32_t job, const char *piece) {
	assert_true(strlen(piece) < 2048);
	add_answer(wl_resource_get_user_data(resource), OUTPUT, job)->text = strdup(piece);
}

static void handle_built(struct wl_client *client, struct wl_resource *resource, uint32_t job,
	int32_t artifact, const char *hash, const char *folder, uint32_t hi, uint32_t lo) {
	struct answer *answer = add_answer(wl_resource_get_user_data(resource), BUILT, job);
	struct stat info;
	assert_int_equal(fstat(artifact, &info), 0);
	answer->text = strdup(folder);
	answer->hash = strdup(hash);
	answer->content_size = (size_t)info.st_size;
	answer->content = malloc(answer->content_size);
	assert_int_equal(pread(artifact, answer->content, answer->content_size, 0), info.st_size);
	answer->build_ns = (uint64_t)hi << 32 | lo;
	close(artifact);
}

static void handle_failed(
	struct wl_client *client, struct wl_resource *resource, uint32_t job, const char *reason) {
	assert_null(strchr(reason, '\n'));
	add_answer(wl_resource_get_user_data(resource), FAILED, job)->text = strdup(reason);
}

static void handle_sources(
	struct wl_client *client, struct wl_resource *resource, uint32_t job, const char *sources) {
	add_answer(wl_resource_get_user_data(resource), SOURCES, job)->text = strdup(sources);
}

static const struct source_city_builder_v1_interface builder_interface = {
	.destroy = handle_destroy,
	.started = handle_started,
	.output = handle_output,
	.built = handle_built,
	.failed = handle_failed,
	.sources = handle_sources,
};

static void handle_builder_gone(struct wl_resource *resource) {
	struct city *city = wl_resource_get_user_data(resource);
	city->builder = NULL;
}

static void handle_register(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct city *city = wl_resource_get_user_data(resource);
	city->builder = wl_resource_create(
		client, &source_city_builder_v1_interface, wl_resource_get_version(resource), id);
	wl_resource_set_implementation(
		city->builder, &builder_interface, city, handle_builder_gone);
}

static const struct source_city_control_v1_interface control_interface = {
	.destroy = handle_destroy,
	.register_builder = handle_register,
};

static void handle_bind(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct wl_resource *resource =
		wl_resource_create(client, &source_city_control_v1_interface, (int)version, id);
	wl_resource_set_implementation(resource, &control_interface, data, NULL);
	source_city_control_v1_send_done(resource);
}

/* ---- the forge */

char *city_make_home(void) {
	char *home = make_folder();
	copy_file(TEST_VAT_H, text("%s/include/vat.h", home));
	copy_file(TEST_TRANSPORT_H, text("%s/include/transport.h", home));
	copy_file(TEST_TILE_H, text("%s/include/tile.h", home));
	copy_file(TEST_TILE_FLAGS, text("%s/share/tile-flags", home));
	return home;
}

const char *city_make_compiler(char *home) {
	const char *path = text("%s/compiler/cc", home);
	write_file(path,
		"#!/bin/sh\n"
		"for last; do :; done\n"
		"if grep -q SLOW \"$last\" 2>/dev/null; then exec sleep 1000; fi\n"
		"if grep -q FLOOD \"$last\" 2>/dev/null; then exec yes 'noise noise noise'; fi\n"
		"exec cc \"$@\"\n");
	assert_int_equal(chmod(path, 0700), 0);
	return text("SOURCE_CITY_CC=%s", path);
}

static void spawn_forge(struct city *city, int socket, const char *const *more) {
	const char *environment[64];
	size_t count = 0;
	environment[count++] = text("WAYLAND_SOCKET=%d", 3);
	environment[count++] = text("PATH=%s", getenv("PATH"));
	environment[count++] = text("HOME=%s/home", city->home);
	environment[count++] = text("XDG_DATA_HOME=%s/data", city->home);
	environment[count++] = text("XDG_CACHE_HOME=%s/cache", city->home);
	environment[count++] = text("SOURCE_CITY_INCLUDEDIR=%s/include", city->home);
	environment[count++] = text("SOURCE_CITY_DATADIR=%s/share", city->home);
	const char *sanitizer = getenv("ASAN_OPTIONS");
	if (sanitizer != NULL)
		environment[count++] = text("ASAN_OPTIONS=%s", sanitizer);
	for (; more != NULL && *more != NULL; more++)
		environment[count++] = *more;
	environment[count] = NULL;
	char *argv[] = {(char *)"source-city-forge", NULL};
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(
		&actions, 2, city->log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	posix_spawn_file_actions_adddup2(&actions, socket, 3);
	assert_int_equal(posix_spawn(&city->forge, TEST_FORGE, &actions, NULL, argv,
				 (char *const *)environment),
		0);
	posix_spawn_file_actions_destroy(&actions);
}

static void dispatch(struct city *city, int64_t deadline) {
	int64_t left = deadline - now_ms();
	if (left <= 0)
		fail_msg("the forge did not answer in time; its log:\n%s", city_log_text(city));
	wl_display_flush_clients(city->display);
	wl_event_loop_dispatch(city->loop, (int)left);
}

void city_start(struct city *city, char *home, const char *const *environment) {
	int sockets[2];
	*city = (struct city){.home = home};
	city->log_path = (char *)text("%s/log", home);
	city->display = wl_display_create();
	city->loop = wl_display_get_event_loop(city->display);
	city->global = wl_global_create(
		city->display, &source_city_control_v1_interface, 4, city, handle_bind);
	/* High numbers, so that the child's 3 is free. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	int child = fcntl(sockets[1], F_DUPFD_CLOEXEC, 10);
	close(sockets[1]);
	spawn_forge(city, child, environment);
	close(child);
	city->client = wl_client_create(city->display, sockets[0]);
	int64_t deadline = now_ms() + LIMIT_MS;
	while (city->builder == NULL)
		dispatch(city, deadline);
}

void city_wait_gone(struct city *city) {
	int64_t deadline = now_ms() + LIMIT_MS;
	while (city->builder != NULL)
		dispatch(city, deadline);
	city->client = NULL;
}

static int wait_for_end(struct city *city) {
	int status = 0;
	int fd = pidfd_open(city->forge, 0);
	int64_t deadline = now_ms() + LIMIT_MS;
	while (waitpid(city->forge, &status, WNOHANG) == 0) {
		if (now_ms() > deadline) {
			kill(city->forge, SIGKILL);
			fail_msg("the forge did not end; its log:\n%s", city_log_text(city));
		}
		wl_event_loop_dispatch(city->loop, 10);
	}
	close(fd);
	return status;
}

void city_stop(struct city *city) {
	if (city->client != NULL)
		wl_client_destroy(city->client);
	int status = wait_for_end(city);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("the forge ended with %x; its log:\n%s", (unsigned)status,
			city_log_text(city));
	assert_int_equal(count_files(text("%s/cache/source-city/build", city->home)), 0);
	wl_display_destroy(city->display);
	for (size_t i = 0; i < city->count; i++) {
		free(city->answers[i].text);
		free(city->answers[i].hash);
		free(city->answers[i].content);
	}
	free(city->answers);
}

/* ---- requests and answers */

void city_build(struct city *city, uint32_t job, const char *folder) {
	source_city_builder_v1_send_build(city->builder, job, "sample", folder);
}

void city_watch(struct city *city, uint32_t job, const char *folder) {
	source_city_builder_v1_send_watch(city->builder, job, "sample", folder);
}

void city_watch_on(struct city *city, uint32_t job, const char *folder, const char *sources) {
	source_city_builder_v1_send_watch_on(city->builder, job, "sample", folder, sources);
}

void city_cancel(struct city *city, uint32_t job) {
	source_city_builder_v1_send_cancel(city->builder, job);
}

const struct answer *city_wait(
	struct city *city, size_t *at, uint32_t job, enum answer_type a, enum answer_type b) {
	int64_t deadline = now_ms() + LIMIT_MS;
	while (true) {
		for (; *at < city->count; (*at)++) {
			const struct answer *answer = &city->answers[*at];
			if (answer->job == job && (answer->type == a || answer->type == b)) {
				(*at)++;
				return answer;
			}
		}
		dispatch(city, deadline);
	}
}

const struct answer *city_build_wait(struct city *city, uint32_t job, const char *folder) {
	size_t at = city->count;
	city_build(city, job, folder);
	return city_wait(city, &at, job, BUILT, FAILED);
}

const char *city_output(struct city *city, uint32_t job, size_t from) {
	const char *all = "";
	for (size_t i = from; i < city->count; i++) {
		if (city->answers[i].job == job && city->answers[i].type == OUTPUT)
			all = text("%s%s", all, city->answers[i].text);
	}
	return all;
}

void city_barrier(struct city *city) {
	static uint32_t job = 1000000;
	/* Twice: requests and files come on different descriptors of the forge's loop. */
	for (int i = 0; i < 2; i++) {
		const struct answer *answer = city_build_wait(city, job++, "/nonexistent/barrier");
		assert_int_equal(answer->type, FAILED);
	}
}

size_t city_count(const struct city *city, uint32_t job, enum answer_type type) {
	size_t count = 0;
	for (size_t i = 0; i < city->count; i++)
		count += city->answers[i].job == job && city->answers[i].type == type;
	return count;
}

const char *city_log_text(struct city *city) {
	const char *log = read_whole(city->log_path, NULL);
	return log != NULL ? log : "";
}

void city_wait_log(struct city *city, const char *wanted) {
	int64_t deadline = now_ms() + LIMIT_MS;
	while (true) {
		size_t mark = keep_mark();
		bool found = strstr(city_log_text(city), wanted) != NULL;
		keep_release(mark);
		if (found)
			return;
		if (now_ms() > deadline)
			fail_msg("no \"%s\" in the forge's log:\n%s", wanted, city_log_text(city));
		wl_display_flush_clients(city->display);
		wl_event_loop_dispatch(city->loop, 5);
	}
}

/* ---- tiles */

const char *tile_source(const char *marker) {
	return text("#include \"tile.h\"\n"
		    "#include \"part.h\"\n"
		    "const char *sample_marker(void) { return \"<%s>\"; }\n"
		    "static bool attach(struct tile *tile, enum tile_attach why) {\n"
		    "	return part(1) != 0;\n"
		    "}\n"
		    "static void draw(struct tile *tile, const struct tile_canvas *canvas) {\n"
		    "	canvas->pixels[0] = (uint32_t)sample_marker()[0];\n"
		    "}\n"
		    "static const struct tile_ops ops = {.attach = attach, .draw = draw};\n"
		    "TILE_EXPORT(.name = \"sample\", .role = \"sample\", .summary = \"a sample\",\n"
		    "	.default_width = 100, .default_height = 100, .ops = &ops);\n",
		marker);
}

char *make_tile(const char *marker) {
	char *folder = make_folder();
	write_file(text("%s/main.c", folder), tile_source(marker));
	write_file(text("%s/part.c", folder),
		"#include \"part.h\"\nint part(int a) { return a + PART; }\n");
	write_file(text("%s/part.h", folder), "#define PART 1\nint part(int a);\n");
	return folder;
}

bool has_marker(const struct answer *answer, const char *marker) {
	const char *wanted = text("<%s>", marker);
	return answer->content != NULL &&
		memmem(answer->content, answer->content_size, wanted, strlen(wanted)) != NULL;
}

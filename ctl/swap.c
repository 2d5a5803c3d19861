/* SPDX-License-Identifier: MIT */
/* swap, watch, rollback: handovers and how they go */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"
#include "source-city-control-v1-client-protocol.h"

/* What is known about the handovers of one request. */
struct handover {
	struct request request;
	char name[64]; /* of the tile, which may go */
	bool settled;  /* wait for the very end */
	bool watching;
	bool committed;
	char step[32]; /* reached last, "" before the first */
	uint64_t begin_ns, commit_ns;
	bool status_line; /* something stands in the last line of the terminal */
};

static uint64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- what is shown while it goes on */

static void clear_status(struct handover *handover) {
	if (handover->status_line)
		fputs("\r\033[K", stderr);
	handover->status_line = false;
}

static void show_status(void *data) {
	struct handover *handover = data;
	if (!handover->request.ctl->live || handover->request.ctl->json ||
		handover->step[0] == '\0')
		return;
	fprintf(stderr, "\r\033[K%s: %s ... %.1f s", handover->name, handover->step,
		(double)(now_ns() - handover->begin_ns) / 1e9);
	handover->status_line = true;
}

static void handle_progress(struct request *request, const char *step, uint64_t time_ns) {
	struct handover *handover = request->data;
	struct ctl *ctl = request->ctl;
	bool first = strcmp(step, "build") == 0 ||
		(strcmp(step, "spawn") == 0 && strcmp(handover->step, "build") != 0);
	if (first && handover->watching) {
		handover->begin_ns = now_ns();
		handover->committed = false;
	}
	/* The ones behind commit tell that it happened, too. */
	static const char *const live[] = {"commit", "melt", "probation", "retire"};
	for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++) {
		if (handover->committed || strcmp(step, live[i]) != 0)
			continue;
		handover->committed = true;
		handover->commit_ns = time_ns;
		request->enough = !handover->settled && !handover->watching;
	}
	snprintf(handover->step, sizeof(handover->step), "%s", step);
	if (ctl->json) {
		struct json json;
		json_begin(&json, "progress");
		json_text(&json, "tile", handover->name);
		json_text(&json, "step", step);
		json_uint(&json, "time_ns", time_ns);
		json_print(&json);
	}
	show_status(handover);
}

static void handle_output(struct request *request, const char *text) {
	struct handover *handover = request->data;
	if (request->ctl->json) {
		struct json json;
		json_begin(&json, "output");
		json_text(&json, "tile", handover->name);
		json_text(&json, "text", text);
		json_print(&json);
		return;
	}
	clear_status(handover);
	char *clean = clean_text(text);
	fputs(clean, stderr);
	free(clean);
}

/* A failure only where a watch goes on: otherwise the command's last word says it. */
static void show_record(struct handover *handover, const char *json) {
	yyjson_doc *doc = yyjson_read(json, strlen(json), YYJSON_READ_ALLOW_INVALID_UNICODE);
	yyjson_val *result = yyjson_obj_get(yyjson_doc_get_root(doc), "result");
	if (handover->watching || yyjson_equals_str(result, "live"))
		print_record(handover->request.ctl, json);
	yyjson_doc_free(doc);
}

static void handle_record(struct request *request, const char *json) {
	struct handover *handover = request->data;
	clear_status(handover);
	handover->step[0] = '\0';
	if (request->ctl->json)
		json_pass("record", json);
	else
		show_record(handover, json);
}

static void begin(struct handover *handover, struct ctl *ctl, const struct tile *tile,
	struct source_city_request_v1 *proxy) {
	*handover = (struct handover){
		.begin_ns = now_ns(),
		.settled = ctl_has(ctl, "settled"),
	};
	snprintf(handover->name, sizeof(handover->name), "%s", tile->name);
	request_begin(&handover->request, ctl, proxy);
	handover->request.progress = handle_progress;
	handover->request.output = handle_output;
	handover->request.record = handle_record;
	handover->request.data = handover;
}

/* Waits for the end, says how it was, and frees what the request holds. */
static int finish(struct handover *handover) {
	struct request *request = &handover->request;
	request_wait(request, show_status);
	clear_status(handover);
	int status = request_status(request, handover->name);
	if (status == CTL_OK && request->ctl->json) {
		struct json json;
		json_begin(&json, request->result == REQUEST_SUCCEEDED ? "succeeded" : "live");
		json_text(&json, "tile", handover->name);
		json_print(&json);
	} else if (status == CTL_OK && request->result == REQUEST_OPEN) {
		char duration[32];
		uint64_t took = handover->commit_ns > handover->begin_ns
			? handover->commit_ns - handover->begin_ns
			: 0;
		printf("%s%s: live after %s%s\n", color_on(request->ctl, GREEN), handover->name,
			format_us(duration, sizeof(duration), (double)took / 1e3),
			color_off(request->ctl));
	}
	request_finish(request);
	return status;
}

/* ---- arguments */

static const char *const strategies[] = {
	"auto", "instant", "crossfade", "freeze-and-fade", "reset", "melt", NULL};

/* CTL_OK and its number, or CTL_USAGE. */
static int parse_strategy(const struct ctl *ctl, uint32_t *strategy) {
	const char *word = ctl_option(ctl, "strategy");
	*strategy = SOURCE_CITY_TILE_HANDLE_V1_STRATEGY_AUTO;
	for (uint32_t i = 0; word != NULL && strategies[i] != NULL; i++) {
		if (strcmp(word, strategies[i]) == 0) {
			*strategy = i;
			return CTL_OK;
		}
	}
	if (word == NULL)
		return CTL_OK;
	return ctl_usage(ctl,
		"no strategy %s; there are auto, instant, crossfade, freeze-and-fade, "
		"reset and melt",
		word);
}

/* The absolute path of the folder that a word names, itself or by one of the sources in it.
 * CTL_FAILED if there is none. */
static int find_sources(const struct ctl *ctl, const char *word, char **folder) {
	struct stat info;
	size_t size = strlen(word);
	*folder = realpath(word, NULL);
	if (*folder == NULL || stat(*folder, &info) != 0)
		return ctl_fail(ctl, "build", "%s: %s", word,
			errno == ENOENT ? "no such folder" : strerror(errno));
	if (S_ISREG(info.st_mode) && size > 2 && strcmp(word + size - 2, ".c") == 0) {
		/* Of a link it is the folder that the link lies in. */
		char *copy = copy_text(word);
		free(*folder);
		*folder = realpath(dirname(copy), NULL);
		free(copy);
		if (*folder == NULL)
			return ctl_fail(ctl, "build", "%s: %s", word, strerror(errno));
	} else if (!S_ISDIR(info.st_mode)) {
		return ctl_fail(ctl, "build",
			"%s: not a folder; a built tile is given with --artifact", word);
	}
	if (strlen(*folder) > CTL_TEXT_MAX)
		return ctl_fail(ctl, "build", "%s: this path is too long", word);
	return CTL_OK;
}

/* That of the option, "" without it. */
static int find_folder(const struct ctl *ctl, char **folder) {
	const char *word = ctl_option(ctl, "source");
	if (word != NULL)
		return find_sources(ctl, word, folder);
	*folder = copy_text("");
	return CTL_OK;
}

static int open_artifact(const struct ctl *ctl, const char *path, int *fd) {
	struct stat info;
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0 || fstat(*fd, &info) != 0)
		return ctl_fail(ctl, "artifact", "%s: %s", path, strerror(errno));
	if (S_ISDIR(info.st_mode))
		return ctl_fail(
			ctl, "artifact", "%s: a folder; sources are given with --source", path);
	if (!S_ISREG(info.st_mode))
		return ctl_fail(ctl, "artifact", "%s: not a regular file", path);
	return CTL_OK;
}

static int check_splice(const struct ctl *ctl) {
	const char *splice = ctl_option(ctl, "at");
	if (splice != NULL && strlen(splice) > 63)
		return ctl_usage(ctl, "no splice point is that long: %.20s...", splice);
	return CTL_OK;
}

static int parse_state(const struct ctl *ctl, uint32_t *mode) {
	static const char *const modes[] = {"inherit", "reset", "merge"};
	const char *word = ctl_option(ctl, "state");
	*mode = SOURCE_CITY_TILE_HANDLE_V1_STATE_MODE_INHERIT;
	for (uint32_t i = 0; word != NULL && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(word, modes[i]) == 0) {
			*mode = i;
			return CTL_OK;
		}
	}
	if (word == NULL)
		return CTL_OK;
	return ctl_usage(ctl, "no state mode %s; there are inherit, reset and merge", word);
}

/* What the command line says about the next request of this tile: --force, --state, --lossy, and
 * --at where the request itself has no word for it. */
static int send_terms(struct ctl *ctl, struct tile *tile, bool with_at) {
	uint32_t mode, version = source_city_tile_handle_v1_get_version(tile->handle);
	int status = parse_state(ctl, &mode);
	if (status != CTL_OK)
		return status;
	if (ctl_has(ctl, "force")) {
		if (version < SOURCE_CITY_TILE_HANDLE_V1_FORCE_SINCE_VERSION)
			return ctl_fail(ctl, "request", "this city is older and knows no --force");
		source_city_tile_handle_v1_force(tile->handle);
	}
	if (mode != SOURCE_CITY_TILE_HANDLE_V1_STATE_MODE_INHERIT || ctl_has(ctl, "lossy")) {
		if (version < SOURCE_CITY_TILE_HANDLE_V1_CARRY_STATE_SINCE_VERSION)
			return ctl_fail(ctl, "request",
				"this city is older and knows neither --state nor --lossy");
		source_city_tile_handle_v1_carry_state(tile->handle, mode, ctl_has(ctl, "lossy"));
	}
	if (with_at && ctl_has(ctl, "at")) {
		if (version < SOURCE_CITY_TILE_HANDLE_V1_AT_SINCE_VERSION)
			return ctl_fail(
				ctl, "request", "this city is older and knows no --at for this");
		source_city_tile_handle_v1_at(tile->handle, ctl_option(ctl, "at"));
	}
	return CTL_OK;
}

/* ---- commands */

static char *origin_of(const char *artifact) {
	char *real = realpath(artifact, NULL), *origin;
	if (asprintf(&origin, "swap %.3000s", real != NULL ? real : artifact) < 0)
		abort();
	free(real);
	return origin;
}

static bool is_sources(const char *path) {
	struct stat info;
	size_t size = strlen(path);
	return (size > 2 && strcmp(path + size - 2, ".c") == 0) ||
		(stat(path, &info) == 0 && S_ISDIR(info.st_mode));
}

/* path: NULL: the tile's own source. */
static int add_source(struct ctl *ctl, struct source_city_transaction_v1 *transaction,
	struct tile *tile, const char *path, uint32_t strategy) {
	if (source_city_transaction_v1_get_version(transaction) <
		SOURCE_CITY_TRANSACTION_V1_ADD_SOURCE_SINCE_VERSION)
		return ctl_fail(ctl, "request",
			"this city is older and takes several tiles only if they are built: "
			"TILE=FILE");
	char *folder = NULL;
	int status = path != NULL ? find_sources(ctl, path, &folder) : CTL_OK;
	if (status == CTL_OK)
		source_city_transaction_v1_add_source(
			transaction, tile->handle, folder != NULL ? folder : "", strategy);
	free(folder);
	return status;
}

static int add_artifact(struct ctl *ctl, struct source_city_transaction_v1 *transaction,
	struct tile *tile, const char *path, uint32_t strategy) {
	int fd = -1;
	int status = open_artifact(ctl, path, &fd);
	if (status == CTL_OK) {
		char *origin = origin_of(path);
		source_city_transaction_v1_add_artifact(
			transaction, tile->handle, fd, origin, strategy);
		free(origin);
	}
	if (fd >= 0)
		close(fd);
	return status;
}

/* TILE or TILE=PATH of a command line with several of them. */
static int add_part(struct ctl *ctl, struct source_city_transaction_v1 *transaction, char *word,
	uint32_t strategy, char *names, size_t size) {
	char *path = strchr(word, '=');
	if (path != NULL)
		*path++ = '\0';
	struct tile *tile = ctl_tile(ctl, word);
	if (tile == NULL)
		return CTL_FAILED;
	int status = send_terms(ctl, tile, true);
	if (status != CTL_OK)
		return status;
	size_t used = strlen(names);
	snprintf(names + used, size - used, "%s%s", used > 0 ? "+" : "", tile->name);
	return path == NULL || is_sources(path)
		? add_source(ctl, transaction, tile, path, strategy)
		: add_artifact(ctl, transaction, tile, path, strategy);
}

static int swap_several(struct ctl *ctl) {
	for (size_t i = 0; i < ctl->word_count; i++) {
		const char *equals = strchr(ctl->words[i], '=');
		if (equals == ctl->words[i] || (equals != NULL && equals[1] == '\0'))
			return ctl_usage(ctl,
				"of several tiles: TILE=FILE, TILE=FOLDER, or TILE for its own "
				"source, not %.200s",
				ctl->words[i]);
	}
	if (ctl_has(ctl, "artifact") || ctl_has(ctl, "source"))
		return ctl_usage(ctl,
			"several tiles take neither --artifact nor --source: "
			"TILE=FILE, TILE=FOLDER, or TILE for its own source");
	uint32_t strategy, mode;
	int status = check_splice(ctl);
	if (status == CTL_OK)
		status = parse_strategy(ctl, &strategy);
	if (status == CTL_OK)
		status = parse_state(ctl, &mode);
	if (status == CTL_OK)
		status = ctl_connect(ctl);
	if (status != CTL_OK)
		return status;
	if (source_city_control_v1_get_version(ctl->control) <
		SOURCE_CITY_CONTROL_V1_CREATE_TRANSACTION_SINCE_VERSION)
		return ctl_fail(
			ctl, "request", "this city is older and swaps only one tile at a time");
	struct source_city_transaction_v1 *transaction =
		source_city_control_v1_create_transaction(ctl->control);
	struct tile all = {.name = (char[64]){0}};
	for (size_t i = 0; i < ctl->word_count && status == CTL_OK; i++)
		status = add_part(ctl, transaction, ctl->words[i], strategy, all.name, 64);
	if (status == CTL_OK) {
		struct handover handover;
		begin(&handover, ctl, &all, source_city_transaction_v1_commit(transaction));
		status = finish(&handover);
	}
	source_city_transaction_v1_destroy(transaction);
	return status;
}

int command_swap(struct ctl *ctl) {
	const char *artifact = ctl_option(ctl, "artifact"), *splice = ctl_option(ctl, "at");
	char *folder = NULL, *origin = NULL;
	int fd = -1;
	uint32_t strategy;
	if (ctl->word_count > 1 || strchr(ctl->words[0], '=') != NULL)
		return swap_several(ctl);
	if (artifact != NULL && ctl_has(ctl, "source"))
		return ctl_usage(ctl, "either --source or --artifact");
	if (splice == NULL)
		splice = "";
	uint32_t mode;
	int status = check_splice(ctl);
	if (status == CTL_OK)
		status = parse_strategy(ctl, &strategy);
	if (status == CTL_OK)
		status = parse_state(ctl, &mode);
	if (status == CTL_OK)
		status = artifact != NULL ? open_artifact(ctl, artifact, &fd)
					  : find_folder(ctl, &folder);
	if (status == CTL_OK)
		status = ctl_connect(ctl);
	if (status != CTL_OK)
		goto out;
	struct tile *tile = ctl_tile(ctl, ctl->words[0]);
	if (tile == NULL) {
		status = CTL_FAILED;
		goto out;
	}
	status = send_terms(ctl, tile, false);
	if (status != CTL_OK)
		goto out;
	struct source_city_request_v1 *proxy;
	if (artifact != NULL) {
		origin = origin_of(artifact);
		proxy = source_city_tile_handle_v1_swap_artifact(
			tile->handle, fd, origin, strategy, splice);
	} else {
		proxy = source_city_tile_handle_v1_swap_source(
			tile->handle, folder, strategy, splice);
	}
	struct handover handover;
	begin(&handover, ctl, tile, proxy);
	status = finish(&handover);
out:
	if (fd >= 0)
		close(fd);
	free(origin);
	free(folder);
	return status;
}

int command_rollback(struct ctl *ctl) {
	const char *which = ctl->word_count > 1 ? ctl->words[1] : NULL;
	if (which != NULL &&
		(which[0] == '\0' || strlen(which) > 64 ||
			strspn(which, "0123456789abcdef") != strlen(which) ||
			strcmp(which, "0") == 0))
		return ctl_usage(ctl,
			"%.80s is neither a number of versions, from 1 on, nor the "
			"beginning of a hash",
			which);
	int status = check_splice(ctl);
	if (status == CTL_OK)
		status = ctl_connect(ctl);
	if (status != CTL_OK)
		return status;
	struct tile *tile = ctl_tile(ctl, ctl->words[0]);
	if (tile == NULL)
		return CTL_FAILED;
	if (ctl_has(ctl, "list"))
		return list_versions(ctl, tile);
	status = send_terms(ctl, tile, true);
	if (status != CTL_OK)
		return status;
	struct source_city_request_v1 *proxy;
	if (which == NULL) {
		proxy = source_city_tile_handle_v1_rollback(tile->handle);
	} else if (source_city_tile_handle_v1_get_version(tile->handle) <
		SOURCE_CITY_TILE_HANDLE_V1_ROLLBACK_TO_SINCE_VERSION) {
		return ctl_fail(
			ctl, "request", "this city is older and only goes one version back");
	} else {
		proxy = source_city_tile_handle_v1_rollback_to(tile->handle, which);
	}
	struct handover handover;
	begin(&handover, ctl, tile, proxy);
	handover.settled = true;
	status = finish(&handover);
	if (status == CTL_OK && !ctl->json)
		printf("%s: rolled back\n", ctl->words[0]);
	return status;
}

/* A build that failed is no end of a watch, so it comes as a message about the tile. How a handover
 * failed stands in its record. */
static void handle_message(
	struct ctl *ctl, uint32_t severity, const char *subject, const char *text) {
	struct handover *handover = ctl->data;
	if (strcmp(subject, handover->name) != 0 || strcmp(handover->step, "build") != 0 ||
		severity > SOURCE_CITY_CONTROL_V1_SEVERITY_WARNING)
		return;
	clear_status(handover);
	handover->step[0] = '\0';
	if (ctl->json) {
		static const char before[] = "not built: ";
		bool has_before = strncmp(text, before, strlen(before)) == 0;
		struct json json;
		json_begin(&json, "failed");
		json_text(&json, "tile", handover->name);
		json_text(&json, "step", "build");
		json_text(&json, "reason", text + (has_before ? strlen(before) : 0));
		json_print(&json);
		return;
	}
	char *line = clean_line(text);
	printf("%s%s: %s%s\n", color_on(ctl, RED), handover->name, line, color_off(ctl));
	free(line);
}

static void handle_close(struct ctl *ctl, struct tile *tile) {
	struct handover *handover = ctl->data;
	if (strcmp(tile->name, handover->name) == 0 && handover->request.result == REQUEST_OPEN) {
		handover->request.result = REQUEST_FAILED;
		handover->request.step = copy_text("closed");
		handover->request.reason = copy_text("the tile was closed");
	}
}

int command_watch(struct ctl *ctl) {
	char *folder = NULL;
	int status = find_folder(ctl, &folder);
	if (status == CTL_OK)
		status = ctl_connect(ctl);
	if (status != CTL_OK)
		goto out;
	struct tile *tile = ctl_tile(ctl, ctl->words[0]);
	if (tile == NULL) {
		status = CTL_FAILED;
		goto out;
	}
	const char *shown = folder[0] != '\0' ? folder : tile->source;
	if (!ctl->json && ctl->live)
		fprintf(stderr, "watching %s for %s; Ctrl+C ends it\n",
			shown[0] != '\0' ? shown : "its source", tile->name);
	struct handover handover;
	begin(&handover, ctl, tile, source_city_tile_handle_v1_watch(tile->handle, folder));
	handover.watching = true;
	ctl->data = &handover;
	ctl->on_message = handle_message;
	ctl->on_close = handle_close;
	status = finish(&handover);
	ctl->on_message = NULL;
	ctl->on_close = NULL;
out:
	free(folder);
	return status;
}

/* ---- refactors */

static void print_plan(struct ctl *ctl, const char *json) {
	if (ctl->json) {
		json_pass(ctl_has(ctl, "dry-run") ? "plan" : "done", json);
		return;
	}
	yyjson_doc *doc = yyjson_read(json, strlen(json), YYJSON_READ_ALLOW_INVALID_UNICODE);
	const char *text = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "text"));
	char *line = clean_line(text != NULL ? text : json);
	printf("%s%s\n", ctl_has(ctl, "dry-run") ? "would do: " : "", line);
	free(line);
	yyjson_doc_free(doc);
}

static int refactor(struct ctl *ctl, uint32_t what, const char *target) {
	char *folder = NULL;
	struct tile none = {.name = copy_text("")}, *tile = &none;
	int status = CTL_OK;
	/* A path is looked at from here; that it is not there yet is for the forge to see. */
	if (what == SOURCE_CITY_CONTROL_V1_REFACTOR_MOVE && strchr(target, '/') != NULL) {
		folder = realpath(target, NULL);
		if (folder == NULL && target[0] != '/')
			status = ctl_fail(ctl, "request", "%s: %s", target, strerror(errno));
		target = folder != NULL ? folder : target;
	}
	if (status == CTL_OK && strlen(target) > CTL_TEXT_MAX)
		status = ctl_usage(ctl, "that name is too long");
	if (status == CTL_OK)
		status = ctl_connect(ctl);
	if (status == CTL_OK &&
		source_city_control_v1_get_version(ctl->control) <
			SOURCE_CITY_CONTROL_V1_REFACTOR_SINCE_VERSION)
		status = ctl_fail(ctl, "request", "this city is older and cannot do that");
	if (status == CTL_OK && ctl->word_count > 0) {
		tile = ctl_tile(ctl, ctl->words[0]);
		status = tile != NULL ? CTL_OK : CTL_FAILED;
	}
	if (status == CTL_OK) {
		struct handover handover;
		begin(&handover, ctl, tile,
			source_city_control_v1_refactor(
				ctl->control, what, tile->name, target, ctl_has(ctl, "dry-run")));
		handover.settled = true;
		request_wait(&handover.request, show_status);
		clear_status(&handover);
		status = request_status(&handover.request, handover.name);
		if (status == CTL_OK)
			print_plan(ctl, handover.request.text);
		request_finish(&handover.request);
	}
	free(none.name);
	free(folder);
	return status;
}

int command_move(struct ctl *ctl) {
	return refactor(ctl, SOURCE_CITY_CONTROL_V1_REFACTOR_MOVE, ctl->words[1]);
}

int command_replace(struct ctl *ctl) {
	return refactor(ctl, SOURCE_CITY_CONTROL_V1_REFACTOR_REPLACE, ctl->words[1]);
}

int command_fork(struct ctl *ctl) {
	return refactor(ctl, SOURCE_CITY_CONTROL_V1_REFACTOR_FORK,
		ctl->word_count > 1 ? ctl->words[1] : "");
}

int command_undo(struct ctl *ctl) {
	return refactor(ctl, SOURCE_CITY_CONTROL_V1_REFACTOR_UNDO, "");
}

int command_redo(struct ctl *ctl) {
	return refactor(ctl, SOURCE_CITY_CONTROL_V1_REFACTOR_REDO, "");
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <yyjson.h>

#include "compositor/paths.h"
#include "compositor/record.h"
#include "compositor/text.h"
#include "log.h"

#define SUBJECT "history"
/* Beyond this the file is cut to the records that are kept in memory. */
#define FILE_MAX (8 << 20)

struct city_history {
	char *path;		       /* NULL: nowhere to write */
	char *lines[CITY_HISTORY_MAX]; /* a ring */
	size_t first, count;
	uint64_t last_id;
	bool complained;
	bool cut; /* the file's last line was cut short */
};

const char *city_result_name(enum city_result result) {
	switch (result) {
	case CITY_RESULT_LIVE:
		return "live";
	case CITY_RESULT_FAILED:
		return "failed";
	case CITY_RESULT_ROLLED_BACK:
		return "rolled-back";
	case CITY_RESULT_SUPERSEDED:
		return "superseded";
	}
	return "failed";
}

void city_record_step(struct city_record *record, const char *name, int64_t at_ns) {
	if (record->step_count < CITY_RECORD_STEPS) {
		record->steps[record->step_count].name = name;
		record->steps[record->step_count].at_ns = at_ns;
		record->step_count++;
	}
}

static void put_us(yyjson_mut_doc *doc, yyjson_mut_val *object, const char *key, int64_t ns) {
	if (ns < 0) {
		yyjson_mut_obj_add_null(doc, object, key);
	} else {
		/* To a tenth: a pause is some tens of microseconds. */
		int64_t tenths = ns / 100;
		yyjson_mut_obj_add_real(doc, object, key, (double)tenths / 10.0);
	}
}

static void put_count(yyjson_mut_doc *doc, yyjson_mut_val *object, const char *key, int64_t count) {
	if (count < 0) {
		yyjson_mut_obj_add_null(doc, object, key);
	} else {
		yyjson_mut_obj_add_sint(doc, object, key, count);
	}
}

static void put_text(
	yyjson_mut_doc *doc, yyjson_mut_val *object, const char *key, const char *text) {
	yyjson_mut_obj_add_strcpy(doc, object, key, text);
}

static void format_time(int64_t wall_ns, char *text, size_t size) {
	time_t seconds = (time_t)(wall_ns / 1000000000);
	struct tm tm;
	gmtime_r(&seconds, &tm);
	char day[40];
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, size, "%s.%03dZ", day, (int)(wall_ns / 1000000 % 1000));
}

double city_record_pas(const struct city_record *record, struct city_pas *parts) {
	if (!record->continuity_known || record->result != CITY_RESULT_LIVE || !*record->from) {
		return -1;
	}
	struct city_continuity continuity = record->continuity;
	continuity.shown = record->frames_shown;
	continuity.dropped = record->frames_dropped;
	*parts = city_pas_of(&continuity);
	return parts->all;
}

/* To four places. */
static void put_part(yyjson_mut_doc *doc, yyjson_mut_val *object, const char *key, double part) {
	yyjson_mut_obj_add_real(doc, object, key, floor(part * 1e4 + 0.5) / 1e4);
}

static void put_pas(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct city_record *record) {
	struct city_pas parts;
	if (city_record_pas(record, &parts) < 0) {
		yyjson_mut_obj_add_null(doc, root, "pas");
		yyjson_mut_obj_add_null(doc, root, "pas_parts");
		return;
	}
	put_part(doc, root, "pas", parts.all);
	yyjson_mut_val *object = yyjson_mut_obj_add_obj(doc, root, "pas_parts");
	put_part(doc, object, "time", parts.time);
	put_part(doc, object, "phase", parts.phase);
	put_part(doc, object, "state", parts.state);
	put_part(doc, object, "frames", parts.frames);
}

static char *record_json(const struct city_record *record, size_t reason_size, size_t origin_size) {
	static_assert(sizeof(record->lost) == sizeof(record->reason));
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	if (!doc) {
		return NULL;
	}
	yyjson_mut_val *root = yyjson_mut_obj(doc);
	yyjson_mut_doc_set_root(doc, root);
	char text[128];
	yyjson_mut_obj_add_uint(doc, root, "id", record->id);
	if (record->transaction != 0) {
		yyjson_mut_obj_add_uint(doc, root, "transaction", record->transaction);
	} else {
		yyjson_mut_obj_add_null(doc, root, "transaction");
	}
	format_time(record->wall_ns, text, sizeof(text));
	put_text(doc, root, "time", text);
	put_text(doc, root, "tile", record->tile);
	char uuid[VAT_UUID_TEXT];
	vat_uuid_format(&record->uuid, uuid);
	put_text(doc, root, "uuid", uuid);
	put_text(doc, root, "kind", record->kind);
	put_text(doc, root, "from", record->from);
	put_text(doc, root, "to", record->to);
	char cut[sizeof(record->reason)];
	city_text_copy(cut, origin_size + 1, record->origin);
	put_text(doc, root, "origin", cut);
	put_text(doc, root, "strategy", record->strategy);
	put_text(doc, root, "strategy_asked", record->strategy_asked);
	put_text(doc, root, "strategy_reason", record->strategy_reason);
	put_text(doc, root, "state", record->state ? record->state : "inherit");
	yyjson_mut_obj_add_bool(doc, root, "lossy", record->lossy);
	city_text_copy(cut, reason_size + 1, record->lost);
	put_text(doc, root, "lost", cut);
	put_text(doc, root, "splice_asked", record->splice_asked);
	put_text(doc, root, "splice_met", record->splice_met);
	put_count(doc, root, "splice_frame", record->splice_frame);
	if (record->splice_frame >= 0) {
		yyjson_mut_obj_add_sint(doc, root, "splice_tick", record->splice_tick);
		yyjson_mut_obj_add_sint(doc, root, "splice_error", record->splice_error);
	} else {
		yyjson_mut_obj_add_null(doc, root, "splice_tick");
		yyjson_mut_obj_add_null(doc, root, "splice_error");
	}
	put_count(doc, root, "sound_skipped", record->sound_skipped);
	yyjson_mut_obj_add_uint(doc, root, "epoch", record->epoch);
	put_us(doc, root, "pause_us", record->pause_ns);
	put_count(doc, root, "state_bytes", record->state_bytes);
	put_count(doc, root, "migrated_bytes", record->migrated_bytes);
	put_count(doc, root, "undo_pages", record->undo_pages);
	put_us(doc, root, "rollback_us", record->rollback_ns);
	yyjson_mut_obj_add_uint(doc, root, "frames_dropped", record->frames_dropped);
	yyjson_mut_obj_add_uint(doc, root, "frames_shown", record->frames_shown);
	put_us(doc, root, "frame_us", record->continuity_known ? record->continuity.frame_ns : -1);
	put_pas(doc, root, record);
	put_us(doc, root, "build_us", record->build_ns);
	put_us(doc, root, "total_us", record->end_ns - record->begin_ns);
	yyjson_mut_val *steps = yyjson_mut_obj_add_arr(doc, root, "steps");
	for (size_t i = 0; i < record->step_count; i++) {
		yyjson_mut_val *step = yyjson_mut_arr_add_obj(doc, steps);
		put_text(doc, step, "step", record->steps[i].name);
		int64_t at_ns = record->steps[i].at_ns - record->begin_ns;
		put_us(doc, step, "at_us", at_ns < 0 ? 0 : at_ns);
	}
	put_text(doc, root, "result", city_result_name(record->result));
	put_text(doc, root, "step", record->step ? record->step : "");
	city_text_copy(cut, reason_size + 1, record->reason);
	put_text(doc, root, "reason", cut);
	char *json = yyjson_mut_write(doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE, NULL);
	yyjson_mut_doc_free(doc);
	return json;
}

char *city_record_json(const struct city_record *record) {
	/* Escapes can make text up to six times as long. */
	size_t reason_size = sizeof(record->reason) - 1, origin_size = sizeof(record->origin) - 1;
	for (;;) {
		char *json = record_json(record, reason_size, origin_size);
		if (!json || strlen(json) < CITY_RECORD_SIZE) {
			return json;
		}
		free(json);
		reason_size /= 2;
		origin_size /= 2;
	}
}

static void keep(struct city_history *history, char *line) {
	if (history->count == CITY_HISTORY_MAX) {
		free(history->lines[history->first]);
		history->lines[history->first] = line;
		history->first = (history->first + 1) % CITY_HISTORY_MAX;
		return;
	}
	history->lines[(history->first + history->count) % CITY_HISTORY_MAX] = line;
	history->count++;
}

static bool read_id(const char *line, uint64_t *id) {
	yyjson_doc *doc = yyjson_read(line, strlen(line), 0);
	if (!doc) {
		return false;
	}
	yyjson_val *value = yyjson_obj_get(yyjson_doc_get_root(doc), "id");
	bool ok = yyjson_is_uint(value);
	*id = ok ? yyjson_get_uint(value) : 0;
	yyjson_doc_free(doc);
	return ok;
}

static void load(struct city_history *history) {
	FILE *file = fopen(history->path, "re");
	if (!file) {
		return;
	}
	char *line = NULL;
	size_t capacity = 0;
	ssize_t length;
	while ((length = getline(&line, &capacity, file)) > 0) {
		history->cut = line[length - 1] != '\n';
		if (!history->cut) {
			line[--length] = '\0';
		}
		uint64_t id;
		/* A line that was cut short by a crash is passed over. */
		if (length >= CITY_RECORD_SIZE || !read_id(line, &id)) {
			continue;
		}
		char *copy = strdup(line);
		if (!copy) {
			break;
		}
		history->last_id = id > history->last_id ? id : history->last_id;
		keep(history, copy);
	}
	free(line);
	struct stat info;
	bool large = fstat(fileno(file), &info) == 0 && info.st_size > FILE_MAX;
	fclose(file);
	if (!large) {
		return;
	}
	char *text = NULL;
	size_t size = 0;
	FILE *all = open_memstream(&text, &size);
	if (!all) {
		return;
	}
	for (size_t i = 0; i < history->count; i++) {
		fprintf(all, "%s\n", city_history_get(history, i));
	}
	if (fclose(all) == 0) {
		city_path_replace(history->path, text, size);
	}
	free(text);
}

struct city_history *city_history_create(void) {
	struct city_history *history = calloc(1, sizeof(*history));
	if (!history) {
		return NULL;
	}
	char *folder = city_path_state(NULL);
	if (!folder || asprintf(&history->path, "%s/history.jsonl", folder) < 0) {
		city_log(CITY_LOG_WARN, SUBJECT,
			"records are not written down: no state folder: %s", strerror(errno));
		history->path = NULL;
	} else {
		load(history);
	}
	free(folder);
	return history;
}

void city_history_destroy(struct city_history *history) {
	if (!history) {
		return;
	}
	for (size_t i = 0; i < history->count; i++) {
		free(history->lines[(history->first + i) % CITY_HISTORY_MAX]);
	}
	free(history->path);
	free(history);
}

uint64_t city_history_next_id(struct city_history *history) {
	return ++history->last_id;
}

void city_history_reserve(struct city_history *history, uint64_t id) {
	history->last_id = id > history->last_id ? id : history->last_id;
}

bool city_history_has(const struct city_history *history, uint64_t id) {
	for (size_t i = history->count; i > 0; i--) {
		uint64_t other;
		if (read_id(city_history_get(history, i - 1), &other) && other == id) {
			return true;
		}
	}
	return false;
}

size_t city_history_count(const struct city_history *history) {
	return history->count;
}

const char *city_history_get(const struct city_history *history, size_t index) {
	return history->lines[(history->first + index) % CITY_HISTORY_MAX];
}

static void append(struct city_history *history, const char *json) {
	if (!history->path) {
		return;
	}
	char *line = NULL;
	int length = asprintf(&line, "%s%s\n", history->cut ? "\n" : "", json);
	const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC;
	int fd = open(history->path, flags, 0600);
	if (fd < 0 && errno == ENOENT && city_path_make_parent(history->path)) {
		fd = open(history->path, flags, 0600);
	}
	/* In one write: a crash, or a full disk, cuts at most the last line. */
	ssize_t wrote = length > 0 && fd >= 0 ? write(fd, line, (size_t)length) : -1;
	bool ok = wrote >= 0 && wrote == length;
	if (wrote > 0) {
		history->cut = !ok;
	}
	if (!ok && !history->complained) {
		city_log(CITY_LOG_WARN, SUBJECT, "cannot write %s: %s; records are in memory only",
			history->path, strerror(errno));
		history->complained = true;
	}
	history->complained &= !ok;
	if (fd >= 0) {
		close(fd);
	}
	if (length > 0) {
		free(line);
	}
}

const char *city_history_add(struct city_history *history, const struct city_record *record) {
	char *json = city_record_json(record);
	if (!json) {
		return NULL;
	}
	keep(history, json);
	append(history, json);
	return json;
}

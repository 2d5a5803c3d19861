/* SPDX-License-Identifier: MIT */
/* events: all that happens, as it happens */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"
#include "source-city-control-v1-client-protocol.h"

/* Records of handovers are asked for each time one has ended; the first answer says which are old.
 */
struct listening {
	struct ctl *ctl;
	struct request request;
	bool asked;  /* the request is under way */
	bool wanted; /* another is to follow */
	bool knows_records;
	uint64_t last_record; /* the highest id seen */
};

static void stamp(char *text, size_t size, bool full) {
	struct timespec now;
	struct tm tm;
	char seconds[40];
	clock_gettime(CLOCK_REALTIME, &now);
	if (full) {
		gmtime_r(&now.tv_sec, &tm);
		strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
		snprintf(text, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
	} else {
		localtime_r(&now.tv_sec, &tm);
		strftime(seconds, sizeof(seconds), "%H:%M:%S", &tm);
		snprintf(text, size, "%s.%03ld", seconds, now.tv_nsec / 1000000);
	}
}

static void print_line(const struct ctl *ctl, const char *subject, enum color color,
	const char *what, const char *text) {
	char time[64];
	stamp(time, sizeof(time), false);
	char *clean_subject = clean_line(subject), *clean = clean_line(text);
	printf("%s%s%s  %s%s%s  %s%s%s%s%s\n", color_on(ctl, DIM), time, color_off(ctl),
		color_on(ctl, BOLD), clean_subject, color_off(ctl), color_on(ctl, color), what,
		color_off(ctl), clean[0] != '\0' ? ": " : "", clean);
	free(clean);
	free(clean_subject);
}

static void handle_message(
	struct ctl *ctl, uint32_t severity, const char *subject, const char *text) {
	if (ctl->json) {
		char time[64];
		struct json json;
		stamp(time, sizeof(time), true);
		json_begin(&json, "message");
		json_text(&json, "time", time);
		json_text(&json, "severity", severity_name(severity));
		json_text(&json, "subject", subject);
		json_text(&json, "text", text);
		json_print(&json);
		return;
	}
	static const enum color colors[] = {RED, YELLOW, PLAIN, DIM};
	print_line(ctl, subject, severity < 4 ? colors[severity] : PLAIN, severity_name(severity),
		text);
}

static void print_tile(struct ctl *ctl, const char *event, const struct tile *tile) {
	char time[64];
	struct json json;
	stamp(time, sizeof(time), true);
	json_begin(&json, event);
	json_text(&json, "time", time);
	json_tile(&json, tile);
	json_print(&json);
}

/* ---- records */

static void handle_record(struct request *request, const char *json) {
	struct listening *listening = request->data;
	yyjson_doc *doc = yyjson_read(json, strlen(json), YYJSON_READ_ALLOW_INVALID_UNICODE);
	uint64_t id = yyjson_get_uint(yyjson_obj_get(yyjson_doc_get_root(doc), "id"));
	yyjson_doc_free(doc);
	if (id <= listening->last_record)
		return;
	listening->last_record = id;
	if (listening->knows_records)
		json_pass("record", json);
}

static void ask_for_records(struct ctl *ctl) {
	struct listening *listening = ctl->data;
	struct request *request = &listening->request;
	listening->asked = true;
	listening->wanted = false;
	request_begin(request, ctl, source_city_control_v1_get_history(ctl->control));
	request->record = handle_record;
	request->data = listening;
}

/* Never true. Asks again when an answer has come and more has happened. */
static bool go_on(void *data) {
	struct listening *listening = data;
	if (listening->asked && listening->request.result != REQUEST_OPEN) {
		request_finish(&listening->request);
		listening->asked = false;
		listening->knows_records = true;
	}
	if (listening->wanted && !listening->asked)
		ask_for_records(listening->ctl);
	return false;
}

/* ---- tiles */

static void handle_change(struct ctl *ctl, struct tile *tile) {
	struct listening *listening = ctl->data;
	/* A handover ends with the tile being live, or dead. */
	if (ctl->json && (tile->changed & TILE_STATE) != 0 && ctl->ready &&
		(tile->state == TILE_LIVE || tile->state == TILE_DEAD))
		listening->wanted = true;
	if (ctl->json) {
		print_tile(ctl, (tile->changed & TILE_NEW) != 0 ? "tile" : "changed", tile);
		return;
	}
	char text[200];
	if (!ctl->ready)
		return;
	if ((tile->changed & TILE_NEW) != 0) {
		print_line(ctl, tile->name, PLAIN, "opened", tile->kind);
		return;
	}
	if ((tile->changed & TILE_STATE) != 0)
		print_line(ctl, tile->name, tile->state == TILE_DEAD ? RED : GREEN, "state",
			tile_state_name(tile->state));
	if ((tile->changed & TILE_VERSION) != 0) {
		snprintf(text, sizeof(text), "%.8s, epoch %ju, pid %u", tile->artifact,
			(uintmax_t)tile->epoch, tile->pid);
		print_line(ctl, tile->name, PLAIN, "version", text);
	}
	if ((tile->changed & TILE_NOTICE) != 0)
		print_line(ctl, tile->name, YELLOW, "notice",
			tile->notice[0] != '\0' ? tile->notice : "cleared");
	if ((tile->changed & TILE_TITLE) != 0)
		print_line(ctl, tile->name, PLAIN, "title", tile->title);
	if ((tile->changed & TILE_PLACE) != 0) {
		snprintf(text, sizeof(text), "%.0f,%.0f %dx%d", tile->cx, tile->cy, tile->width,
			tile->height);
		print_line(ctl, tile->name, PLAIN, "place", text);
	}
}

static void handle_close(struct ctl *ctl, struct tile *tile) {
	if (ctl->json)
		print_tile(ctl, "closed", tile);
	else
		print_line(ctl, tile->name, PLAIN, "closed", "");
}

static void handle_ready(struct ctl *ctl) {
	if (ctl->json)
		json_event("ready");
}

int command_events(struct ctl *ctl) {
	/* For people the city says in a message how a handover went. */
	struct listening listening = {.ctl = ctl, .wanted = ctl->json};
	ctl->data = &listening;
	/* From the first moment on: what happens while we get to know the tiles counts too. */
	ctl->on_message = handle_message;
	ctl->on_change = handle_change;
	ctl->on_close = handle_close;
	ctl->on_ready = handle_ready;
	if (ctl_connect(ctl) == CTL_OK)
		ctl_wait(ctl, go_on, NULL, &listening, -1);
	if (listening.asked)
		request_finish(&listening.request);
	ctl->on_message = NULL;
	ctl->on_change = NULL;
	ctl->on_close = NULL;
	ctl->on_ready = NULL;
	return CTL_FAILED;
}

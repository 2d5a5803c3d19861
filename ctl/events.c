/* SPDX-License-Identifier: MIT */
/* events: all that happens, as it happens */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

static void print_line(const struct ctl *ctl, const char *subject, enum color color,
	const char *what, const char *text) {
	char time[64];
	format_now(time, sizeof(time), false);
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
		format_now(time, sizeof(time), true);
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
	format_now(time, sizeof(time), true);
	json_begin(&json, event);
	json_text(&json, "time", time);
	json_tile(&json, tile);
	json_print(&json);
}

static void handle_record(struct ctl *ctl, const char *json) {
	/* For people the city says in a message how a handover went. */
	if (ctl->json)
		json_pass("record", json);
}

static void handle_transport(struct ctl *ctl, const char *json) {
	if (ctl->json) {
		json_pass("transport", json);
		return;
	}
	char text[160];
	yyjson_doc *doc = yyjson_read(json, strlen(json), YYJSON_READ_ALLOW_INVALID_UNICODE);
	yyjson_val *root = yyjson_doc_get_root(doc);
	snprintf(text, sizeof(text), "bar %jd, %g beats a minute, %jd a bar",
		(intmax_t)yyjson_get_sint(yyjson_obj_get(root, "bar")),
		yyjson_get_num(yyjson_obj_get(root, "tempo")),
		(intmax_t)yyjson_get_sint(yyjson_obj_get(root, "beats_a_bar")));
	print_line(ctl, "transport", PLAIN,
		yyjson_get_bool(yyjson_obj_get(root, "playing")) ? "plays" : "stands still", text);
	yyjson_doc_free(doc);
}

static void handle_audio(struct ctl *ctl, const char *json) {
	if (ctl->json) {
		json_pass("audio", json);
		return;
	}
	yyjson_doc *doc = yyjson_read(json, strlen(json), YYJSON_READ_ALLOW_INVALID_UNICODE);
	yyjson_val *root = yyjson_doc_get_root(doc);
	const char *what = yyjson_get_str(yyjson_obj_get(root, "what"));
	const char *name = yyjson_get_str(yyjson_obj_get(root, "name"));
	print_line(ctl, "audio", PLAIN, what != NULL ? what : "changed", name != NULL ? name : "");
	yyjson_doc_free(doc);
}

/* ---- tiles */

static void handle_change(struct ctl *ctl, struct tile *tile) {
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

static bool never(void *data) {
	return false;
}

int command_events(struct ctl *ctl) {
	/* From the first moment on: what happens while we get to know the tiles counts too. */
	ctl->on_message = handle_message;
	ctl->on_record = handle_record;
	ctl->on_transport = handle_transport;
	ctl->on_audio = handle_audio;
	ctl->on_change = handle_change;
	ctl->on_close = handle_close;
	ctl->on_ready = handle_ready;
	if (ctl_connect(ctl) == CTL_OK)
		ctl_wait(ctl, never, NULL, NULL, -1);
	ctl->on_message = NULL;
	ctl->on_record = NULL;
	ctl->on_transport = NULL;
	ctl->on_audio = NULL;
	ctl->on_change = NULL;
	ctl->on_close = NULL;
	ctl->on_ready = NULL;
	return CTL_FAILED;
}

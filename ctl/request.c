/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "source-city-control-v1-client-protocol.h"

static void handle_progress(void *data, struct source_city_request_v1 *proxy, const char *step,
	uint32_t time_hi, uint32_t time_lo) {
	struct request *request = data;
	if (request->progress != NULL)
		request->progress(request, step, (uint64_t)time_hi << 32 | time_lo);
}

static void handle_output(void *data, struct source_city_request_v1 *proxy, const char *text) {
	struct request *request = data;
	if (request->output != NULL)
		request->output(request, text);
}

static void handle_text(void *data, struct source_city_request_v1 *proxy, const char *text) {
	struct request *request = data;
	size_t size = strlen(text);
	char *grown = realloc(request->text, request->text_size + size + 1);
	if (grown == NULL)
		abort();
	memcpy(grown + request->text_size, text, size + 1);
	request->text = grown;
	request->text_size += size;
}

static void handle_region(void *data, struct source_city_request_v1 *proxy, int32_t fd) {
	struct request *request = data;
	if (request->region >= 0)
		close(request->region);
	request->region = fd;
}

static void handle_undo(void *data, struct source_city_request_v1 *proxy, int32_t fd) {
	struct request *request = data;
	if (request->undo >= 0)
		close(request->undo);
	request->undo = fd;
}

static void handle_recording(void *data, struct source_city_request_v1 *proxy, int32_t fd) {
	struct request *request = data;
	if (request->picture.fd >= 0)
		close(request->picture.fd);
	if (request->recording >= 0)
		close(request->recording);
	request->recording = fd;
}

static void handle_file(void *data, struct source_city_request_v1 *proxy, int32_t fd) {
	struct request *request = data;
	if (request->file >= 0)
		close(request->file);
	request->file = fd;
}

static void handle_picture(void *data, struct source_city_request_v1 *proxy, int32_t fd,
	uint32_t width, uint32_t height, uint32_t stride) {
	struct request *request = data;
	if (request->picture.fd >= 0)
		close(request->picture.fd);
	request->picture.fd = fd;
	request->picture.width = width;
	request->picture.height = height;
	request->picture.stride = stride;
}

static void handle_record(void *data, struct source_city_request_v1 *proxy, const char *json) {
	struct request *request = data;
	if (request->record != NULL)
		request->record(request, json);
}

static void handle_succeeded(void *data, struct source_city_request_v1 *proxy) {
	struct request *request = data;
	request->result = REQUEST_SUCCEEDED;
}

static void handle_failed(
	void *data, struct source_city_request_v1 *proxy, const char *step, const char *reason) {
	struct request *request = data;
	request->result = REQUEST_FAILED;
	free(request->step);
	free(request->reason);
	request->step = copy_text(step);
	request->reason = copy_text(reason);
}

static void handle_superseded(void *data, struct source_city_request_v1 *proxy) {
	struct request *request = data;
	request->result = REQUEST_SUPERSEDED;
}

static const struct source_city_request_v1_listener listener = {
	.progress = handle_progress,
	.output = handle_output,
	.text = handle_text,
	.region = handle_region,
	.record = handle_record,
	.succeeded = handle_succeeded,
	.failed = handle_failed,
	.superseded = handle_superseded,
	.undo = handle_undo,
	.recording = handle_recording,
	.file = handle_file,
	.picture = handle_picture,
};

void request_begin(struct request *request, struct ctl *ctl, struct source_city_request_v1 *proxy) {
	*request = (struct request){
		.ctl = ctl,
		.proxy = proxy,
		.text = copy_text(""),
		.region = -1,
		.undo = -1,
		.recording = -1,
		.file = -1,
		.picture.fd = -1,
	};
	source_city_request_v1_add_listener(proxy, &listener, request);
}

static bool is_over(void *data) {
	const struct request *request = data;
	return request->result != REQUEST_OPEN || request->enough;
}

bool request_wait(struct request *request, void (*tick)(void *data)) {
	return ctl_wait(request->ctl, is_over, tick, request, -1);
}

int request_status(const struct request *request, const char *tile) {
	switch (request->result) {
	case REQUEST_SUCCEEDED:
		return CTL_OK;
	case REQUEST_FAILED:
		return ctl_fail_tile(request->ctl, tile, request->step,
			request->reason[0] != '\0' ? request->reason : request->step);
	case REQUEST_SUPERSEDED:
		return ctl_fail_tile(
			request->ctl, tile, "superseded", "a newer request took its place");
	case REQUEST_OPEN:
		break;
	}
	return request->enough ? CTL_OK : CTL_FAILED;
}

void request_finish(struct request *request) {
	source_city_request_v1_destroy(request->proxy);
	if (request->region >= 0)
		close(request->region);
	if (request->undo >= 0)
		close(request->undo);
	if (request->picture.fd >= 0)
		close(request->picture.fd);
	if (request->recording >= 0)
		close(request->recording);
	if (request->file >= 0)
		close(request->file);
	free(request->text);
	free(request->step);
	free(request->reason);
}

int request_simple(struct ctl *ctl, struct source_city_request_v1 *proxy, const char *tile) {
	struct request request;
	request_begin(&request, ctl, proxy);
	request_wait(&request, NULL);
	int status = request_status(&request, tile);
	if (status == CTL_OK && ctl->json)
		json_event("succeeded");
	request_finish(&request);
	return status;
}

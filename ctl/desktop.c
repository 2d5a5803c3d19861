/* SPDX-License-Identifier: MIT */
/* run, keeper, state, quit */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "source-city-control-v1-client-protocol.h"

#define QUIT_MS 15000

static int run_line(struct ctl *ctl, const char *line) {
	int status = ctl_connect(ctl);
	if (status != CTL_OK)
		return status;
	return request_simple(ctl, source_city_control_v1_run_command(ctl->control, line), "");
}

int command_run(struct ctl *ctl) {
	char line[CTL_TEXT_MAX + 1];
	size_t used = 0;
	for (size_t i = 0; i < ctl->word_count; i++) {
		int size = snprintf(
			line + used, sizeof(line) - used, "%s%s", i > 0 ? " " : "", ctl->words[i]);
		used += (size_t)size;
		if (used >= sizeof(line))
			return ctl_usage(ctl, "this command is too long");
	}
	return run_line(ctl, line);
}

int command_keeper(struct ctl *ctl) {
	char *path = NULL;
	if (!ctl_has(ctl, "replace"))
		return ctl_usage(ctl, "say --replace to let another keeper take over");
	if (ctl->word_count > 0 && (path = realpath(ctl->words[0], NULL)) == NULL)
		return ctl_fail(ctl, "keeper", "%s: %s", ctl->words[0], strerror(errno));
	int status = ctl_connect(ctl);
	if (status == CTL_OK)
		status = request_simple(ctl,
			source_city_control_v1_replace_keeper(
				ctl->control, path != NULL ? path : ""),
			"");
	free(path);
	return status;
}

static bool is_refused(void *data) {
	const struct request *request = data;
	return request->result == REQUEST_FAILED;
}

int command_quit(struct ctl *ctl) {
	int status = ctl_connect(ctl);
	if (status != CTL_OK)
		return status;
	struct request request;
	request_begin(&request, ctl, source_city_control_v1_run_command(ctl->control, "quit"));
	/* Done is when the city is gone. */
	ctl->leaving = true;
	if (ctl_wait(ctl, is_refused, NULL, &request, QUIT_MS))
		status = request_status(&request, "");
	else if (ctl->lost && ctl->json)
		json_event("succeeded");
	else if (!ctl->lost)
		status = ctl_signal() != 0 ? CTL_FAILED
					   : ctl_fail(ctl, "quit", "the city has not ended yet");
	request_finish(&request);
	return status;
}

int command_state(struct ctl *ctl) {
	int status = ctl_connect(ctl);
	if (status != CTL_OK)
		return status;
	struct request request;
	request_begin(&request, ctl, source_city_control_v1_get_state(ctl->control));
	request_wait(&request, NULL);
	status = request_status(&request, "");
	if (status != CTL_OK)
		goto out;
	yyjson_doc *doc =
		yyjson_read(request.text, request.text_size, YYJSON_READ_ALLOW_INVALID_UNICODE);
	char *text = doc != NULL ? yyjson_write(doc,
					   YYJSON_WRITE_ALLOW_INVALID_UNICODE |
						   (ctl->json ? 0 : YYJSON_WRITE_PRETTY_TWO_SPACES),
					   NULL)
				 : NULL;
	if (text != NULL)
		puts(text);
	else
		status = ctl_fail(ctl, "state", "the city's answer is not JSON");
	free(text);
	yyjson_doc_free(doc);
out:
	request_finish(&request);
	return status;
}

/* SPDX-License-Identifier: MIT */
/* Where the music is, and what a tile asks to be done with it. */
#include "transport.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "audio_wire.h"
#include "host.h"
#include "log.h"

void host_transport_init(struct host *host) {
	const struct vat_transport_part part = {
		.tempo = VAT_TEMPO, .beats_a_bar = 4, .bars_a_phrase = 4};
	host->transport = (struct vat_transport){.rate = VAT_RATE, .parts = {part, part}};
	host->tile.transport = &host->transport;
	host->transport_fd = -1;
}

void host_transport_open(struct host *host, int page_fd) {
	struct vat_error error;
	if (page_fd < 0) {
		return;
	}
	host->transport_page = vat_transport_map(page_fd, false, &error);
	if (!host->transport_page) {
		city_log(CITY_LOG_WARN, host->name, "%s", error.text);
	}
	host_transport_look(host);
}

void host_transport_look(struct host *host) {
	struct vat_transport_clock clock;
	if (!host->transport_page || host->told) {
		return;
	}
	vat_transport_read(host->transport_page, &host->transport);
	if (vat_transport_read_clock(host->transport_page, &clock)) {
		host->tile.frame =
			vat_transport_frame_at(&clock, host->transport.rate, host_monotonic());
	}
}

void host_transport_finish(struct host *host) {
	vat_transport_unmap(host->transport_page);
	host->transport_page = NULL;
	if (host->transport_fd >= 0) {
		close(host->transport_fd);
		host->transport_fd = -1;
	}
}

/* ---- asking */

static bool connect_to_audio(struct host *host, char *why, size_t why_size) {
	struct keeper_message *messages = calloc(2, sizeof(*messages));
	int fds[KEEPER_FDS_MAX];
	if (!messages) {
		snprintf(why, why_size, "out of memory");
		return false;
	}
	/* Without a name: this process's own. */
	messages[0].type = KEEPER_AUDIO_OPEN;
	if (host_keeper_call(host, &messages[0], NULL, 0, &messages[1], fds, why, why_size) == 0) {
		host->transport_fd = fds[0];
		fds[0] = -1;
		keeper_wire_close(fds);
		snprintf(why, why_size, "the keeper gave no connection");
	}
	free(messages);
	return host->transport_fd >= 0;
}

/* What became of those before. False: the other end is gone. */
static bool read_results(struct host *host) {
	struct audio_message message;
	ssize_t got;
	while ((got = recv(host->transport_fd, &message, sizeof(message), MSG_DONTWAIT)) ==
		sizeof(message)) {
		message.result.text[sizeof(message.result.text) - 1] = 0;
		if (message.type == AUDIO_RESULT && message.result.error != 0) {
			host_log(host, CITY_LOG_WARN, "transport: %s", message.result.text);
		}
	}
	return got < 0 && errno == EAGAIN;
}

static bool send_ask(struct host *host, const struct audio_message *message) {
	return host->transport_fd >= 0 && read_results(host) &&
		send(host->transport_fd, message, sizeof(*message), MSG_DONTWAIT | MSG_NOSIGNAL) ==
		sizeof(*message);
}

bool host_transport_ask(struct host *host, enum tile_transport_ask what, uint32_t value,
	int64_t tick, const char *name) {
	char why[HOST_WHY_SIZE] = "the audio process does not read";
	struct vat_error error;
	if (vat_transport_check(what, value, tick, name, &error) < 0) {
		host_log(host, CITY_LOG_WARN, "transport: %s", error.text);
		return false;
	}
	struct audio_message message = {
		.version = AUDIO_WIRE_VERSION,
		.type = AUDIO_TRANSPORT_ASK,
		.ask = {.what = what, .value = value, .tick = tick},
	};
	snprintf(message.ask.name, sizeof(message.ask.name), "%s", name ? name : "");
	bool sent = send_ask(host, &message);
	if (!sent) {
		/* The one that it was connected to has ended, or nobody has asked yet. */
		if (host->transport_fd >= 0) {
			close(host->transport_fd);
			host->transport_fd = -1;
		}
		sent = connect_to_audio(host, why, sizeof(why)) && send_ask(host, &message);
	}
	if (!sent) {
		host_log(host, CITY_LOG_WARN, "transport: %s", why);
	}
	return sent;
}

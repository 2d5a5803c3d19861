/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "audio.h"
#include "keeper/wire.h"
#include "log.h"
#include "music.h"
#include "peers.h"
#include "port.h"

/* Takes fds[i]. */
static int take(int fds[KEEPER_FDS_MAX], int i) {
	int fd = fds[i];
	fds[i] = -1;
	return fd;
}

static void begin(struct audio *audio, int fds[KEEPER_FDS_MAX]) {
	struct vat_error error = {};
	if (audio->clock.page || fds[0] < 0)
		return;
	struct vat_transport_page *page = vat_transport_map(fds[0], true, &error);
	if (!page) {
		city_log(CITY_LOG_ERROR, "transport", "%s", error.text);
		return;
	}
	mlock(page, VAT_TRANSPORT_SIZE);
	clock_begin(&audio->clock, page, audio_now());
	music_begin(audio->music);
}

/* Where the wire is full it is asked again. */
static void say_here(int keeper) {
	struct keeper_message message = {.type = KEEPER_AUDIO_HERE};
	keeper_wire_send(keeper, &message, NULL, 0);
}

static void handle_message(struct audio *audio, int keeper, const struct keeper_message *message,
	int fds[KEEPER_FDS_MAX]) {
	size_t offset = 0;
	const char *text = keeper_wire_next(message, &offset);
	struct port *port = text ? port_find(audio, &message->uuid, text) : NULL;
	switch (message->type) {
	case KEEPER_AUDIO:
		begin(audio, fds);
		say_here(keeper);
		break;
	case KEEPER_AUDIO_LOOK:
		say_here(keeper);
		break;
	case KEEPER_RING:
		if (!text || fds[0] < 0 || fds[1] < 0) {
			city_log(CITY_LOG_ERROR, message->name, "its ring came without memory");
			break;
		}
		if (port)
			port_destroy(port);
		int ring = take(fds, 0), wake = take(fds, 1);
		port_create(audio, &message->uuid, message->name, text, ring, wake);
		break;
	case KEEPER_RING_END:
		if (port)
			port_destroy(port);
		break;
	case KEEPER_AUDIO_PEER:
		if (fds[0] >= 0)
			peers_add(audio->peers, take(fds, 0), message->name);
		break;
	default:
		city_log(CITY_LOG_DEBUG, "keeper", "message %u means nothing here", message->type);
	}
}

static void handle_keeper(void *data, int fd, uint32_t mask) {
	struct audio *audio = data;
	static struct keeper_message message;
	int fds[KEEPER_FDS_MAX];
	int rc = keeper_wire_receive(fd, &message, fds);
	if (rc == 1) {
		handle_message(audio, fd, &message, fds);
		keeper_wire_close(fds);
	} else if (rc == 0 || (errno != EAGAIN && errno != EINTR && errno != EPROTO)) {
		/* Nobody else could start us again. */
		pw_main_loop_quit(audio->main);
	}
}

int keeper_listen(struct audio *audio, int fd) {
	if (pw_loop_add_io(audio->loop, fd, SPA_IO_IN | SPA_IO_HUP, true, handle_keeper, audio))
		return 0;
	city_log(CITY_LOG_ERROR, "keeper", "cannot listen to it: %s", strerror(errno));
	return -1;
}

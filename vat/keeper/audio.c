/* SPDX-License-Identifier: MIT */
/*
 * The audio process, and what the keeper has for it: the transport's page, which all tiles see, and
 * the rings, which are streams of tiles. It is started when the city is up, and again when it ends;
 * where it is not installed the city makes no sound, and everything else goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/keeper.h"
#include "log.h"
#include "ring.h"
#include "transport.h"

#define PROGRAM "source-city-audio"
/* One that ran this long did not end because of how it began. */
#define STEADY_NS (10 * 1000000000ull)
/* One that ends sooner is started at once, then later and later: after 1, 2, 4 to 32 seconds; then
 * only when somebody asks for sound. */
#define DELAY_FIRST_S 1
#define DELAY_MAX_S 32
#define FAILURES_MAX 10
/* While there are rings it has to answer so often; how many times it may fail to before that is
 * said, and before it is ended. */
#define LOOK_S 1
#define LOOKS_SAID 3
#define LOOKS_MAX 10

/* ---- the transport's page */

/* Another descriptor of it, that cannot be written through. */
static int open_read_only(int fd) {
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

int keeper_transport_open(struct keeper *keeper) {
	struct vat_error err;
	keeper->transport = vat_transport_create(VAT_RATE, &err);
	if (keeper->transport < 0) {
		city_log(CITY_LOG_ERROR, "keeper", "%s", err.text);
		return -1;
	}
	keeper->transport_seen = open_read_only(keeper->transport);
	if (keeper->transport_seen < 0) {
		city_log(CITY_LOG_ERROR, "keeper", "no transport: %s", strerror(errno));
		return -1;
	}
	return 0;
}

/* ---- rings */

static bool is_ring(const struct keeper_stream *stream) {
	return stream->channels > 0;
}

static void tell_ring(
	struct keeper *keeper, const struct keeper_stream *stream, enum keeper_message_type type) {
	if (keeper->audio == NULL) {
		return;
	}
	struct keeper_message message = {
		.type = type,
		.uuid = stream->uuid,
		.size = stream->channels,
	};
	const struct keeper_region *region = keeper_region_find(keeper, &stream->uuid);
	if (region != NULL) {
		memcpy(message.name, region->name, sizeof(message.name));
	}
	keeper_wire_add(&message, stream->name);
	const int fds[] = {stream->fd, stream->wake};
	keeper_send(keeper, keeper->audio, &message, fds, type == KEEPER_RING ? 2 : 0);
}

void keeper_audio_ring_removed(struct keeper *keeper, const struct keeper_stream *stream) {
	if (is_ring(stream)) {
		tell_ring(keeper, stream, KEEPER_RING_END);
	}
}

size_t keeper_audio_ring_count(const struct keeper *keeper, const struct vat_uuid *tile) {
	size_t count = 0;
	for (const struct keeper_stream *stream = keeper->streams; stream != NULL;
		stream = stream->next) {
		count += is_ring(stream) && (tile == NULL || vat_uuid_equal(&stream->uuid, tile));
	}
	return count;
}

static struct keeper_stream *make_ring(struct keeper *keeper, const struct vat_uuid *uuid,
	const char *name, uint32_t channels, struct vat_error *err) {
	const size_t count = keeper_audio_ring_count(keeper, uuid);
	if (count >= KEEPER_RINGS_MAX) {
		snprintf(err->text, sizeof(err->text), "the tile has %zu rings already", count);
		errno = EMFILE;
		return NULL;
	}
	int fd = ring_create(channels, err);
	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct keeper_stream *stream =
		wake >= 0 ? keeper_stream_add(keeper, uuid, name, fd, 0) : NULL;
	if (stream == NULL) {
		int saved = errno;
		snprintf(err->text, sizeof(err->text), "no ring: %s", strerror(saved));
		close(fd);
		if (wake >= 0) {
			close(wake);
		}
		errno = saved;
		return NULL;
	}
	stream->wake = wake;
	stream->channels = channels;
	tell_ring(keeper, stream, KEEPER_RING);
	keeper_audio_watch(keeper);
	return stream;
}

struct keeper_stream *keeper_audio_ring(struct keeper *keeper, const struct keeper_child *tile,
	const char *name, uint64_t channels, struct vat_error *err) {
	if (!vat_name_valid(name) || channels < 1 || channels > RING_CHANNELS_MAX) {
		snprintf(err->text, sizeof(err->text),
			"a ring needs a valid name and 1 to %d channels", RING_CHANNELS_MAX);
		errno = EINVAL;
		return NULL;
	}
	struct keeper_stream *stream = keeper_stream_find(keeper, &tile->uuid, name);
	if (stream == NULL) {
		stream = make_ring(keeper, &tile->uuid, name, (uint32_t)channels, err);
	} else if (stream->channels != channels) {
		snprintf(err->text, sizeof(err->text),
			"the stream of that name is no ring of %u channels: close it first",
			(unsigned)channels);
		errno = EEXIST;
		return NULL;
	}
	if (stream != NULL && keeper->audio == NULL) {
		keeper_audio_start(keeper, true);
	}
	return stream;
}

void keeper_audio_tile_ended(struct keeper *keeper, uint64_t instance) {
	for (struct keeper_stream *stream = keeper->streams; stream != NULL;
		stream = stream->next) {
		if (!is_ring(stream) || !keeper_stream_has_claim(stream, instance)) {
			continue;
		}
		bool others = false;
		for (size_t i = 0; i < KEEPER_CLAIMS_MAX; i++) {
			others |= stream->claims[i] != 0 && stream->claims[i] != instance;
		}
		struct ring ring;
		if (!others && ring_map(&ring, stream->fd, false, NULL) == 0) {
			ring_rest(&ring);
			ring_unmap(&ring);
		}
	}
}

/* ---- the process */

static void tell_compositor(struct keeper *keeper, int32_t status) {
	struct keeper_message event = {.type = KEEPER_AUDIO_STATE, .status = status};
	if (keeper->compositor != NULL && !keeper->quitting) {
		keeper_send(keeper, keeper->compositor, &event, NULL, 0);
	}
}

void keeper_audio_greet(struct keeper *keeper) {
	if (keeper->audio != NULL) {
		tell_compositor(keeper, 1);
	}
}

static bool is_installed(struct keeper *keeper) {
	char path[4096];
	snprintf(path, sizeof(path), "%s/" PROGRAM, keeper->program_dir);
	if (access(path, X_OK) == 0) {
		return true;
	}
	if (!keeper->audio_missing) {
		city_log(
			CITY_LOG_INFO, "audio", "there is no sound: %s: %s", path, strerror(errno));
		keeper->audio_missing = true;
	}
	return false;
}

static void wake_in(struct keeper *keeper, unsigned seconds) {
	struct itimerspec when = {.it_value.tv_sec = seconds};
	timerfd_settime(keeper->audio_timer, 0, &when, NULL);
}

static void plan(struct keeper *keeper, unsigned seconds) {
	wake_in(keeper, seconds);
	keeper->audio_planned_s = seconds;
}

void keeper_audio_start(struct keeper *keeper, bool asked) {
	if (keeper->audio != NULL || !keeper->ready || keeper->quitting ||
		keeper->audio_planned_s > 0 || (!asked && keeper->audio_failures >= FAILURES_MAX) ||
		!is_installed(keeper)) {
		return;
	}
	keeper->audio = keeper_child_start(keeper, KEEPER_CHILD_AUDIO, PROGRAM);
	if (keeper->audio == NULL) {
		plan(keeper, DELAY_MAX_S);
		return;
	}
	struct keeper_message hello = {.type = KEEPER_AUDIO};
	keeper_send(keeper, keeper->audio, &hello, &keeper->transport, 1);
	for (const struct keeper_stream *stream = keeper->streams; stream != NULL;
		stream = stream->next) {
		if (is_ring(stream)) {
			tell_ring(keeper, stream, KEEPER_RING);
		}
	}
	tell_compositor(keeper, 1);
}

/* ---- whether it goes on */

void keeper_audio_watch(struct keeper *keeper) {
	struct itimerspec when = {0};
	if (keeper->audio == NULL || !keeper->audio->answers ||
		keeper_audio_ring_count(keeper, NULL) == 0) {
		return;
	}
	timerfd_gettime(keeper->audio_timer, &when);
	if (when.it_value.tv_sec == 0 && when.it_value.tv_nsec == 0) {
		wake_in(keeper, LOOK_S);
	}
}

void keeper_audio_here(struct keeper *keeper, struct keeper_child *audio) {
	if (audio->unanswered > LOOKS_SAID) {
		city_log(CITY_LOG_INFO, "audio", "it goes on");
	}
	audio->answers = true;
	audio->unanswered = 0;
	keeper_audio_watch(keeper);
}

/* By turns of ours, not by the clock: where all of the machine stood still it did no wrong. */
static void look(struct keeper *keeper, struct keeper_child *audio) {
	if (!audio->answers || keeper_audio_ring_count(keeper, NULL) == 0) {
		audio->unanswered = 0;
		return;
	}
	if (audio->unanswered == LOOKS_MAX) {
		city_log(CITY_LOG_ERROR, "audio",
			"it has not answered for %d s: it is ended, and started again",
			LOOKS_MAX * LOOK_S);
		kill(audio->pid, SIGKILL);
		return;
	}
	if (audio->unanswered == LOOKS_SAID) {
		city_log(CITY_LOG_WARN, "audio",
			"it has not answered for %d s: it is stopped or hangs (process %d)",
			LOOKS_SAID * LOOK_S, audio->pid);
	}
	audio->unanswered++;
	struct keeper_message message = {.type = KEEPER_AUDIO_LOOK};
	keeper_send(keeper, audio, &message, NULL, 0);
	wake_in(keeper, LOOK_S);
}

void keeper_audio_handle_timer(struct keeper *keeper) {
	uint64_t expirations;
	if (read(keeper->audio_timer, &expirations, sizeof(expirations)) < 0) {
		return;
	}
	if (keeper->audio != NULL) {
		look(keeper, keeper->audio);
		return;
	}
	keeper->audio_planned_s = 0;
	keeper_audio_start(keeper, false);
}

/* In seconds; -1: it is not started again by itself. */
static int delay(const struct keeper *keeper) {
	if (keeper->audio_failures >= FAILURES_MAX) {
		return -1;
	}
	if (keeper->audio_failures <= 1) {
		return 0;
	}
	unsigned doublings = keeper->audio_failures - 2;
	return doublings < 5 ? DELAY_FIRST_S << doublings : DELAY_MAX_S;
}

void keeper_audio_ended(struct keeper *keeper, const struct keeper_child *audio, const char *end) {
	keeper->audio = NULL;
	if (keeper->quitting) {
		return;
	}
	tell_compositor(keeper, 0);
	bool steady = keeper_now() - audio->start_ns > STEADY_NS;
	keeper->audio_failures = steady ? 0 : keeper->audio_failures + 1;
	int seconds = delay(keeper);
	if (seconds < 0) {
		city_log(CITY_LOG_ERROR, "audio",
			"it %s, %u times in a row: it is started again when a tile asks for sound",
			end, keeper->audio_failures);
	} else if (seconds > 0) {
		city_log(CITY_LOG_WARN, "audio", "it %s; starting it again in %d s", end, seconds);
		plan(keeper, (unsigned)seconds);
	} else {
		city_log(CITY_LOG_WARN, "audio", "it %s; starting it again", end);
		keeper_audio_start(keeper, false);
	}
}

void keeper_audio_hung_up(const struct keeper_child *child) {
	/* Without its wire it knows nothing any more; the next one does. */
	if (child->kind == KEEPER_CHILD_AUDIO && child->pid > 0) {
		kill(child->pid, SIGKILL);
	}
}

/* ---- connections to it */

int keeper_audio_connect(struct keeper *keeper, const char *name, struct vat_error *err) {
	keeper_audio_start(keeper, true);
	if (keeper->audio == NULL || keeper->audio->wire < 0) {
		snprintf(err->text, sizeof(err->text),
			keeper->audio_missing ? "there is no " PROGRAM
					      : "the audio process does not run now");
		return -EAGAIN;
	}
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		int error = errno;
		snprintf(err->text, sizeof(err->text), "no connection: %s", strerror(error));
		return -error;
	}
	struct keeper_message message = {.type = KEEPER_AUDIO_PEER};
	snprintf(message.name, sizeof(message.name), "%s", name);
	keeper_send(keeper, keeper->audio, &message, &pair[1], 1);
	close(pair[1]);
	return pair[0];
}

/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "audio.h"
#include "log.h"
#include "music.h"
#include "peers.h"
#include "port.h"
#include "server.h"
#include "view.h"

#define MS 1000000ull
/* Numbers of the sound server count up from 0, these begin far above. */
#define NUMBERS (1ull << 48)

static const char usage_text[] =
	"usage: source-city-audio          started by source-city, which it needs\n"
	"       source-city-audio --help | --version\n";

uint64_t audio_now(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t audio_number(struct audio *audio) {
	return NUMBERS + audio->numbers++;
}

struct audio_message audio_message(enum audio_type type) {
	return (struct audio_message){.version = AUDIO_WIRE_VERSION, .type = type};
}

void audio_copy(char *to, size_t size, const char *from) {
	size_t length = from ? strlen(from) : 0;
	if (length >= size) {
		length = size - 1;
		while (length > 0 && ((unsigned char)from[length] & 0xc0) == 0x80)
			length--;
	}
	memcpy(to, from ? from : "", length);
	memset(to + length, 0, size - length);
}

/* ---- the timer */

static bool any_running(const struct audio *audio) {
	const struct port *port;
	spa_list_for_each(port, &audio->ports, link) {
		if (port_running(port))
			return true;
	}
	return false;
}

uint64_t audio_frame(struct audio *audio) {
	return clock_pump(&audio->clock, any_running(audio), audio_now());
}

static uint64_t interval(const struct audio *audio) {
	const struct port *port;
	uint64_t now = audio_now(), ns = 0;
	if (music_busy(audio->music))
		return 10 * MS;
	if (!spa_list_is_empty(&audio->ports))
		ns = 250 * MS;
	if (peers_metering(audio->peers) > 0)
		ns = 50 * MS;
	spa_list_for_each(port, &audio->ports, link) {
		if (port_pumped(port, now))
			ns = 10 * MS;
	}
	return ns;
}

void audio_schedule(struct audio *audio) {
	if (!audio->timer)
		return;
	uint64_t ns = interval(audio);
	if (ns == audio->timer_ns)
		return;
	audio->timer_ns = ns;
	struct timespec when = {.tv_nsec = (long)ns};
	pw_loop_update_timer(
		audio->loop, audio->timer, ns ? &when : NULL, ns ? &when : NULL, false);
}

/* True once in every so many ns. */
static bool due(uint64_t *last, uint64_t every, uint64_t now) {
	if (now < *last + every)
		return false;
	*last = now;
	return true;
}

static void handle_timer(void *data, uint64_t expirations) {
	struct audio *audio = data;
	struct port *port;
	uint64_t frame = audio_frame(audio), now = audio_now();
	spa_list_for_each(port, &audio->ports, link) {
		if (port_pumped(port, now))
			port_pump(port, frame);
	}
	music_tick(audio->music, frame);
	server_look(audio->server);
	if (peers_metering(audio->peers) > 0 && due(&audio->metered_ns, 45 * MS, now))
		view_send_meters(audio->view);
	if (peers_watching(audio->peers) > 0 && due(&audio->told_ns, 1000 * MS, now)) {
		spa_list_for_each(port, &audio->ports, link) {
			peers_tell_port(audio->peers, port);
		}
	}
	audio_schedule(audio);
}

/* ---- */

static void handle_signal(void *data, int number) {
	struct audio *audio = data;
	pw_main_loop_quit(audio->main);
}

/* The real-time thread must find everything in memory. Who may not lock so much locks the rings. */
static void lock_memory(void) {
	struct rlimit limit = {};
	getrlimit(RLIMIT_MEMLOCK, &limit);
	if ((limit.rlim_cur == RLIM_INFINITY || geteuid() == 0) &&
		mlockall(MCL_CURRENT | MCL_FUTURE) == 0)
		return;
	city_log(CITY_LOG_DEBUG, "sound",
		"memory is locked only where sound lies: the limit is %llu bytes (ulimit -l)",
		(unsigned long long)limit.rlim_cur);
}

static int begin(struct audio *audio, int keeper) {
	audio->main = pw_main_loop_new(NULL);
	if (!audio->main)
		return -1;
	audio->loop = pw_main_loop_get_loop(audio->main);
	/* All streams on one thread: a cycle of the graph is one turn of it. */
	audio->context = pw_context_new(audio->loop,
		pw_properties_new("context.num-data-loops", "1", PW_KEY_APP_NAME, "Source City",
			PW_KEY_APP_ID, "source-city", PW_KEY_APP_ICON_NAME, "source-city", NULL),
		0);
	if (!audio->context)
		return -1;
	audio->peers = peers_create(audio);
	audio->music = music_create(audio);
	audio->view = view_create(audio);
	audio->server = server_create(audio);
	audio->timer = pw_loop_add_timer(audio->loop, handle_timer, audio);
	if (!audio->peers || !audio->music || !audio->view || !audio->server || !audio->timer)
		return -1;
	pw_loop_add_signal(audio->loop, SIGTERM, handle_signal, audio);
	pw_loop_add_signal(audio->loop, SIGINT, handle_signal, audio);
	if (keeper_listen(audio, keeper) < 0)
		return -1;
	server_begin(audio->server);
	return 0;
}

static void finish(struct audio *audio) {
	struct port *port, *next;
	spa_list_for_each_safe(port, next, &audio->ports, link) {
		port_log(port);
		port_destroy(port);
	}
	server_destroy(audio->server);
	view_destroy(audio->view);
	peers_destroy(audio->peers);
	music_destroy(audio->music);
	if (audio->context)
		pw_context_destroy(audio->context);
	if (audio->main)
		pw_main_loop_destroy(audio->main);
	vat_transport_unmap(audio->clock.page);
}

int main(int argc, char **argv) {
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("source-city-audio " CITY_VERSION);
		return 0;
	}
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage_text, stdout);
		return 0;
	}
	const char *keeper = getenv("SOURCE_CITY_KEEPER_FD");
	if (argc > 1 || !keeper) {
		fprintf(stderr, "source-city-audio: %s\n%s",
			argc > 1 ? "it takes no arguments"
				 : "it is started by source-city, not by itself",
			usage_text);
		return 2;
	}
	city_log_program("audio");
	signal(SIGPIPE, SIG_IGN);
	int fd = atoi(keeper);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* libpipewire has a log of its own; what matters is said here. */
	setenv("PIPEWIRE_DEBUG", "0", 0);
	pw_init(NULL, NULL);
	lock_memory();
	static struct audio audio;
	clock_init(&audio.clock);
	spa_list_init(&audio.ports);
	if (begin(&audio, fd) == 0) {
		pw_main_loop_run(audio.main);
	} else {
		city_log(CITY_LOG_ERROR, "sound", "cannot begin: %s", strerror(errno));
		audio.status = 1;
	}
	finish(&audio);
	pw_deinit();
	return audio.status;
}

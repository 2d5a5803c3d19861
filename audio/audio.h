/* SPDX-License-Identifier: MIT */
/*
 * source-city-audio: the process that owns the city's sound.
 *
 * It plays the rings of the tiles (ring.h), one stream of the sound server each, writes the
 * transport (transport.h), and tells those who look at it what is in the sound server
 * (audio_wire.h). Rings and the transport's page are the keeper's; they outlive this process, and
 * this process outlives the compositor and every version of every tile.
 *
 * Two threads: the main one, an event loop, does everything; libpipewire's real-time thread runs
 * port_process() alone (see port.h), which neither waits nor allocates, and makes no system call
 * but the wake-up of a ring. What both touch is atomic, or taken by whoever gets it first, where
 * the real-time thread goes without it when it comes second.
 */
#ifndef SOURCE_CITY_AUDIO_H
#define SOURCE_CITY_AUDIO_H

#include <pipewire/pipewire.h>
#include <stdbool.h>
#include <stdint.h>

#include "audio_wire.h"
#include "clock.h"

struct audio {
	struct pw_main_loop *main;
	struct pw_loop *loop;
	struct pw_context *context;
	struct spa_source *timer;
	uint64_t timer_ns; /* its interval; 0: off */
	struct clock clock;
	struct spa_list ports;
	struct server *server;
	struct view *view;
	struct music *music;
	struct peers *peers;
	uint64_t metered_ns, told_ns; /* when meters and rings were told last */
	int status;
	uint64_t numbers; /* given to what the sound server has no number for */
};

uint64_t audio_now(void);
/* A number for the wire that nothing else has: above all that the sound server gives. */
uint64_t audio_number(struct audio *audio);
/* The city's frame that has come. */
uint64_t audio_frame(struct audio *audio);
/* Decide anew how often the timer has to come. After anything that it depends on has changed. */
void audio_schedule(struct audio *audio);
/* A new message for the wire. */
struct audio_message audio_message(enum audio_type type);
/* Cut at a whole character where it does not fit; always ended. NULL is "". */
void audio_copy(char *to, size_t size, const char *from);

/* ---- the keeper's wire (keeper.c) */

/* Listen to the keeper. 0, or -1 (said). */
int keeper_listen(struct audio *audio, int fd);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The compositor's look at what sounds: a connection to the audio process (audio_wire.h), a copy of
 * all that it tells, and requests to it; what cityctl shows and does. Also the city's transport as
 * JSON, which needs no connection.
 *
 * The audio process lives without the compositor and may end at any time: the connection is then
 * opened again when the keeper says that there is one. Nothing here waits. Main thread only.
 */
#ifndef CITY_AUDIO_H
#define CITY_AUDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audio_message;
struct city_audio;
struct city_server;

/* Needs server->keeper. NULL when out of memory. */
struct city_audio *city_audio_create(struct city_server *server);
void city_audio_destroy(struct city_audio *audio); /* NULL-safe */

/* error: 0, or an errno with one line in `text`. */
typedef void (*city_audio_func)(void *data, int error, const char *text);
/* Sends a request. A number, with which city_audio_forget takes the answer back; 0: it failed at
 * once, and func was called. NULL-safe, both. */
uint32_t city_audio_ask(struct city_audio *audio, const struct audio_message *message,
	city_audio_func func, void *data);
void city_audio_forget(struct city_audio *audio, uint32_t request);

/* The link between two nodes; 0: there is none. NULL-safe. */
uint64_t city_audio_link(const struct city_audio *audio, uint64_t from, uint64_t to);

/* Heap; NULL when out of memory. NULL-safe: a city without an audio process. */
char *city_audio_json(const struct city_audio *audio);
/* The transport at the frame that is heard now; NULL also when there is none. */
char *city_audio_transport_json(struct city_server *server, bool markers);

#endif

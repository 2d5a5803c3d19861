/* SPDX-License-Identifier: MIT */
/*
 * The connection to the sound server. There may be none, and it may come and go at any time: said
 * once each time, and waited for without looking again and again (its socket's folder is watched).
 */
#ifndef SOURCE_CITY_AUDIO_SERVER_H
#define SOURCE_CITY_AUDIO_SERVER_H

#include "audio.h"

struct server *server_create(struct audio *audio);
void server_destroy(struct server *server);
/* Connect, or begin to wait. Once, when everything else is there. */
void server_begin(struct server *server);
/* NULL: there is none. */
struct pw_core *server_core(const struct server *server);
/* AUDIO_SERVER. */
struct audio_message server_message(const struct server *server);
/* Tell those who look on if the graph's rate or quantum has changed. */
void server_look(struct server *server);

#endif

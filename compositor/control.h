/* SPDX-License-Identifier: MIT */
/*
 * The server side of source-city-control-v1: what cityctl, the forge and other tools see and do.
 * control.c has the entry point and its requests, control_tile.c the handles of tiles,
 * control_builder.c builds and watches, control_state.c the city as JSON. Main thread only.
 */
#ifndef CITY_CONTROL_H
#define CITY_CONTROL_H

#include "log.h"
#include <sys/types.h>

struct city_control;
struct city_server;
struct city_tile;

/* Needs server->tiles, which may be NULL: then there are no tiles to speak of. NULL after one line
 * in the log. */
struct city_control *city_control_create(struct city_server *server);
void city_control_destroy(struct city_control *control); /* NULL-safe */
/* Starts the forge, through the keeper, and keeps it running. */
void city_control_start_forge(struct city_control *control);
/* Its process; 0: it does not run. NULL-safe. */
pid_t city_control_forge(const struct city_control *control);
/* The tile's source folder is another now: what is saved there goes live from now on. */
void city_control_source_changed(struct city_control *control, struct city_tile *tile);

/* A handover has ended: its record to everybody who listens. Works without a control. */
void city_control_record(struct city_server *server, const char *json);
/* A JSON object, as the events of that name: to everybody who listens. Work without a control. */
void city_control_transport(struct city_server *server, const char *json);
void city_control_audio(struct city_server *server, const char *json);
/* One line into the log and to everybody who listens. Works without a control. */
void city_control_message(struct city_server *server, enum city_log_level level,
	const char *subject, const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif

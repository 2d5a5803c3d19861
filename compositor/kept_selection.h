/* SPDX-License-Identifier: MIT */
/*
 * What a tile offers as clipboard or primary selection outlives the version of it that did: in
 * place of its source the seat gets one of the compositor's own, which asks for the text at once
 * and keeps it when the version is replaced, ends or crashes. Types other than text are passed on
 * for as long as there is somebody to ask. Selections of windows are set as they are.
 *
 * The text outlives this compositor, too: the keeper has a copy, which the next one offers as soon
 * as it is there.
 *
 * Each call takes the source over, whatever comes of it. Main thread only.
 */
#ifndef CITY_KEPT_SELECTION_H
#define CITY_KEPT_SELECTION_H

#include <stdint.h>

struct city_seat;
struct city_server;
struct wlr_data_source;
struct wlr_primary_selection_source;

/* source may be NULL: nothing is offered any more. */
void city_selection_set(struct city_seat *seat, struct wlr_data_source *source, uint32_t serial);
void city_primary_selection_set(
	struct city_seat *seat, struct wlr_primary_selection_source *source, uint32_t serial);

/* Offers what the compositor before offered. Needs the keeper. */
void city_selections_go_on(struct city_server *server);

#endif

/* SPDX-License-Identifier: MIT */
/* Going to what has a name. Main thread only. */
#ifndef CITY_GO_H
#define CITY_GO_H

#include <stdbool.h>
#include <stddef.h>

struct city_stage;

/*
 * To a tile or window (at its own size, focused), a district, a quarter of source or a bookmark of
 * that name; "all" windows and tiles, the whole "city", or "back": to where the camera was before
 * it last went somewhere, again and again. False with the reason in `error`.
 */
bool city_go(struct city_stage *stage, const char *name, char *error, size_t error_size);
/* Makes a bookmark of where the camera is, or is going. */
bool city_go_mark(struct city_stage *stage, const char *name, char *error, size_t error_size);

#endif

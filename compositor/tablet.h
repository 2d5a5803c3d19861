/* SPDX-License-Identifier: MIT */
/*
 * Tablets. Over a client that has bound tablet-v2 a pen is the client's, with pressure, tilt,
 * buttons and all; everywhere else it moves the pointer and its tip is the left button. What the
 * map takes (bindings, frames, tiles that are far away) it takes of a pen as of a pointer. Pads go
 * where the keyboard is.
 *
 * Owned by the seat; everything is NULL-safe. Main thread only.
 */
#ifndef CITY_TABLET_H
#define CITY_TABLET_H

#include <stdbool.h>

struct city_seat;
struct city_tablets;
struct city_view;
struct wlr_input_device;

struct city_tablets *city_tablets_create(struct city_seat *seat); /* NULL: out of memory */
void city_tablets_destroy(struct city_tablets *tablets);
/* Each goes by itself with its device. */
void city_tablets_add(struct city_tablets *tablets, struct wlr_input_device *device);
void city_tablets_add_pad(struct city_tablets *tablets, struct wlr_input_device *device);
/* What is below a pen that rests near its tablet may be something else. True: the cursor is that
 * pen's, and the client's below it: the pointer is nowhere. */
bool city_tablets_refocus(struct city_tablets *tablets);
/* Clients lose every pen: it is lifted and gone for them. It may be somebody's again when it moves.
 */
void city_tablets_let_go(struct city_tablets *tablets);
void city_tablets_forget_view(struct city_tablets *tablets, const struct city_view *view);

#endif

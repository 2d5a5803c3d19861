/* SPDX-License-Identifier: MIT */
/*
 * Commands of the desktop: what a binding runs and what control clients may ask for, in the same
 * words. Main thread only.
 *
 *   exec COMMAND...    launch   close            focus next|prev|left|right|up|down|NAME
 *   fullscreen                  maximize         minimize         above
 *   snap left|right|top|bottom|top-left|top-right|bottom-left|bottom-right|center|off
 *   arrange [off]
 *   zoom in|out|room|all|city|NUMBER             pan left|right|up|down|DX DY   (output pixels)
 *   camera CX CY [ZOOM]         move left|right|up|down|CX CY                   (city units)
 *   resize narrower|wider|shorter|taller|WIDTH HEIGHT                           (city units)
 *   quarter NAME CX CY                                                          (city units)
 *   drag move|resize|pan        in bindings of buttons, until the button is let go
 *   scroll zoom|pan             in bindings of "Wheel"
 *   reload                      restart          quit             none
 */
#ifndef CITY_COMMAND_H
#define CITY_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "compositor/bind.h"

struct city_server;
struct city_view;
struct wlr_pointer_axis_event;

/* A command that a button or a wheel runs: it is about what the pointer is on, not about what has
 * the focus. */
struct city_pointing {
	enum city_bind_kind kind;
	struct city_view *view; /* that it is on; NULL: none */
	bool panel;		/* it is on a surface that is no view's */
	uint32_t button;
	const struct wlr_pointer_axis_event *axis;
	bool missed; /* set where there was nothing to take hold of: the event is a client's */
};

/* True if the line is a command with arguments that it can take, and one that may be bound to such
 * a thing; otherwise `error` says why not and what would be allowed. Looks at the words only. */
bool city_command_check(const char *line, enum city_bind_kind kind, char *error, size_t error_size);
/* Runs it; `pointing` is NULL for keys and control clients. On false `error` holds one line for
 * people. */
bool city_command_run(struct city_server *server, const char *line, struct city_pointing *pointing,
	char *error, size_t error_size);

#endif

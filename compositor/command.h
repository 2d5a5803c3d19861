/* SPDX-License-Identifier: MIT */
/*
 * Commands of the desktop: what a key binding runs and what control clients may ask for, in the
 * same words. Main thread only.
 *
 *   exec COMMAND...             close            focus next|prev|left|right|up|down|NAME
 *   fullscreen                  maximize         minimize         above
 *   snap left|right|top|bottom|top-left|top-right|bottom-left|bottom-right|center|off
 *   arrange [off]
 *   zoom in|out|room|all|city|NUMBER             pan left|right|up|down|DX DY   (output pixels)
 *   camera CX CY [ZOOM]         move left|right|up|down|CX CY                   (city units)
 *   resize narrower|wider|shorter|taller|WIDTH HEIGHT                           (city units)
 *   quarter NAME CX CY                                                          (city units)
 *   reload                      restart          quit             none
 */
#ifndef CITY_COMMAND_H
#define CITY_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

struct city_server;

/* True if the line is a command with arguments that it can take; otherwise `error` says why not
 * and what would be allowed. Looks at the words only. */
bool city_command_check(const char *line, char *error, size_t error_size);
/* Runs it. On false `error` holds one line for people. */
bool city_command_run(struct city_server *server, const char *line, char *error, size_t error_size);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The globals that need no file of their own, and who may see which: clients in a security context
 * see no global that reaches beyond their own windows. Main thread only.
 */
#ifndef CITY_GLOBALS_H
#define CITY_GLOBALS_H

#include <stdbool.h>

struct city_server;

bool city_globals_create(struct city_server *server); /* sets server->protocols */
void city_globals_destroy(struct city_server *server);

#endif

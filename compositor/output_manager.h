/* SPDX-License-Identifier: MIT */
/*
 * What clients may do to outputs: wlr-output-management (modes, scales, places, on and off) and
 * wlr-output-power-management (asleep or not). Main thread only.
 */
#ifndef CITY_OUTPUT_MANAGER_H
#define CITY_OUTPUT_MANAGER_H

#include <stdbool.h>

struct city_server;

bool city_output_manager_create(struct city_server *server); /* sets server->output_manager */
void city_output_manager_destroy(struct city_server *server);
/* Tells clients what the outputs are like now. NULL-safe. */
void city_output_manager_update(struct city_server *server);

#endif

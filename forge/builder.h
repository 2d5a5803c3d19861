/* SPDX-License-Identifier: MIT */
/* The forge as the builder of a city: a Wayland client of source-city-control-v1. */
#ifndef FORGE_BUILDER_H
#define FORGE_BUILDER_H

#include "forge/build.h"

struct builder;

/* Connects as WAYLAND_SOCKET or WAYLAND_DISPLAY say. NULL after one line in the log. `ended` is
 * called once, from the loop, when the city is gone. */
struct builder *builder_create(struct forge *forge, void (*ended)(void *data), void *data);
void builder_destroy(struct builder *builder); /* NULL-safe; stops all builds */

#endif

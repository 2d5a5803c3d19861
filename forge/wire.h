/* SPDX-License-Identifier: MIT */
/*
 * Between the forge and its worker. The plan is a file in the worker's folder, made of strings that
 * end with a zero byte; a byte on the worker's standard input says that it is there. Reports come
 * as a head and the output's bytes. Both ends are the same executable.
 */
#ifndef FORGE_WIRE_H
#define FORGE_WIRE_H

#include <stdint.h>

#define WIRE_PLAN "plan"
/* First string of the plan: an upgraded executable must not misread the plan of an older forge. */
#define WIRE_VERSION "source-city-forge " CITY_VERSION " plan 1"

struct wire_head {
	uint32_t link;
	uint32_t index;
	int32_t status;
	uint32_t size;
	uint32_t lost;
};

#endif

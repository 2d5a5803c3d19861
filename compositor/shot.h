/* SPDX-License-Identifier: MIT */
/*
 * A picture of the city, or of a part of it, at any size, drawn without an output: for as long as
 * it takes there is a stage for it (stage.h) and an output that exists in memory only. What the
 * picture shows is what an output with that camera would show, without panels, menus and pointer.
 *
 * It is drawn on the main thread, in strips of some million pixels with a turn of the loop between
 * two of them, so that a large one holds up nobody: strips may be a moment apart. Main thread only.
 */
#ifndef CITY_SHOT_H
#define CITY_SHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CITY_SHOT_SIDE 16384
#define CITY_SHOT_PIXELS (64 * 1024 * 1024)

struct city_server;

struct city_shot {
	int fd; /* memfd: rows of 32-bit words 0x00RRGGBB in the byte order of this machine */
	int width, height;
	size_t stride; /* bytes */
};

/* A picture that is being drawn. */
struct city_shot_job;

/* The end: the picture, whose fd is closed after the call, or NULL and the reason. The job is gone.
 */
typedef void (*city_shot_done_t)(void *data, const struct city_shot *shot, const char *error);

/*
 * `what` is "all", "tile NAME" (or the app id of a window), or "region CX CY WIDTH HEIGHT" in city
 * units. It is fitted into width by height pixels; 0, 0: its own size, as long as no side is longer
 * than 4096. NULL with the reason in `error`; otherwise `done` is called later.
 */
struct city_shot_job *city_shot_begin(struct city_server *server, const char *what, uint32_t width,
	uint32_t height, city_shot_done_t done, void *data, char *error, size_t error_size);
/* Nobody wants it any more; `done` is not called. NULL-safe. */
void city_shot_cancel(struct city_shot_job *job);

#endif

/* SPDX-License-Identifier: MIT */
/* Folders of the city below the XDG base directories. Each call makes the folder (mode 0700) as far
 * as it can be made now, a full disk may have room later, and returns a path for the caller to
 * free; NULL with errno if there is no such path. */
#ifndef CITY_PATHS_H
#define CITY_PATHS_H

#include <stdbool.h>
#include <stddef.h>

char *city_path_data(const char *sub);	/* $XDG_DATA_HOME/source-city/SUB */
char *city_path_state(const char *sub); /* $XDG_STATE_HOME/source-city/SUB; sub may be NULL */
/* The installed artifact of a kind of tile; not made, perhaps not there. */
char *city_path_tile(const char *kind);
/* The installed sources of a kind of tile. */
char *city_path_tile_source(const char *kind);
/* The folder and all above it. False with errno. */
bool city_path_make(const char *folder);
/* The folder that the file is to be in. False with errno. */
bool city_path_make_parent(const char *path);
/* A file that cannot be used gets another name, and a line in the log says so and what follows. */
void city_path_set_aside(const char *path, const char *subject, const char *follows);
/* Writes the file whole or not at all: beside it, then renamed. Makes its folder. False with errno.
 */
bool city_path_replace(const char *path, const char *text, size_t size);
/* The same, and it is on disk when this returns, which may take long. */
bool city_path_replace_durably(const char *path, const char *text, size_t size);

/* Whether both name one folder, perhaps by way of links; false if they differ and one is missing.
 */
bool city_path_same(const char *a, const char *b);

#endif

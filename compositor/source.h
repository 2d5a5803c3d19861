/* SPDX-License-Identifier: MIT */
/*
 * The user's own copies of tile sources: the folder $XDG_DATA_HOME/source-city/city, a folder a
 * district in it, a folder a tile in that. What the user saves there goes live.
 */
#ifndef CITY_SOURCE_H
#define CITY_SOURCE_H

/* Where the sources of installed tiles are copied to. */
#define CITY_HOME_DISTRICT "home"

/*
 * The user's source folder of a kind of tile, copied from the installed one when it is not there
 * yet; the installed one where it cannot be copied (logged). For the caller to free; NULL when
 * there is neither.
 */
char *city_source_own(const char *kind);

#endif

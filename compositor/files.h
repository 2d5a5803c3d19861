/* SPDX-License-Identifier: MIT */
/*
 * Where files that are only read are. Results are on the heap; NULL where there is no such file, or
 * out of memory. (What the city writes is in paths.h.)
 */
#ifndef CITY_FILES_H
#define CITY_FILES_H

/* The config file to read: the user's, else the installed one. */
char *city_file_config(void);
/* A file below share/source-city: SOURCE_CITY_DATADIR, else ../share/source-city as seen from the
 * executable, else where the build said. NULL if it exists in none. */
char *city_file_installed(const char *name);
/* A built tile by its file name, found likewise: SOURCE_CITY_TILEDIR, ../lib/source-city/tiles. */
char *city_file_tile(const char *name);
/* `path` with ~ expanded; relative ones are meant from the folder of `from`. */
char *city_file_expand(const char *path, const char *from);

#endif

/* SPDX-License-Identifier: MIT */
/* The program that starts programs. Main thread only. */
#ifndef CITY_LAUNCHER_H
#define CITY_LAUNCHER_H

#include "compositor/config.h"

/* The shell command that starts it: what the config names, else the first that is installed of
 * those that the city knows. Borrowed; NULL: there is none. */
const char *city_launcher(const struct city_config *config);
const char *city_launcher_names(void); /* of those that it knows, with commas */

#endif

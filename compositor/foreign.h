/* SPDX-License-Identifier: MIT */
/*
 * What task bars and screen sharing see of the views: wlr-foreign-toplevel-management,
 * ext-foreign-toplevel-list and its image capture source. Main thread only.
 */
#ifndef CITY_FOREIGN_H
#define CITY_FOREIGN_H

#include <stdbool.h>

struct city_server;

bool city_foreign_create(struct city_server *server); /* sets server->foreign */
void city_foreign_destroy(struct city_server *server);

#endif

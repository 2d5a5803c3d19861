/* SPDX-License-Identifier: MIT */
/*
 * The store of artifacts: each under the hash of its bytes, written once and never changed, because
 * processes map these files and run them.
 */
#ifndef FORGE_STORE_H
#define FORGE_STORE_H

#include "forge/util.h"

/*
 * Puts the file `built` into the store folder and returns it open for reading; its name without .so
 * in `hash`. -1 with one line in *why.
 */
int store_put(const char *store, const char *built, char hash[DIGEST_TEXT], char **why);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The box a build runs in. It sees the system's programs, libraries and headers, the source folder
 * and the tile headers, all for reading, and one folder that it may write. No network, no home, no
 * other process. bubblewrap makes it; where that is missing or may not make namespaces, builds run
 * without a box, and one line in the log says so.
 */
#ifndef FORGE_SANDBOX_H
#define FORGE_SANDBOX_H

#include "forge/setup.h"

enum sandbox_kind {
	SANDBOX_NONE,
	SANDBOX_FULL,
	SANDBOX_NO_PROC, /* /proc cannot be mounted here, as inside some containers */
};

/* Tries it. Takes some milliseconds. */
enum sandbox_kind sandbox_probe(const struct forge_setup *setup);
/*
 * Appends the words that come before a command to run it in the box. folder (may be NULL) is seen
 * for reading, work (may be NULL) for writing, both at their own paths. Nothing for SANDBOX_NONE.
 */
void sandbox_words(enum sandbox_kind kind, const struct forge_setup *setup, const char *folder,
	const char *work, struct strings *words);

#endif

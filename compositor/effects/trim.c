/* SPDX-License-Identifier: MIT */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "compositor/effects/internal.h"

/* What is large, and used for nothing but drawing. */
static bool is_driver(const char *path) {
	const char *name = strrchr(path, '/');
	return name != NULL &&
		(strncmp(name, "/libLLVM", 8) == 0 || strncmp(name, "/libgallium", 11) == 0);
}

/*
 * The driver's libraries cannot be unloaded, but the pages of them that were read can be given
 * back: those of mappings that nobody can write or has written come again from the file when they
 * are touched. (What the loader has relocated is anonymous, and stays.)
 */
static void trim_libraries(void) {
	FILE *maps = fopen("/proc/self/smaps", "re");
	if (maps == NULL) {
		return;
	}
	char line[512], path[400];
	unsigned long start = 0, end = 0, anonymous;
	bool candidate = false;
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long low, high;
		char mode[5];
		path[0] = '\0';
		if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %399s", &low, &high, mode, path) >= 3) {
			start = low;
			end = high;
			candidate = mode[1] == '-' && mode[3] == 'p' && is_driver(path);
		} else if (candidate && sscanf(line, "Anonymous: %lu", &anonymous) == 1) {
			if (anonymous == 0) {
				madvise((void *)start, end - start, MADV_DONTNEED);
			}
			candidate = false;
		}
	}
	fclose(maps);
}

void fx_trim(void) {
#ifdef __GLIBC__
	/* The driver's compiler leaves megabytes of freed memory behind. */
	malloc_trim(0);
#endif
	trim_libraries();
}

/* SPDX-License-Identifier: MIT */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
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
	char line[512];
	unsigned long start = 0, end = 0;
	bool candidate = false;
	while (fgets(line, sizeof(line), maps) != NULL) {
		/* "START-END MODE OFFSET DEVICE INODE PATH", then a line "NAME: VALUE" for each
		 * thing there is to say about it. */
		char *at;
		unsigned long low = strtoul(line, &at, 16);
		if (at != line && *at == '-') {
			start = low;
			end = strtoul(at + 1, &at, 16);
			candidate = strlen(at) > 5 && at[2] == '-' && at[4] == 'p' && is_driver(at);
		} else if (candidate && strncmp(line, "Anonymous:", 10) == 0) {
			if (strtoul(line + 10, NULL, 10) == 0) {
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

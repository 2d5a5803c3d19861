/* SPDX-License-Identifier: MIT */
/*
 * What the forge builds with, and where: compiler, flags, folders, limits. Read once at start from
 * the environment and from the installed layout around the running executable; the flags are read
 * for each build, so that an upgrade of the city is noticed.
 */
#ifndef FORGE_SETUP_H
#define FORGE_SETUP_H

#include "forge/util.h"

struct forge_setup {
	char *executable;	 /* of the forge itself; it is its own worker */
	struct strings compiler; /* words; the first is an absolute path once it was found */
	char *include_dir;	 /* tile.h and vat.h */
	char *flags_file;
	char *store_dir;   /* artifacts */
	char *city_dir;	   /* the city folder: a folder for each district */
	char *journal_dir; /* refactors that were done, and the one under way */
	char *config_file; /* the user's configuration of the city */
	char *object_dir;  /* compiled files, a cache */
	char *work_dir;	   /* a folder in it for each build under way */
	unsigned int jobs; /* compilers at once in one build */
	uint64_t time_limit_ns;
	uint64_t memory_limit; /* bytes of address space for each compiler */
	bool sandbox;	       /* wanted */
};

/* False after one line in the log. */
bool setup_load(struct forge_setup *setup);
void setup_finish(struct forge_setup *setup);

/*
 * The flags all tiles are built with: the lines of the flags file, else built-in ones. compile gets
 * those for a *.c file, link those for the artifact.
 */
bool setup_flags(
	const struct forge_setup *setup, struct strings *compile, struct strings *link, char **why);
/* Changes when another compiler would run under the same name. */
struct digest setup_compiler_identity(const struct forge_setup *setup);
/* Finds a program on PATH. Heap, NULL when there is none. */
char *setup_find_program(const char *name);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The programs of transitions, by name. Files are read again when they have changed; the last
 * source that compiled is kept, also over the end of the context. Worker only.
 */
#ifndef CITY_EFFECTS_PROGRAM_H
#define CITY_EFFECTS_PROGRAM_H

#include <time.h>

#include "compositor/effects/gl.h"

/* Texture units. What is read pixel by pixel has units of its own, whose sampler is `nearest`. */
enum {
	FX_UNIT_FROM,
	FX_UNIT_TO,
	FX_UNIT_FROM_NEAREST,
	FX_UNIT_TO_NEAREST,
	FX_UNIT_BEFORE_NEAREST,
	FX_UNITS,
};

struct fx_program {
	struct wl_list link; /* fx_programs.list */
	char name[FX_NAME_SIZE];
	/* Without and with the contract's guard, which is left out where frames are guarded in
	 * memory. */
	struct fx_variant {
		GLuint id; /* 0: not compiled in this context */
		GLint progress, size, texel, seed, random, step, left; /* uniforms */
	} variants[2];
	bool warm;    /* the driver has made its code */
	char *good;   /* the last source that compiled */
	char *path;   /* the file that was last looked at, good or not; NULL: built in */
	dev_t device; /* and which state of it */
	ino_t inode;
	off_t length;
	struct timespec modified;
};

struct fx_programs {
	struct wl_list list; /* fx_program.link */
	const char *path;    /* folders, parted by colons */
};

void fx_programs_init(struct fx_programs *programs, const char *path);
void fx_programs_finish(struct fx_programs *programs);
/* The context ends. */
void fx_programs_forget(struct fx_programs *programs);
/* Reads and compiles what has changed. The built-in crossfade where there is no other; NULL if not
 * even that compiles. */
struct fx_program *fx_programs_get(struct fx_programs *programs, const char *name);
/* The same without looking at the file. */
struct fx_program *fx_programs_find(struct fx_programs *programs, const char *name);

#endif

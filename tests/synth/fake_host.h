/* SPDX-License-Identifier: MIT */
/* A host for one synth tile, without a city: cells in memory, a transport that the test drives, and
 * time that is the frames that were rendered. */
#ifndef TESTS_SYNTH_FAKE_HOST_H
#define TESTS_SYNTH_FAKE_HOST_H

#include "tile.h"

#define FAKE_RATE 48000
#define FAKE_CELLS 32
#define FAKE_OPTIONS 8

struct fake_host {
	struct tile tile; /* first, so that services find it */
	struct tile_host services;
	const struct tile_descriptor *descriptor;
	struct tile_time time;
	struct vat_transport transport;
	void *cells[FAKE_CELLS];
	uint64_t counts[FAKE_CELLS];
	bool fresh[FAKE_CELLS];
	const char *options[FAKE_OPTIONS][2];
	int fd;
	uint64_t wake_at;
	uint64_t frame; /* the next to be rendered */
	char logged[256];
};

/* Load the artifact; attach to cells that are new, or (from) copies of another's. False: it
 * refused. */
bool fake_host_start(struct fake_host *fake, const char *artifact, const char *const options[][2],
	const struct fake_host *from);
void fake_host_finish(struct fake_host *fake);
/* Render frames in slices of `slice`; an update after each, when it is due. */
void fake_host_render(
	struct fake_host *fake, uint64_t frames, uint32_t slice, float *left, float *right);
/* The clip's file is another now. */
void fake_host_saved(struct fake_host *fake);
void fake_host_key(struct fake_host *fake, uint32_t code, enum tile_key_state state);
/* Into width * height pixels, drawn anew. */
void fake_host_draw(struct fake_host *fake, uint32_t *pixels);
void *fake_host_cell(const struct fake_host *fake, const char *name);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Records what goes into the operations of a live tile, so that it can be replayed: see recording.h
 * for what and how. Costs a copy into memory that is there already, never a system call and never a
 * wake-up; but for the base, a copy of the state, which is taken when the tile has just become idle
 * and at most as often as costs a hundredth of the time. When there is more to record than there is
 * room before such a moment comes, recording stops until then.
 *
 * The memory is the tile's, not this version's: the next version goes on in it, and it is there
 * after a crash. All functions do nothing where recording is off. Called on the host's thread.
 */
#ifndef SOURCE_CITY_TILE_RECORDER_H
#define SOURCE_CITY_TILE_RECORDER_H

#include "recording.h"

struct host;

struct host_recorder {
	struct recording_writer writer; /* .memory NULL: recording is off */
	uint64_t size;			/* of that memory */
	int fd;
	bool on; /* what happens is being written down */
	bool wants_base;
	bool wants_drop;	     /* the other slot, */
	uint64_t drop_used;	     /* once there are more bytes of events than this in the slot */
	bool inside;		     /* an operation */
	uint64_t before;	     /* bytes of events when it began */
	struct recording_size known; /* as written last */
	struct vat_transport known_transport;
	uint64_t next_base_at; /* CLOCK_MONOTONIC */
	/* When this version gave its cells up, where it goes on should it get them back. */
	uint64_t yield_number, yield_used;
	bool yield_on;
};

/* Before the version is ready. The tile's option `record` is "off", or the size of the memory in
 * bytes with K, M or G behind it. */
void host_recorder_open(struct host *host);
void host_recorder_finish(struct host *host);
/* Another version still writes into it, which this one is about to take over from. */
void host_recorder_prepare(struct host *host);

/* Operations: called between host_begin and the operation. host_end ends them. */
/* kept: the state is what the version before left, but for its shape. */
void host_recorder_attach(struct host *host, enum tile_attach reason, bool kept);
void host_recorder_operation(struct host *host, enum recording_type type);
void host_recorder_input(struct host *host, const struct tile_input *event);
void host_recorder_render(struct host *host, const struct tile_sound *sound);
void host_recorder_ready(struct host *host, const char *stream, bool readable, bool writable);
/* What it returned, where that is asked. */
void host_recorder_end(struct host *host, bool result);

/* Within operations. */
void host_recorder_read(struct host *host, int stream, const void *data, long result);
void host_recorder_write(struct host *host, int stream, size_t size, long result);
/* RECORDING_CLAIM, RECORDING_OPEN and RECORDING_WATCH */
void host_recorder_stream(
	struct host *host, enum recording_type type, const char *name, bool result);
void host_recorder_file(
	struct host *host, const char *option, const struct tile_file *file, bool result);
void host_recorder_random(struct host *host, uint64_t value);
void host_recorder_no_cell(struct host *host, uint32_t cell);
void host_recorder_ask(struct host *host, bool result);
void host_recorder_status(
	struct host *host, uint32_t port, const struct tile_sound_status *status, bool result);

/* The cells are given up. */
void host_recorder_yield(struct host *host);
/* Whether host_recorder_rest is to be called once there is nothing else to do. */
bool host_recorder_wants_rest(const struct host *host);
/* Take a base, or give memory back. */
void host_recorder_rest(struct host *host);

#endif

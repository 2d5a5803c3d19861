/* SPDX-License-Identifier: MIT */
/*
 * The format of recordings: everything that went into the operations of a tile, in their order, and
 * the state that it went into. As the host writes it into memory, and as a file.
 *
 * The memory (a memfd that the keeper holds) has two slots of equal size, each a header, room for
 * events, and room for a base: the region as it was before the first event. Events are only ever
 * added behind `used`; when a slot is full, the other one begins with a new base. What stands there
 * at any moment is whole but for the event that is being written, which `used` does not cover yet.
 * A file is one slot without its empty room, with checksums: in it the events of both slots are
 * put together, where the second one goes on where the first one ends.
 *
 * All numbers are in the byte order of the machine. Sizes are bytes, times those of the tile.
 * Nothing here keeps state; the functions are for one thread at a time, but recording_collect and
 * _begin/_put/_publish may work on the same memory in different processes.
 */
#ifndef SOURCE_CITY_RECORDING_H
#define SOURCE_CITY_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tile.h"
#include "vat.h"

/* "SCrecord", read as little endian. */
#define RECORDING_MAGIC 0x64726f6365724353ull
#define RECORDING_FORMAT 2u
#define RECORDING_SLOTS 2
#define RECORDING_HEADER 4096
#define RECORDING_ROOM_MIN (1ull << 20)
#define RECORDING_ROOM_MAX (1ull << 30) /* of all */
#define RECORDING_ROOM_DEFAULT (64ull << 20)
#define RECORDING_EVENTS_MAX (4ull << 20) /* of a slot; the rest is for its base */
#define RECORDING_HASH 72

enum recording_flag {
	/* There was more to record than there was room: what came then is not there. */
	RECORDING_CUT = 1 << 0,
	/* The base is the state after the last event of the other slot: nothing lies between. */
	RECORDING_FOLLOWS = 1 << 1,
	/* The version that wrote last gave its cells up, and nobody has attached since. */
	RECORDING_YIELDED = 1 << 2,
};

struct recording_header {
	uint64_t magic;
	uint32_t format;
	uint32_t flags;	    /* enum recording_flag */
	uint64_t number;    /* of the slot's use, growing over both slots; 0: nothing in it */
	uint64_t rewinds;   /* how often events were taken back */
	uint64_t used;	    /* bytes of events */
	uint64_t base_used; /* bytes of the base; 0: the tile was new, all cells are fresh */
	uint64_t base_size; /* of the region that the base is a copy of */
	uint64_t events_at; /* from the header */
	uint64_t events_room;
	uint64_t base_at; /* from the header */
	uint64_t base_room;
	struct vat_uuid tile, city;
	char name[VAT_NAME_SIZE];
	/* Of files only: of the events, of the base, and of all of the header before this. */
	uint64_t events_sum, base_sum, header_sum;
};

/* A base is a row of these, each followed by its bytes, a multiple of VAT_PAGE. */
struct recording_extent {
	uint64_t at, size;
};

enum recording_type {
	/* Operations. What the tile asked of its host meanwhile, and what varies from run to run,
	 * follows up to RECORDING_END. */
	RECORDING_ATTACH = 1, /* struct recording_attach; the tile's options */
	RECORDING_UPDATE,     /* struct recording_moment */
	RECORDING_DRAW,	      /* struct recording_moment */
	RECORDING_INPUT, /* struct recording_input; text of a paste, name of a stream or option */
	RECORDING_READY, /* struct recording_moment; name of the stream. arg: 1 readable, 2 writable
			  */
	RECORDING_QUIESCE, /* struct recording_moment */
	RECORDING_RENDER,  /* struct recording_render */
	RECORDING_END,	   /* it returned. arg: what, where that is a bool */

	/* Between operations. */
	RECORDING_SIZE,		/* struct recording_size: of the tile from now on */
	RECORDING_STREAM_THERE, /* name: a stream that the tile had when the slot began */
	RECORDING_TRANSPORT,	/* struct vat_transport: from now on */

	/* Within them. */
	RECORDING_READ,	   /* int64_t result; name, zero byte, the bytes that were read */
	RECORDING_WRITE,   /* int64_t result; name. arg: not everything was taken */
	RECORDING_CLAIM,   /* name. arg: whether it was there */
	RECORDING_OPEN,	   /* name. arg: whether it could be opened */
	RECORDING_RANDOM,  /* uint64_t */
	RECORDING_NO_CELL, /* uint32_t: the cell that could not be resized */
	RECORDING_FILE,	   /* struct tile_file; name of the option. arg: whether it was opened */
	RECORDING_WATCH,   /* name of the option. arg: whether the file can be watched */
	RECORDING_ASK,	   /* arg: whether the transport could be asked */
	RECORDING_STATUS,  /* struct recording_status. arg: whether there was one */
};
#define RECORDING_TYPE_MAX RECORDING_STATUS

/* Every event begins with this, at a multiple of 8. */
struct recording_event {
	uint32_t size; /* with this and up to the next event */
	uint8_t type;  /* enum recording_type */
	uint8_t arg;
	uint16_t pad; /* zero bytes at the end, below 8 */
};

/* When an operation ran. */
struct recording_moment {
	struct tile_time time;
	uint64_t frame;
};

struct recording_render {
	struct recording_moment at;
	uint64_t frame, skipped;
	uint32_t frames, port;
};

struct recording_status {
	uint32_t port, reserved;
	struct tile_sound_status status;
};

struct recording_size {
	int32_t width, height;
	double scale;
	uint32_t focused;
	uint32_t reserved;
};

struct recording_attach {
	uint32_t reason; /* enum tile_attach; TILE_ATTACH_REPLAY: the slot begins here */
	uint32_t reserved;
	struct recording_moment at;
	struct recording_size size;
	struct vat_transport transport;
	char hash[RECORDING_HASH]; /* of the artifact; "" where it has none */
};

struct recording_input {
	struct recording_moment at;
	struct tile_input input; /* pointers in it are NULL */
};

/* ---- writing into memory */

struct recording_writer {
	uint8_t *memory;
	uint64_t slot_size;
	unsigned slot;
};

/* Slots in a memory of this size; false if they find no place. */
bool recording_writer_init(struct recording_writer *writer, void *memory, uint64_t size);
struct recording_header *recording_slot(const struct recording_writer *writer, unsigned slot);
/* Bytes of a base that there is room for. */
uint64_t recording_base_room(const struct recording_writer *writer);
/* The slot with the highest number, -1 if there is none that makes sense. */
int recording_newest(const struct recording_writer *writer);
/* The slot becomes a new recording without events and base; it is `number` that makes it seen. */
void recording_begin(
	struct recording_writer *writer, unsigned slot, const struct vat_region_info *tile);
/* What the next events are written to is in memory, without a fault for each page. */
void recording_prepare(struct recording_writer *writer, unsigned slot);
/* Where an event of that many bytes is to be written, zeros; NULL: no room. Not seen before
 * recording_publish. */
struct recording_event *recording_put(
	struct recording_writer *writer, enum recording_type type, unsigned arg, size_t payload);
void recording_publish(struct recording_writer *writer, const struct recording_event *event);
static inline void *recording_payload(struct recording_event *event) {
	return event + 1;
}

/* ---- reading */

/* A recording of which every event has been checked. */
struct recording {
	struct recording_header header;
	uint8_t *events; /* header.used bytes */
	uint8_t *base;	 /* header.base_used bytes */
	void *data;	 /* owned; what both point into */
};

/*
 * Takes what two slots hold, while the tile may be writing. 0, or a negative errno with one line in
 * err. The newest slot, with that before it where they join; the one before alone where the newest
 * has hardly begun.
 */
int recording_collect(
	const void *memory, uint64_t size, struct recording *recording, struct vat_error *err);
/* The same from a descriptor of the memory. */
int recording_collect_fd(int fd, struct recording *recording, struct vat_error *err);
/* Reads a file. -EBADMSG with one line in err for what is no recording, or a damaged one. */
int recording_load(int fd, struct recording *recording, struct vat_error *err);
int recording_parse(
	const void *data, uint64_t size, struct recording *recording, struct vat_error *err);
/* Writes a file, from the descriptor's offset on. */
int recording_save(const struct recording *recording, int fd, struct vat_error *err);
void recording_finish(struct recording *recording);

/* The events in their order: pass *at = 0 first. NULL at the end. */
const struct recording_event *recording_next(const struct recording *recording, uint64_t *at);
static inline const void *recording_data(const struct recording_event *event) {
	return event + 1;
}
/* The text or bytes behind the first `skip` bytes of the payload, and how many there are. */
const char *recording_text(const struct recording_event *event, size_t skip, size_t *size);
bool recording_is_operation(unsigned type);
const char *recording_type_name(unsigned type);
/* The region before the first event, as a new memfd; for a tile that was new one without cells. */
int recording_region(const struct recording *recording, struct vat_error *err);

#endif

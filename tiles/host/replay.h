/* SPDX-License-Identifier: MIT */
/*
 * Replay: runs artifacts on a copy of a tile's state, with the input that was recorded, and without
 * anything real around them: no compositor, no keeper, no streams, no clock.
 *
 * A run has two sides, which go through the recording in step, each with a region of its own:
 * the same artifact twice, to see that the same input gives the same result; the same artifact, of
 * which the right side is handed over on the way, to see that nothing is kept outside of the cells;
 * or two versions. After each step what either side wrote is compared field by field, and so are
 * the picture, what went into the streams, and what the tile asked of its host. So a difference is
 * found at the operation in which it begins, with both values at hand.
 *
 * A step is one recorded operation, or a handover. A run happens in a process of its own, which can
 * write nothing and reach nobody (confine.c); its result comes back in shared memory, so that it is
 * there also when the tile crashes.
 *
 * replay_world.c: what a side takes for its host. replay_side.c: one side. replay_compare.c: both.
 * replay_run.c: a run. replay_amnesia.c: finds the earliest handover that loses something.
 * replay_report.c: says it. replay.c: the command.
 */
#ifndef SOURCE_CITY_TILE_REPLAY_H
#define SOURCE_CITY_TILE_REPLAY_H

#include "host.h"

#define REPLAY_PICTURES 4

#define REPLAY_STREAMS_MAX HOST_STREAMS_MAX
#define REPLAY_DIFFERENCES_MAX 32
#define REPLAY_NO_STEP UINT64_MAX

enum replay_side_name { REPLAY_LEFT, REPLAY_RIGHT, REPLAY_SIDES };

/* ---- what a run gives */

enum replay_kind {
	REPLAY_CELL,	/* a field, or the number of elements */
	REPLAY_FRAME,	/* the picture */
	REPLAY_STREAM,	/* what was written into a stream */
	REPLAY_REQUEST, /* what the host was asked for */
	REPLAY_SOUND,	/* what was rendered */
};

struct replay_difference {
	uint32_t kind;	  /* enum replay_kind */
	bool at_handover; /* by the handover itself, before the next operation */
	uint64_t step;
	uint64_t frame; /* REPLAY_FRAME: counted from 1; REPLAY_SOUND: the city's */
	uint64_t element;
	uint32_t index;		  /* in a field that is an array */
	uint32_t count;		  /* values of the field; pixels that differ */
	char name[VAT_NAME_SIZE]; /* of the cell, stream, request or port */
	char scope[VAT_SCOPE_SIZE];
	char field[VAT_FIELD_SIZE];
	char left[112], right[112]; /* the values */
};

enum replay_end {
	REPLAY_RUNNING = 0,
	REPLAY_DONE,
	REPLAY_REFUSED, /* a side could not be run on: see why */
	REPLAY_CHECK,	/* the tile's own check failed: see why */
	REPLAY_CRASHED, /* see signal */
	REPLAY_HUNG,
};

/* Shared between the run and who asked for it. */
struct replay_result {
	uint32_t end; /* enum replay_end */
	int signal;
	/* Where it is. */
	uint32_t side; /* enum replay_side_name */
	uint64_t step;
	char operation[24];
	char why[320];

	uint64_t steps, frames, handovers;
	uint64_t refused;	/* handovers that quiesce did not allow */
	uint64_t last_handover; /* before the first difference; REPLAY_NO_STEP: none */
	uint32_t difference_count;
	struct replay_difference differences[REPLAY_DIFFERENCES_MAX];
};

/* ---- a side */

struct replay_chunk {
	const char *data;
	size_t size;
};

struct replay_stream {
	char name[VAT_NAME_SIZE];
	bool there; /* the tile has it */
	bool end;   /* behind the chunks */
	bool file_known;
	struct tile_file file; /* what was found when it was opened last */
	struct replay_chunk *chunks;
	size_t count, first, capacity;
	uint64_t write_at; /* in the recording: the next result of a write */
	bool read, write;  /* what the tile watches */
	bool followed;	   /* the file of that option */
	uint16_t columns, rows, width_px, height_px;
	uint64_t written; /* bytes, and a sum over them */
	uint64_t written_sum;
	char last[64]; /* the first bytes that were written in this step */
	size_t last_size;
};

/* What is asked for at the moment, and a sum of what was asked for once. */
struct replay_requests {
	char title[256];
	uint64_t count, sum; /* bells, texts for the clipboard, links... */
	char last[64];
};

struct replay_side;

/* One version that runs. */
struct replay_instance {
	struct host host; /* first, so that it can be turned back */
	struct replay_side *side;
};

/* Bytes of a cell that were written in a step. */
struct replay_span {
	uint64_t from, to;
};

struct replay_side {
	enum replay_side_name name;
	const struct recording *recording;
	struct replay_result *result;
	int artifact;
	int region_fd, undo_fd;
	struct replay_instance *instance;
	struct recording_moment at;
	struct vat_transport transport;
	struct recording_size size;
	bool focus_told; /* the tile was told that it has the focus */
	bool pointer_inside;
	struct tile_input_pointer pointer;     /* where it is */
	const struct recording_attach *attach; /* the last recorded one: its options */
	size_t attach_options;
	const char *options;
	uint64_t nested, nested_end;	       /* events of the operation being run */
	uint64_t random_at, ask_at, status_at; /* in the operation: the next one */
	uint64_t extra_random;
	/* What was rendered in this step. */
	uint64_t sound_frame;
	uint32_t sound_frames, sound_port; /* 0: nothing was */
	float sound[TILE_SOUND_CHANNELS][TILE_SOUND_FRAMES_MAX];
	struct replay_stream streams[REPLAY_STREAMS_MAX];
	size_t stream_count;
	struct replay_requests requests;
	struct replay_span spans[VAT_CELLS_MAX]; /* by cell of the descriptor */
	bool all_written;			 /* look at everything */
	uint32_t *pixels;
	int32_t width, height; /* of them */
	uint64_t drawn;
};

static inline struct host *replay_host(struct replay_side *side) {
	return &side->instance->host;
}

/* replay_world.c */
extern struct tile_host replay_services;
void replay_services_init(void);
/* The stream of this name, made when there is none; NULL when there are too many. */
struct replay_stream *replay_stream(struct replay_side *side, const char *name);
/* Bytes that were read in the operation come into the queues. */
void replay_feed(struct replay_side *side, uint64_t nested, uint64_t end);
void replay_streams_finish(struct replay_side *side);

/* replay_side.c: false with one line in result->why, and result->end set. */
bool replay_side_begin(struct replay_side *side, const struct recording *recording, int artifact,
	struct replay_result *result);
bool replay_side_attach(struct replay_side *side, enum tile_attach reason);
/* One recorded operation; nested and end are the events that belong to it. */
void replay_side_step(struct replay_side *side, const struct recording_event *event,
	uint64_t nested, uint64_t end);
/* Draw what is damaged, now. */
void replay_side_draw(struct replay_side *side);
void replay_side_transport(struct replay_side *side, const struct vat_transport *transport);
void replay_side_size(struct replay_side *side, const struct recording_size *size);
/* Gives the cells up. False: it is not the moment; the side goes on. */
bool replay_side_quiesce(struct replay_side *side);
/* The update that its tile has asked for, if its time has come. */
void replay_side_catch_up(struct replay_side *side);
/* A new version on what the one before left. */
bool replay_side_renew(struct replay_side *side);
bool replay_side_check(struct replay_side *side);
void replay_side_finish(struct replay_side *side);

/* replay_compare.c */
struct replay_known {
	uint32_t cell;	/* of the left descriptor */
	uint32_t field; /* id; 0: the number of elements */
};

struct replay_comparison {
	struct replay_side *sides[REPLAY_SIDES];
	struct replay_result *result;
	bool amnesia;	  /* wake-ups may come earlier; what is begun anew is not compared */
	bool at_handover; /* where differences come from now */
	struct replay_known known[256];
	size_t known_count;
	/* Said once. */
	bool frame_differs, sound_differs;
	char request_differs[REPLAY_DIFFERENCES_MAX][VAT_NAME_SIZE];
	size_t request_count;
	int frames[REPLAY_PICTURES]; /* files, see struct replay_run */
	uint32_t *before;	     /* the last picture that was the same */
	int32_t before_width, before_height;
};

/* Compare what was written since the last time. quiet: what differs is not told, and from then on
 * taken as it is: what quiesce puts into cells. */
void replay_compare_cells(struct replay_comparison *comparison, bool quiet);
void replay_compare_sound(struct replay_comparison *comparison);
void replay_compare_rest(struct replay_comparison *comparison);
void replay_compare_frame(struct replay_comparison *comparison);

/* ---- a run */

struct replay_run {
	const struct recording *recording;
	int artifacts[REPLAY_SIDES]; /* descriptors */
	/* Handovers of the right side: after each `every` steps (0: none), or after this one only.
	 */
	uint64_t every, only;
	uint64_t last;	 /* step after which the run ends */
	bool first_only; /* ends at the first difference */
	bool amnesia;
	bool trace;
	/* Files for the picture before, left, right, and where they differ; -1: not wanted. */
	int frames[REPLAY_PICTURES];
};

/* Steps of a recording, not counting handovers. */
uint64_t replay_steps(const struct recording *recording);
/* In words: "input: key 28 pressed, at 3.21 s". */
void replay_describe_step(
	const struct recording *recording, uint64_t step, char *text, size_t size);
/* In a process of its own. result: shared memory, of replay_result_new. */
void replay_run(const struct replay_run *run, struct replay_result *result);
struct replay_result *replay_result_new(void);
void replay_result_free(struct replay_result *result);

/* replay_amnesia.c: where nothing is lost, result->difference_count is 0. *handover: after which
 * step the earliest handover comes that loses something, and result is that of this one alone. */
void replay_amnesia(const struct recording *recording, int artifact, uint64_t every,
	const int frames[REPLAY_PICTURES], struct replay_result *result, uint64_t *handover);

/* replay_report.c */
struct replay_report {
	bool json;
	const struct recording *recording;
	const char *artifact; /* for people */
};
void replay_report_recording(const struct replay_report *report);
/* What a part of the test found. part: "replay", "against", "amnesia". True if it passed. */
bool replay_report_part(const struct replay_report *report, const char *part,
	const struct replay_result *result, uint64_t handover);
void replay_report_end(const struct replay_report *report, bool passed, const char *failed_part,
	const struct replay_result *result);

/* confine.c: from now on this process can write no file, start no program, reach no network and no
 * other process. Where the kernel cannot do a part of it, that part is missing. */
void host_confine(void);

/* replay.c: source-city-tile --replay; the exit status */
int host_replay(int argc, char **argv);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * One record for each handover, and the history of records: the last CITY_HISTORY_MAX in memory,
 * all of them as JSON lines in $XDG_STATE_HOME/source-city/history.jsonl. docs/handover-record.md
 * names the keys. Plain data; main thread only.
 */
#ifndef CITY_RECORD_H
#define CITY_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compositor/pas.h"
#include "compositor/store.h"
#include "vat.h"

#define CITY_HISTORY_MAX 1000
#define CITY_RECORD_STEPS 16
/* The longest JSON of a record, with its zero byte; source-city-control-v1 promises it. */
#define CITY_RECORD_SIZE 3072

enum city_result {
	CITY_RESULT_LIVE,	 /* the new version is the last known good one */
	CITY_RESULT_FAILED,	 /* before the new version was shown */
	CITY_RESULT_ROLLED_BACK, /* after it was shown */
	CITY_RESULT_SUPERSEDED,	 /* a newer request took its place */
};
const char *city_result_name(enum city_result result);

struct city_record {
	uint64_t id;	      /* counts up over restarts */
	uint64_t transaction; /* id of the first record of those that belong together; 0: alone */
	int64_t wall_ns;      /* when it was asked for, since 1970 */
	char tile[VAT_NAME_SIZE];
	char kind[VAT_NAME_SIZE];
	struct vat_uuid uuid;
	char from[CITY_HASH_SIZE], to[CITY_HASH_SIZE]; /* from: empty when nothing ran */
	char origin[256];
	struct city_continuity continuity; /* but for the frames */
	bool continuity_known;
	const char *strategy; /* static string, as used */
	const char *strategy_asked;
	char strategy_reason[160]; /* one line: why that one */
	const char *state;	   /* static string: inherit, reset or merge; NULL is inherit */
	bool lossy;		   /* it was allowed to lose values */
	char lost[1024];	   /* what of the state was lost or began anew */
	char splice_asked[64], splice_met[64];
	/* Of a splice in music or in sound. */
	int64_t splice_frame;	/* of the city; below 0: it was neither */
	int64_t splice_tick;	/* with a frame */
	int64_t splice_error;	/* frames from there to where it really was */
	int64_t sound_skipped;	/* frames that nobody rendered in time; below 0: not known */
	uint64_t epoch;		/* that the new version got, 0 if it never came to that */
	int64_t pause_ns;	/* A's last update to B's first; -1: not known */
	int64_t state_bytes;	/* -1: not known */
	int64_t migrated_bytes; /* -1: not known */
	int64_t rollback_ns; /* from giving up the new version to the old one going on; -1: neither
			      */
	int64_t undo_pages;  /* pages that the new version wrote in probation; -1: not known */
	uint64_t frames_dropped;
	uint64_t frames_shown; /* output frames presented from the request to the end of the melt */
	int64_t build_ns; /* from the save or the request to the artifact; -1: it was not built */
	struct {
		const char *name; /* static string */
		int64_t at_ns;	  /* CLOCK_MONOTONIC */
	} steps[CITY_RECORD_STEPS];
	size_t step_count;
	int64_t begin_ns; /* CLOCK_MONOTONIC, of the request */
	int64_t end_ns;
	enum city_result result;
	const char *step; /* static string: where it failed; "" when it did not */
	char reason[1024];
};

/* Into at most CITY_RECORD_SIZE bytes; heap, NULL when out of memory. */
char *city_record_json(const struct city_record *record);
/* Below 0: it is not known, for nothing took over from something. */
double city_record_pas(const struct city_record *record, struct city_pas *parts);
void city_record_step(struct city_record *record, const char *name, int64_t at_ns);

struct city_history;

/* Reads what is there. Without a state folder records are kept in memory alone. */
struct city_history *city_history_create(void);
void city_history_destroy(struct city_history *history); /* NULL-safe */
uint64_t city_history_next_id(struct city_history *history);
/* The next one is above this. */
void city_history_reserve(struct city_history *history, uint64_t id);
bool city_history_has(const struct city_history *history, uint64_t id);
/* Keeps and appends it; the JSON is owned by the history, NULL when out of memory. */
const char *city_history_add(struct city_history *history, const struct city_record *record);
size_t city_history_count(const struct city_history *history);
const char *city_history_get(const struct city_history *history, size_t index); /* oldest first */

#endif

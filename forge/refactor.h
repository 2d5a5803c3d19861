/* SPDX-License-Identifier: MIT */
/*
 * Refactors, as far as they concern files: a tile's source folder moves to another district, or is
 * copied for a fork, with what refers to it and as a git commit; or a tile is to run another one's
 * source, which changes no file. Each can be undone and redone.
 *
 * The journal is a folder with one file for each refactor. It is written ahead: an entry that is
 * neither done nor undone was cut off, and is taken back from whatever point it got to, by looking
 * at what is there. Whether it is taken back or kept is for the city to say, which knows what runs.
 *
 *	doing ------> done <------> undone		(undoing, redoing)
 *
 * One thread; waits for the disk and for git. Failures give one line in *why (heap).
 */
#ifndef FORGE_REFACTOR_H
#define FORGE_REFACTOR_H

#include "forge/git.h"
#include "forge/setup.h"

/* The values of source_city_control_v1.refactor. */
enum refactor_what {
	REFACTOR_MOVE,
	REFACTOR_REPLACE,
	REFACTOR_FORK,
	REFACTOR_UNDO,
	REFACTOR_REDO,
};

enum refactor_state {
	REFACTOR_DOING,
	REFACTOR_DONE,
	REFACTOR_UNDOING,
	REFACTOR_UNDONE,
	REFACTOR_REDOING,
};

/* A text in a file that names the folder. */
struct refactor_edit {
	char *path; /* absolute, as it is when the refactor is done */
	char *old, *new;
};

struct refactor {
	uint32_t number;	 /* its entry's */
	enum refactor_what what; /* MOVE, REPLACE or FORK */
	enum refactor_state state;
	char *tile, *uuid;    /* whose source it is; of a fork also the one that is forked */
	char *from, *to;      /* folders */
	char *name;	      /* of the new tile of a fork, of the other tile of a replace; "" */
	char *hash, *to_hash; /* artifacts before and after, of a replace; "" */
	char *made;	      /* district that is made for it; "" */
	char *top;	      /* of the git work tree; "": none */
	char *note;	      /* of the city, for when it is undone or redone next; "" */
	char *next_note;      /* that of what is under way; "" */
	uint64_t inode;	      /* of the copy, of a fork; 0 */
	char head[GIT_ID], commit[GIT_ID]; /* of what is under way; "" */
	struct refactor_edit *edits;
	size_t edit_count;
};

struct journal {
	char *folder, *city, *config;
	struct refactor **entries; /* by number */
	size_t count;
};

/* Reads it. What cannot be understood is set aside, with a line in the log. */
void journal_open(struct journal *journal, const struct forge_setup *setup);
void journal_close(struct journal *journal);
/* The entry that was cut off; NULL: none. */
struct refactor *journal_unfinished(struct journal *journal);
/* What undo or redo is about; NULL with *why when there is nothing. */
struct refactor *journal_next(struct journal *journal, enum refactor_what what, char **why);

/* What is asked for, when it is new. */
struct refactor_order {
	enum refactor_what what;
	const char *tile, *uuid;
	const char *folder; /* its source */
	const char *target; /* move: a district's name or path; replace: the other's source */
	const char *name;   /* as in struct refactor */
	const char *hash, *to_hash;
};

/* Looks whether it can be done; changes nothing. NULL with *why if not. Not in the journal yet. */
struct refactor *refactor_plan(
	struct journal *journal, const struct refactor_order *order, char **why);
/* The same for an entry that is to be undone or redone. */
bool refactor_plan_again(struct refactor *refactor, enum refactor_what what, char **why);
/* One line: what will be done, for people. */
char *refactor_describe(const struct refactor *refactor, enum refactor_what what);

/* Puts it into the journal and does it, but for what git has to do. After a failure: take back.
 * note: one line that is kept if it is. */
bool refactor_begin(struct journal *journal, struct refactor *refactor, enum refactor_what what,
	const char *note, char **why);
/* The folder that is built then, and whether it is to be built at all. */
const char *refactor_folder(const struct refactor *refactor);
bool refactor_builds(const struct refactor *refactor);
/* What git has to do. After a failure: take back. */
bool refactor_commit(struct journal *journal, struct refactor *refactor, char **why);
/* It is good as it is. */
void refactor_keep(struct journal *journal, struct refactor *refactor);
/* As if it had not been begun. False when something stands in the way: it stays in the journal and
 * is tried again at the next start. An entry that was new is freed otherwise. */
bool refactor_take_back(struct journal *journal, struct refactor *refactor, char **why);
void refactor_destroy(struct refactor *refactor); /* one that is in no journal; NULL-safe */

/* Tests stop the world here: called before each step that changes something. */
extern void (*refactor_step)(void);

#endif

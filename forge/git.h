/* SPDX-License-Identifier: MIT */
/*
 * What a refactor asks of git: that a folder of a work tree moves, is copied or goes, as a commit
 * of nothing else. What the user has staged stays staged, what is not staged stays so, at the new
 * place; no hook of `git commit` is run, and no editor.
 *
 * The commit is made from the current one in an index of its own, so that nothing of the user's is
 * touched before all of it is there. Then the user's index follows, then HEAD moves. Each of these
 * two is one atomic step of git's, and git_withdraw undoes both, wherever it was cut off.
 *
 * All functions wait for git, at most 30 s for each command. Failures give one line in *why (heap).
 */
#ifndef FORGE_GIT_H
#define FORGE_GIT_H

#include "forge/util.h"

#define GIT_ID 80 /* a commit's name with its zero byte; SHA-256 is the longest */

/* A text that is replaced in the files that refer to a folder. */
struct git_edit {
	const char *path; /* within the work tree, as it is after the change */
	const char *old, *new;
};

struct git_change {
	const char *top;       /* of the work tree */
	const char *from, *to; /* within it; from "": `to` goes; to "": only files are edited */
	bool keep;	       /* `from` stays: a copy */
	const struct git_edit *edits;
	size_t edit_count;
	const char *message;
	const char *index; /* path for an index of its own, which is removed again */
};

/* The top of the work tree that the folder is in, heap; NULL when it is in none. Asks no git. */
char *git_top(const char *folder);
/* Whether a change may begin: no merge or the like goes on, and no other git is at work. */
bool git_ready(const char *top, char **why);
/* Makes the commit, which nothing refers to yet. head: what it is made from. Both are "" where
 * there is nothing to commit: git does not know the folder, or there is no commit yet. */
bool git_prepare(
	const struct git_change *change, char head[GIT_ID], char commit[GIT_ID], char **why);
/* The user's index follows the files, then HEAD goes from `head` to `commit` (not if ""). */
bool git_apply(const struct git_change *change, const char *head, const char *commit, char **why);
/* As it was before git_apply, also after only a part of it: the index follows the files back, and
 * HEAD goes back if it is still at `commit`; if there is more on top of that a commit is made that
 * takes it back. `back` is the change in the other direction. */
bool git_withdraw(const struct git_change *back, const char *head, const char *commit, char **why);

/* All occurrences of `old` in the text become `new`; false if there is none. Only where the text
 * goes on with the end of a path component; if `old` begins with a quote and does not end with it
 * that is a slash or the quote. */
bool text_replace(struct buffer *text, const char *old, const char *new);

#endif

/* SPDX-License-Identifier: MIT */
/* A terminal core on memory of its own, for tests. All arrays lie in one block, so that a copy of
 * the block is a copy of the state. */
#ifndef TESTS_TERMINAL_SUPPORT_H
#define TESTS_TERMINAL_SUPPORT_H

#include "vt.h"

#define RIG_LOG 65536

struct rig {
	struct vt vt;
	struct vt_memory memory;
	char *block;
	size_t size;
	char log[RIG_LOG]; /* events, one a line */
	size_t log_length;
};

/* Small tables and `history` lines; aborts when it cannot. */
void rig_init(struct rig *rig, uint32_t cols, uint32_t rows, uint32_t history);
void rig_init_memory(struct rig *rig, const struct vt_memory *counts, uint32_t cols, uint32_t rows,
	uint32_t history);
void rig_small_counts(struct vt_memory *memory, uint32_t cols, uint32_t rows, uint32_t history);
void rig_finish(struct rig *rig);
/* Another block with room for the same arrays; `memory` points into it. */
char *rig_block(const struct vt_memory *counts, struct vt_memory *memory, size_t *size);
/* Copies the arrays to a new block, forgets the old one and the handle, and binds anew. */
void rig_hand_over(struct rig *rig);

void rig_feed(struct rig *rig, const char *text);
void rig_resize(struct rig *rig, uint32_t cols, uint32_t rows);
/* One line's characters as UTF-8, trailing blanks cut. `line` counts from the screen's top, history
 * is negative. */
char *rig_row(const struct rig *rig, int64_t row);
/* All of the text, history too: a newline where a line of text ends, none where it wraps. */
char *rig_text(const struct rig *rig);
/* What went to the PTY since last asked, with ESC as ^[ and other controls likewise. */
char *rig_replies(struct rig *rig);
const struct vt_cell *rig_cell(const struct rig *rig, uint32_t row, uint32_t col);
/* All of a file, with a NUL after it; the caller frees it. NULL when it cannot be read. */
char *rig_read_file(const char *path, size_t *length);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The cells of a clip player (clip.h), for the descriptor of a tile: CLIP_CELLS stands in its list
 * of cells, where it gives these four in this order. Ids of fields are permanent.
 */
#ifndef SOURCE_CITY_CLIP_CELLS_H
#define SOURCE_CITY_CLIP_CELLS_H

#include "clip.h"

static const struct vat_field clip_player_fields[] = {
	VAT_FIELD(1, U32, struct clip_player, running),
	VAT_FIELD(2, U32, struct clip_player, pending),
	VAT_FIELD(3, U32, struct clip_player, good),
	VAT_FIELD(4, U32, struct clip_player, fallback),
	VAT_FIELD(5, U32, struct clip_player, proven),
	VAT_FIELD(6, U32, struct clip_player, serial),
	VAT_FIELD(7, U32, struct clip_player, running_serial),
	VAT_FIELD(8, U32, struct clip_player, note_serial),
	VAT_FIELD(9, U32, struct clip_player, splice_serial),
	VAT_FIELD(10, U32, struct clip_player, splice_kind),
	VAT_FIELD(11, U32, struct clip_player, splice_bars),
	VAT_FIELD(12, U32, struct clip_player, splice_notes),
	VAT_FIELD(13, U32, struct clip_player, splice_state),
	VAT_FIELD(14, TEXT, struct clip_player, splice_marker),
	VAT_FIELD(15, I64, struct clip_player, splice_grain),
	VAT_FIELD(16, I64, struct clip_player, splice_from),
	VAT_FIELD(17, U32, struct clip_player, splice_armed),
	VAT_FIELD(18, U32, struct clip_player, splice_new),
	VAT_FIELD(19, U32, struct clip_player, done_count),
	VAT_FIELD(20, U32, struct clip_player, done_serial),
	VAT_FIELD(21, U32, struct clip_player, done),
	VAT_FIELD(22, U32, struct clip_player, done_released),
	VAT_FIELD(23, I64, struct clip_player, done_tick),
	VAT_FIELD(24, U64, struct clip_player, done_frame),
	VAT_FIELD(25, TEXT, struct clip_player, done_text),
	VAT_FIELD(26, U32, struct clip_player, error_line),
	VAT_FIELD(27, U32, struct clip_player, error_column),
	VAT_FIELD(28, TEXT, struct clip_player, error_text),
	VAT_FIELD(29, U32, struct clip_player, tempo),
	VAT_FIELD(30, I32, struct clip_player, transpose),
	VAT_FIELD(31, U32, struct clip_player, velocity),
	VAT_FIELD(32, I64, struct clip_player, origin),
	VAT_FIELD(33, I64, struct clip_player, position),
	VAT_FIELD(34, I64, struct clip_player, fade_until),
	VAT_FIELD(35, U64, struct clip_player, next_frame),
	VAT_FIELD(36, U64, struct clip_player, part_frame),
	VAT_FIELD(37, I64, struct clip_player, part_tick),
	VAT_FIELD(38, U32, struct clip_player, part_tempo),
	VAT_FIELD(39, U32, struct clip_player, part_bar),
	VAT_FIELD(40, U32, struct clip_player, part_phrase),
	VAT_FIELD(41, U32, struct clip_player, part_playing),
	VAT_FIELD(42, I64, struct clip_player, budget_from),
	VAT_FIELD(43, U32, struct clip_player, budget_used),
	VAT_FIELD(44, U32, struct clip_player, started),
	VAT_FIELD(45, U32, struct clip_player, tell_tempo),
	VAT_FIELD(46, U32, struct clip_player, tell_meter),
	VAT_FIELD(47, U32, struct clip_player, faulted),
	VAT_FIELD(48, U32, struct clip_player, turns),
	VAT_FIELD(49, U32, struct clip_player, channels),
	VAT_FIELD(50, U64, struct clip_player, notes_on),
	VAT_FIELD(51, U64, struct clip_player, notes_off),
	VAT_FIELD(52, U64, struct clip_player, notes_stolen),
	VAT_FIELD(53, U64, struct clip_player, faults),
	VAT_FIELD(54, U32, struct clip_player, ahead),
	VAT_FIELD(55, I64, struct clip_player, ahead_tick),
	VAT_FIELD(56, U32, struct clip_player, changed),
	VAT_FIELD(57, U32, struct clip_player, changed_from),
	VAT_FIELD(58, U32, struct clip_player, splice_tries),
	VAT_FIELD(59, U32, struct clip_player, ahead_off),
	VAT_FIELD(60, I64, struct clip_player, part_zero),
};
static const struct vat_field clip_code_fields[] = {
	VAT_FIELD(1, U32, struct clip_code, version),
	VAT_FIELD(2, U32, struct clip_code, size),
	VAT_FIELD(3, U32, struct clip_code, sum),
	VAT_FIELD(4, U32, struct clip_code, track_count),
	VAT_FIELD(5, U32, struct clip_code, marker_count),
	VAT_FIELD(6, U32, struct clip_code, turn_count),
	VAT_FIELD(7, U32, struct clip_code, said),
	VAT_FIELD(8, U32, struct clip_code, tempo),
	VAT_FIELD(9, I32, struct clip_code, transpose),
	VAT_FIELD(10, U32, struct clip_code, velocity),
	VAT_FIELD(11, U32, struct clip_code, beats_a_bar),
	VAT_FIELD(12, U32, struct clip_code, splice_kind),
	VAT_FIELD(13, U32, struct clip_code, splice_bars),
	VAT_FIELD(14, TEXT, struct clip_code, splice_marker),
	VAT_FIELD(15, U32, struct clip_code, notes),
	VAT_FIELD(16, U32, struct clip_code, state),
	VAT_FIELD(17, U32, struct clip_code, entries),
	VAT_FIELD(18, U32, struct clip_code, swing),
	VAT_FIELD(19, U32, struct clip_code, swing_grains),
	VAT_FIELD(20, TEXT, struct clip_code, tracks),
	VAT_FIELD(21, TEXT, struct clip_code, markers),
	VAT_FIELD(22, U32, struct clip_code, words),
};
static const struct vat_field clip_track_fields[] = {
	VAT_FIELD(1, I64, struct clip_track, grain),
	VAT_FIELD(2, I64, struct clip_track, began),
	VAT_FIELD(3, I64, struct clip_track, loop_grain),
	VAT_FIELD(4, U32, struct clip_track, loop_grains),
	VAT_FIELD(5, U32, struct clip_track, live),
	VAT_FIELD(6, U32, struct clip_track, pc),
	VAT_FIELD(7, U32, struct clip_track, depth),
	VAT_FIELD(8, U32, struct clip_track, loop_pc),
	VAT_FIELD(9, U32, struct clip_track, loop_left),
	VAT_FIELD(10, I32, struct clip_track, transpose),
	VAT_FIELD(11, U32, struct clip_track, velocity),
	VAT_FIELD(12, U32, struct clip_track, sound),
	VAT_FIELD(13, U32, struct clip_track, channel),
	VAT_FIELD(14, U64, struct clip_track, chance),
};
static const struct vat_field clip_note_fields[] = {
	VAT_FIELD(1, U32, struct clip_note, id),
	VAT_FIELD(2, U32, struct clip_note, flags),
	VAT_FIELD(3, I64, struct clip_note, on),
	VAT_FIELD(4, I64, struct clip_note, end),
	VAT_FIELD(5, U32, struct clip_note, channel),
	VAT_FIELD(6, U32, struct clip_note, pitch),
	VAT_FIELD(7, U32, struct clip_note, velocity),
	VAT_FIELD(8, U32, struct clip_note, sound),
	VAT_FIELD(9, U32, struct clip_note, source),
	VAT_FIELD(10, U32, struct clip_note, reserved),
};

/* clang-format off */
#define CLIP_CELLS                                                                                 \
	VAT_CELL("clip", struct clip_player, 1, clip_player_fields, .version = 1),                 \
	VAT_CELL("clip-code", struct clip_code, CLIP_SLOTS, clip_code_fields, .version = 1),       \
	VAT_CELL("clip-track", struct clip_track, CLIP_TRACKS, clip_track_fields, .version = 1),   \
	VAT_CELL("clip-note", struct clip_note, CLIP_NOTES, clip_note_fields, .version = 1)
/* clang-format on */
#define CLIP_CELL_COUNT 4

/* A player in the cells of a tile, where the first of them is number `first`. */
static inline struct clip clip_of_cells(void *const *cells, uint32_t first) {
	return (struct clip){
		.player = cells[first],
		.codes = cells[first + 1],
		.tracks = cells[first + 2],
		.notes = cells[first + 3],
	};
}

#endif

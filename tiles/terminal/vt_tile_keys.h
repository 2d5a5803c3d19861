/* SPDX-License-Identifier: MIT */
/* Keys as a tile gets them, in the words of the terminal's core. No state. */
#ifndef CITY_TERMINAL_VT_TILE_KEYS_H
#define CITY_TERMINAL_VT_TILE_KEYS_H

#include "tile.h"
#include "vt.h"

struct vt_key vt_key_of(const struct tile_input_key *key);
uint32_t vt_modifiers_of(uint32_t modifiers); /* of enum tile_modifier: VT_MOD_* */

#endif

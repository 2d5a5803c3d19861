# SPDX-License-Identifier: MIT
"""The measures that need a running city. Each function yields measures; ALL names them."""

import handover_measures
import idle_measures
import map_measures
import sound_measures
import terminal_measures

ALL = {
    **map_measures.ALL,
    **handover_measures.ALL,
    **idle_measures.ALL,
    **terminal_measures.ALL,
    **sound_measures.ALL,
}

/* SPDX-License-Identifier: MIT */
/* The transport's one writer: what is asked of it becomes a change of the page, behind everything
 * that has been rendered by then. */
#ifndef SOURCE_CITY_AUDIO_MUSIC_H
#define SOURCE_CITY_AUDIO_MUSIC_H

#include "audio.h"

struct music *music_create(struct audio *audio);
void music_destroy(struct music *music);
/* The page is there: go on with what it says. */
void music_begin(struct music *music);
/* enum tile_transport_ask; asker: a number above 0, the same for all that one peer asks. 0, or an
 * errno with a line. */
int music_ask(struct music *music, uint64_t asker, uint32_t what, uint32_t value, int64_t tick,
	const char *name, char *why, size_t why_size);
/* That peer has gone: what it wanted from some tick on does not come. */
void music_forget(struct music *music, uint64_t asker);
/* `frame` has come. */
void music_tick(struct music *music, uint64_t frame);
/* Whether music_tick has something to wait for. */
bool music_busy(const struct music *music);
/* AUDIO_TRANSPORT. */
struct audio_message music_message(const struct music *music);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What is in the sound server, as people think of it: devices and programs (nodes), what plays to
 * what (links, one for all channels of a pair), volumes, and which devices are the default ones.
 * Meters too, while somebody wants them.
 */
#ifndef SOURCE_CITY_AUDIO_VIEW_H
#define SOURCE_CITY_AUDIO_VIEW_H

#include "audio.h"

struct view *view_create(struct audio *audio);
void view_destroy(struct view *view);
/* A connection is there; it is gone: then everything is told to be gone. */
void view_begin(struct view *view, struct pw_core *core);
void view_end(struct view *view);
/* Everything that is there now. */
void view_tell(struct view *view, void (*tell)(void *data, const struct audio_message *message),
	void *data);
/* The number on the wire of a node of the sound server; 0: there is none. */
uint64_t view_number(const struct view *view, uint32_t id);
/* Do what a peer asks. 0, EINPROGRESS: peers_answer follows, or an errno with a line. */
int view_request(struct view *view, uint64_t peer, const struct audio_message *request, char *why,
	size_t why_size);
/* What the server answers to what was asked of it. */
void view_done(struct view *view, int seq);
void view_error(struct view *view, uint32_t proxy, int res, const char *message);
/* Whether meters are wanted may have changed; tell them. */
void view_meter(struct view *view);
void view_send_meters(struct view *view);

#endif

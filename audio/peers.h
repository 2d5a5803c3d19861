/* SPDX-License-Identifier: MIT */
/* Those who look at the sound and change it, over audio_wire.h: the manager tile, and the
 * compositor for cityctl. */
#ifndef SOURCE_CITY_AUDIO_PEERS_H
#define SOURCE_CITY_AUDIO_PEERS_H

#include "audio.h"

struct port;

struct peers *peers_create(struct audio *audio);
void peers_destroy(struct peers *peers);
/* Somebody has connected; takes the descriptor. `name`: the tile's; "": the compositor. */
void peers_add(struct peers *peers, int fd, const char *name);
/* Tell all who watch. Meters only those who asked for them and read fast enough. */
void peers_tell(struct peers *peers, const struct audio_message *message);
void peers_tell_gone(struct peers *peers, enum audio_type type, uint64_t id);
void peers_tell_port(struct peers *peers, const struct port *port);
/* The result of a request that was not answered at once. The peer may be gone. */
void peers_answer(
	struct peers *peers, uint64_t peer, uint32_t request, int error, const char *text);
/* How many watch; how many with meters. */
uint32_t peers_watching(const struct peers *peers);
uint32_t peers_metering(const struct peers *peers);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A port: one tile's ring and the stream of the sound server that plays it. The stream lives as
 * long as the ring and the connection to the server, so its node, links and volume are the same
 * whatever happens to the tile and to the compositor.
 */
#ifndef SOURCE_CITY_AUDIO_PORT_H
#define SOURCE_CITY_AUDIO_PORT_H

#include "audio.h"
#include "ring.h"
#include "times.h"
#include "vat.h"

struct port {
	struct spa_list link; /* audio.ports */
	struct audio *audio;
	uint64_t number; /* on the wire */
	struct vat_uuid uuid;
	char tile[VAT_NAME_SIZE], name[VAT_NAME_SIZE];
	int wake;		  /* eventfd of the ring */
	struct pw_stream *stream; /* NULL: no server */
	struct spa_hook listener;
	enum pw_stream_state state;
	uint32_t node; /* SPA_ID_INVALID: none */

	/* Who reads the ring: the real-time thread in a cycle, or the pump where none come. */
	atomic_flag busy;
	/* Under `busy`. */
	struct ring ring;
	struct clock_place place;
	uint32_t margin; /* frames ahead, above two quanta; grows where that is not enough */
	uint64_t calm;	 /* frames since it last was not */

	const struct spa_io_position *position; /* the graph's; NULL: in none; real time */
	_Atomic uint64_t last_ns;		/* the last cycle */
	_Atomic uint32_t want;
	_Atomic bool leaving; /* is being destroyed: wait for nothing */
	struct times times;   /* of the callback */
};

/* A ring that the keeper sent; takes the descriptors. NULL (said) if it is not one. */
struct port *port_create(struct audio *audio, const struct vat_uuid *uuid, const char *tile,
	const char *name, int ring_fd, int wake);
void port_destroy(struct port *port);
struct port *port_find(struct audio *audio, const struct vat_uuid *uuid, const char *name);
/* The port whose stream is node `id` of the sound server, or NULL. */
struct port *port_of_node(struct audio *audio, uint32_t id);
/* Connect to the sound server, or forget the stream: the server is gone. */
void port_connect(struct port *port, struct pw_core *core);
void port_disconnect(struct port *port);
/* Whether its stream may have cycles. */
bool port_running(const struct port *port);
/* Whether the pump reads it. */
bool port_pumped(const struct port *port, uint64_t now);
/* The pump: frames up to `to` have passed and nobody has heard them. Main thread. */
void port_pump(struct port *port, uint64_t to);
/* Volume or mute of its stream. 0 or an errno. */
int port_set_props(struct port *port, bool volume, float linear, bool mute);
/* One line of what was counted. */
void port_log(const struct port *port);
/* AUDIO_RING of it. */
struct audio_message port_message(const struct port *port);

/* What a cycle takes from it. Real time; the tests call it too. */
void port_play(struct port *port, const struct clock_cycle *cycle, uint32_t frames,
	float *const out[RING_CHANNELS_MAX]);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the audio process and those who look at it say to each other: the manager tile through
 * tile_host.audio_open, the compositor for cityctl.
 *
 * Both directions are a sequence of struct audio_message, all of one size, native byte order, on a
 * stream socket. After connecting nothing comes until AUDIO_WATCH. Then everything that is there is
 * told, AUDIO_DONE follows, and from then on every change is. Everything is named by numbers that
 * the audio process gives and never uses again; they are the sound server's `object.serial` where
 * there is one.
 *
 * Each request is answered by AUDIO_RESULT with its `request`. What the request changes is told as
 * a change, as if somebody else had done it, before or behind the result.
 * A peer that does not read loses meters first and is then hung up; it may connect again.
 */
#ifndef SOURCE_CITY_AUDIO_WIRE_H
#define SOURCE_CITY_AUDIO_WIRE_H

#include <stdint.h>

#include "transport.h"

#define AUDIO_WIRE_VERSION 2u
#define AUDIO_NAME_SIZE 96
#define AUDIO_CHANNELS_MAX 8

enum audio_type {
	/* --- from the audio process --- */
	AUDIO_SERVER = 1, /* .server */
	AUDIO_NODE,	  /* .node: new, or changed in anything */
	AUDIO_NODE_GONE,  /* .id */
	AUDIO_LINK,	  /* .link: one for all channels of a pair of nodes */
	AUDIO_LINK_GONE,  /* .id */
	AUDIO_RING,	  /* .ring: a tile's port; comes about once a second while it plays */
	AUDIO_RING_GONE,  /* .id */
	AUDIO_TRANSPORT,  /* .transport: changed */
	AUDIO_METERS,	  /* .meters: of one node; about 20 times a second, if asked for */
	AUDIO_DONE,	  /* everything that was there has been told */
	AUDIO_RESULT,	  /* .result */

	/* --- to the audio process --- */
	AUDIO_WATCH = 64,  /* .value: 1: with meters, 0: without */
	AUDIO_SET_VOLUME,  /* .id of a node, .value: thousandths on the cubic scale of faders */
	AUDIO_SET_MUTE,	   /* .id, .value: 0 or 1 */
	AUDIO_SET_DEFAULT, /* .id of an output or input: where what names no device goes */
	AUDIO_LINK_MAKE,   /* .link: from, to */
	AUDIO_LINK_BREAK,  /* .id of a link */
	AUDIO_MOVE,	   /* .id of a stream, .other: the device it is to play to or record from */
	AUDIO_TRANSPORT_ASK, /* .ask */
};

/* What a node is in a routing: where sound enters the graph or leaves it, on which side. */
enum audio_node_kind {
	AUDIO_OUTPUT = 1, /* a device that sounds: Audio/Sink */
	AUDIO_INPUT,	  /* a device that listens: Audio/Source */
	AUDIO_PLAYER,	  /* a program that plays: Stream/Output/Audio */
	AUDIO_RECORDER,	  /* a program that records: Stream/Input/Audio */
	AUDIO_FILTER,	  /* anything else with ports for sound */
};

enum audio_node_flags {
	AUDIO_NODE_MUTE = 1 << 0,
	AUDIO_NODE_DEFAULT = 1 << 1, /* of its kind */
	AUDIO_NODE_RUNNING = 1 << 2,
	AUDIO_NODE_OURS = 1 << 3,   /* a tile of this city */
	AUDIO_NODE_VOLUME = 1 << 4, /* has one that can be set */
};

struct audio_message {
	uint32_t version; /* AUDIO_WIRE_VERSION */
	uint32_t type;	  /* enum audio_type */
	uint32_t request; /* of a request and its result, as the asker likes */
	uint32_t value;
	uint64_t id, other;
	union {
		struct {
			uint32_t connected;
			uint32_t rate, quantum; /* of the graph; 0: not known */
			char name[AUDIO_NAME_SIZE];
			char reason[AUDIO_NAME_SIZE]; /* not connected, why */
		} server;
		struct {
			uint32_t kind;	/* enum audio_node_kind */
			uint32_t flags; /* enum audio_node_flags */
			uint32_t channels;
			uint32_t volume;		/* thousandths, cubic */
			char name[AUDIO_NAME_SIZE];	/* for people; UTF-8 */
			char media[AUDIO_NAME_SIZE];	/* what it plays, where it says so */
			char tile[VAT_MARKER_SIZE * 2]; /* of this city, when it is OURS */
			uint64_t target;		/* of a stream: the device; 0: none */
		} node;
		struct {
			uint64_t from, to; /* nodes */
			uint32_t active;
		} link;
		struct {
			uint64_t node; /* 0: not in the sound server */
			uint32_t channels, ahead, quantum, tile_wants;
			uint64_t cycles, frames, late, late_times, mended;
			/* How often the sound server asked, and how long answering took, in ns; 999
			 * of 1,000 took at most callback_p999_ns (rounded up by 12 % at most).
			 * Counted since the audio process began. */
			uint64_t callbacks, callback_max_ns, callback_sum_ns, callback_p999_ns;
			char tile[64], port[64];
		} ring;
		struct {
			struct vat_transport_part part; /* that holds, or is about to */
			uint64_t frame;
			uint32_t rate, sound, marker_count;
		} transport;
		struct {
			uint32_t channels;
			float peak[AUDIO_CHANNELS_MAX]; /* since the last; 0 and up, linear */
		} meters;
		struct {
			int32_t error;	/* 0, or an errno */
			char text[200]; /* one line */
		} result;
		struct {
			uint32_t what; /* enum tile_transport_ask of tile.h */
			uint32_t value;
			int64_t tick;
			char name[VAT_MARKER_SIZE];
		} ask;
		unsigned char whole[480];
	};
};

_Static_assert(sizeof(struct audio_message) == 512, "a message has a size of its own");

#endif

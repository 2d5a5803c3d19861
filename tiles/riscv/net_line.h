/* SPDX-License-Identifier: MIT */
/*
 * The line between the network card and who has the network at its other end, source-city-net: a
 * PTY in raw mode, or any stream of bytes.
 *
 * Each Ethernet frame is a packet, with "consistent overhead byte stuffing" (Cheshire and Baker,
 * 1999): no byte of it is 0, and a 0 ends it. So whoever has lost his place, as a machine that was
 * rolled back has in what it sends, begins with a 0 and loses one frame; with lengths in front it
 * would be lost for good. What is no packet, or too long for a frame, is dropped.
 *
 * The other end sends an empty packet as soon as it listens; nothing is sent to it before, for a
 * PTY that is not raw yet would send it back. What it writes before that are lines of text, that
 * say what is wrong; later, such a line comes as a frame of a type that no network has.
 *
 * struct rv_line is one end of it; in the tile it is a cell, in riscv-run plain memory. Nothing
 * here moves a byte to or from the system.
 */
#ifndef RISCV_NET_LINE_H
#define RISCV_NET_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine.h"

/* Bytes of a packet of so many, with the 0. */
#define RV_LINE_PACKET(size) ((size) + (size) / 254 + 2)
#define RV_LINE_ROOM 16384
/* The Ethernet type of a frame that is a line of text: of those that IEEE leaves to experiments. */
#define RV_LINE_TEXT_TYPE 0x88b5

struct rv_line {
	uint32_t in_at, in_size;   /* what came and was not looked at: [in_at, in_size) */
	uint32_t out_at, out_size; /* what is to be sent: [out_at, out_size) */
	bool ready;		   /* the other end listens */
	bool skipping;		   /* up to the next 0, of what is too long */
	uint8_t in[RV_LINE_ROOM];
	uint8_t out[RV_LINE_ROOM];
};

enum rv_line_news {
	RV_LINE_NOTHING,
	RV_LINE_READY, /* the other end listens, from now on */
	RV_LINE_TEXT,  /* a line, without its end */
	RV_LINE_FRAME,
};

/* ---- packets */

/* Into `to`, of RV_LINE_PACKET(size) bytes. Its size, with the 0. */
size_t rv_packet_encode(const void *data, size_t size, uint8_t *to);
/* Of `size` bytes without the 0. False: it is none, or one of more than `room`. */
bool rv_packet_decode(
	const uint8_t *packet, size_t size, uint8_t *data, size_t room, size_t *data_size);

/* ---- an end of the line */

/* Another one is at the other end. */
void rv_line_reset(struct rv_line *line);
/* It may have been sent more than is known here. */
void rv_line_lost(struct rv_line *line);
/* Where what comes is to be put, and how much; then how much it was. */
uint8_t *rv_line_room(struct rv_line *line, size_t *room);
void rv_line_came(struct rv_line *line, size_t size);
/* What came first, without what is dropped. It stays until rv_line_drop() where it is a frame. */
enum rv_line_news rv_line_look(struct rv_line *line, uint8_t data[RV_FRAME_MAX], size_t *size);
void rv_line_drop(struct rv_line *line);
/* False: no room for it now. */
bool rv_line_put(struct rv_line *line, const void *frame, size_t size);
/* What is to be sent, and how much of it was. */
const uint8_t *rv_line_out(const struct rv_line *line, size_t *size);
void rv_line_sent(struct rv_line *line, size_t size);
/* Of state that something else may have written. */
bool rv_line_is_possible(const struct rv_line *line);

/* ---- net_card.c: with the card at this end */

/* Frames that came go to the guest, as far as it has buffers for them, and up to `most`. False:
 * there may be more. Text goes to say(). */
bool rv_line_receive(struct rv_line *line, struct rv_machine *m, unsigned most,
	void (*say)(void *data, const char *text), void *data);
/* Frames of the guest that there is room for; those that nobody listens to go nowhere. */
void rv_line_send(struct rv_line *line, struct rv_machine *m);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * For tests: each step of each handover is told to the witness (vat/witness_wire.h) before anything
 * else is done in it.
 *
 * On connecting: {"compositor":PID,"steps":[{"name","replaceable","shown","needs_b"},...]}, which
 * is the table city_steps; then at each step {"tile","id","step","start","a":PID,"b":PID} (0: there
 * is none). Main thread only.
 */
#ifndef CITY_WITNESS_H
#define CITY_WITNESS_H

struct city_handover;

/* The socket, or -1 when there is no witness. */
int city_witness_open(void);
void city_witness_close(int witness); /* -1: nothing */
/* Closes *witness and sets it to -1 when it has left. */
void city_witness_tell(int *witness, const struct city_handover *handover);

#endif

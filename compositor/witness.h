/* SPDX-License-Identifier: MIT */
/*
 * For tests: a witness outside of the city that hears of each step of each handover before anything
 * else is done in it, and that the compositor waits for. Where the witness lets it wait, everything
 * of the compositor stands still, so a fault can be placed at that very step.
 *
 * $SOURCE_CITY_WITNESS names its socket (SOCK_SEQPACKET). The compositor connects when it starts
 * and sends one JSON object,
 * {"compositor":PID,"steps":[{"name","replaceable","shown","needs_b"},...]}, which is the table
 * city_steps; then at each step {"tile","id","step","start","a":PID,"b":PID} (0: there is none),
 * and goes on after any answer. When none comes in WITNESS_WAIT_MS, or the witness leaves, it goes
 * on without one for good. Main thread only.
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

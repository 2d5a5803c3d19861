/* SPDX-License-Identifier: MIT */
/*
 * For tests: a witness outside of the city that a process tells of each step of something, and
 * whose answer it waits for before it does anything else. Where the witness lets it wait everything
 * of the process stands still, so that a fault can be placed at that very step.
 *
 * $SOURCE_CITY_WITNESS names its socket (SOCK_SEQPACKET). What is said is one JSON object a packet;
 * the first one, on connecting, is the table of all steps that there are and is not answered. When
 * there is no answer in a minute, or the witness leaves, the process goes on without it for good.
 */
#ifndef SOURCE_CITY_WITNESS_WIRE_H
#define SOURCE_CITY_WITNESS_WIRE_H

/* The socket, close-on-exec, or -1 when there is no witness. */
int city_witness_connect(const char *table);
/* Returns when it was answered. Closes *witness and sets it to -1 when the witness has left. */
void city_witness_say(int *witness, const char *text);

#endif

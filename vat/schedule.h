/* SPDX-License-Identifier: MIT */
/*
 * How soon the kernel lets a thread of the city run. Both are wishes of the calling thread: older
 * kernels do not know slices, and everything works without. Threads and programs that it starts do
 * not inherit them. No errors.
 */
#ifndef SOURCE_CITY_SCHEDULE_H
#define SOURCE_CITY_SCHEDULE_H

/* For what works in short bursts with somebody waiting. A short slice asks for no more time than
 * others get, but lets the thread start at once while a compiler uses all processors. */
void city_schedule_promptly(void);
/* For a thread that computes at length for the one that shows it: others come first, also those
 * threads that a library starts for it, which inherit this one. */
void city_schedule_behind(void);
/* In time that nobody else wants, for whoever the kernel would let out of that again; others go on
 * as before. */
void city_schedule_idly(void);

#endif

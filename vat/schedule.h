/* SPDX-License-Identifier: MIT */
/*
 * How soon the kernel lets a thread of the city run. All are wishes of the calling thread: older
 * kernels do not know slices, and everything works without. Threads and programs that it starts do
 * not inherit them. No errors.
 */
#ifndef SOURCE_CITY_SCHEDULE_H
#define SOURCE_CITY_SCHEDULE_H

#include <stdbool.h>

/* For what works in short bursts with somebody waiting. A short slice asks for no more time than
 * others get, but lets the thread start at once while a compiler uses all processors. */
void city_schedule_promptly(void);
/* For the thread that everybody waits for and that has a screen's deadline: whenever it has
 * something to do, it runs before all that share the processors fairly, however many they are.
 * Where the kernel does not let us (that takes CAP_SYS_NICE or RLIMIT_RTPRIO), where there is but
 * one processor, and where RLIMIT_RTTIME would end who takes long, it is as it was. */
void city_schedule_ahead(void);
/* The same, but only while it waits to be woken and for what is most urgent then: sound, of which
 * the next part is due in some milliseconds, or the cells that another version has just given up.
 * city_schedule_again is for all that comes behind it.
 * Should that be for long, a fifth of a second of the processor's time, it is as it was for good.
 * Also where RLIMIT_RTTIME has a limit, if that is not below this one. */
void city_schedule_urgently(void);
void city_schedule_again(void);
/* For a thread that computes at length for the one that shows it: others come first, also those
 * threads that a library starts for it, which inherit this one. */
void city_schedule_behind(void);
/* In time that nobody else wants, for whoever the kernel would let out of that again; others go on
 * as before. */
void city_schedule_idly(void);
/* Whether there is another processor for what this thread waits for while it keeps its own. */
bool city_schedule_has_company(void);

#endif

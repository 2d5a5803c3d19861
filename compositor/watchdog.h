/* SPDX-License-Identifier: MIT */
/*
 * Ends a compositor whose loop does not turn any more, so that the keeper starts another: whether
 * it computes for ever or waits for something that never comes.
 *
 * A timer ticks while the loop is at work and is stopped whenever the loop sleeps, so an idle city
 * is never woken, not even once. What counts is how many ticks the process itself has seen within
 * one turn: one that was stopped (SIGSTOP, a suspended machine) has seen none meanwhile and just
 * goes on.
 *
 * One per process; the functions belong to the thread that started it.
 */
#ifndef CITY_WATCHDOG_H
#define CITY_WATCHDOG_H

/* A turn may take limit_ms; until the loop begins, some times as long. 0: for ever. */
void city_watchdog_start(int limit_ms);
/* The loop begins. */
void city_watchdog_loop(void);
/* Around each wait of the loop. */
void city_watchdog_sleeps(void);
void city_watchdog_wakes(void);

#endif

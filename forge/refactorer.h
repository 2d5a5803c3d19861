/* SPDX-License-Identifier: MIT */
/*
 * Refactors as the city asks for them, one at a time: planned, done when it says so, and kept or
 * taken back when it says how the handover ended. What a forge before this one left unfinished is
 * told to the city first.
 */
#ifndef FORGE_REFACTORER_H
#define FORGE_REFACTORER_H

#include "forge/build.h"
#include "forge/refactor.h"

struct refactorer;
struct source_city_builder_v1;

struct refactorer_listener {
	void (*sent)(void *data); /* something is to be flushed */
	/* Nothing is unfinished any more: builds may begin. */
	void (*settled)(void *data);
};

struct refactorer *refactorer_create(struct forge *forge, struct source_city_builder_v1 *builder,
	const struct refactorer_listener *listener, void *data);
void refactorer_destroy(struct refactorer *refactorer); /* NULL-safe; what is under way stays so */
/* The city has not yet said what becomes of an unfinished one. */
bool refactorer_waits(const struct refactorer *refactorer);

void refactorer_order(
	struct refactorer *refactorer, uint32_t job, const struct refactor_order *order);
/* One line to be kept with what proceeds next. */
void refactorer_remember(struct refactorer *refactorer, uint32_t job, const char *text);
void refactorer_proceed(struct refactorer *refactorer, uint32_t job);
void refactorer_cancel(struct refactorer *refactorer, uint32_t job);
void refactorer_conclude(struct refactorer *refactorer, uint32_t number, bool keep);

#endif

/* SPDX-License-Identifier: MIT */
/* Shared by journal.c, refactor.c, folder.c and reference.c. */
#ifndef FORGE_REFACTOR_INTERNAL_H
#define FORGE_REFACTOR_INTERNAL_H

#include "forge/refactor.h"

void refactor_stop(void); /* calls refactor_step */
struct refactor *refactor_create(void);
void refactor_add_edit(
	struct refactor *refactor, const char *path, const char *old, const char *new);

/* journal.c. Each gives 0 or an errno. */
int journal_write(struct journal *journal, struct refactor *refactor);
int journal_add(struct journal *journal, struct refactor *refactor);
/* And frees it. */
void journal_remove(struct journal *journal, struct refactor *refactor);
/* They cannot be redone any more. */
void journal_forget_undone(struct journal *journal);

/* reference.c: finds what names a folder that is to move; spelled: as the city names it, perhaps by
 * way of links. */
void reference_find(const struct journal *journal, struct refactor *refactor, const char *spelled);
/* False with *why: a file that refers to it cannot be changed. forward: from old to new. */
bool reference_apply(const struct refactor *refactor, bool forward, char **why);

#endif

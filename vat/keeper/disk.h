/* SPDX-License-Identifier: MIT */
/*
 * The regions on disk: $XDG_STATE_HOME/source-city/regions/UUID.vat, one file for each tile, in the
 * format of vat_file_save.
 *
 * A file is written beside its place, synced, renamed, and the folder synced: whenever the machine
 * or a process stops, the file is the one before or the new one, whole. One that cannot be used is
 * set aside under a name of its own and never overwritten.
 *
 * Only one city at a time has the folder: a lock says which. All functions give 0 or more, or a
 * negative errno with one line in *err.
 */
#ifndef SOURCE_CITY_KEEPER_DISK_H
#define SOURCE_CITY_KEEPER_DISK_H

#include <limits.h>
#include <stdint.h>

#include "vat.h"

struct keeper_disk {
	char path[PATH_MAX]; /* of the folder */
	int folder;	     /* -1: not open */
	int lock;	     /* -1: not held */
};

#define KEEPER_DISK_NONE ((struct keeper_disk){.folder = -1, .lock = -1})

/* Makes the folder and takes the lock; does nothing where that is done and the folder is still
 * there. -EBUSY: another city has it, also after a moment in which one that was killed may have
 * gone. */
int keeper_disk_open(struct keeper_disk *disk, struct vat_error *err);
void keeper_disk_close(struct keeper_disk *disk);
/* The path of a tile's file. */
void keeper_disk_file(
	const struct keeper_disk *disk, const struct vat_uuid *tile, char path[PATH_MAX]);
/* Writes the region as vat_file_save does; *bytes becomes the size of the file. Whatever fails, the
 * file that was there is still there. */
int keeper_disk_save(const struct keeper_disk *disk, struct vat_region *region, int undo_fd,
	uint64_t *bytes, struct vat_error *err);
/*
 * The saved region as a new memfd; *bytes becomes the size of the file. -ENOENT: nothing is saved.
 * -EBADMSG: it could not be used, and was set aside; *err says why and where. Anything else: it is
 * still there, and must not be saved over.
 */
int keeper_disk_load(const struct keeper_disk *disk, const struct vat_uuid *tile, uint64_t *bytes,
	struct vat_error *err);
/* Gives the saved region of a tile the name that it has, then a dot, `why`, and a number. 1 with
 * the new path in *err, 0 when there is none. */
int keeper_disk_set_aside(const struct keeper_disk *disk, const struct vat_uuid *tile,
	const char *why, struct vat_error *err);
/* The tile is gone for good. */
void keeper_disk_remove(const struct keeper_disk *disk, const struct vat_uuid *tile);

/* Tests stop the world here: called before each system call of keeper_disk_save that changes what
 * is on disk. NULL: nothing. */
extern void (*keeper_disk_step)(void);

#endif

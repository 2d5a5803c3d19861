/* SPDX-License-Identifier: MIT */
/*
 * Whole folders: copied, and brought to another place. Each function gives 0 or an errno; ELOOP: it
 * is deeper than FOLDER_DEPTH_MAX.
 */
#ifndef FORGE_FOLDER_H
#define FORGE_FOLDER_H

#define FOLDER_DEPTH_MAX 32

/* To where nothing is, for a copy to work in: without .git, and without what is no file, folder or
 * link. Links are copied as they are and never followed. It is on the disk when this returns. */
int folder_copy(const char *from, const char *to);
/* By its name alone; EEXIST when there is something, EXDEV when that is another file system. */
int folder_rename(const char *from, const char *to);

#endif

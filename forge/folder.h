/* SPDX-License-Identifier: MIT */
/*
 * Whole folders: copied, and brought to another place. Each function gives 0 or an errno; ELOOP: it
 * is deeper than FOLDER_DEPTH_MAX, ENOTSUP: it holds something that is no file, folder or link.
 * Links are copied as they are and never followed. What was copied is on the disk when the function
 * returns.
 */
#ifndef FORGE_FOLDER_H
#define FORGE_FOLDER_H

#define FOLDER_DEPTH_MAX 32

/* To where nothing is. For a copy to work in: without .git, and without what is no file, folder or
 * link. */
int folder_copy(const char *from, const char *to);
/* The same with all that there is and its times, or not at all. */
int folder_copy_whole(const char *from, const char *to);
/* By its name alone; EEXIST when there is something, EXDEV when that is another file system. */
int folder_rename(const char *from, const char *to);
/* Gone at once for who looks at `path`; what is left of it stands at `aside` until it is removed.
 */
int folder_remove_at_once(const char *path, const char *aside);

/* What such an errno means, for people. */
const char *folder_error(int error);

#endif

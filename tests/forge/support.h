/* SPDX-License-Identifier: MIT */
/* Folders, files and programs for the tests of the forge and of cityctl. Everything fails the test
 * that calls it when it does not work. */
#ifndef TEST_SUPPORT_H
#define TEST_SUPPORT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A new empty folder of this test program, removed with all others by remove_folders. */
char *make_folder(void);
void remove_folders(void);

/* printf into a string that lives until remove_folders. */
const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Frees all strings made since the mark, earlier than that. */
size_t keep_mark(void);
void keep_release(size_t mark);

void write_file(const char *path, const char *content); /* in place, makes folders */
void append_file(const char *path, const char *content);
void replace_file(const char *path, const char *content); /* as editors do: a rename */
void copy_file(const char *from, const char *to);
/* NULL when there is none. Lives until remove_folders. */
char *read_whole(const char *path, size_t *size);
size_t count_files(const char *folder); /* without "." and ".." */

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t now_ms(void);

/* How long anything may take on a slow machine under sanitizers before a test fails. */
#define LIMIT_MS 60000

#endif

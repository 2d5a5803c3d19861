/* SPDX-License-Identifier: MIT */
/*
 * The real keeper with programs of the test's own around it (see wire_child.c): a test speaks the
 * wire as compositor and as tiles. Whatever does not come within the limit fails the test.
 */
#ifndef KEEPER_RIG_H
#define KEEPER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "keeper/wire.h"

#define LIMIT_MS 60000

struct peer {
	int control; /* write a byte here: it ends with that status */
	int wire;
	pid_t pid;
	char program[64];
};

struct city {
	char dir[64];  /* programs, runtime directory and log in one */
	int accept_fd; /* where the keeper's children report */
	pid_t keeper;
	struct peer compositor;
	struct keeper_message message; /* of the last receive */
	int fds[KEEPER_FDS_MAX];
};

extern const struct vat_uuid tile_uuid;
extern const struct vat_uuid city_uuid;

void await_readable(int fd);
struct peer accept_peer(struct city *city);
void end_peer(struct peer *peer, unsigned char status);
/* Returns when it has ended. */
void await_end(struct peer *peer);
/* log_fd -1: the city's log. */
pid_t start_keeper(struct city *city, const char *const *args, int log_fd);
int await_exit(pid_t pid);
/* How often the log says it. */
int log_count(const struct city *city, const char *text);
bool log_has(const struct city *city, const char *text);
/* Receive the next message of the wire into city->message and city->fds. */
void any_message(struct city *city, int wire);
struct keeper_message *next_message(struct city *city, int wire, uint32_t type);
void send_message(int wire, struct keeper_message *message, const int *fds, size_t count);
struct keeper_message tile_message(uint32_t type, const char *name);
void expect_hello(struct city *city);
int rig_setup(void **state);
int rig_setup_stubborn(void **state);
/* With an audio process. */
int rig_setup_audio(void **state);
int rig_teardown(void **state);
void say_ready(struct city *city);
/* Says READY and takes the spare and, in rig_setup_audio, the audio process. */
struct peer make_ready_audio(struct city *city, struct peer *audio);
/* Says READY and takes the spare that the keeper then starts. */
struct peer make_ready(struct city *city);
void open_region(struct city *city);
void ask_spawn(struct city *city);
/* Turns the spare into a tile; returns its instance. */
uint64_t spawn_tile(struct city *city, struct peer *tile);
void forget_peer(struct peer *peer);
void open_pty(struct city *city, struct peer *tile, const char *script);
/* Reads until the text was seen. */
void expect_output(int pty, const char *text);
void ask_replacement(struct city *city, const char *path);
void copy_program(const char *from, const char *dir, const char *name);

#define TEST(function) cmocka_unit_test_setup_teardown(function, rig_setup, rig_teardown)

#endif

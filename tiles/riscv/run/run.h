/* SPDX-License-Identifier: MIT */
/*
 * riscv-run: the machine without the city. What its parts have of each other; the machine itself is
 * machine.h. One thread; errors of the program itself are one line on stderr and status RUN_FAILED.
 */
#ifndef RISCV_RUN_H
#define RISCV_RUN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "machine.h"

enum run_status {
	RUN_LIMIT = 124,  /* --max-instructions were made; as timeout(1) has it */
	RUN_FAILED = 125, /* not the guest, but this program */
};

#define RUN_FORWARDS_MAX 64

struct run_options {
	const char *program; /* an ELF file, or with `flat` an image; instead of the next three */
	const char *firmware, *kernel, *initrd;
	const char *append;
	const char *disk;
	const char *console; /* file of what is typed; NULL: stdin */
	const char *await;
	const struct rv_engine *engine;
	uint64_t memory;
	uint64_t swap_every, max_instructions; /* 0: never, no limit */
	unsigned harts;
	bool native; /* the fast engine may make code for this processor */
	bool flat, trace, deterministic, hash, network;
	const char *forwards[RUN_FORWARDS_MAX];
	unsigned forward_count;
};

/* False: said why, or what was asked for; *status is then that of the program. */
bool run_options_parse(struct run_options *options, int argc, char **argv, int *status);

/* The signal that told it to end; 0: none has. Whoever waits looks at it every RUN_WAIT_MOST ns,
 * for one may come just before a wait. */
extern volatile sig_atomic_t run_told_to_end;
#define RUN_WAIT_MOST 200000000ll

[[gnu::format(printf, 1, 2)]] void run_say(const char *format, ...);

/* ---- run_guest.c: the machine's memory and what is in it at the start */

/* State and RAM from the system, the disk mapped from its file, which stays open and locked as
 * *disk. False: said why. */
bool run_guest_create(struct rv_machine *m, const struct run_options *options, int *disk);
/* Puts firmware, kernel and all into RAM and resets the machine. Again after each reset of the
 * guest, for it has changed what it began with. */
bool run_guest_load(struct rv_machine *m, const struct run_options *options);
void run_guest_destroy(struct rv_machine *m);

/* ---- run_console.c: the machine's UART as stdin and stdout */

struct run_console {
	const char *await;
	size_t await_size;
	char *seen;    /* the last bytes of the output, as many as await has */
	uint8_t *text; /* typed and not taken yet */
	size_t text_size, text_used;
	uint64_t hash; /* of all output, FNV-1a */
	int input;     /* -1: ended, or none */
	bool may_type; /* what was waited for came */
	bool raw;      /* the terminal is in raw mode */
	bool escape;   /* Ctrl-A was typed */
	bool failed;   /* stdout is gone */
	bool quit;     /* Ctrl-A x */
};

bool run_console_open(struct run_console *console, const struct run_options *options);
void run_console_close(struct run_console *console);
/* All that the guest has sent goes to stdout. */
void run_console_drain(struct run_console *console, struct rv_machine *m);
/* Types what there is and may be typed. True: something was. */
bool run_console_feed(struct run_console *console, struct rv_machine *m);
/* Whether more may come, and would be read. */
bool run_console_listens(const struct run_console *console);
/* Waits for more, or for something to read at another descriptor (-1: none), at most that long.
 * True: it is there. */
bool run_console_wait(struct run_console *console, int other, int64_t nanoseconds);

/* ---- run_network.c: who is behind the machine's network card */

struct run_network {
	struct rv_line *line;
	pid_t child;
	int to, from; /* from -1: none, or it has ended */
	bool full;    /* of frames that the guest has no room for: more are not waited for */
};

/* Gives the machine a card, if that is asked for. False: said why. */
bool run_network_open(
	struct run_network *network, struct rv_machine *m, const struct run_options *options);
void run_network_close(struct run_network *network, struct rv_machine *m);
/* Frames go and come. True: the guest got some. */
bool run_network_pump(struct run_network *network, struct rv_machine *m);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The wire between the keeper and its children.
 *
 * Each child has one SOCK_SEQPACKET socket to the keeper, its number in SOURCE_CITY_KEEPER_FD. A
 * packet is one struct keeper_message, cut after its text, with up to KEEPER_FDS_MAX descriptors
 * beside it (SCM_RIGHTS). Who sends what, and which descriptors, stands with each type below.
 * Requests carry a number that the answer repeats; events carry 0.
 *
 * When the compositor dies the tiles run on. Its successor is told which they are
 * (KEEPER_INSTANCE), makes a connection for each and has it handed over (KEEPER_RECONNECT).
 * A stream whose name begins with a dot is internal: kept for the city itself, unknown to the
 * tile's code, and never swept.
 *
 * Both ends run the same build except while the keeper is being replaced, so the structure is
 * checked by `version` only. A packet that does not parse is logged and dropped; the keeper never
 * trusts a length or a name that a child sent.
 */
#ifndef SOURCE_CITY_KEEPER_WIRE_H
#define SOURCE_CITY_KEEPER_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vat.h"

#define KEEPER_WIRE_VERSION 2u
#define KEEPER_FDS_MAX 4
#define KEEPER_NAME_SIZE 64
/* Holds a program with its arguments and environment; see KEEPER_PTY_OPEN. */
#define KEEPER_TEXT_SIZE 8192
/* The internal stream that holds the undo log of a tile's handover, from before its version can
 * write the region until it is settled or undone. */
#define KEEPER_UNDO ".undo"

/* KEEPER_HELLO: why this compositor was started. */
enum keeper_start {
	KEEPER_START_FIRST,
	KEEPER_START_DIED,  /* the one before died */
	KEEPER_START_ASKED, /* the one before asked for it */
};

enum keeper_message_type {
	/* Any child. Answer to every request that has no answer of its own: status 0, or an errno
	 * with a reason as text. */
	KEEPER_RESULT = 1,

	/* keeper -> compositor, once at its start. fds: listening socket, the desk (a memfd for
	 * what one compositor leaves to the next; empty at first), the transport's page
	 * (read-only). name: the socket's name. status: enum keeper_start. size: how many
	 * KEEPER_INSTANCE follow. instance: when the one before ended, CLOCK_MONOTONIC in ns. text:
	 * the folder that tiles would be saved in, if another city has it: this one must not write
	 * to disk what it has of tiles. */
	KEEPER_HELLO,

	/* compositor -> keeper: the region of tile `uuid` in `city`, created under `name` with
	 * `size` bytes when it is not there. text: the uuid of a tile whose saved state it then
	 * begins with, where there is one. Answer: KEEPER_REGION. */
	KEEPER_REGION_OPEN,
	/* keeper -> compositor. fds: the region and, if one is kept, the undo log. uuid. status 1
	 * when it was created just now, 2 when it came back from disk. text: what the user should
	 * know, where that is anything. */
	KEEPER_REGION,
	/* compositor -> keeper: forget the region and close the streams of tile `uuid`. */
	KEEPER_REGION_DROP,

	/* compositor -> keeper: start a version of tile `uuid`. fds: its Wayland connection, the
	 * artifact. name: the tile's name. text: the artifact's hash, a zero byte, then the tile's
	 * options as "key=value" strings, each ended by a zero byte. Answer: KEEPER_SPAWNED. */
	KEEPER_SPAWN,
	/* keeper -> compositor: the answer, with pid; `instance` names the process from now on. */
	KEEPER_SPAWNED,
	/* compositor -> keeper: send signal `status` to process `instance`. */
	KEEPER_KILL,
	/* keeper -> compositor, event: process `instance` ended; status as waitpid gives it. */
	KEEPER_EXITED,
	/* tile -> keeper, and passed on to the compositor as an event with its `instance`:
	 * something is wrong in the operation `name`. status: the signal that ends the process, 0
	 * when the operation does not return, -1 when it has returned after all. */
	KEEPER_TROUBLE,
	/* compositor -> keeper: close the streams of tile `uuid` that process `instance` has not
	 * claimed. Answer: KEEPER_RESULT, text: names of the closed ones, each ended by a zero
	 * byte. */
	KEEPER_STREAM_SWEEP,

	/* keeper -> tile: what to run. fds: Wayland connection, artifact, region, the transport's
	 * page (read-only). name: the tile's
	 * name. uuid; instance; text as in KEEPER_SPAWN. */
	KEEPER_ASSUME,

	/* tile -> keeper: keep fds[0] as stream `name`. */
	KEEPER_STREAM_PUT,
	/* tile -> keeper: claim stream `name`. Answer: KEEPER_STREAM. */
	KEEPER_STREAM_CLAIM,
	/* keeper -> tile. fds: the stream. pid: the child behind a PTY, or 0. */
	KEEPER_STREAM,
	/* tile -> keeper: close stream `name`; a PTY's child gets SIGHUP from the kernel. */
	KEEPER_STREAM_CLOSE,
	/* tile -> keeper: start a program on a new PTY kept as stream `name`, window size in `pty`.
	 * text: `argc` arguments, `envc` environment entries, then the working directory, each
	 * ended by a zero byte. argc 0: the user's shell; empty directory: the home. Answer:
	 * KEEPER_STREAM. */
	KEEPER_PTY_OPEN,
	/* keeper -> tile, event: the child behind stream `name` ended; status as waitpid gives it.
	 * Sent to every version that claimed the stream, and on a later claim. */
	KEEPER_STREAM_ENDED,

	/* compositor -> keeper: end the city. */
	KEEPER_QUIT,
	/* compositor -> keeper: the city is up: outputs and socket work. Starts what waits for it.
	 */
	KEEPER_READY,
	/* compositor -> keeper: run the forge with fds[0] as its Wayland connection. It is started
	 * again by the compositor when KEEPER_EXITED says that it ended. Answer: KEEPER_SPAWNED. */
	KEEPER_FORGE,

	/* tile -> keeper, event: its state may be another one than the last checkpoint has. Said
	 * once, until the next KEEPER_TRACK. status 1: a probation has ended well just now. */
	KEEPER_CHANGED,
	/* keeper -> tile, event: log from now on, in the undo log fds[0], what the pages of the
	 * region were that are written. KEEPER_TRACKED tells whether it does. */
	KEEPER_TRACK,
	/* tile -> keeper, event: status 0, with the ns that it took as size, or an errno with a
	 * reason as text. */
	KEEPER_TRACKED,
	/* keeper -> tile, event: that is enough. */
	KEEPER_TRACK_END,
	/* keeper -> compositor, after KEEPER_HELLO: process `instance` runs a version of tile
	 * `uuid`, with pid. name: the tile's name. text: the artifact's hash. */
	KEEPER_INSTANCE,
	/* compositor -> keeper: process `instance` gets fds[0] as its Wayland connection, in place
	 * of one that has broken. Answer: KEEPER_RESULT. Passed on to the tile as an event. */
	KEEPER_RECONNECT,
	/* compositor -> keeper: keep fds[0] as the internal stream `name` of tile `uuid` instead of
	 * what is kept there; without a descriptor: keep nothing. No answer. */
	KEEPER_KEEP,
	/* compositor -> keeper: start another when this one has ended, and not in safe mode. No
	 * answer. */
	KEEPER_RESTART,
	/* compositor -> keeper: let the program at the path in text, empty: the keeper's own, take
	 * the keeper's place. Answer: KEEPER_RESULT, from the new keeper if it has. */
	KEEPER_REPLACE,
	/* compositor -> keeper: save the region of tile `uuid` now. Answer: KEEPER_RESULT when it
	 * is on disk, with the bytes of the file as size, the ns that the tile waited as instance,
	 * and the path as text. */
	KEEPER_CHECKPOINT,
	/* compositor -> keeper, event: save each region that has changed `status` seconds later; 0:
	 * only after handovers, at the end, and when asked. 30 until this is said. */
	KEEPER_CHECKPOINT_EVERY,
	/* compositor -> keeper: stream `name` of tile `uuid`, without claiming it. Answer:
	 * KEEPER_STREAM. */
	KEEPER_STREAM_LOOK,
	/* keeper -> compositor, event: whether what tile `uuid` has in its region gets to disk.
	 * status 0: it does again; otherwise an errno with the reason as text. Said when that
	 * changes and, as long as it does not, after KEEPER_REGION. */
	KEEPER_UNSAVED,

	/* tile -> keeper: claim stream `name`, a ring for sound (ring.h) of `size` channels; made
	 * if it is not there. Answer: KEEPER_STREAM, fds: the ring, and the eventfd that wakes
	 * whoever fills it (it does not block); size: its channels. The ring rests (ring.h) when
	 * the last process that has claimed it ends. */
	KEEPER_RING_OPEN,
	/* tile or compositor -> keeper: a new connection to the audio process (audio_wire.h), that
	 * does not block. A tile's is kept as stream `name`, in place of the one that it had under
	 * that name; without a name it is the process's own, and not kept. Answer: KEEPER_STREAM;
	 * EAGAIN: there is no audio process now. */
	KEEPER_AUDIO_OPEN,
	/* keeper -> audio process, once at its start. fds: the transport's page, to write. */
	KEEPER_AUDIO,
	/* keeper -> audio process: tile `uuid` (name: its name, text: the stream's name, which is
	 * the port's) has a ring of `size` channels. fds: it, and the eventfd. Also at its start,
	 * for each that there is. */
	KEEPER_RING,
	/* keeper -> audio process: that ring is no more. uuid, text. */
	KEEPER_RING_END,
	/* keeper -> audio process: somebody has connected. fds: its end, which does not block.
	 * name: the tile's name; empty: the compositor. */
	KEEPER_AUDIO_PEER,
	/* keeper -> compositor, event: the audio process runs (status 1; also at the compositor's
	 * start) or has ended (0). */
	KEEPER_AUDIO_STATE,

	/* tile -> keeper: which streams the tile has. Answer: KEEPER_RESULT, text: their names,
	 * each ended by a zero byte. */
	KEEPER_STREAM_LIST,

	/* keeper -> audio process, while there are rings: answer with KEEPER_AUDIO_HERE. */
	KEEPER_AUDIO_LOOK,
	/* audio process -> keeper: it goes on. Once by itself, behind KEEPER_AUDIO: from then on it
	 * is looked at. */
	KEEPER_AUDIO_HERE,
};

/* A stream that tile hosts keep for themselves; no tile can name one like this by accident. What is
 * in it: tiles/host/recording.h. */
#define KEEPER_STREAM_RECORDING "host.recording"

struct keeper_message {
	uint32_t version; /* KEEPER_WIRE_VERSION */
	uint32_t type;	  /* enum keeper_message_type */
	uint64_t request;
	uint64_t instance;
	uint64_t size;
	struct vat_uuid uuid; /* the tile */
	struct vat_uuid city; /* KEEPER_REGION_OPEN */
	int32_t pid;
	int32_t status;
	uint16_t argc, envc;
	struct {
		uint16_t columns, rows, width_px, height_px;
	} pty;
	uint32_t text_size;	     /* bytes of text used */
	char name[KEEPER_NAME_SIZE]; /* NUL-terminated */
	char text[KEEPER_TEXT_SIZE];
};

/* Bytes on the wire before the text. */
#define KEEPER_MESSAGE_HEAD offsetof(struct keeper_message, text)

/*
 * Send one message with `fd_count` descriptors (not closed). 0, or -1 with errno; EAGAIN on a
 * non-blocking socket whose peer does not read. Sets version. Async-signal-safe.
 */
int keeper_wire_send(int fd, struct keeper_message *message, const int *fds, size_t fd_count);

/*
 * Receive one message; descriptors come into fds[KEEPER_FDS_MAX], unused ones -1, all close-on-exec
 * and the caller's. 1: a message; 0: the peer is gone, and all that it said was received; -1:
 * errno, EAGAIN when there is none, EPROTO for one that was malformed and dropped. Checks version,
 * sizes and that strings end. A message comes without any descriptor when not all of them could be
 * received (EMFILE).
 */
int keeper_wire_receive(int fd, struct keeper_message *message, int fds[KEEPER_FDS_MAX]);

/* Append a string with its zero byte to the text. 0, or -1 when it does not fit. */
int keeper_wire_add(struct keeper_message *message, const char *string);

/*
 * Walk the zero-ended strings of the text: pass *offset = 0 first. NULL at the end.
 */
const char *keeper_wire_next(const struct keeper_message *message, size_t *offset);

/* Close all descriptors that are not -1. */
void keeper_wire_close(int fds[KEEPER_FDS_MAX]);

#endif

/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "log.h"

#define SCRATCH_SIZE 65536
/* What a program wrote last may reach the PTY's other side a little after the program has ended. */
#define DRAIN_NS 100000000ull

static struct host_stream *stream_of(struct host *host, int id) {
	if (id < 0 || id >= HOST_STREAMS_MAX || host->streams[id].fd < 0) {
		return NULL;
	}
	return &host->streams[id];
}

static void close_fd(int fd) {
	if (fd != HOST_STREAM_COMES) {
		close(fd);
	}
}

static void make_nonblocking(int fd) {
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static int add_stream(struct host *host, const char *name, int fd, int pid) {
	for (int i = 0; i < HOST_STREAMS_MAX; i++) {
		if (host->streams[i].fd >= 0) {
			continue;
		}
		if (fd != HOST_STREAM_COMES) {
			make_nonblocking(fd);
		}
		host->streams[i] = (struct host_stream){
			.fd = fd,
			.pid = pid,
			.pid_fd = -1,
			.drained_at = HOST_NEVER,
		};
		snprintf(host->streams[i].name, sizeof(host->streams[i].name), "%s", name);
		return i;
	}
	host_log(host, CITY_LOG_ERROR, "too many streams: %s", name);
	close_fd(fd);
	return -1;
}

static int find_stream(struct host *host, const char *name) {
	for (int i = 0; i < HOST_STREAMS_MAX; i++) {
		if (host->streams[i].fd >= 0 && strcmp(host->streams[i].name, name) == 0) {
			return i;
		}
	}
	return -1;
}

/* Send a request that KEEPER_STREAM answers. The id; -1 with one line in why, and errno. */
static int ask_stream(
	struct host *host, struct keeper_message *request, char *why, size_t why_size) {
	struct keeper_message *answer = malloc(sizeof(*answer));
	if (!answer) {
		snprintf(why, why_size, "out of memory");
		return -1;
	}
	int fds[KEEPER_FDS_MAX];
	int id = -1;
	if (host_keeper_call(host, request, NULL, 0, answer, fds, why, why_size) == 0) {
		if (answer->type == KEEPER_STREAM && fds[0] >= 0) {
			id = add_stream(host, request->name, fds[0], answer->pid);
			fds[0] = -1;
			if (id >= 0 && request->type == KEEPER_STREAM_CLAIM) {
				host_journal_give(host, &host->streams[id]);
			}
		} else {
			snprintf(why, why_size, "the keeper answered something else");
			errno = EPROTO;
		}
		keeper_wire_close(fds);
	}
	free(answer);
	return id;
}

/* ---- streams that are known ahead */

static void forget_names(struct host *host) {
	free(host->streams_there);
	host->streams_there = NULL;
	host->streams_asked = 0;
}

void host_streams_look(struct host *host) {
	struct keeper_message *request = calloc(1, sizeof(*request));
	forget_names(host);
	if (request) {
		request->type = KEEPER_STREAM_LIST;
		if (host_keeper_send(host, request) == 0) {
			host->streams_asked = request->request;
		}
	}
	free(request);
}

/* The others have to be asked for, and waited for. */
static bool is_known(struct host *host, const char *name) {
	host_keeper_wait_streams(host);
	const char *there;
	size_t offset = 0;
	while (host->streams_there &&
		(there = keeper_wire_next(host->streams_there, &offset)) != NULL) {
		if (strcmp(there, name) == 0) {
			return true;
		}
	}
	return false;
}

/* It will not come: it is at its end, as for who reads it. */
static void lose(struct host_stream *stream) {
	stream->at_end = true;
	stream->drained_at = HOST_NEVER;
}

void host_streams_fetch(struct host *host) {
	struct keeper_message *request = NULL;
	forget_names(host);
	for (size_t i = 0; i < HOST_STREAMS_MAX; i++) {
		struct host_stream *stream = &host->streams[i];
		if (stream->fd != HOST_STREAM_COMES || stream->claimed != 0 || stream->at_end) {
			continue;
		}
		request = request ? request : calloc(1, sizeof(*request));
		if (request) {
			request->type = KEEPER_STREAM_CLAIM;
			memcpy(request->name, stream->name, sizeof(stream->name));
		}
		if (request && host_keeper_send(host, request) == 0) {
			stream->claimed = request->request;
		} else {
			host_log(host, CITY_LOG_ERROR, "stream %s: the keeper cannot be asked",
				stream->name);
			lose(stream);
		}
	}
	free(request);
}

static void come(struct host *host, int id, const struct keeper_message *answer, int *fd) {
	struct host_stream *stream = &host->streams[id];
	if (answer->type != KEEPER_STREAM || *fd < 0) {
		/* It may have been closed by the version before, at the last moment. */
		if (answer->status != ENOENT) {
			host_log(host, CITY_LOG_ERROR, "stream %s: %s", stream->name,
				answer->text_size > 0 ? answer->text : "it did not come");
		}
		lose(stream);
		return;
	}
	stream->fd = *fd;
	stream->pid = answer->pid;
	*fd = -1;
	make_nonblocking(stream->fd);
	if (stream->resized) {
		host_stream_resize(host, id, &stream->size);
	}
}

bool host_streams_answer(
	struct host *host, const struct keeper_message *answer, int fds[KEEPER_FDS_MAX]) {
	if (answer->request == host->streams_asked) {
		forget_names(host);
		host->streams_there = answer->type == KEEPER_RESULT && answer->status == 0
			? malloc(sizeof(*answer))
			: NULL;
		if (host->streams_there) {
			*host->streams_there = *answer;
		}
		return true;
	}
	for (int i = 0; i < HOST_STREAMS_MAX; i++) {
		if (host->streams[i].fd == HOST_STREAM_COMES &&
			host->streams[i].claimed == answer->request) {
			come(host, i, answer, &fds[0]);
			return true;
		}
	}
	return false;
}

void host_streams_lost(struct host *host) {
	forget_names(host);
	for (size_t i = 0; i < HOST_STREAMS_MAX; i++) {
		if (host->streams[i].fd == HOST_STREAM_COMES) {
			lose(&host->streams[i]);
		}
	}
}

int host_stream_claim(struct host *host, const char *name) {
	int id = find_stream(host, name);
	if (id >= 0 || host->standalone || !vat_name_valid(name)) {
		return id;
	}
	if (is_known(host, name)) {
		id = add_stream(host, name, HOST_STREAM_COMES, 0);
		if (id >= 0) {
			host_journal_give(host, &host->streams[id]);
		}
		return id;
	}
	struct keeper_message *request = calloc(1, sizeof(*request));
	if (!request) {
		return -1;
	}
	request->type = KEEPER_STREAM_CLAIM;
	snprintf(request->name, sizeof(request->name), "%s", name);
	char why[256];
	id = ask_stream(host, request, why, sizeof(why));
	if (id < 0 && errno != ENOENT) {
		host_log(host, CITY_LOG_ERROR, "stream %s: %s", name, why);
	}
	free(request);
	return id;
}

static bool fill_pty_request(
	struct keeper_message *request, const char *name, const struct tile_pty_options *options) {
	static const struct tile_pty_options none;
	options = options ? options : &none;
	request->type = KEEPER_PTY_OPEN;
	snprintf(request->name, sizeof(request->name), "%s", name);
	request->pty.columns = options->columns;
	request->pty.rows = options->rows;
	request->pty.width_px = options->width_px;
	request->pty.height_px = options->height_px;
	for (const char *const *arg = options->argv; arg && *arg; arg++, request->argc++) {
		if (keeper_wire_add(request, *arg) < 0) {
			return false;
		}
	}
	for (const char *const *entry = options->env; entry && *entry; entry++, request->envc++) {
		if (keeper_wire_add(request, *entry) < 0) {
			return false;
		}
	}
	return keeper_wire_add(request, options->cwd ? options->cwd : "") == 0;
}

int host_stream_pty(struct host *host, const char *name, const struct tile_pty_options *options) {
	if (!(host->descriptor.capabilities & TILE_CAP_PTY)) {
		host_log(host, CITY_LOG_ERROR, "pty_open needs TILE_CAP_PTY in the descriptor");
		return -1;
	}
	if (!vat_name_valid(name) || find_stream(host, name) >= 0) {
		host_log(host, CITY_LOG_ERROR, "no new stream can be named \"%s\"", name);
		return -1;
	}
	struct keeper_message *request = calloc(1, sizeof(*request));
	if (!request) {
		return -1;
	}
	char why[256] = "its command line is too long";
	int id = -1;
	if (fill_pty_request(request, name, options)) {
		if (host->standalone) {
			int pid = 0;
			int fd = host_private_pty(request, &pid);
			snprintf(why, sizeof(why), "%s", strerror(errno));
			id = fd >= 0 ? add_stream(host, name, fd, pid) : -1;
			if (id >= 0) {
				host->streams[id].pid_fd = pidfd_open(pid, 0);
			}
		} else {
			id = ask_stream(host, request, why, sizeof(why));
		}
	}
	if (id < 0) {
		host_log(host, CITY_LOG_ERROR, "PTY %s: %s", name, why);
	}
	free(request);
	return id;
}

int host_stream_audio(struct host *host, const char *name) {
	if (!vat_name_valid(name) || find_stream(host, name) >= 0) {
		host_log(host, CITY_LOG_ERROR, "no new stream can be named \"%s\"", name);
		return -1;
	}
	struct keeper_message *request = calloc(1, sizeof(*request));
	if (!request) {
		return -1;
	}
	char why[256];
	request->type = KEEPER_AUDIO_OPEN;
	snprintf(request->name, sizeof(request->name), "%s", name);
	int id = ask_stream(host, request, why, sizeof(why));
	if (id < 0) {
		host_log(host, CITY_LOG_INFO, "stream %s: %s", name, why);
	}
	free(request);
	return id;
}

static long read_replay(struct host_stream *stream, void *data, size_t size) {
	size_t left = stream->replay_size - stream->replay_at;
	size_t taken = size < left ? size : left;
	memcpy(data, stream->replay + stream->replay_at, taken);
	stream->replay_at += taken;
	if (stream->replay_at == stream->replay_size) {
		free(stream->replay);
		stream->replay = NULL;
	}
	return taken;
}

int host_stream_add_file(struct host *host, const char *name, int fd) {
	int id = find_stream(host, name);
	if (id >= 0 && !host->streams[id].file) {
		close(fd);
		return -1;
	}
	if (id >= 0) {
		host_stream_close(host, id);
	}
	id = add_stream(host, name, fd, 0);
	if (id >= 0) {
		host->streams[id].file = true;
	}
	return id;
}

long host_stream_read(struct host *host, int id, void *data, size_t size) {
	struct host_stream *stream = stream_of(host, id);
	if (!stream) {
		return -1;
	}
	if (stream->replay) {
		return read_replay(stream, data, size);
	}
	size_t done = 0;
	while (done < size && !stream->at_end && stream->fd != HOST_STREAM_COMES) {
		size_t step = size - done < SCRATCH_SIZE ? size - done : SCRATCH_SIZE;
		ssize_t got = read(stream->fd, host->stream_scratch, step);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0 && errno == EAGAIN) {
			break;
		}
		/* A PTY that nobody holds open any more says EIO. */
		if (got <= 0) {
			stream->at_end = true;
			break;
		}
		memcpy((char *)data + done, host->stream_scratch, got);
		if (!stream->file) {
			host_journal_add(host, stream->name, host->stream_scratch, got);
		}
		done += got;
	}
	return done > 0 ? (long)done : stream->at_end ? -1 : 0;
}

long host_stream_write(struct host *host, int id, const void *data, size_t size) {
	struct host_stream *stream = stream_of(host, id);
	if (!stream) {
		return -1;
	}
	size_t done = 0;
	if (stream->fd == HOST_STREAM_COMES) {
		return stream->at_end ? -1 : 0;
	}
	while (done < size) {
		ssize_t put = write(stream->fd, (const char *)data + done, size - done);
		if (put < 0 && errno == EINTR) {
			continue;
		}
		if (put < 0 && errno == EAGAIN) {
			break;
		}
		if (put < 0) {
			return done > 0 ? (long)done : -1;
		}
		done += put;
	}
	return done;
}

void host_stream_watch(struct host *host, int id, bool readable, bool writable) {
	struct host_stream *stream = stream_of(host, id);
	if (stream) {
		stream->read = readable;
		stream->write = writable;
	}
}

void host_stream_resize(struct host *host, int id, const struct tile_pty_options *size) {
	struct host_stream *stream = stream_of(host, id);
	if (!stream) {
		return;
	}
	if (stream->fd == HOST_STREAM_COMES) {
		stream->resized = true;
		stream->size = *size;
		return;
	}
	struct winsize window = {
		.ws_row = size->rows,
		.ws_col = size->columns,
		.ws_xpixel = size->width_px,
		.ws_ypixel = size->height_px,
	};
	if (ioctl(stream->fd, TIOCSWINSZ, &window) < 0) {
		host_log(host, CITY_LOG_WARN, "stream %s cannot be resized: %s", stream->name,
			strerror(errno));
	}
}

static void forget_stream(struct host_stream *stream) {
	close_fd(stream->fd);
	stream->fd = -1;
	if (stream->pid_fd >= 0) {
		close(stream->pid_fd);
		stream->pid_fd = -1;
	}
	free(stream->replay);
	stream->replay = NULL;
}

void host_stream_close(struct host *host, int id) {
	struct host_stream *stream = stream_of(host, id);
	if (!stream) {
		return;
	}
	if (!host->standalone && !stream->file) {
		struct keeper_message *messages = calloc(2, sizeof(*messages));
		int fds[KEEPER_FDS_MAX];
		char why[256] = "out of memory";
		if (messages) {
			messages[0].type = KEEPER_STREAM_CLOSE;
			memcpy(messages[0].name, stream->name, sizeof(messages[0].name));
		}
		if (!messages ||
			host_keeper_call(host, &messages[0], NULL, 0, &messages[1], fds, why,
				sizeof(why)) < 0) {
			host_log(host, CITY_LOG_WARN, "stream %s: %s", stream->name, why);
		} else {
			keeper_wire_close(fds);
		}
		free(messages);
	}
	forget_stream(stream);
}

size_t host_stream_poll(struct host *host, struct pollfd *fds, size_t count, size_t size) {
	if (host->state != HOST_LIVE || host->shadow.on) {
		return count;
	}
	for (size_t i = 0; i < HOST_STREAMS_MAX && count < size; i++) {
		const struct host_stream *stream = &host->streams[i];
		if (stream->fd >= 0 && stream->pid_fd >= 0 && count + 1 < size) {
			fds[count++] = (struct pollfd){.fd = stream->pid_fd, .events = POLLIN};
		}
		short events = (stream->read ? POLLIN : 0) | (stream->write ? POLLOUT : 0);
		/* What hung up would be reported without end. */
		if (stream->fd < 0 || stream->fd == HOST_STREAM_COMES || stream->at_end ||
			events == 0) {
			continue;
		}
		fds[count++] = (struct pollfd){.fd = stream->fd, .events = events};
	}
	return count;
}

static void call_ready(struct host *host, int id, bool readable, bool writable) {
	if (host->ops->stream_ready) {
		host_begin(host, "stream_ready");
		host_recorder_ready(host, host->streams[id].name, readable, writable);
		host->ops->stream_ready(&host->tile, id, readable, writable);
		host_end(host);
	}
}

/* A child of our own: nobody else tells of its end. */
static void look_for_child(struct host_stream *stream) {
	if (stream->pid_fd >= 0 && waitpid(stream->pid, &stream->status, WNOHANG) != 0) {
		stream->child_ended = true;
		close(stream->pid_fd);
		stream->pid_fd = -1;
	}
}

/* The end of a child is told once its output is drained. */
static void look_for_end(struct host *host, int id, bool readable) {
	struct host_stream *stream = &host->streams[id];
	bool over = stream->pid != 0 ? stream->child_ended : stream->at_end;
	if (stream->told || !over || stream->replay) {
		return;
	}
	if (!stream->at_end && stream->read) {
		uint64_t now = host_monotonic();
		if (readable || stream->drained_at == HOST_NEVER) {
			stream->drained_at = now + DRAIN_NS;
			return;
		}
		if (now < stream->drained_at) {
			return;
		}
	}
	stream->told = true;
	stream->drained_at = HOST_NEVER;
	struct tile_input event = {.type = TILE_INPUT_STREAM_END, .time_ns = host_now(host)};
	event.stream.name = stream->name;
	event.stream.status = stream->status;
	host_input(host, &event);
}

void host_stream_dispatch(struct host *host, const struct pollfd *fds, size_t count) {
	for (int i = 0; i < HOST_STREAMS_MAX && host->state == HOST_LIVE; i++) {
		struct host_stream *stream = &host->streams[i];
		if (stream->fd < 0) {
			continue;
		}
		short events = 0;
		for (size_t n = 0; n < count; n++) {
			events |= fds[n].fd == stream->fd ? fds[n].revents : 0;
		}
		bool readable =
			stream->read && ((events & (POLLIN | POLLHUP | POLLERR)) || stream->replay);
		bool writable = stream->write && (events & (POLLOUT | POLLERR));
		if (readable || writable) {
			call_ready(host, i, readable, writable);
		}
		if (stream->fd >= 0 && !host->shadow.on) {
			look_for_child(stream);
			look_for_end(host, i, readable);
		}
	}
}

uint64_t host_stream_deadline(const struct host *host) {
	uint64_t deadline = HOST_NEVER;
	if (host->state != HOST_LIVE) {
		return deadline;
	}
	for (size_t i = 0; i < HOST_STREAMS_MAX; i++) {
		const struct host_stream *stream = &host->streams[i];
		if (stream->fd < 0) {
			continue;
		}
		if (stream->replay && stream->read) {
			return 0;
		}
		if (stream->drained_at < deadline && !host->shadow.on) {
			deadline = stream->drained_at;
		}
	}
	return deadline;
}

void host_streams_finish(struct host *host) {
	for (size_t i = 0; i < HOST_STREAMS_MAX; i++) {
		if (host->streams[i].fd >= 0) {
			forget_stream(&host->streams[i]);
		}
	}
	forget_names(host);
	free(host->stream_scratch);
	host->stream_scratch = NULL;
}

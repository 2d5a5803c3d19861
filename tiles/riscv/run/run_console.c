/* SPDX-License-Identifier: MIT */
/* The machine's UART as stdin and stdout, or typed from a file. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

#define TEXT_MAX 4096
#define CTRL_A 1

/* As the terminal was, for the end. */
static struct termios terminal;

static bool make_raw(void) {
	struct termios raw;
	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &terminal) != 0)
		return false;
	raw = terminal;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST;
	return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

bool run_console_open(struct run_console *console, const struct run_options *options) {
	*console = (struct run_console){
		.await = options->await,
		.await_size = options->await ? strlen(options->await) : 0,
		.input = -1,
		.may_type = !options->await,
		.hash = 0xcbf29ce484222325,
	};
	console->text = malloc(TEXT_MAX);
	console->seen = calloc(1, console->await_size + 1);
	if (!console->text || !console->seen) {
		run_say("no memory for the console");
		return false;
	}
	if (options->console) {
		console->input = open(options->console, O_RDONLY | O_CLOEXEC);
		struct stat stat;
		if (console->input < 0 || fstat(console->input, &stat) != 0) {
			run_say("%s: %s", options->console, strerror(errno));
			return false;
		}
		if (S_ISDIR(stat.st_mode)) {
			run_say("%s: %s", options->console, strerror(EISDIR));
			return false;
		}
	} else if (!options->deterministic) {
		/* What comes when somebody types would not come at the same time again. */
		console->input = STDIN_FILENO;
		console->raw = make_raw();
	}
	return true;
}

void run_console_close(struct run_console *console) {
	if (console->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
	if (console->input > STDIN_FILENO)
		close(console->input);
	free(console->text);
	free(console->seen);
}

static void look_out(struct run_console *console, uint8_t byte) {
	size_t size = console->await_size;
	if (size == 0)
		return;
	memmove(console->seen, console->seen + 1, size - 1);
	console->seen[size - 1] = byte;
	if (memcmp(console->seen, console->await, size) == 0)
		console->may_type = true;
}

/* What is written at once finds room in a pipe or a terminal that says it has some. What is left
 * when it is told to end is lost. */
static bool write_all(const uint8_t *data, size_t size) {
	const struct timespec limit = {.tv_nsec = RUN_WAIT_MOST};
	while (size > 0 && !run_told_to_end) {
		struct pollfd wait = {.fd = STDOUT_FILENO, .events = POLLOUT};
		if (ppoll(&wait, 1, &limit, NULL) <= 0)
			continue;
		ssize_t done = write(STDOUT_FILENO, data, size);
		if (done < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (done <= 0)
			return false;
		data += done;
		size -= done;
	}
	return true;
}

void run_console_drain(struct run_console *console, struct rv_machine *m) {
	uint8_t data[1024];
	size_t size;
	while ((size = rv_uart_output(m, data, sizeof(data))) > 0) {
		for (size_t i = 0; i < size; i++) {
			console->hash = (console->hash ^ data[i]) * 0x100000001b3;
			look_out(console, data[i]);
		}
		if (!console->failed && !write_all(data, size)) {
			run_say("stdout: %s", strerror(errno));
			console->failed = true;
		}
	}
}

/* Ctrl-A x ends, Ctrl-A Ctrl-A is one: takes these out of what was read. */
static size_t take_escapes(struct run_console *console, uint8_t *data, size_t size) {
	size_t kept = 0;
	for (size_t i = 0; i < size; i++) {
		if (console->escape) {
			console->escape = false;
			if (data[i] == 'x')
				console->quit = true;
			else
				data[kept++] = data[i];
		} else if (data[i] == CTRL_A) {
			console->escape = true;
		} else {
			data[kept++] = data[i];
		}
	}
	return kept;
}

static void read_more(struct run_console *console) {
	if (!run_console_listens(console) || !run_console_wait(console, -1, 0))
		return;
	ssize_t got = read(console->input, console->text, TEXT_MAX);
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got <= 0) {
		if (console->input > STDIN_FILENO)
			close(console->input);
		console->input = -1;
		return;
	}
	console->text_used = 0;
	console->text_size = console->raw ? take_escapes(console, console->text, got) : (size_t)got;
}

bool run_console_feed(struct run_console *console, struct rv_machine *m) {
	bool typed = false;
	for (;;) {
		read_more(console);
		size_t size = console->text_size - console->text_used;
		if (size == 0 || !console->may_type)
			return typed;
		const uint8_t *text = console->text + console->text_used;
		const uint8_t *line = console->await ? memchr(text, '\n', size) : NULL;
		if (line)
			size = line - text + 1;
		size_t taken = rv_uart_input(m, text, size);
		console->text_used += taken;
		typed = typed || taken > 0;
		if (line && taken == size)
			console->may_type = false;
		if (taken < size)
			return typed;
	}
}

bool run_console_listens(const struct run_console *console) {
	return console->input >= 0 && console->text_used == console->text_size;
}

bool run_console_wait(struct run_console *console, int other, int64_t nanoseconds) {
	struct pollfd waits[] = {
		{.fd = run_console_listens(console) ? console->input : -1, .events = POLLIN},
		{.fd = other, .events = POLLIN},
	};
	struct timespec limit = {nanoseconds / 1000000000, nanoseconds % 1000000000};
	return ppoll(waits, sizeof(waits) / sizeof(waits[0]), &limit, NULL) > 0;
}

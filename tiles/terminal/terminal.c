/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "terminal.h"

#define PTY "pty"
#define TERM_NAME "source-city"
/* Read from the PTY before the screen and the rest of the world get their turn. */
#define READ_PIECE 65536
#define READ_TURN (512 * 1024)
#define BLINK_NS 530000000ull

/* --- time --- */

static void arm_timer(struct terminal *terminal) {
	uint64_t when = UINT64_MAX;
	if (terminal->view->sync_ns != 0) {
		when = terminal->view->sync_ns;
	}
	if (terminal->view->blink_ns != 0 && terminal->view->blink_ns < when) {
		when = terminal->view->blink_ns;
	}
	if (terminal->view->drag_ns != 0 && terminal->view->drag_ns < when) {
		when = terminal->view->drag_ns;
	}
	terminal->tile->host->wake_at(terminal->tile, UINT64_MAX);
	terminal->tile->host->wake_at(terminal->tile, when);
}

/* The cursor is lit after anything happened; it blinks where it is looked at, if the program asks.
 */
static void restart_blink(struct terminal *terminal) {
	bool blinks = terminal->tile->focused && !terminal->vt.state->cursor_default &&
		vt_mode(&terminal->vt, VT_MODE_CURSOR_BLINK) &&
		vt_mode(&terminal->vt, VT_MODE_CURSOR);
	terminal->view->blink_off = false;
	terminal->view->blink_ns = blinks ? terminal->tile->time->now_ns + BLINK_NS : 0;
}

/* Nothing happened that the cursor should be lit for. */
static void keep_blink(struct terminal *terminal) {
	struct view *view = terminal->view;
	uint64_t turns = view->blink_ns;
	bool off = view->blink_off;
	restart_blink(terminal);
	if (turns != 0 && view->blink_ns != 0) {
		view->blink_ns = turns;
		view->blink_off = off;
	}
}

static void terminal_update(struct tile *tile) {
	struct terminal *terminal = tile->scratch;
	uint64_t now = tile->time->now_ns;
	if (terminal->view->sync_ns != 0 && now >= terminal->view->sync_ns) {
		vt_sync_end(&terminal->vt);
		terminal_sync_end(terminal);
	}
	if (terminal->view->blink_ns != 0 && now >= terminal->view->blink_ns) {
		terminal->view->blink_off = !terminal->view->blink_off;
		terminal->view->blink_ns = now + BLINK_NS;
	}
	if (terminal->view->drag_ns != 0 && now >= terminal->view->drag_ns) {
		terminal_drag(terminal);
	}
	terminal_damage(terminal);
	arm_timer(terminal);
}

/* --- what the core tells --- */

static void tell_title(struct terminal *terminal) {
	char title[VT_TITLE_MAX + 1];
	const struct vt_state *state = terminal->vt.state;
	memcpy(title, state->title, state->title_len);
	title[state->title_len] = '\0';
	terminal->tile->host->set_title(terminal->tile, title);
}

static void handle_vt_event(void *user, const struct vt_event *event) {
	struct terminal *terminal = user;
	struct tile *tile = terminal->tile;
	switch (event->kind) {
	case VT_EVENT_BELL:
		tile->host->bell(tile);
		break;
	case VT_EVENT_TITLE:
		tell_title(terminal);
		break;
	case VT_EVENT_CLIPBOARD_SET:
		if (event->a & VT_CLIPBOARD_CLIPBOARD) {
			tile->host->clipboard_set(
				tile, false, (const char *)event->text, event->text_len);
		}
		if (event->a & VT_CLIPBOARD_PRIMARY) {
			tile->host->clipboard_set(
				tile, true, (const char *)event->text, event->text_len);
		}
		break;
	case VT_EVENT_MODE:
		if (event->a == VT_MODE_SYNC) {
			(event->b ? terminal_sync_begin : terminal_sync_end)(terminal);
		}
		break;
	case VT_EVENT_COLORS:
	case VT_EVENT_SCREEN:
		vt_damage_all(&terminal->vt);
		break;
	case VT_EVENT_STRING_LOST:
		tile_log(tile, 1, "a control string of the program was too long and is ignored");
		break;
	case VT_EVENT_TABLE_FULL:
		if (event->b) {
			tile_log(tile, 1, "a table is full: %s",
				event->a == VT_TABLE_LINKS ? "some hyperlinks are not kept"
					: event->a == VT_TABLE_CLUSTERS
					? "some combined characters are not kept"
					: "some underline colours are not kept");
		}
		break;
	default:
		/* A query of the clipboard gets no answer: any program that prints could read it.
		 */
		break;
	}
}

/* --- the PTY --- */

static bool paste_step(struct terminal *terminal) {
	struct view *view = terminal->view;
	if (view->paste_size == 0) {
		return false;
	}
	const uint8_t *bytes = terminal->tile->cells[TERMINAL_PASTE];
	size_t taken = vt_paste_data(
		&terminal->vt, bytes + view->paste_at, view->paste_size - view->paste_at);
	view->paste_at += taken;
	if (view->paste_at == view->paste_size && vt_paste_end(&terminal->vt)) {
		view->paste_at = view->paste_size = 0;
		terminal->tile->host->cell_resize(terminal->tile, TERMINAL_PASTE, 1);
		return true;
	}
	return taken > 0;
}

void terminal_flush(struct terminal *terminal) {
	const struct tile_host *host = terminal->tile->host;
	struct vt *vt = &terminal->vt;
	if (terminal->pty < 0) {
		return;
	}
	bool blocked = false;
	do {
		size_t length;
		const uint8_t *bytes = vt_out_peek(vt, &length);
		if (length == 0) {
			continue;
		}
		long written = host->stream_write(terminal->tile, terminal->pty, bytes, length);
		if (written <= 0) {
			blocked = written == 0;
			break;
		}
		vt_out_drop(vt, (size_t)written);
	} while (vt->state->out_len > 0 || paste_step(terminal));
	host->stream_watch(terminal->tile, terminal->pty, true, blocked);
}

static void feed_message(struct terminal *terminal, const char *text) {
	vt_feed(&terminal->vt, text, strlen(text));
	terminal_damage(terminal);
}

/*
 * A program that is gone leaves no modes behind: not in the middle of a sequence, main screen, no
 * mouse, no kitty keyboard, no colours of its own. What it had not read goes to no other.
 */
static void forget_program(struct terminal *terminal) {
	static const char reset[] =
		"\030\033[?2026l\033[!p\033[?5;9;1000;1002;1003;1004;1005;1006;1015;1016l"
		"\033[?2004;2031;2048l\033[=0u\033[<16u\033[>4m\033[0 q\033]104\033\\"
		"\033]110\033\\\033]111\033\\\033]112\033\\\033]117\033\\\033]119\033\\";
	struct vt *vt = &terminal->vt;
	struct view *view = terminal->view;
	view->paste_at = view->paste_size = 0;
	view->buttons = 0;
	vt_feed(vt, reset, strlen(reset));
	if (vt->state->alt) {
		vt_feed(vt, "\033[?1049l", 8);
	}
	vt_out_drop(vt, vt->state->out_len);
	if (vt->state->col > 0) {
		vt_feed(vt, "\r\n", 2);
	}
}

void terminal_start_shell(struct terminal *terminal) {
	struct tile *tile = terminal->tile;
	const struct vt_state *state = terminal->vt.state;
	const char *command = tile->host->option(tile, "command");
	const char *const command_argv[] = {"/bin/sh", "-c", command, NULL};
	static const char *const environment[] = {
		"TERM=" TERM_NAME, "COLORTERM=truecolor", "TERM_PROGRAM=source-city", NULL};
	struct tile_pty_options options = {
		.argv = command != NULL ? command_argv : NULL,
		.env = environment,
		.columns = (uint16_t)state->cols,
		.rows = (uint16_t)state->rows,
		.width_px = (uint16_t)(state->cols * (uint32_t)terminal->cell_width),
		.height_px = (uint16_t)(state->rows * (uint32_t)terminal->cell_height),
	};
	terminal->pty = tile->host->pty_open(tile, PTY, &options);
	terminal->view->ended = terminal->pty < 0;
	if (terminal->pty < 0) {
		feed_message(terminal,
			"\r\n\033[31mThe shell cannot be started; the log says why. "
			"Enter tries again.\033[m\r\n");
		return;
	}
	tile->host->stream_watch(tile, terminal->pty, true, false);
}

static void terminal_stream_ready(struct tile *tile, int stream, bool readable, bool writable) {
	struct terminal *terminal = tile->scratch;
	if (stream != terminal->pty) {
		return;
	}
	if (readable) {
		static_assert(READ_TURN % READ_PIECE == 0);
		uint8_t *piece = malloc(READ_PIECE);
		size_t total = 0;
		long got = 0;
		while (piece != NULL && total < READ_TURN &&
			(got = tile->host->stream_read(tile, stream, piece, READ_PIECE)) > 0) {
			vt_feed(&terminal->vt, piece, (size_t)got);
			total += (size_t)got;
		}
		free(piece);
		if (total > 0) {
			restart_blink(terminal);
		}
		if (got < 0) {
			tile->host->stream_watch(tile, stream, false, false);
		}
	}
	terminal_flush(terminal);
	terminal_damage(terminal);
	arm_timer(terminal);
}

static void shell_ended(struct terminal *terminal, int status) {
	struct tile *tile = terminal->tile;
	struct view *view = terminal->view;
	tile->host->stream_close(tile, terminal->pty);
	terminal->pty = -1;
	view->ended = true;
	view->exit_status = status;
	char text[128];
	int signal_number = status & 0x7f;
	if (signal_number != 0) {
		snprintf(text, sizeof(text), "was ended by signal %d", signal_number);
	} else {
		snprintf(text, sizeof(text), "ended with status %d", status >> 8 & 0xff);
	}
	char message[256];
	snprintf(message, sizeof(message), "\033[2m[The shell %s. Enter starts another.]\033[m\r\n",
		text);
	forget_program(terminal);
	feed_message(terminal, message);
}

/* --- size --- */

static void grid_size(const struct terminal *terminal, uint32_t *cols, uint32_t *rows) {
	int width = (int)lround(terminal->tile->width * terminal->scale) - 2 * terminal->pad;
	int height = (int)lround(terminal->tile->height * terminal->scale) - 2 * terminal->pad;
	int c = width / terminal->cell_width, r = height / terminal->cell_height;
	*cols = c < VT_MIN_COLS ? VT_MIN_COLS : c > VT_MAX_COLS ? VT_MAX_COLS : (uint32_t)c;
	*rows = r < VT_MIN_ROWS ? VT_MIN_ROWS : r > VT_MAX_ROWS ? VT_MAX_ROWS : (uint32_t)r;
}

/* A larger grid may need larger arrays, and those may move. */
static bool bind_for(struct terminal *terminal, uint32_t cols, uint32_t rows) {
	struct vt_memory memory;
	if (!terminal_memory(terminal, cols, rows, &memory)) {
		return false;
	}
	const char *why;
	if (!vt_bind(&terminal->vt, &memory, &why)) {
		tile_log(terminal->tile, 0, "the terminal's state is damaged: %s", why);
		return false;
	}
	vt_set_events(&terminal->vt, handle_vt_event, terminal); /* the handle is a new one */
	terminal->view = terminal->tile->cells[TERMINAL_VIEW];
	return true;
}

void terminal_resize(struct terminal *terminal) {
	struct tile *tile = terminal->tile;
	uint32_t cols, rows;
	grid_size(terminal, &cols, &rows);
	if (!bind_for(terminal, cols, rows)) {
		return;
	}
	struct vt *vt = &terminal->vt;
	void *scratch = aligned_alloc(16, (vt_resize_scratch(vt, cols, rows) + 15) / 16 * 16 + 16);
	if (cols != vt->state->cols || rows != vt->state->rows) {
		vt_sync_end(vt);
		terminal_sync_end(terminal);
	}
	if (scratch == NULL ||
		!vt_resize(vt, cols, rows, (uint32_t)terminal->cell_width,
			(uint32_t)terminal->cell_height, scratch)) {
		tile_log(tile, 0, "no memory to resize to %u by %u", cols, rows);
		free(scratch);
		return;
	}
	free(scratch);
	vt_damage_all(vt);
	if (terminal->pty >= 0) {
		const struct tile_pty_options size = {
			.columns = (uint16_t)cols,
			.rows = (uint16_t)rows,
			.width_px = (uint16_t)(cols * (uint32_t)terminal->cell_width),
			.height_px = (uint16_t)(rows * (uint32_t)terminal->cell_height),
		};
		tile->host->pty_resize(tile, terminal->pty, &size);
	}
	terminal_flush(terminal);
	terminal_damage(terminal);
}

/* --- life --- */

static bool terminal_warm(struct tile *tile) {
	struct terminal *terminal = calloc(1, sizeof(*terminal));
	if (terminal == NULL) {
		return false;
	}
	terminal->tile = tile;
	terminal->pty = -1;
	tile->scratch = terminal;
	if (!font_load(terminal, 0)) {
		return false;
	}
	/* The first frame after a handover should not have to rasterise the alphabet. */
	for (uint32_t cp = ' '; cp < 0x7f; cp++) {
		fcft_rasterize_char_utf32(terminal->fonts[FONT_REGULAR], cp, FCFT_SUBPIXEL_NONE);
	}
	return true;
}

static bool attach_fresh(struct terminal *terminal) {
	uint32_t cols, rows;
	grid_size(terminal, &cols, &rows);
	struct vt_memory memory;
	if (!terminal_memory(terminal, cols, rows, &memory) ||
		!vt_init(&terminal->vt, &memory, cols, rows, (uint32_t)terminal->cell_width,
			(uint32_t)terminal->cell_height, VT_HISTORY_DEFAULT)) {
		tile_log(terminal->tile, 0, "no memory for a terminal of %u by %u", cols, rows);
		return false;
	}
	terminal->view = terminal->tile->cells[TERMINAL_VIEW];
	return true;
}

static bool attach_kept(struct terminal *terminal) {
	const struct vt_state *state = terminal->tile->cells[VT_STATE];
	return bind_for(terminal, state->cols, state->rows);
}

static bool terminal_attach(struct tile *tile, enum tile_attach why) {
	struct terminal *terminal = tile->scratch;
	bool fresh = tile->cell_fresh[VT_STATE];
	terminal->view = tile->cells[TERMINAL_VIEW];
	if (!font_load(terminal, terminal->view->font_step)) {
		return false;
	}
	if (!(fresh ? attach_fresh(terminal) : attach_kept(terminal))) {
		return false;
	}
	vt_set_events(&terminal->vt, handle_vt_event, terminal);
	uint32_t colors[VT_COLORS];
	theme_colors(colors);
	vt_set_colors(&terminal->vt, colors);
	vt_set_scheme(&terminal->vt, true);
	terminal->cursor = (struct cursor_drawn){0};
	terminal->held_waits = false;
	terminal->pointer_inside = false;
	struct view *view = terminal->view;
	if (!view->selecting) {
		view->drag_ns = 0;
	}
	if (!vt_mode(&terminal->vt, VT_MODE_SYNC)) {
		view->sync_ns = 0;
	} else if (view->sync_ns == 0) {
		view->sync_ns = tile->time->now_ns + SYNC_LIMIT_NS;
	}
	terminal->pty = tile->host->stream_claim(tile, PTY);
	if (terminal->pty >= 0) {
		tile->host->stream_watch(tile, terminal->pty, true, false);
	} else if (!terminal->view->ended || why == TILE_ATTACH_RESTART) {
		if (!fresh) {
			forget_program(terminal);
		}
		if (!fresh && why == TILE_ATTACH_RESTART && !terminal->view->ended) {
			feed_message(terminal,
				"\033[2mThe city was started again; this is a new "
				"shell.\033[m\r\n");
		}
		terminal_start_shell(terminal);
	}
	if (!fresh) {
		tell_title(terminal);
		terminal_resize(terminal);
	}
	keep_blink(terminal);
	vt_damage_all(&terminal->vt);
	terminal_damage(terminal);
	terminal_damage_bar(terminal);
	arm_timer(terminal);
	return true;
}

static bool terminal_check(const struct tile *tile, char *why, size_t why_size) {
	const struct terminal *terminal = tile->scratch;
	const char *reason;
	if (!vt_check(&terminal->vt, &reason)) {
		snprintf(why, why_size, "%s", reason);
		return false;
	}
	const struct view *view = terminal->view;
	if (view->paste_at > view->paste_size ||
		view->paste_size > tile->cell_counts[TERMINAL_PASTE]) {
		snprintf(why, why_size, "the paste under way lies outside its cell");
		return false;
	}
	if (view->held_cols > VT_MAX_COLS || view->held_rows > VT_MAX_ROWS ||
		(uint64_t)view->held_cols * view->held_rows > tile->cell_counts[TERMINAL_HELD]) {
		snprintf(why, why_size, "the held picture lies outside its cell");
		return false;
	}
	return true;
}

static void terminal_detach(struct tile *tile) {
	struct terminal *terminal = tile->scratch;
	font_unload(terminal);
	free(terminal);
	tile->scratch = NULL;
}

static void terminal_handle_input(struct tile *tile, const struct tile_input *event) {
	struct terminal *terminal = tile->scratch;
	bool news = event->type == TILE_INPUT_FOCUS
		? terminal->view->focused != event->focus
		: event->type < TILE_INPUT_POINTER_ENTER || event->type > TILE_INPUT_POINTER_MOTION;
	if (event->type == TILE_INPUT_STREAM_END) {
		if (terminal->pty >= 0) {
			shell_ended(terminal, event->stream.status);
		}
	} else {
		terminal_input(tile, event);
	}
	(news ? restart_blink : keep_blink)(terminal);
	terminal_flush(terminal);
	terminal_damage(terminal);
	arm_timer(terminal);
}

static const struct tile_ops terminal_ops = {
	.warm = terminal_warm,
	.attach = terminal_attach,
	.update = terminal_update,
	.draw = terminal_draw,
	.input = terminal_handle_input,
	.stream_ready = terminal_stream_ready,
	.check = terminal_check,
	.detach = terminal_detach,
};

static const struct tile_port ports[] = {
	{.name = "pty", .kind = "pty", .direction = TILE_PORT_IN},
};

TILE_EXPORT(.name = "terminal", .role = "terminal",
	.summary = "A terminal whose shell survives its rewriting",
	.capabilities = TILE_CAP_PTY | TILE_CAP_CLIPBOARD | TILE_CAP_OPEN_URI,
	.cells = terminal_cells, .cell_count = TERMINAL_CELLS, .ports = ports, .port_count = 1,
	.default_width = 800, .default_height = 520, .ops = &terminal_ops);

/* SPDX-License-Identifier: MIT */
/* What is above and beside the console: state and buttons, registers, code, memory. Drawn from
 * struct shown alone. */
#include "rvtile.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "isa.h"

static int px(const struct frame *frame, double size) {
	return (int)lround(size * frame->rv->scale);
}

static int put_text(struct frame *frame, enum paint_font font, uint32_t rgb, int x, int baseline,
	const char *text) {
	struct paint *paint = &frame->paint;
	return paint_text(paint, font, rgb, x, baseline, paint->canvas->width, text);
}

/* ---- the line above */

static const struct {
	const char *text;
	uint32_t rgb;
} states[] = {
	[SHOWN_LOADING] = {"loading", COLOUR_WARN},
	[SHOWN_RUNNING] = {"running", COLOUR_GOOD},
	[SHOWN_IDLE] = {"waiting", COLOUR_PULSE},
	[SHOWN_PAUSED] = {"paused", COLOUR_WARN},
	[SHOWN_ENDED] = {"switched off", COLOUR_DIM},
	[SHOWN_FAILED] = {"cannot run", COLOUR_ERROR},
};

static const char *mode_name(uint32_t mode) {
	return mode == RV_MODE_M ? "machine" : mode == RV_MODE_S ? "supervisor" : "user";
}

static void format_rate(uint64_t rate, char text[32]) {
	double mips = (double)rate / 1e6;
	snprintf(text, 32, mips < 0.1 ? "0 MIPS" : mips < 10 ? "%.1f MIPS" : "%.0f MIPS", mips);
}

static void format_time(uint64_t seconds, char text[32]) {
	if (seconds >= 3600) {
		snprintf(text, 32, "up %" PRIu64 ":%02u:%02u", seconds / 3600,
			(unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
	} else {
		snprintf(
			text, 32, "up %u:%02u", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
	}
}

bool view_enabled(enum rvtile_button button, uint32_t state) {
	/* What is loaded can be told before to stand still at its first instruction. */
	return button == BUTTON_RESTART ? state != SHOWN_LOADING : state <= SHOWN_PAUSED;
}

static void draw_button(struct frame *frame, enum rvtile_button button, const char *text) {
	bool enabled = view_enabled(button, shown_of(frame->rv)->state);
	const struct paint_box *box = &frame->rv->layout.buttons[button];
	bool hover = frame->rv->hover == (int)button && enabled;
	if (box->width == 0) {
		return;
	}
	paint_fill(&frame->paint, hover ? COLOUR_FOCUS : COLOUR_INNER, box->x, box->y, box->width,
		box->height);
	int width = paint_text_width(frame->paint.fonts, PAINT_TEXT, text);
	put_text(frame, PAINT_TEXT,
		!enabled	? paint_mix(COLOUR_INNER, COLOUR_DIM, 8)
			: hover ? COLOUR_BRIGHT
				: COLOUR_TEXT,
		box->x + (box->width - width) / 2, paint_baseline(&frame->paint, PAINT_TEXT, box),
		text);
}

/* Shown beside the buttons, while the pointer is on one. */
static const char *const key_names[BUTTONS] = {
	[BUTTON_PAUSE] = "Ctrl+Shift+P",
	[BUTTON_STEP] = "Ctrl+Shift+S",
	[BUTTON_RESTART] = "Ctrl+Shift+R",
};

static bool hovers(const struct rvtile *rv) {
	return rv->hover >= 0 && view_enabled((enum rvtile_button)rv->hover, shown_of(rv)->state);
}

static void draw_header(struct frame *frame) {
	const struct shown *shown = shown_of(frame->rv);
	const struct paint_box *header = &frame->rv->layout.header;
	uint32_t state = shown->state <= SHOWN_FAILED ? shown->state : SHOWN_FAILED;
	char text[64];
	paint_fill(&frame->paint, COLOUR_SIDE, 0, 0, header->width, header->height);
	paint_fill(&frame->paint, COLOUR_EDGE, 0, header->height - px(frame, 1), header->width,
		px(frame, 1));
	int baseline = paint_baseline(&frame->paint, PAINT_TEXT, header);
	int dot = px(frame, 8), x = px(frame, 12), gap = px(frame, 20);
	paint_fill(&frame->paint, states[state].rgb, x, (header->height - dot) / 2, dot, dot);
	x += dot + px(frame, 8);
	snprintf(text, sizeof(text), "%s", states[state].text);
	if (state == SHOWN_LOADING && shown->percent < 100) {
		snprintf(text, sizeof(text), "%s %u %%", states[state].text, shown->percent);
	} else if (state == SHOWN_ENDED) {
		snprintf(text, sizeof(text), "%s with %u", states[state].text, shown->exit_code);
	}
	int limit = frame->rv->layout.state_end;
	x = paint_text(&frame->paint, PAINT_TEXT, COLOUR_BRIGHT, x, baseline, limit, text) + gap;
	char parts[3][32] = {};
	if (hovers(frame->rv)) {
		snprintf(parts[0], sizeof(parts[0]), "%s", key_names[frame->rv->hover]);
		int beside = limit - paint_text_width(frame->paint.fonts, PAINT_TEXT, parts[0]);
		x = beside > x ? beside : x;
	} else if (state != SHOWN_LOADING && state != SHOWN_FAILED) {
		format_rate(
			state == SHOWN_RUNNING || state == SHOWN_IDLE ? shown->rate : 0, parts[0]);
		snprintf(parts[1], sizeof(parts[1]), "hart %u, %s", shown->hart,
			mode_name(shown->mode));
		format_time(shown->seconds, parts[2]);
	}
	for (int i = 0; i < 3; i++) {
		int width = paint_text_width(frame->paint.fonts, PAINT_TEXT, parts[i]);
		if (x + width > limit) {
			break;
		}
		put_text(frame, PAINT_TEXT, i == 0 ? COLOUR_TEXT : COLOUR_DIM, x, baseline,
			parts[i]);
		x += width + gap;
	}
	draw_button(frame, BUTTON_PAUSE, state == SHOWN_PAUSED ? "Continue" : "Pause");
	draw_button(frame, BUTTON_STEP, "Step");
	draw_button(frame, BUTTON_RESTART, "Restart");
}

/* ---- registers */

static void heading(
	struct frame *frame, const struct paint_box *of, const char *text, const char *more) {
	struct paint_box box = {
		of->x, of->y - frame->rv->layout.heading, of->width, frame->rv->layout.heading};
	int baseline = paint_baseline(&frame->paint, PAINT_SMALL, &box);
	put_text(frame, PAINT_SMALL, COLOUR_DIM, box.x, baseline, text);
	int width = paint_text_width(frame->paint.fonts, PAINT_SMALL, more);
	put_text(frame, PAINT_SMALL, COLOUR_DIM, box.x + box.width - width, baseline, more);
}

/* The zeros before a number step back. */
static int draw_number(struct frame *frame, uint64_t value, uint32_t rgb, int x, int baseline) {
	char text[24];
	snprintf(text, sizeof(text), "%016" PRIx64, value);
	size_t zeros = strspn(text, "0");
	zeros = zeros > 15 ? 15 : zeros;
	for (size_t i = 0; text[i]; i++) {
		x += paint_glyph(&frame->paint, frame->paint.fonts->fonts[PAINT_MONO],
			i < zeros ? COLOUR_EDGE : rgb, x, baseline, (unsigned char)text[i]);
	}
	return x;
}

static void draw_named(
	struct frame *frame, const char *name, uint64_t value, bool changed, int column, int row) {
	const struct paint_box *box = &frame->rv->layout.registers;
	int line = px(frame, 15), name_width = px(frame, 48);
	int x = box->x + column * (box->width / 2);
	int y = box->y + row * line + (row >= 16 ? px(frame, 6) : 0);
	struct paint_box at = {x, y, box->width / 2, line};
	int baseline = paint_baseline(&frame->paint, PAINT_MONO, &at);
	put_text(frame, PAINT_MONO, COLOUR_DIM, x, baseline, name);
	draw_number(frame, value,
		changed		? COLOUR_WARN
			: value ? COLOUR_TEXT
				: COLOUR_DIM,
		x + name_width, baseline);
}

static void draw_registers(struct frame *frame) {
	const struct shown *shown = shown_of(frame->rv);
	bool paused = shown->state == SHOWN_PAUSED;
	if (frame->rv->layout.registers.height == 0) {
		return;
	}
	heading(frame, &frame->rv->layout.registers, "REGISTERS", mode_name(shown->mode));
	for (unsigned i = 0; i < 32; i++) {
		bool pc = i == 0; /* the zero register is of no interest */
		draw_named(frame, pc ? "pc" : rv_register_name(i), pc ? shown->pc : shown->x[i],
			paused && (shown->changed >> i & 1), (int)i / 16, (int)i % 16);
	}
	bool machine = shown->mode == RV_MODE_M;
	draw_named(frame, "satp", shown->satp, false, 0, 16);
	draw_named(frame, "status", shown->mstatus, false, 1, 16);
	draw_named(frame, machine ? "mepc" : "sepc", shown->epc, false, 0, 17);
	draw_named(frame, machine ? "mcause" : "scause", shown->cause, false, 1, 17);
}

/* ---- code */

/* From where instructions, one after the other, come to pc; the farthest such place. */
static uint32_t code_start(const struct shown *shown, uint32_t before) {
	for (uint32_t from = shown->code_from; from < SHOWN_CODE_BEFORE; from += 2) {
		uint32_t at = from, count = 0;
		while (at < SHOWN_CODE_BEFORE) {
			at += (shown->code[at] & 3) == 3 ? 4 : 2;
			count++;
		}
		if (at == SHOWN_CODE_BEFORE && count <= before) {
			return from;
		}
	}
	return SHOWN_CODE_BEFORE;
}

static void draw_instruction(struct frame *frame, const struct shown *shown, uint32_t at,
	uint32_t length, const struct paint_box *box) {
	bool now = at == SHOWN_CODE_BEFORE;
	uint64_t pc = shown->pc - SHOWN_CODE_BEFORE + at;
	uint32_t raw = 0;
	memcpy(&raw, shown->code + at, length);
	struct rv_insn insn;
	rv_decode(raw, &insn);
	char text[96], address[24];
	rv_disassemble(&insn, pc, text, sizeof(text));
	snprintf(address, sizeof(address), "%08" PRIx64, (uint64_t)(uint32_t)pc);
	if (now) {
		paint_fill(&frame->paint, COLOUR_FOCUS, box->x - px(frame, 4), box->y,
			box->width + px(frame, 8), box->height);
	}
	int baseline = paint_baseline(&frame->paint, PAINT_MONO, box);
	int x = put_text(frame, PAINT_MONO, now ? COLOUR_TEXT : COLOUR_DIM, box->x, baseline,
			address) +
		px(frame, 10);
	/* The mnemonic, and what comes behind the tabulator in a column of its own. */
	char *operands = strchr(text, '\t');
	if (operands) {
		*operands++ = 0;
	}
	int right =
		put_text(frame, PAINT_MONO, now ? COLOUR_BRIGHT : COLOUR_PULSE, x, baseline, text);
	x += px(frame, 78);
	if (operands) {
		put_text(frame, PAINT_MONO, now ? COLOUR_BRIGHT : COLOUR_TEXT,
			x > right ? x : right + px(frame, 8), baseline, operands);
	}
}

static void draw_code(struct frame *frame) {
	const struct shown *shown = shown_of(frame->rv);
	const struct paint_box *code = &frame->rv->layout.code;
	int lines = frame->rv->layout.code_lines;
	char instructions[40];
	if (code->height == 0) {
		return;
	}
	snprintf(instructions, sizeof(instructions), "%" PRIu64 " executed", shown->steps);
	heading(frame, code, "CODE", instructions);
	int line = px(frame, 15);
	uint32_t at = code_start(shown, (uint32_t)lines / 3);
	for (int i = 0; i < lines && at + 2 <= shown->code_to; i++) {
		uint32_t length = (shown->code[at] & 3) == 3 ? 4 : 2;
		if (at + length > shown->code_to || at + length > SHOWN_CODE) {
			break;
		}
		struct paint_box box = {code->x, code->y + i * line, code->width, line};
		draw_instruction(frame, shown, at, length, &box);
		at += length;
	}
	if (shown->code_to <= SHOWN_CODE_BEFORE) {
		struct paint_box box = {code->x, code->y, code->width, line};
		put_text(frame, PAINT_SMALL, COLOUR_DIM, code->x,
			paint_baseline(&frame->paint, PAINT_SMALL, &box),
			"nothing can be executed there");
	}
}

/* ---- memory */

static const uint32_t kinds[] = {COLOUR_INNER, 0x4f7fae, COLOUR_WARN, COLOUR_GOOD};

/* What the colours mean, behind the heading. */
static void draw_legend(struct frame *frame, const struct paint_box *of) {
	static const char *const names[] = {NULL, "data", "text", "pointers"};
	struct paint_box box = {
		of->x, of->y - frame->rv->layout.heading, of->width, frame->rv->layout.heading};
	int baseline = paint_baseline(&frame->paint, PAINT_SMALL, &box);
	int x = box.x + px(frame, 76), square = px(frame, 7);
	for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++) {
		paint_fill(&frame->paint, kinds[i], x, box.y + (box.height - square) / 2, square,
			square);
		x = put_text(frame, PAINT_SMALL, COLOUR_DIM, x + square + px(frame, 5), baseline,
			names[i]);
		x += px(frame, 14);
	}
}

static uint32_t block_colour(uint8_t block) {
	unsigned full = block & 0xf;
	return full ? paint_mix(COLOUR_INNER, kinds[block >> 4 & 3], 5 + full * 11 / 15)
		    : COLOUR_INNER;
}

static void draw_memory(struct frame *frame) {
	const struct shown *shown = shown_of(frame->rv);
	const struct paint_box *memory = &frame->rv->layout.memory;
	if (memory->height == 0) {
		return;
	}
	char size[48];
	snprintf(size, sizeof(size), "%" PRIu64 " MiB", setup_of(frame->rv)->ram_size >> 20);
	heading(frame, memory, "MEMORY", size);
	draw_legend(frame, memory);
	/* Row after row of addresses, all of it, however much room there is. */
	int gap = memory->height >= PICTURE_ROWS * px(frame, 4) ? px(frame, 1) : 0;
	for (int row = 0; row < PICTURE_ROWS; row++) {
		int y = memory->y + row * memory->height / PICTURE_ROWS;
		int below = memory->y + (row + 1) * memory->height / PICTURE_ROWS;
		for (int column = 0; column < PICTURE_COLUMNS; column++) {
			int x = memory->x + column * memory->width / PICTURE_COLUMNS;
			int right = memory->x + (column + 1) * memory->width / PICTURE_COLUMNS;
			uint32_t block = (uint32_t)(row * PICTURE_COLUMNS + column);
			uint32_t rgb = block == shown->pc_block
				? COLOUR_BRIGHT
				: block_colour(shown->picture[block]);
			paint_fill(&frame->paint, rgb, x, y, right - x - gap, below - y - gap);
		}
	}
}

void view_draw_machine(struct frame *frame) {
	const struct layout *layout = &frame->rv->layout;
	if (paint_damaged(&frame->paint, &layout->header)) {
		draw_header(frame);
	}
	if (layout->side.width > 0 && paint_damaged(&frame->paint, &layout->side)) {
		const struct paint_box *side = &layout->side;
		paint_fill(&frame->paint, COLOUR_SIDE, side->x, side->y, side->width, side->height);
		paint_fill(
			&frame->paint, COLOUR_EDGE, side->x, side->y, px(frame, 1), side->height);
		draw_registers(frame);
		draw_code(frame);
		draw_memory(frame);
	}
}

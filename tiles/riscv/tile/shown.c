/* SPDX-License-Identifier: MIT */
/* The picture of the machine that is shown: taken some times a second while it runs. */
#include <string.h>

#include "rvtile.h"

#define SHOWN_NS 100000000ull
#define PICTURE_NS 500000000ull
#define SAMPLES 16 /* of a block of memory */

enum shown_state shown_state(const struct rvtile *rv) {
	switch ((enum setup_phase)setup_of(rv)->phase) {
	case SETUP_NEW:
	case SETUP_LOADING:
		return SHOWN_LOADING;
	case SETUP_FAILED:
		return SHOWN_FAILED;
	case SETUP_RUNS:
		break;
	}
	return rv->machine.board->ended ? SHOWN_ENDED
		: pace_of(rv)->paused	? SHOWN_PAUSED
		: pace_of(rv)->idle	? SHOWN_IDLE
					: SHOWN_RUNNING;
}

/* What can be read round pc: forwards, then back. */
static void take_code(const struct rvtile *rv, struct shown *shown, const struct rv_hart *hart) {
	const struct rv_machine *m = &rv->machine;
	uint64_t start = hart->pc - SHOWN_CODE_BEFORE;
	memset(shown->code, 0, sizeof(shown->code));
	shown->code_from = shown->code_to = SHOWN_CODE_BEFORE;
	while (shown->code_to < SHOWN_CODE &&
		rv_peek(m, hart, start + shown->code_to, shown->code + shown->code_to, 2)) {
		shown->code_to += 2;
	}
	while (shown->code_from > 0 &&
		rv_peek(m, hart, start + shown->code_from - 2, shown->code + shown->code_from - 2,
			2)) {
		shown->code_from -= 2;
	}
}

static void take_hart(const struct rvtile *rv, struct shown *shown) {
	/* The one that works, as far as one does. */
	uint32_t number = rv->machine.board->turn % rv->machine.hart_count;
	const struct rv_hart *hart = &rv->machine.harts[number];
	bool same = shown->hart == number;
	shown->changed = 0;
	for (unsigned i = 0; i < 32; i++) {
		shown->changed |= (uint32_t)(same && shown->x[i] != hart->x[i]) << i;
		shown->x[i] = hart->x[i];
	}
	shown->hart = number;
	shown->pc = hart->pc;
	shown->mode = hart->mode;
	shown->satp = hart->satp;
	shown->mstatus = hart->mstatus;
	shown->epc = hart->mode == RV_MODE_M ? hart->mepc : hart->sepc;
	shown->cause = hart->mode == RV_MODE_M ? hart->mcause : hart->scause;
	take_code(rv, shown, hart);
	uint8_t byte;
	shown->pc_block = UINT32_MAX;
	uint64_t block = rv->machine.ram_size / sizeof(shown->picture);
	if (hart->satp >> 60 == 0 && rv_is_ram(&rv->machine, hart->pc, 1) && block > 0 &&
		rv_peek(&rv->machine, hart, hart->pc, &byte, 1)) {
		uint64_t at = (hart->pc - RV_RAM_BASE) / block;
		shown->pc_block = at < sizeof(shown->picture) ? (uint32_t)at : UINT32_MAX;
	}
}

/* ---- memory */

static bool is_text(uint64_t word) {
	for (int i = 0; i < 64; i += 8) {
		uint8_t byte = (uint8_t)(word >> i);
		if ((byte < ' ' || byte > '~') && byte != '\n' && byte != '\t') {
			return false;
		}
	}
	return true;
}

static uint8_t look_at(const uint64_t words[SAMPLES], unsigned count, uint64_t ram_size) {
	unsigned full = 0, text = 0, pointers = 0;
	for (unsigned i = 0; i < count; i++) {
		uint64_t word = words[i];
		full += word != 0;
		text += word != 0 && is_text(word);
		pointers += word >> 39 == 0x1ffffff ||
			(word >= RV_RAM_BASE && word - RV_RAM_BASE < ram_size);
	}
	if (full == 0) {
		return 0;
	}
	enum picture_kind kind = text * 2 > full ? PICTURE_TEXT
		: pointers * 2 > full		 ? PICTURE_POINTERS
						 : PICTURE_DATA;
	full = full * 15 / SAMPLES;
	return (uint8_t)(kind | (full > 0 ? full : 1));
}

/* Only what was ever written is looked at: the rest is zero, and would become memory by it. */
static void take_picture(const struct rvtile *rv, struct shown *shown) {
	uint64_t block = rv->machine.ram_size / sizeof(shown->picture) & ~7ull;
	uint64_t step = block / SAMPLES & ~7ull, from = 0, to = 0;
	bool more = true;
	step = step ? step : 8;
	for (uint64_t i = 0; i < sizeof(shown->picture); i++) {
		uint64_t words[SAMPLES];
		unsigned count = 0;
		for (uint64_t at = i * block; at < (i + 1) * block && count < SAMPLES; at += step) {
			while (more && at >= to) {
				from = to;
				more = rv->tile->host->cell_written(rv->tile, CELL_RAM, &from, &to);
			}
			if (more && at >= from) {
				memcpy(&words[count++], rv->machine.ram + at, 8);
			}
		}
		shown->picture[i] = look_at(words, count, rv->machine.ram_size);
	}
}

void shown_take(struct rvtile *rv, bool now_too) {
	struct shown *shown = shown_of(rv);
	uint64_t now = rv->tile->time->now_ns;
	enum shown_state state = shown_state(rv);
	const struct setup *setup = setup_of(rv);
	bool works = state == SHOWN_RUNNING || state == SHOWN_LOADING;
	bool news = state != shown->state || state == SHOWN_LOADING ||
		(rv->machine_there && rv->machine.board->steps != shown->steps);
	if (!now_too && (!news || now < shown->at_ns + SHOWN_NS)) {
		shown->next_ns = news ? shown->at_ns + SHOWN_NS : UINT64_MAX;
		return;
	}
	shown->state = state;
	shown->percent = setup->size > 0 ? (uint32_t)(setup->at * 100 / setup->size) : 0;
	if (rv->machine_there) {
		uint64_t steps = rv->machine.board->steps, passed = now - shown->at_ns;
		if (now > shown->at_ns && steps >= shown->steps && shown->at_ns > 0) {
			shown->rate =
				(uint64_t)((double)(steps - shown->steps) * 1e9 / (double)passed);
		}
		shown->steps = steps;
		shown->exit_code = rv->machine.board->exit_code;
		shown->seconds = rv_machine_time(&rv->machine) / RV_TIMEBASE_HZ;
		take_hart(rv, shown);
		if (now >= shown->next_picture_ns || !works) {
			take_picture(rv, shown);
			shown->next_picture_ns = now + PICTURE_NS;
		}
	}
	shown->at_ns = now;
	/* What stands still needs no other one. */
	shown->next_ns = works ? now + SHOWN_NS : UINT64_MAX;
	view_damage(rv, &rv->layout.header);
	view_damage(rv, &rv->layout.side);
}

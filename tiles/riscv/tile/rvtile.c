/* SPDX-License-Identifier: MIT */
#include "rvtile.h"

#include <linux/input-event-codes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the machine on its cells */

static bool give_code(void *data, size_t size, uint8_t **writable, uint8_t **executable) {
	struct tile *tile = data;
	void *write_at, *run_at;
	if (!tile->host->code_memory(tile, size, &write_at, &run_at)) {
		return false;
	}
	*writable = write_at;
	*executable = run_at;
	return true;
}

static void take_code(void *data, size_t size, uint8_t *writable, uint8_t *executable) {
	struct tile *tile = data;
	tile->host->code_memory_free(tile, writable);
}

void rvtile_unbind(struct rvtile *rv) {
	if (rv->machine_there) {
		rv_machine_finish(&rv->machine);
		rv->machine_there = false;
	}
}

static void put_on_cells(struct rv_machine *m, const struct tile *tile) {
	const struct setup *setup = tile->cells[CELL_SETUP];
	const struct network *network = tile->cells[CELL_NETWORK];
	m->board = tile->cells[CELL_BOARD];
	m->harts = tile->cells[CELL_HARTS];
	m->tlbs = tile->cells[CELL_TLB];
	m->clint = tile->cells[CELL_CLINT];
	m->plic = tile->cells[CELL_PLIC];
	m->uart = tile->cells[CELL_UART];
	m->virtio = tile->cells[CELL_VIRTIO];
	m->net = network->card ? tile->cells[CELL_NET] : NULL;
	m->ram = tile->cells[CELL_RAM];
	m->ram_size = setup->ram_size;
	m->disk = setup->has_disk ? tile->cells[CELL_DISK] : NULL;
	m->disk_size = setup->has_disk ? setup->disk_size : 0;
	m->hart_count = setup->hart_count;
}

/* What is known before the cells are there. A machine that is another one is made in attach. */
static void warm_machine(struct rvtile *rv) {
	uint64_t ram_size;
	uint32_t harts;
	char why[160];
	rv->machine.code_memory = give_code;
	rv->machine.code_memory_free = take_code;
	rv->machine.code_memory_data = rv->tile;
	if (loader_sizes(rv, &ram_size, &harts, why, sizeof(why))) {
		rv_machine_warm(&rv->machine, rvtile_engine, ram_size, harts);
	}
}

bool rvtile_bind(struct rvtile *rv) {
	struct tile *tile = rv->tile;
	rvtile_unbind(rv);
	put_on_cells(&rv->machine, tile);
	rv->machine_there = rv_machine_init(&rv->machine, rvtile_engine);
	if (!rv->machine_there) {
		tile_log(tile, 0, "no memory for the processor");
	}
	return rv->machine_there;
}

/* Whether what another version left is a machine. */
static bool check_machine(const struct tile *tile, char *why, size_t why_size) {
	const struct setup *setup = tile->cells[CELL_SETUP];
	const struct typed *typed = tile->cells[CELL_TYPED];
	const struct said *said = tile->cells[CELL_SAID];
	if (setup->phase > SETUP_FAILED || setup->file > FILES ||
		setup->hart_count > RV_HARTS_MAX ||
		setup->ram_size > tile->cell_counts[CELL_RAM] * RV_PAGE ||
		(setup->has_disk && setup->disk_size > tile->cell_counts[CELL_DISK] * RV_PAGE) ||
		(setup->ram_size > 0 && setup->hart_count == 0)) {
		snprintf(why, why_size, "its memory is not as large as it says");
		return false;
	}
	if (typed->count > TYPED_MAX || said->count > SAID_MAX) {
		snprintf(why, why_size, "its console holds more than it can");
		return false;
	}
	if (!rv_line_is_possible(tile->cells[CELL_LINE])) {
		snprintf(why, why_size, "its network line holds more than it can");
		return false;
	}
	if (setup->ram_size == 0) {
		return true;
	}
	if (setup->initrd_end > setup->initrd &&
		(setup->initrd < RV_RAM_BASE ||
			setup->initrd_end - RV_RAM_BASE > setup->ram_size)) {
		snprintf(why, why_size, "its initrd is outside of its memory");
		return false;
	}
	struct rv_machine machine = {0};
	put_on_cells(&machine, tile);
	return rv_machine_check(&machine, why, why_size);
}

/* ---- operations */

static void wake(struct rvtile *rv) {
	const struct setup *setup = setup_of(rv);
	uint64_t next = setup->phase == SETUP_LOADING ? 0 : run_next(rv);
	uint64_t shown = shown_of(rv)->next_ns;
	uint64_t network = network_next(rv);
	next = next < shown ? next : shown;
	rv->tile->host->wake_at(rv->tile, UINT64_MAX);
	rv->tile->host->wake_at(rv->tile, next < network ? next : network);
}

/* After anything that may have changed something. */
static void finish(struct rvtile *rv) {
	shown_take(rv, false);
	console_damage(rv);
	wake(rv);
}

static bool warm(struct tile *tile) {
	struct rvtile *rv = calloc(1, sizeof(*rv));
	if (!rv) {
		return false;
	}
	tile->scratch = rv;
	rv->tile = tile;
	rv->stream = rv->console = rv->net = rv->hover = -1;
	rv->share = 1;
	if (tile->host->size < sizeof(struct tile_host)) {
		tile_log(tile, 0, "it needs a newer Source City: this one reads no files");
		return false;
	}
	warm_machine(rv);
	if (!view_fonts(rv)) {
		return false;
	}
	view_layout(rv);
	return true;
}

static bool attach(struct tile *tile, enum tile_attach why) {
	struct rvtile *rv = tile->scratch;
	char reason[160];
	if (!view_fonts(rv)) {
		return false;
	}
	if (!check_machine(tile, reason, sizeof(reason))) {
		tile_log(tile, 0, "%s", reason);
		return false;
	}
	view_layout(rv);
	rv->hover = -1;
	if (!console_attach(rv)) {
		return false;
	}
	if (tile->cell_fresh[CELL_SETUP]) {
		loader_setup(rv);
	} else {
		if (setup_of(rv)->ram_size > 0 && !rvtile_bind(rv)) {
			return false;
		}
		loader_attach(rv);
		network_attach(rv, why);
	}
	if (tile->cell_fresh[CELL_SHOWN]) {
		shown_take(rv, true);
	}
	console_drawn(rv);
	wake(rv);
	if (why == TILE_ATTACH_HANDOVER) {
		run_take_over(rv);
	}
	return true;
}

static void update(struct tile *tile) {
	struct rvtile *rv = tile->scratch;
	if (setup_of(rv)->phase == SETUP_LOADING) {
		loader_step(rv);
	} else {
		run_slice(rv);
	}
	network_update(rv);
	finish(rv);
}

void rvtile_press(struct rvtile *rv, int button) {
	if (button < 0 || !view_enabled((enum rvtile_button)button, shown_state(rv))) {
		return;
	}
	switch ((enum rvtile_button)button) {
	case BUTTON_PAUSE:
		run_pause(rv, !pace_of(rv)->paused);
		break;
	case BUTTON_STEP:
		run_pause(rv, true);
		run_step(rv);
		break;
	case BUTTON_RESTART:
		loader_restart(rv);
		break;
	case BUTTONS:
		return;
	}
	shown_take(rv, true);
}

static void handle_pointer(struct rvtile *rv, const struct tile_input *event) {
	int hover = event->type == TILE_INPUT_POINTER_LEAVE
		? -1
		: view_button(rv, event->pointer.tx, event->pointer.ty);
	if (hover != rv->hover) {
		rv->hover = hover;
		view_damage(rv, &rv->layout.header);
		rv->tile->host->set_cursor(rv->tile,
			hover >= 0 && view_enabled((enum rvtile_button)hover, shown_state(rv))
				? TILE_CURSOR_POINTER
				: TILE_CURSOR_DEFAULT);
	}
	if (event->type == TILE_INPUT_POINTER_BUTTON && event->pointer.pressed &&
		event->pointer.button == BTN_LEFT) {
		rvtile_press(rv, hover);
	}
}

static void input(struct tile *tile, const struct tile_input *event) {
	struct rvtile *rv = tile->scratch;
	switch (event->type) {
	case TILE_INPUT_POINTER_ENTER:
	case TILE_INPUT_POINTER_LEAVE:
	case TILE_INPUT_POINTER_MOTION:
	case TILE_INPUT_POINTER_BUTTON:
		handle_pointer(rv, event);
		break;
	case TILE_INPUT_SIZE:
		view_fonts(rv);
		view_layout(rv);
		console_resize(rv);
		tile->host->damage(tile, 0, 0, tile->width, tile->height);
		break;
	case TILE_INPUT_STREAM_END:
		if (strcmp(event->stream.name, "console") == 0) {
			console_ended(rv);
		} else if (strcmp(event->stream.name, "net") == 0) {
			network_ended(rv, event->stream.status);
		}
		break;
	default:
		console_input(rv, event);
		break;
	}
	finish(rv);
}

static void stream_ready(struct tile *tile, int stream, bool readable, bool writable) {
	struct rvtile *rv = tile->scratch;
	if (stream == rv->console) {
		console_ready(rv, readable);
	} else if (stream == rv->net) {
		network_ready(rv);
	}
	finish(rv);
}

static bool check(const struct tile *tile, char *why, size_t why_size) {
	const struct rvtile *rv = tile->scratch;
	const char *reason;
	if (!check_machine(tile, why, why_size)) {
		return false;
	}
	if (!vt_check(&rv->vt, &reason)) {
		snprintf(why, why_size, "the console: %s", reason);
		return false;
	}
	return true;
}

static void detach(struct tile *tile) {
	struct rvtile *rv = tile->scratch;
	rv_machine_finish(&rv->machine);
	view_fonts_finish(rv);
	free(rv);
	tile->scratch = NULL;
}

const struct tile_ops rvtile_ops = {
	.warm = warm,
	.attach = attach,
	.update = update,
	.draw = view_draw,
	.input = input,
	.stream_ready = stream_ready,
	.check = check,
	.detach = detach,
};

const struct tile_port rvtile_ports[] = {
	{.name = "console", .kind = "pty", .direction = TILE_PORT_OUT, .id = 1},
};

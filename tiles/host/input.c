/* SPDX-License-Identifier: MIT */
/* The seat, and the way of an event to the tile. */
#include "host.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"

/* More than anybody types in the few hundred microseconds of a handover; bounds a stuck one. */
#define INPUT_QUEUE_MAX 4096

static void deliver(struct host *host, const struct tile_input *event) {
	if (host->ops->input) {
		host_begin(host, "input");
		host_recorder_input(host, event);
		host->ops->input(&host->tile, event);
		host_end(host);
	}
}

static void keep(struct host *host, const struct tile_input *event) {
	if (event->type == TILE_INPUT_SIZE) {
		return;
	}
	if (host->input_queued >= INPUT_QUEUE_MAX) {
		city_log(CITY_LOG_WARN, host->name, "input is lost: more came than can be kept");
		return;
	}
	struct host_input *kept = calloc(1, sizeof(*kept));
	if (!kept) {
		return;
	}
	kept->event = *event;
	if (event->type == TILE_INPUT_PASTE) {
		kept->text = malloc(event->paste.size + 1);
		if (!kept->text) {
			free(kept);
			return;
		}
		memcpy(kept->text, event->paste.text, event->paste.size);
		kept->event.paste.text = kept->text;
	}
	wl_list_insert(host->input_queue.prev, &kept->link);
	host->input_queued++;
}

void host_input(struct host *host, const struct tile_input *event) {
	/* At once: the first frame of a version that takes over shows the focus as it is. */
	if (event->type == TILE_INPUT_FOCUS) {
		host->tile.focused = event->focus;
	}
	if (host->state == HOST_LIVE && wl_list_empty(&host->input_queue)) {
		deliver(host, event);
	} else {
		keep(host, event);
	}
}

static void drop(struct host *host, struct host_input *kept) {
	host->input_queued--;
	wl_list_remove(&kept->link);
	free(kept->text);
	free(kept);
}

void host_input_flush(struct host *host) {
	while (host->state == HOST_LIVE && !wl_list_empty(&host->input_queue)) {
		struct host_input *kept = wl_container_of(host->input_queue.next, kept, link);
		deliver(host, &kept->event);
		drop(host, kept);
	}
}

uint32_t host_modifiers(const struct host *host) {
	uint32_t modifiers = 0;
	if (host->keyboard.state) {
		xkb_mod_mask_t active =
			xkb_state_serialize_mods(host->keyboard.state, XKB_STATE_MODS_EFFECTIVE);
		for (size_t i = 0; i < 8; i++) {
			modifiers |= active & host->keyboard.masks[i] ? 1u << i : 0;
		}
	}
	return modifiers;
}

static void handle_capabilities(void *data, struct wl_seat *seat, uint32_t capabilities) {
	struct host *host = data;
	bool keyboard = capabilities & WL_SEAT_CAPABILITY_KEYBOARD;
	bool pointer = capabilities & WL_SEAT_CAPABILITY_POINTER;
	if (keyboard && !host->keyboard.wl_keyboard) {
		host_keyboard_bind(host);
	} else if (!keyboard && host->keyboard.wl_keyboard) {
		host_keyboard_release(host);
	}
	if (pointer && !host->pointer.wl_pointer) {
		host_pointer_bind(host);
	} else if (!pointer && host->pointer.wl_pointer) {
		host_pointer_release(host);
	}
}

static void handle_name(void *data, struct wl_seat *seat, const char *name) {
}

static const struct wl_seat_listener seat_listener = {
	.capabilities = handle_capabilities,
	.name = handle_name,
};

void host_seat_bind(struct host *host, uint32_t name, uint32_t version) {
	host->seat = wl_registry_bind(
		host->registry, name, &wl_seat_interface, version < 9 ? version : 9);
	wl_seat_add_listener(host->seat, &seat_listener, host);
}

void host_seat_finish(struct host *host) {
	while (!wl_list_empty(&host->input_queue)) {
		struct host_input *kept = wl_container_of(host->input_queue.next, kept, link);
		drop(host, kept);
	}
}

void host_seat_lost(struct host *host) {
	host_pointer_lost(host);
	host_keyboard_lost(host);
}

void host_seat_release(struct host *host) {
	host_keyboard_release(host);
	host_pointer_release(host);
	if (host->seat) {
		wl_seat_destroy(host->seat);
		host->seat = NULL;
	}
}

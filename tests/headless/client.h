/* SPDX-License-Identifier: MIT */
/*
 * A Wayland client for tests of the desktop: windows, popups, subsurfaces and panels of one colour,
 * what the seat says, virtual devices, and pictures of the screen. Everything that can go wrong
 * fails the test; nothing waits longer than LIMIT_MS (limit.h).
 */
#ifndef TEST_CLIENT_H
#define TEST_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wayland-client.h>

struct ext_image_capture_source_v1;
struct test_city;

struct client {
	struct wl_display *display;
	struct wl_registry *registry;
	struct wl_compositor *compositor;
	struct wl_subcompositor *subcompositor;
	struct wl_shm *shm;
	struct wl_seat *seat;
	struct wl_output *output; /* the first, or what client_use_output chose */
	struct {
		struct wl_output *output;
		char name[32];
	} outputs[4];
	size_t output_count;
	struct wl_pointer *pointer;
	struct wl_keyboard *keyboard;
	struct xdg_wm_base *wm_base;
	struct wp_viewporter *viewporter;
	struct zxdg_decoration_manager_v1 *decorations;
	struct zwlr_layer_shell_v1 *layer_shell;
	struct zwlr_virtual_pointer_manager_v1 *virtual_pointers;
	struct zwp_virtual_keyboard_manager_v1 *virtual_keyboards;
	struct ext_output_image_capture_source_manager_v1 *capture_sources;
	struct ext_foreign_toplevel_image_capture_source_manager_v1 *window_sources;
	struct ext_image_copy_capture_manager_v1 *capture;
	struct ext_foreign_toplevel_list_v1 *window_list;
	struct wp_security_context_manager_v1 *security;
	struct ext_session_lock_manager_v1 *locks;
	struct zwp_pointer_constraints_v1 *constraints;
	struct zwlr_virtual_pointer_v1 *virtual_pointer;
	struct zwp_virtual_keyboard_v1 *virtual_keyboard;
	char globals[4096]; /* names, each followed by a blank */

	/* What the seat has said. */
	struct wl_surface *pointer_focus;
	double sx, sy;
	unsigned int enters, motions, presses, releases;
	double scroll;
	struct wl_surface *keyboard_focus;
	unsigned int keys;
	size_t keys_held; /* when the keyboard came */
	uint32_t button_serial;
	bool popups_grab; /* those created from now on take the seat, by button_serial */
	uint32_t time;	  /* of virtual events, ms */
};

struct client *client_create(const struct test_city *city);
/* On a connected socket instead; takes the fd. */
struct client *client_create_on_fd(int fd);
void client_destroy(struct client *client);
void client_roundtrip(struct client *client);
/* Dispatches until done(data); fails the test with `what` if that takes too long. */
void client_wait(struct client *client, bool (*done)(void *data), void *data, const char *what);
/* Dispatches until the server has ended the connection with an error. */
void client_expect_error(struct client *client);
/* Pictures, panels and locks are of this output from now on. */
void client_use_output(struct client *client, const char *name);
bool client_has_global(const struct client *client, const char *name);

struct window {
	struct client *client;
	struct wl_surface *surface;
	struct xdg_surface *xdg_surface;
	struct xdg_toplevel *toplevel;
	struct xdg_popup *popup;
	struct zwlr_layer_surface_v1 *layer;
	struct wl_subsurface *subsurface;
	struct ext_session_lock_surface_v1 *lock;
	uint32_t color;
	int width, height;		 /* drawn */
	int wanted_width, wanted_height; /* by the last configure */
	int popup_x, popup_y;
	bool configured, activated, maximized, fullscreen, resizing, tiled, closed, framed;
	unsigned int configures, frames;
};

/* A toplevel, mapped when it returns. Colours are 0xRRGGBB. */
struct window *window_create(struct client *client, int width, int height, uint32_t color);
/* The same with a frame drawn by the city. */
struct window *window_create_framed(struct client *client, int width, int height, uint32_t color);
/* The parent may be a panel. */
struct window *window_create_popup(
	struct window *parent, int anchor_x, int anchor_y, int width, int height, uint32_t color);
struct window *window_create_sub(
	struct window *parent, int x, int y, int width, int height, uint32_t color);
/* On the client's output; layer, anchor: enums of wlr-layer-shell. */
struct window *window_create_layer(struct client *client, uint32_t layer, uint32_t anchor,
	int width, int height, int exclusive, uint32_t color);
/* Draws at this size and commits. */
void window_draw(struct window *window, int width, int height);
/* Does what the last configure wanted. */
void window_obey(struct window *window);
/* Requests a frame callback; window->frames counts those that came. */
void window_request_frame(struct window *window);
void window_destroy(struct window *window);
struct wl_buffer *client_buffer(struct client *client, int width, int height, uint32_t color);

/* Input. Positions are of the layout, whose size must be given. */
void client_pointer_move(struct client *client, double ox, double oy);
void client_pointer_button(struct client *client, uint32_t button, bool pressed);
void client_pointer_scroll(struct client *client, int notches);
/* Presses and releases a key by its evdev code with these modifiers (1 shift, 4 ctrl, 8 alt,
 * 64 super) held. */
void client_key(struct client *client, uint32_t key, uint32_t modifiers);
/* Only the one or the other. */
void client_key_state(struct client *client, uint32_t key, bool pressed);
void client_modifiers(struct client *client, uint32_t modifiers);

struct picture {
	int width, height;
	uint32_t *pixels; /* XRGB */
};
struct picture client_capture(struct client *client);
/* The same of whatever the source stands for; the source stays the caller's. */
struct picture client_capture_source(
	struct client *client, struct ext_image_capture_source_v1 *source);
uint32_t picture_at(const struct picture *picture, int x, int y); /* 0xRRGGBB */
struct rect {
	int x, y, width, height;
};
/* The smallest box that holds all pixels of exactly this colour; width 0 if there are none. */
struct rect picture_find(const struct picture *picture, uint32_t color);
void picture_free(struct picture *picture);
/* What of the screen was drawn again because of `change`, as a box; the picture after it is the
 * caller's to free. */
struct rect client_capture_damage(
	struct client *client, void (*change)(void *data), void *data, struct picture *picture);
/* Captures until the colour has this place, for what follows asynchronously. */
void client_expect_rect(struct client *client, uint32_t color, int x, int y, int width, int height);

#endif

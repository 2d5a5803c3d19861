/* SPDX-License-Identifier: MIT */
/* Clients that do what they must not: they may come to grief, the city may not. */
#include "fixture.h"

#include <sys/mman.h>
#include <unistd.h>

#include "viewporter-client-protocol.h"
#include "wlr-layer-shell-unstable-v1-client-protocol.h"
#include "xdg-shell-client-protocol.h"

/* The city still serves others. */
static void expect_city_well(struct fixture *f) {
	assert_true(test_city_alive(&f->city));
	struct client *c = client_create(&f->city);
	struct window *window = window_create(c, 200, 100, YELLOW);
	struct picture picture = client_capture(c);
	assert_int_equal(picture_find(&picture, YELLOW).width, 200);
	picture_free(&picture);
	window_destroy(window);
	client_destroy(c);
}

struct bare {
	struct wl_surface *surface;
	struct xdg_surface *xdg_surface;
	struct xdg_toplevel *toplevel;
};

static struct bare bare_toplevel(struct client *c) {
	struct bare bare;
	bare.surface = wl_compositor_create_surface(c->compositor);
	bare.xdg_surface = xdg_wm_base_get_xdg_surface(c->wm_base, bare.surface);
	bare.toplevel = xdg_surface_get_toplevel(bare.xdg_surface);
	return bare;
}

static void bare_finish(struct bare *bare) {
	xdg_toplevel_destroy(bare->toplevel);
	xdg_surface_destroy(bare->xdg_surface);
	wl_surface_destroy(bare->surface);
}

static void a_buffer_before_configure(void **state) {
	struct fixture *f = *state;
	struct client *c = client_create(&f->city);
	struct bare bare = bare_toplevel(c);
	struct wl_buffer *buffer = client_buffer(c, 100, 100, RED);
	wl_surface_attach(bare.surface, buffer, 0, 0);
	wl_surface_commit(bare.surface);
	client_expect_error(c);
	wl_buffer_destroy(buffer);
	bare_finish(&bare);
	client_destroy(c);
	expect_city_well(f);
}

static void requests_before_the_first_commit(void **state) {
	struct fixture *f = *state;
	struct client *c = client_create(&f->city);
	struct bare bare = bare_toplevel(c);
	xdg_toplevel_set_fullscreen(bare.toplevel, NULL);
	xdg_toplevel_set_maximized(bare.toplevel);
	xdg_toplevel_unset_fullscreen(bare.toplevel);
	xdg_toplevel_set_minimized(bare.toplevel);
	xdg_toplevel_move(bare.toplevel, c->seat, 1);
	xdg_toplevel_resize(bare.toplevel, c->seat, 1, XDG_TOPLEVEL_RESIZE_EDGE_LEFT);
	/* An error or silence, but no crash. */
	wl_display_roundtrip(c->display);
	bare_finish(&bare);
	client_destroy(c);
	expect_city_well(f);
}

static void broken_titles(void **state) {
	struct fixture *f = *state;
	struct client *c = client_create(&f->city);
	struct window *window = window_create_framed(c, 200, 100, RED);
	char *longest = malloc(3001);
	memset(longest, 'W', 3000);
	longest[3000] = '\0';
	const char *const titles[] = {"", "\xff\xfe broken \x01\x1b[31m title\n", longest,
		"\xe2\x80\xae\xf0\x9f\x8f\x99 \xcc\x81\xcc\x81\xcc\x81", "\xf4\x90\x80\x80"};
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
		xdg_toplevel_set_title(window->toplevel, titles[i]);
		xdg_toplevel_set_app_id(window->toplevel, titles[i]);
		struct picture picture = client_capture(f->client);
		picture_free(&picture);
	}
	free(longest);
	window_destroy(window);
	client_destroy(c);
	expect_city_well(f);
}

static void destroyed_before_mapped(void **state) {
	struct fixture *f = *state;
	struct client *c = client_create(&f->city);
	for (int i = 0; i < 20; i++) {
		struct bare bare = bare_toplevel(c);
		wl_surface_commit(bare.surface);
		if (i % 2 == 0) {
			client_roundtrip(c);
		}
		bare_finish(&bare);
	}
	client_roundtrip(c);
	client_destroy(c);
	expect_city_well(f);
}

static void absurd_sizes(void **state) {
	struct fixture *f = *state;
	struct client *c = client_create(&f->city);
	struct window *window = window_create(c, 200, 100, RED);
	xdg_surface_set_window_geometry(
		window->xdg_surface, -2000000000, -2000000000, 2000000000, 2000000000);
	wl_surface_commit(window->surface);
	client_roundtrip(c);
	xdg_surface_set_window_geometry(window->xdg_surface, 2000000, 5, 1, 1);
	wl_surface_commit(window->surface);
	client_roundtrip(c);
	xdg_toplevel_set_min_size(window->toplevel, 2000000000, 2000000000);
	wl_surface_commit(window->surface);
	client_roundtrip(c);
	client_key(f->client, KEY_9, SUPER);
	client_key(f->client, KEY_2, SUPER);
	client_key(f->client, KEY_F, SUPER);
	client_key(f->client, KEY_F, SUPER);
	client_roundtrip(c);
	struct wp_viewport *viewport = wp_viewporter_get_viewport(c->viewporter, window->surface);
	wp_viewport_set_destination(viewport, 2000000000, 2000000000);
	wl_surface_commit(window->surface);
	client_roundtrip(c);
	client_key(f->client, KEY_3, SUPER);
	client_key(f->client, KEY_A, SUPER);
	struct picture picture = client_capture(f->client);
	picture_free(&picture);
	wp_viewport_destroy(viewport);
	window_destroy(window);
	client_destroy(c);
	client_key(f->client, KEY_1, SUPER);
	expect_city_well(f);
}

static void absurd_popups(void **state) {
	struct fixture *f = *state;
	struct client *c = client_create(&f->city);
	struct window *window = window_create(c, 200, 100, RED);
	struct window *far = window_create_popup(window, 1000000, -1000000, 50, 50, GREEN);
	struct window *nested = window_create_popup(far, -5000000, 5000000, 50, 50, BLUE);
	client_key(f->client, KEY_3, SUPER);
	client_key(f->client, KEY_5, SUPER);
	client_key(f->client, KEY_6, SUPER);
	client_key(f->client, KEY_1, SUPER);
	struct picture picture = client_capture(f->client);
	picture_free(&picture);
	/* The parent goes first, which is an error, with both popups up. */
	xdg_popup_destroy(far->popup);
	client_expect_error(c);
	far->popup = NULL;
	window_destroy(nested);
	window_destroy(far);
	window_destroy(window);
	client_destroy(c);
	expect_city_well(f);
}

static void an_incomplete_positioner(void **state) {
	struct fixture *f = *state;
	struct client *c = client_create(&f->city);
	struct window *window = window_create(c, 200, 100, RED);
	struct wl_surface *surface = wl_compositor_create_surface(c->compositor);
	struct xdg_surface *xdg = xdg_wm_base_get_xdg_surface(c->wm_base, surface);
	struct xdg_positioner *positioner = xdg_wm_base_create_positioner(c->wm_base);
	struct xdg_popup *popup = xdg_surface_get_popup(xdg, window->xdg_surface, positioner);
	client_expect_error(c);
	xdg_popup_destroy(popup);
	xdg_positioner_destroy(positioner);
	xdg_surface_destroy(xdg);
	wl_surface_destroy(surface);
	window_destroy(window);
	client_destroy(c);
	expect_city_well(f);
}

static void an_orphan_popup(void **state) {
	struct fixture *f = *state;
	struct client *c = client_create(&f->city);
	struct wl_surface *surface = wl_compositor_create_surface(c->compositor);
	struct xdg_surface *xdg = xdg_wm_base_get_xdg_surface(c->wm_base, surface);
	struct xdg_positioner *positioner = xdg_wm_base_create_positioner(c->wm_base);
	xdg_positioner_set_size(positioner, 10, 10);
	xdg_positioner_set_anchor_rect(positioner, 0, 0, 1, 1);
	struct xdg_popup *popup = xdg_surface_get_popup(xdg, NULL, positioner);
	wl_surface_commit(surface);
	/* An error or silence, but no crash. */
	wl_display_roundtrip(c->display);
	xdg_popup_destroy(popup);
	xdg_positioner_destroy(positioner);
	xdg_surface_destroy(xdg);
	wl_surface_destroy(surface);
	client_destroy(c);
	expect_city_well(f);
}

static void a_buffer_that_shrinks(void **state) {
	struct fixture *f = *state;
	struct client *c = client_create(&f->city);
	struct window *window = window_create(c, 200, 100, RED);
	int fd = memfd_create("shrinking", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 400 * 400 * 4), 0);
	struct wl_shm_pool *pool = wl_shm_create_pool(c->shm, fd, 400 * 400 * 4);
	struct wl_buffer *buffer =
		wl_shm_pool_create_buffer(pool, 0, 400, 400, 400 * 4, WL_SHM_FORMAT_XRGB8888);
	client_roundtrip(c);
	assert_int_equal(ftruncate(fd, 4096), 0);
	wl_surface_attach(window->surface, buffer, 0, 0);
	wl_surface_damage_buffer(window->surface, 0, 0, 400, 400);
	wl_surface_commit(window->surface);
	wl_display_roundtrip(c->display);
	struct picture picture = client_capture(f->client);
	picture_free(&picture);
	wl_buffer_destroy(buffer);
	wl_shm_pool_destroy(pool);
	close(fd);
	window_destroy(window);
	client_destroy(c);
	expect_city_well(f);
}

static void subsurfaces_torn_apart(void **state) {
	struct fixture *f = *state;
	struct client *c = client_create(&f->city);
	struct window *window = window_create(c, 200, 100, RED);
	struct window *sub = window_create_sub(window, 10, 10, 50, 50, GREEN);
	struct window *deep = window_create_sub(sub, 10, 10, 20, 20, BLUE);
	/* The middle loses its role, then its surface, while the inner one goes on drawing. */
	wl_subsurface_destroy(sub->subsurface);
	sub->subsurface = NULL;
	window_draw(deep, 20, 20);
	client_roundtrip(c);
	client_key(f->client, KEY_3, SUPER);
	window_destroy(sub);
	window_draw(deep, 30, 30);
	client_roundtrip(c);
	wl_surface_attach(window->surface, NULL, 0, 0);
	wl_surface_commit(window->surface);
	client_roundtrip(c);
	window_destroy(deep);
	window_destroy(window);
	client_destroy(c);
	client_key(f->client, KEY_1, SUPER);
	expect_city_well(f);
}

static void a_client_that_vanishes_in_a_drag(void **state) {
	struct fixture *f = *state;
	struct client *c = client_create(&f->city);
	struct window *window = window_create(c, 200, 100, RED);
	struct window *popup = window_create_popup(window, 10, 10, 100, 50, GREEN);
	client_pointer_move(f->client, FIRST_X + 150, FIRST_Y + 80);
	client_modifiers(f->client, SUPER);
	client_pointer_button(f->client, BTN_RIGHT, true);
	client_pointer_move(f->client, FIRST_X + 170, FIRST_Y + 90);
	window_destroy(popup);
	window_destroy(window);
	client_destroy(c);
	client_pointer_move(f->client, FIRST_X + 190, FIRST_Y + 100);
	client_pointer_button(f->client, BTN_RIGHT, false);
	client_modifiers(f->client, 0);
	expect_city_well(f);
}

static void a_panel_without_a_size(void **state) {
	struct fixture *f = *state;
	struct client *c = client_create(&f->city);
	struct wl_surface *surface = wl_compositor_create_surface(c->compositor);
	struct zwlr_layer_surface_v1 *layer = zwlr_layer_shell_v1_get_layer_surface(
		c->layer_shell, surface, NULL, ZWLR_LAYER_SHELL_V1_LAYER_TOP, "bad");
	zwlr_layer_surface_v1_set_size(layer, 0, 0);
	zwlr_layer_surface_v1_set_exclusive_zone(layer, 1 << 30);
	wl_surface_commit(surface);
	/* An error or silence, but no crash. */
	wl_display_roundtrip(c->display);
	zwlr_layer_surface_v1_destroy(layer);
	wl_surface_destroy(surface);
	client_destroy(c);
	expect_city_well(f);
}

static void many_windows(void **state) {
	struct fixture *f = *state;
	struct client *c = client_create(&f->city);
	struct window *windows[60];
	for (int i = 0; i < 60; i++) {
		windows[i] = window_create(c, 100 + i, 80, GREEN);
	}
	client_key(f->client, KEY_A, SUPER);
	struct picture picture = client_capture(f->client);
	assert_true(picture_find(&picture, GREEN).width > 200);
	picture_free(&picture);
	/* All at once, without a word. */
	for (int i = 0; i < 60; i++) {
		window_destroy(windows[i]);
	}
	client_destroy(c);
	client_key(f->client, KEY_1, SUPER);
	expect_city_well(f);
}

static void thousands_of_subsurfaces(void **state) {
	enum { count = 2000 };
	struct fixture *f = *state;
	struct client *c = client_create(&f->city);
	struct window *window = window_create(c, 200, 100, RED);
	struct wl_surface **surfaces = calloc(count, sizeof(*surfaces));
	struct wl_subsurface **subs = calloc(count, sizeof(*subs));
	struct wl_buffer *buffer = client_buffer(c, 4, 4, GREEN);
	for (size_t i = 0; i < count; i++) {
		surfaces[i] = wl_compositor_create_surface(c->compositor);
		subs[i] = wl_subcompositor_get_subsurface(
			c->subcompositor, surfaces[i], window->surface);
		wl_subsurface_set_desync(subs[i]);
		wl_surface_attach(surfaces[i], buffer, 0, 0);
		wl_surface_commit(surfaces[i]);
		wl_surface_commit(window->surface);
		if (i % 50 == 0) {
			client_roundtrip(c);
		}
	}
	client_roundtrip(c);
	/* Among so many, a change still comes onto the screen. */
	struct picture picture = client_capture(f->client);
	assert_true(picture_find(&picture, GREEN).width > 0);
	picture_free(&picture);
	for (size_t i = 0; i < count; i++) {
		wl_subsurface_destroy(subs[i]);
		wl_surface_destroy(surfaces[i]);
	}
	free(surfaces);
	free(subs);
	wl_buffer_destroy(buffer);
	window_destroy(window);
	client_destroy(c);
	expect_city_well(f);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		DESK_TEST(a_buffer_before_configure),
		DESK_TEST(requests_before_the_first_commit),
		DESK_TEST(broken_titles),
		DESK_TEST(destroyed_before_mapped),
		DESK_TEST(absurd_sizes),
		DESK_TEST(absurd_popups),
		DESK_TEST(an_incomplete_positioner),
		DESK_TEST(an_orphan_popup),
		DESK_TEST(a_buffer_that_shrinks),
		DESK_TEST(subsurfaces_torn_apart),
		DESK_TEST(a_client_that_vanishes_in_a_drag),
		DESK_TEST(a_panel_without_a_size),
		DESK_TEST(many_windows),
		DESK_TEST(thousands_of_subsurfaces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

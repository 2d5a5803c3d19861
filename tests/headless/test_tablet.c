/* SPDX-License-Identifier: MIT */
/*
 * Tablets: the compositor is in this process, so that devices can be given to it as a backend gives
 * them; the client is another one, and says here in lines what it is told.
 */
#include "inside.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wlr/backend.h>
#include <wlr/interfaces/wlr_tablet_pad.h>
#include <wlr/interfaces/wlr_tablet_tool.h>
#include <wlr/types/wlr_tablet_pad.h>
#include <wlr/types/wlr_tablet_tool.h>

#include "compositor/config.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/view.h"
#include "ext-session-lock-v1-client-protocol.h"
#include "tablet-v2-client-protocol.h"

#define LIMIT_S 60

/* ---- the client's process */

static FILE *told;
static bool pen_is_down;

static int tell(const void *implementation, void *target, uint32_t opcode,
	const struct wl_message *message, union wl_argument *args) {
	const char *class = wl_proxy_get_class(target);
	fprintf(told, "%s %s", class + strlen("zwp_tablet_"), message->name);
	size_t i = 0;
	for (const char *type = message->signature; *type != '\0'; type++) {
		if (*type == '?' || (*type >= '0' && *type <= '9')) {
			continue;
		}
		if (*type == 'n') {
			wl_proxy_add_dispatcher((struct wl_proxy *)args[i].o, tell, NULL, NULL);
		} else if (*type == 'f') {
			fprintf(told, " %.2f", wl_fixed_to_double(args[i].f));
		} else if (*type == 'u') {
			fprintf(told, " %u", args[i].u);
		} else if (*type == 'i') {
			fprintf(told, " %d", args[i].i);
		}
		i++;
	}
	fprintf(told, "\n");
	pen_is_down |= strcmp(message->name, "down") == 0;
	return 0;
}

static void bind_tablets(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version) {
	struct zwp_tablet_manager_v2 **manager = data;
	if (strcmp(interface, zwp_tablet_manager_v2_interface.name) == 0) {
		*manager = wl_registry_bind(registry, name, &zwp_tablet_manager_v2_interface, 1);
	}
}

static void ignore_global(void *data, struct wl_registry *registry, uint32_t name) {
}

static const struct wl_registry_listener registry_listener = {bind_tablets, ignore_global};

/* locks: as soon as a pen is down. */
[[noreturn]] static void be_client(int connection, bool binds, bool locks) {
	struct client *client = client_create_on_fd(connection);
	window_create(client, 200, 100, RED);
	if (binds) {
		struct zwp_tablet_manager_v2 *manager = NULL;
		struct wl_registry *registry = wl_display_get_registry(client->display);
		wl_registry_add_listener(registry, &registry_listener, &manager);
		client_roundtrip(client);
		struct zwp_tablet_seat_v2 *seat =
			zwp_tablet_manager_v2_get_tablet_seat(manager, client->seat);
		wl_proxy_add_dispatcher((struct wl_proxy *)seat, tell, NULL, NULL);
		client_roundtrip(client);
	}
	fprintf(told, "ready\n");
	fflush(told);
	unsigned int presses = 0, releases = 0;
	const struct wl_surface *focus = NULL;
	while (wl_display_dispatch(client->display) >= 0) {
		if (client->pointer_focus != focus) {
			focus = client->pointer_focus;
			fprintf(told, "pointer %s\n", focus != NULL ? "in" : "out");
		}
		if (locks && pen_is_down) {
			locks = false;
			ext_session_lock_manager_v1_lock(client->locks);
		}
		for (; presses < client->presses; presses++) {
			fprintf(told, "pointer pressed at %.2f %.2f\n", client->sx, client->sy);
		}
		for (; releases < client->releases; releases++) {
			fprintf(told, "pointer released\n");
		}
		fflush(told);
	}
	_exit(0); /* the compositor has ended */
}

/* ---- the compositor's */

struct desk {
	struct city_server *server;
	char dir[64];
	pid_t pid;
	int fd;		  /* of what the client says */
	char text[65536]; /* all of it */
	size_t size, at;  /* what has been looked at */
	uint32_t msec;
	struct wlr_tablet tablet;
	struct wlr_tablet_tool pen;
	struct wlr_tablet_pad pad;
	struct wlr_tablet_pad_group group;
};

static void pump(struct desk *desk) {
	wl_display_flush_clients(desk->server->display);
	wl_event_loop_dispatch(desk->server->loop, 5);
	wl_display_flush_clients(desk->server->display);
	size_t room = sizeof(desk->text) - 1 - desk->size;
	ssize_t got = read(desk->fd, desk->text + desk->size, room);
	if (got > 0) {
		desk->size += (size_t)got;
		desk->text[desk->size] = '\0';
	}
}

/* Waits until the client has said a line that begins so, after the last one that was waited for.
 * Between them nothing that begins with `never` (NULL: all may be) was said. */
static void expect(struct desk *desk, const char *line, const char *never) {
	struct timespec begin, now;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	char *found;
	while ((found = strstr(desk->text + desk->at, line)) == NULL) {
		pump(desk);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - begin.tv_sec > LIMIT_S) {
			fail_msg("no \"%s\" in: %s", line, desk->text + desk->at);
		}
	}
	const char *wrong = never == NULL ? NULL : strstr(desk->text + desk->at, never);
	if (wrong != NULL && wrong < found) {
		fail_msg("\"%s\" before \"%s\" in: %s", never, line, desk->text + desk->at);
	}
	desk->at = (size_t)(found - desk->text) + strlen(line);
}

static int desk_start(void **state, bool binds, bool locks) {
	struct desk *desk = calloc(1, sizeof(*desk));
	int connection[2], lines[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, connection), 0);
	assert_int_equal(pipe2(lines, O_CLOEXEC), 0);
	desk->pid = fork();
	if (desk->pid == 0) {
		close(connection[0]);
		close(lines[0]);
		told = fdopen(lines[1], "w");
		be_client(connection[1], binds, locks);
	}
	assert_true(desk->pid > 0);
	close(connection[1]);
	close(lines[1]);
	desk->fd = lines[0];
	fcntl(desk->fd, F_SETFL, O_NONBLOCK);

	desk->server = inside_server(desk->dir);
	static const struct wlr_tablet_impl tablet_impl = {.name = "test"};
	static const struct wlr_tablet_pad_impl pad_impl = {.name = "test"};
	static unsigned int buttons[] = {0, 1, 2};
	wlr_tablet_init(&desk->tablet, &tablet_impl, "a tablet");
	desk->pen = (struct wlr_tablet_tool){
		.type = WLR_TABLET_TOOL_TYPE_PEN, .pressure = true, .tilt = true};
	wl_signal_init(&desk->pen.events.destroy);
	wlr_tablet_pad_init(&desk->pad, &pad_impl, "its pad");
	desk->pad.button_count = 3;
	desk->group = (struct wlr_tablet_pad_group){
		.button_count = 3, .buttons = buttons, .mode_count = 1};
	wl_list_insert(&desk->pad.groups, &desk->group.link);
	struct wl_signal *new_input = &desk->server->backend->events.new_input;
	wl_signal_emit_mutable(new_input, &desk->pad.base);
	wl_signal_emit_mutable(new_input, &desk->tablet.base);

	assert_non_null(wl_client_create(desk->server->display, connection[0]));
	expect(desk, "ready", NULL);
	*state = desk;
	return 0;
}

static int start_binding(void **state) {
	return desk_start(state, true, false);
}

static int start_locking(void **state) {
	return desk_start(state, true, true);
}

static int start_plain(void **state) {
	return desk_start(state, false, false);
}

static int desk_stop(void **state) {
	struct desk *desk = *state;
	wl_signal_emit_mutable(&desk->pen.events.destroy, &desk->pen);
	wlr_tablet_finish(&desk->tablet);
	wl_list_remove(&desk->group.link);
	wlr_tablet_pad_finish(&desk->pad);
	city_server_destroy(desk->server);
	int status;
	assert_int_equal(waitpid(desk->pid, &status, 0), desk->pid);
	assert_int_equal(status, 0);
	close(desk->fd);
	assert_int_equal(rmdir(desk->dir), 0);
	free(desk);
	return 0;
}

/* Points are those of a screen of 1280x720. */
static void come(struct desk *desk, double ox, double oy) {
	struct wlr_tablet_tool_proximity_event event = {&desk->tablet, &desk->pen, desk->msec += 8,
		ox / 1280, oy / 720, WLR_TABLET_TOOL_PROXIMITY_IN};
	wl_signal_emit_mutable(&desk->tablet.events.proximity, &event);
}

static void go_away(struct desk *desk) {
	struct wlr_tablet_tool_proximity_event event = {
		&desk->tablet, &desk->pen, desk->msec += 8, 0, 0, WLR_TABLET_TOOL_PROXIMITY_OUT};
	wl_signal_emit_mutable(&desk->tablet.events.proximity, &event);
}

static void move(struct desk *desk, double ox, double oy) {
	struct wlr_tablet_tool_axis_event event = {
		.tablet = &desk->tablet,
		.tool = &desk->pen,
		.time_msec = desk->msec += 8,
		.updated_axes = WLR_TABLET_TOOL_AXIS_X | WLR_TABLET_TOOL_AXIS_Y,
		.x = ox / 1280,
		.y = oy / 720,
	};
	wl_signal_emit_mutable(&desk->tablet.events.axis, &event);
}

static void tip(struct desk *desk, double ox, double oy, bool down) {
	struct wlr_tablet_tool_tip_event event = {&desk->tablet, &desk->pen, desk->msec += 8,
		ox / 1280, oy / 720, down ? WLR_TABLET_TOOL_TIP_DOWN : WLR_TABLET_TOOL_TIP_UP};
	wl_signal_emit_mutable(&desk->tablet.events.tip, &event);
}

static void stylus(struct desk *desk, bool pressed) {
	struct wlr_tablet_tool_button_event event = {&desk->tablet, &desk->pen, desk->msec += 8,
		BTN_STYLUS, pressed ? WLR_BUTTON_PRESSED : WLR_BUTTON_RELEASED};
	wl_signal_emit_mutable(&desk->tablet.events.button, &event);
}

static void a_client_that_binds_gets_the_pen(void **state) {
	struct desk *desk = *state;
	come(desk, FIRST_X + 30.5, FIRST_Y + 20);
	expect(desk, "tool_v2 motion 30.50 20.00", "pointer");
	struct wlr_tablet_tool_axis_event event = {
		.tablet = &desk->tablet,
		.tool = &desk->pen,
		.time_msec = desk->msec += 8,
		.updated_axes = WLR_TABLET_TOOL_AXIS_PRESSURE | WLR_TABLET_TOOL_AXIS_TILT_Y,
		.pressure = 0.5,
		.tilt_y = -5,
	};
	wl_signal_emit_mutable(&desk->tablet.events.axis, &event);
	expect(desk, "tool_v2 pressure 32767", "pointer");
	expect(desk, "tool_v2 tilt 0.00 -5.00", "pointer");
	stylus(desk, true);
	stylus(desk, false);
	tip(desk, FIRST_X + 31, FIRST_Y + 20, true);
	/* Down, it stays the client's beyond the window. */
	move(desk, FIRST_X - 40, FIRST_Y - 21);
	expect(desk, "tool_v2 motion -40.00 -21.00", "pointer");
	assert_non_null(strstr(desk->text, "tool_v2 down"));
	tip(desk, FIRST_X - 40, FIRST_Y - 21, false);
	expect(desk, "tool_v2 up", "pointer");
	expect(desk, "tool_v2 proximity_out", "pointer");
	/* Seen larger, its own pixels are the same; and the map may move below the pen. */
	struct city_stage *stage = city_stage_focused(desk->server);
	city_map_set(stage, 400, 200, 2);
	move(desk, 280 + 150, 242 + 101);
	expect(desk, "tool_v2 motion 75.00 50.50", "pointer");
	city_map_set(stage, 390, 200, 2);
	expect(desk, "tool_v2 motion 65.00 50.50", "pointer");
	go_away(desk);
	expect(desk, "tool_v2 proximity_out", "pointer");
}

static void what_is_bound_is_taken_of_a_pen_too(void **state) {
	struct desk *desk = *state;
	struct city_config *config = desk->server->config;
	for (size_t i = 0; i < config->bind_count; i++) {
		if (strcmp(config->binds[i].command, "drag move") == 0) {
			config->binds[i].modifiers = 0;
		}
	}
	const struct city_view *view = desk->server->focused;
	assert_non_null(view);
	double cx = view->cx, cy = view->cy;
	tip(desk, FIRST_X + 30, FIRST_Y + 20, true);
	move(desk, FIRST_X + 130, FIRST_Y + 80);
	tip(desk, FIRST_X + 130, FIRST_Y + 80, false);
	assert_double_equal(view->cx, cx + 100, 1e-9);
	assert_double_equal(view->cy, cy + 60, 1e-9);
	/* And it is the client's again. */
	move(desk, FIRST_X + 131, FIRST_Y + 81);
	expect(desk, "tool_v2 motion 31.00 21.00", "tool_v2 down");
	stylus(desk, true);
	expect(desk, "tool_v2 button", "pointer pressed");
	assert_null(strstr(desk->text, "tool_v2 down"));
	stylus(desk, false);
}

static void a_lock_takes_the_pen_away(void **state) {
	struct desk *desk = *state;
	come(desk, FIRST_X + 30, FIRST_Y + 20);
	stylus(desk, true);
	tip(desk, FIRST_X + 30, FIRST_Y + 20, true);
	expect(desk, "tool_v2 down", NULL);
	expect(desk, " 331 0\n", NULL);
	expect(desk, "tool_v2 up", NULL);
	expect(desk, "tool_v2 proximity_out", NULL);
	/* What is still down is nobody's. */
	move(desk, FIRST_X + 40, FIRST_Y + 20);
	stylus(desk, false);
	tip(desk, FIRST_X + 40, FIRST_Y + 20, false);
	go_away(desk);
	pump(desk);
	assert_null(strstr(desk->text + desk->at, "tool_v2 motion"));
}

static void others_get_a_pointer(void **state) {
	struct desk *desk = *state;
	come(desk, FIRST_X + 30.5, FIRST_Y + 20);
	expect(desk, "pointer in", NULL);
	tip(desk, FIRST_X + 40.5, FIRST_Y + 20, true);
	expect(desk, "pointer pressed at 40.50 20.00", NULL);
	tip(desk, FIRST_X + 40.5, FIRST_Y + 20, false);
	expect(desk, "pointer released", NULL);
	stylus(desk, true);
	expect(desk, "pointer pressed at 40.50 20.00", NULL);
	stylus(desk, false);
	expect(desk, "pointer released", NULL);
	/* On the ground the tip moves the map. */
	struct city_stage *stage = city_stage_focused(desk->server);
	double cx = stage->camera.cx;
	tip(desk, 100, 100, true);
	move(desk, 150, 100);
	tip(desk, 150, 100, false);
	assert_double_equal(stage->camera.cx, cx - 50, 1e-9);
}

static void pads_go_with_the_keyboard(void **state) {
	struct desk *desk = *state;
	struct wlr_tablet_pad_button_event event = {
		.time_msec = desk->msec += 8, .button = 2, .state = WLR_BUTTON_PRESSED};
	wl_signal_emit_mutable(&desk->pad.events.button, &event);
	char line[64];
	snprintf(line, sizeof(line), "pad_v2 button %u 2 1", event.time_msec);
	expect(desk, line, NULL);
	assert_non_null(strstr(desk->text, "pad_v2 enter"));
	city_server_focus(desk->server, NULL, false);
	expect(desk, "pad_v2 leave", NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_client_that_binds_gets_the_pen, start_binding, desk_stop),
		cmocka_unit_test_setup_teardown(
			what_is_bound_is_taken_of_a_pen_too, start_binding, desk_stop),
		cmocka_unit_test_setup_teardown(
			a_lock_takes_the_pen_away, start_locking, desk_stop),
		cmocka_unit_test_setup_teardown(others_get_a_pointer, start_plain, desk_stop),
		cmocka_unit_test_setup_teardown(
			pads_go_with_the_keyboard, start_binding, desk_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compositor/arrange.h"
#include "compositor/bookmarks.h"
#include "compositor/command.h"
#include "compositor/go.h"
#include "compositor/launcher.h"
#include "compositor/minimap.h"
#include "compositor/refactor.h"
#include "compositor/scape.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/view.h"

#define MAX_WORDS 4
#define STEP 32	       /* city units that a window is moved or resized by at a time */
#define PAN_SHARE 0.25 /* of the screen, that a step of the keyboard pans */

struct call {
	struct city_server *server;	/* NULL: only check */
	enum city_bind_kind kind;	/* of the binding; KEY also for what is no binding */
	struct city_pointing *pointing; /* NULL: by key or by name */
	const char *rest;		/* the line behind the command's name */
	char *words[MAX_WORDS];		/* the same in words */
	size_t count;
	char *error;
	size_t error_size;
};

struct command {
	const char *name;
	const char *usage;
	size_t min, max;
	bool (*run)(struct call *call);
	void (*act)(struct city_view *view); /* in place of run: all that is done to the window */
};

[[gnu::format(printf, 2, 3)]]
static bool fail(struct call *call, const char *format, ...) {
	va_list args;
	va_start(args, format);
	vsnprintf(call->error, call->error_size, format, args);
	va_end(args);
	return false;
}

static bool number(const char *word, double *value) {
	char *end;
	*value = strtod(word, &end);
	return end != word && *end == '\0' && isfinite(*value) && fabs(*value) < 1e7;
}

static bool numbers(struct call *call, double *values) {
	for (size_t i = 0; i < call->count; i++) {
		if (!number(call->words[i], &values[i])) {
			return fail(call, "\"%s\" is not a number", call->words[i]);
		}
	}
	return true;
}

/* The window that it is about; NULL without one. */
static struct city_view *subject(const struct call *call) {
	return call->pointing != NULL ? call->pointing->view : call->server->focused;
}

static struct city_view *focused(struct call *call) {
	struct city_view *view = subject(call);
	if (view == NULL) {
		fail(call,
			call->pointing != NULL ? "the pointer is on no window"
					       : "no window has the focus");
	}
	return view;
}

/* The same, unless it fills the screen and so has neither place nor size of its own. */
static struct city_view *focused_free(struct call *call) {
	struct city_view *view = focused(call);
	if (view != NULL && (view->fullscreen || view->maximized)) {
		fail(call, "the window fills the screen");
		return NULL;
	}
	return view;
}

static bool spawn(struct call *call, const char *command) {
	if (!city_server_spawn(call->server, command)) {
		return fail(call, "cannot start a shell for \"%s\"", command);
	}
	return true;
}

static bool run_exec(struct call *call) {
	return call->server == NULL || spawn(call, call->rest);
}

static bool run_launch(struct call *call) {
	if (call->server == NULL) {
		return true;
	}
	const char *command = city_launcher(call->server->config);
	if (command == NULL) {
		return fail(call,
			"no launcher is installed: install one of %s, or name another in the "
			"configuration: launcher COMMAND",
			city_launcher_names());
	}
	return spawn(call, command);
}

/* A direction; false: it is none of the four. */
static bool get_direction(const char *word, int *dx, int *dy) {
	*dx = (strcmp(word, "right") == 0) - (strcmp(word, "left") == 0);
	*dy = (strcmp(word, "down") == 0) - (strcmp(word, "up") == 0);
	return *dx != 0 || *dy != 0;
}

static bool run_focus(struct call *call) {
	struct city_server *server = call->server;
	if (server == NULL) {
		return true;
	}
	struct city_view *view = NULL;
	int dx, dy;
	if (get_direction(call->rest, &dx, &dy)) {
		view = server->focused == NULL ? NULL : city_view_beside(server->focused, dx, dy);
		if (view == NULL) {
			return true;
		}
	} else if (strcmp(call->rest, "next") == 0 || strcmp(call->rest, "prev") == 0) {
		view = city_view_cycle(server, call->rest[0] == 'n' ? 1 : -1);
		if (view == NULL) {
			return true; /* nothing to go to is no mistake */
		}
	} else {
		struct city_view *other;
		wl_list_for_each(other, &server->views, link) {
			if (other->shown &&
				(strcmp(city_view_title(other), call->rest) == 0 ||
					strcmp(city_view_app_id(other), call->rest) == 0)) {
				view = other;
				break;
			}
		}
	}
	if (view == NULL) {
		return fail(call, "no window is called \"%s\"", call->rest);
	}
	if (view->minimized) {
		city_view_set_minimized(view, false);
	}
	city_server_focus(server, view, true);
	return true;
}

static void toggle_fullscreen(struct city_view *view) {
	city_view_set_fullscreen(view, !view->fullscreen);
}

static void toggle_maximize(struct city_view *view) {
	city_view_set_maximized(view, !view->maximized);
}

static void minimize(struct city_view *view) {
	city_view_set_minimized(view, true);
}

static void toggle_above(struct city_view *view) {
	city_view_set_above(view, !view->above);
}

static bool run_snap(struct call *call) {
	struct city_part part;
	bool off = strcmp(call->words[0], "off") == 0;
	if (!off && !city_part_named(call->words[0], &part)) {
		return fail(call, "snap takes %s or off, not \"%s\"", city_part_names(),
			call->words[0]);
	}
	if (call->server == NULL) {
		return true;
	}
	struct city_view *view = focused_free(call);
	if (view == NULL) {
		return false;
	}
	if (off) {
		city_view_unsnap(view);
	} else {
		city_view_snap(view, part);
	}
	return true;
}

static bool run_arrange(struct call *call) {
	bool off = call->count > 0 && strcmp(call->words[0], "off") == 0;
	if (call->count > 0 && !off) {
		return fail(call, "arrange takes nothing or off, not \"%s\"", call->words[0]);
	}
	if (call->server == NULL) {
		return true;
	}
	struct city_view *view = focused(call);
	if (view == NULL) {
		return false;
	}
	city_arrange(view, off);
	return true;
}

static void zoom_about_middle(struct city_stage *stage, double zoom) {
	struct wlr_box screen = city_map_screen(stage);
	city_map_zoom_about(
		stage, zoom, screen.x + screen.width / 2.0, screen.y + screen.height / 2.0);
}

static bool run_zoom(struct call *call) {
	struct city_server *server = call->server;
	struct city_stage *stage = server == NULL ? NULL : city_stage_focused(server);
	const char *word = call->words[0];
	double zoom;
	bool in = strcmp(word, "in") == 0, out = strcmp(word, "out") == 0;
	if (in || out) {
		if (server != NULL) {
			city_map_zoom_step(stage, in ? 1 : -1);
		}
	} else if (strcmp(word, "all") == 0) {
		if (server != NULL) {
			city_map_show_all(stage);
		}
	} else if (strcmp(word, "city") == 0) {
		struct city_box bounds;
		if (server != NULL && city_scape_bounds(server, &bounds)) {
			city_map_show(stage, bounds);
		}
	} else if (strcmp(word, "room") == 0) {
		struct city_view *view = server != NULL ? subject(call) : NULL;
		if (view != NULL) {
			city_map_room(stage, city_view_outer_box(view));
		} else if (server != NULL) {
			zoom_about_middle(stage, 1);
		}
	} else if (number(word, &zoom) && zoom >= CITY_ZOOM_MIN && zoom <= CITY_ZOOM_MAX) {
		if (server != NULL) {
			zoom_about_middle(stage, zoom);
		}
	} else {
		return fail(call,
			"zoom takes in, out, room, all, city or a number from %g to %g, not \"%s\"",
			CITY_ZOOM_MIN, CITY_ZOOM_MAX, word);
	}
	return true;
}

static bool run_pan(struct call *call) {
	struct city_server *server = call->server;
	struct city_stage *stage = server == NULL ? NULL : city_stage_focused(server);
	double by[MAX_WORDS] = {0};
	if (call->count == 2) {
		if (!numbers(call, by)) {
			return false;
		}
	} else {
		struct wlr_box screen = {.width = 1, .height = 1};
		if (server != NULL) {
			screen = city_map_screen(stage);
		}
		int dx, dy;
		if (!get_direction(call->words[0], &dx, &dy)) {
			return fail(call,
				"pan takes left, right, up, down or two numbers, not \"%s\"",
				call->words[0]);
		}
		by[0] = dx * screen.width * PAN_SHARE;
		by[1] = dy * screen.height * PAN_SHARE;
	}
	if (server != NULL) {
		city_map_pan(stage, by[0], by[1]);
	}
	return true;
}

static bool run_camera(struct call *call) {
	double at[MAX_WORDS] = {0, 0, 1};
	if (!numbers(call, at)) {
		return false;
	}
	if (at[2] < CITY_ZOOM_MIN || at[2] > CITY_ZOOM_MAX) {
		return fail(call, "the zoom must be from %g to %g", CITY_ZOOM_MIN, CITY_ZOOM_MAX);
	}
	if (call->server != NULL) {
		struct city_stage *stage = city_stage_focused(call->server);
		city_map_set(
			stage, at[0] - stage->box.x / at[2], at[1] - stage->box.y / at[2], at[2]);
	}
	return true;
}

static bool run_go(struct call *call) {
	return call->server == NULL ||
		city_go(city_stage_focused(call->server), call->rest, call->error,
			call->error_size);
}

static bool run_bookmark(struct call *call) {
	const char *word = call->words[0];
	const char *name = call->rest + strcspn(call->rest, " \t");
	name += strspn(name, " \t");
	bool set = strcmp(word, "set") == 0, go = strcmp(word, "go") == 0;
	if (!set && !go && strcmp(word, "remove") != 0) {
		return fail(call, "bookmark takes set, go or remove, not \"%s\"", word);
	}
	if (!city_bookmarks_check(name, call->error, call->error_size)) {
		return false;
	}
	struct city_server *server = call->server;
	if (server == NULL) {
		return true;
	}
	struct city_stage *stage = city_stage_focused(server);
	if (set) {
		return city_go_mark(stage, name, call->error, call->error_size);
	}
	struct city_bookmark *bookmark = city_bookmarks_find(server, name);
	if (bookmark == NULL) {
		return fail(call, "there is no bookmark \"%s\"; bookmark set makes one", name);
	}
	if (go) {
		city_map_centre(stage, bookmark->cx, bookmark->cy, bookmark->zoom);
	} else {
		city_bookmarks_remove(server, bookmark);
	}
	return true;
}

static bool run_minimap(struct call *call) {
	const char *word = call->count > 0 ? call->words[0] : "toggle";
	bool on = strcmp(word, "on") == 0, toggle = strcmp(word, "toggle") == 0;
	if (!on && !toggle && strcmp(word, "off") != 0) {
		return fail(call, "minimap takes on, off or toggle, not \"%s\"", word);
	}
	if (call->server != NULL) {
		struct city_stage *stage = city_stage_focused(call->server);
		city_minimap_show(stage, toggle ? !city_minimap_is_shown(stage) : on);
	}
	return true;
}

static const char *const directions[] = {"left", "right", "up", "down"};

/* One of four words for a step along an axis; false if it is none of them. */
static bool get_step(const char *word, const char *const names[4], double *by) {
	for (int i = 0; i < 4; i++) {
		if (strcmp(word, names[i]) == 0) {
			by[i / 2] = i % 2 == 0 ? -STEP : STEP;
			return true;
		}
	}
	return false;
}

static bool run_move(struct call *call) {
	double to[MAX_WORDS] = {0};
	bool step = call->count == 1;
	if (step && !get_step(call->words[0], directions, to)) {
		return fail(call, "move takes left, right, up, down or two numbers, not \"%s\"",
			call->words[0]);
	}
	if (!step && !numbers(call, to)) {
		return false;
	}
	if (call->server == NULL) {
		return true;
	}
	struct city_view *view = focused_free(call);
	if (view == NULL) {
		return false;
	}
	if (step) {
		city_view_set_place(view, view->cx + to[0], view->cy + to[1]);
		city_map_reveal(city_view_main_stage(view), city_view_outer_box(view));
	} else {
		city_view_set_place(view, to[0], to[1]);
	}
	return true;
}

static bool run_resize(struct call *call) {
	static const char *const names[] = {"narrower", "wider", "shorter", "taller"};
	double to[MAX_WORDS] = {0};
	bool step = call->count == 1;
	if (step && !get_step(call->words[0], names, to)) {
		return fail(call,
			"resize takes narrower, wider, shorter, taller or two numbers, not \"%s\"",
			call->words[0]);
	}
	if (!step && !numbers(call, to)) {
		return false;
	}
	if (!step && (to[0] < 1 || to[1] < 1 || to[0] > 16384 || to[1] > 16384)) {
		return fail(call, "a size must be from 1 to 16384");
	}
	if (call->server == NULL) {
		return true;
	}
	struct city_view *view = focused_free(call);
	if (view == NULL) {
		return false;
	}
	if (step) {
		to[0] += view->width;
		to[1] += view->height;
	}
	city_view_request_size(view, (int)to[0], (int)to[1]);
	return true;
}

static size_t without_blanks(const char *text, size_t end) {
	while (end > 0 && isspace((unsigned char)text[end - 1])) {
		end--;
	}
	return end;
}

/* A name may have blanks in it: what is before the last two words. */
static bool run_quarter(struct call *call) {
	double to[2];
	char name[1024];
	size_t end = strlen(call->rest);
	for (int i = 1; i >= 0; i--) {
		end = without_blanks(call->rest, end);
		size_t last = end;
		while (end > 0 && !isspace((unsigned char)call->rest[end - 1])) {
			end--;
		}
		snprintf(name, sizeof(name), "%.*s", (int)(last - end), call->rest + end);
		if (!number(name, &to[i])) {
			return fail(call, "\"%s\" is not a number", name);
		}
	}
	end = without_blanks(call->rest, end);
	if (call->server == NULL) {
		return true;
	}
	snprintf(name, sizeof(name), "%.*s", (int)end, call->rest);
	struct city_survey *survey = city_scape_survey(call->server);
	if (survey == NULL || !city_survey_move(survey, name, to[0], to[1])) {
		return fail(call, "no quarter is called \"%s\"; cityctl map lists them", name);
	}
	return true;
}

static bool run_reload(struct call *call) {
	if (call->server == NULL) {
		return true;
	}
	if (!city_server_reload(call->server)) {
		return fail(call, "the configuration has errors, see the log; the old one stays");
	}
	return true;
}

static bool run_restart(struct call *call) {
	if (call->server == NULL) {
		return true;
	}
	if (!city_server_restart(call->server)) {
		return fail(call, "nobody would start it again: the city has no keeper");
	}
	return true;
}

static bool run_quit(struct call *call) {
	if (call->server != NULL) {
		city_server_quit(call->server, 0);
	}
	return true;
}

static bool refactor(
	struct call *call, enum city_refactor_what what, const char *tile, const char *target) {
	struct city_control *control = call->server->control;
	if (control == NULL) {
		return fail(call, "the city is about to end");
	}
	return city_refactor_begin(
		control, NULL, what, tile, target, false, call->error, call->error_size);
}

static bool run_refactor(struct call *call) {
	static const char *const names[] = {"move", "replace", "fork"};
	size_t what = 0;
	while (what < 3 && strcmp(call->words[0], names[what]) != 0) {
		what++;
	}
	if (what == 3) {
		return fail(call, "\"%s\" is none of move, replace and fork", call->words[0]);
	}
	if (call->count < 2 && what != CITY_REFACTOR_FORK) {
		return fail(call, "refactor %s needs a name", names[what]);
	}
	if (call->server == NULL) {
		return true;
	}
	struct city_view *view = focused(call);
	if (view == NULL) {
		return false;
	}
	if (view->kind != CITY_VIEW_TILE) {
		return fail(call, "the window is no tile: the city does not have its source");
	}
	return refactor(call, (enum city_refactor_what)what, city_view_app_id(view),
		call->count > 1 ? call->words[1] : "");
}

static bool run_undo(struct call *call) {
	return call->server == NULL || refactor(call, CITY_REFACTOR_UNDO, "", "");
}

static bool run_redo(struct call *call) {
	return call->server == NULL || refactor(call, CITY_REFACTOR_REDO, "", "");
}

static bool run_drag(struct call *call) {
	const char *word = call->words[0];
	bool move = strcmp(word, "move") == 0, resize = strcmp(word, "resize") == 0;
	if (!move && !resize && strcmp(word, "pan") != 0) {
		return fail(call, "drag takes move, resize or pan, not \"%s\"", word);
	}
	if (call->kind != CITY_BIND_BUTTON) {
		return fail(
			call, "drag is for buttons, as in: bind Super+ButtonLeft drag %s", word);
	}
	if (call->server == NULL) {
		return true;
	}
	struct city_seat *seat = call->server->seat;
	struct city_pointing *pointing = call->pointing;
	if (pointing->panel || (resize && pointing->view == NULL)) {
		pointing->missed = true;
	} else if (pointing->view != NULL && (move || resize)) {
		city_server_focus(call->server, pointing->view, false);
		if (move) {
			city_grab_move(seat, pointing->view, pointing->button);
		} else {
			city_grab_resize(seat, pointing->view, 0, pointing->button);
		}
	} else if (!move || !city_grab_quarter(seat, pointing->button)) {
		city_grab_pan(seat, pointing->button);
	}
	return true;
}

static bool run_scroll(struct call *call) {
	const char *word = call->words[0];
	bool zoom = strcmp(word, "zoom") == 0;
	if (!zoom && strcmp(word, "pan") != 0) {
		return fail(call, "scroll takes zoom or pan, not \"%s\"", word);
	}
	if (call->kind != CITY_BIND_WHEEL) {
		return fail(call, "scroll is for wheels, as in: bind Super+Wheel scroll %s", word);
	}
	if (call->server != NULL && zoom) {
		city_scroll_zoom(call->server->seat, call->pointing->axis);
	} else if (call->server != NULL) {
		city_scroll_pan(call->server->seat, call->pointing->axis);
	}
	return true;
}

static bool run_none(struct call *call) {
	return true;
}

static const struct command commands[] = {
	{"above", "above", 0, 0, .act = toggle_above},
	{"arrange", "arrange [off]", 0, 1, run_arrange},
	{"bookmark", "bookmark set|go|remove NAME", 2, SIZE_MAX, run_bookmark},
	{"camera", "camera CX CY [ZOOM]", 2, 3, run_camera},
	{"close", "close", 0, 0, .act = city_view_close},
	{"drag", "drag move|resize|pan", 1, 1, run_drag},
	{"exec", "exec COMMAND...", 1, SIZE_MAX, run_exec},
	{"focus", "focus next|prev|left|right|up|down|NAME", 1, SIZE_MAX, run_focus},
	{"fullscreen", "fullscreen", 0, 0, .act = toggle_fullscreen},
	{"go", "go TILE|WINDOW|DISTRICT|QUARTER|BOOKMARK|all|city|back", 1, SIZE_MAX, run_go},
	{"launch", "launch", 0, 0, run_launch},
	{"maximize", "maximize", 0, 0, .act = toggle_maximize},
	{"minimize", "minimize", 0, 0, .act = minimize},
	{"minimap", "minimap [on|off|toggle]", 0, 1, run_minimap},
	{"move", "move left|right|up|down or move CX CY", 1, 2, run_move},
	{"none", "none", 0, 0, run_none},
	{"pan", "pan left|right|up|down or pan DX DY", 1, 2, run_pan},
	{"quarter", "quarter NAME CX CY", 3, SIZE_MAX, run_quarter},
	{"quit", "quit", 0, 0, run_quit},
	{"redo", "redo", 0, 0, run_redo},
	{"refactor", "refactor move DISTRICT, refactor replace NAME or refactor fork [NAME]", 1, 2,
		run_refactor},
	{"reload", "reload", 0, 0, run_reload},
	{"resize", "resize narrower|wider|shorter|taller or resize WIDTH HEIGHT", 1, 2, run_resize},
	{"restart", "restart", 0, 0, run_restart},
	{"scroll", "scroll zoom|pan", 1, 1, run_scroll},
	{"snap", "snap PART|off", 1, 1, run_snap},
	{"undo", "undo", 0, 0, run_undo},
	{"zoom", "zoom in|out|room|all|city|NUMBER", 1, 1, run_zoom},
};

static bool act(struct call *call, void (*act_on)(struct city_view *view)) {
	if (call->server == NULL) {
		return true;
	}
	struct city_view *view = focused(call);
	if (view != NULL) {
		act_on(view);
	}
	return view != NULL;
}

static bool unknown(struct call *call, const char *name, size_t length) {
	char known[1024] = "";
	size_t used = 0;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
			i == 0 ? "" : ", ", commands[i].name);
	}
	return fail(call, "unknown command \"%.*s\"; allowed: %s", (int)length, name, known);
}

static bool dispatch(struct call call, const char *line) {
	while (isspace((unsigned char)*line)) {
		line++;
	}
	size_t length = strcspn(line, " \t");
	const struct command *command = NULL;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strlen(commands[i].name) == length &&
			strncmp(commands[i].name, line, length) == 0) {
			command = &commands[i];
		}
	}
	if (command == NULL) {
		return unknown(&call, line, length);
	}
	call.rest = line + length;
	while (isspace((unsigned char)*call.rest)) {
		call.rest++;
	}

	char *copy = strdup(call.rest);
	if (copy == NULL) {
		return fail(&call, "out of memory");
	}
	size_t count = 0;
	char *state;
	for (char *word = strtok_r(copy, " \t", &state); word != NULL;
		word = strtok_r(NULL, " \t", &state)) {
		if (count < MAX_WORDS) {
			call.words[count] = word;
		}
		count++;
	}
	call.count = count < MAX_WORDS ? count : MAX_WORDS;
	bool ok;
	if (count < command->min || count > command->max) {
		ok = fail(&call, "usage: %s", command->usage);
	} else {
		ok = command->run != NULL ? command->run(&call) : act(&call, command->act);
	}
	free(copy);
	return ok;
}

bool city_command_check(
	const char *line, enum city_bind_kind kind, char *error, size_t error_size) {
	struct call call = {.kind = kind, .error = error, .error_size = error_size};
	return dispatch(call, line);
}

bool city_command_run(struct city_server *server, const char *line, struct city_pointing *pointing,
	char *error, size_t error_size) {
	struct call call = {
		.server = server,
		.kind = pointing != NULL ? pointing->kind : CITY_BIND_KEY,
		.pointing = pointing,
		.error = error,
		.error_size = error_size,
	};
	return dispatch(call, line);
}

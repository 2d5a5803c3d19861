/* SPDX-License-Identifier: MIT */
/*
 * Windows of programs that connect again.
 *
 * A window is that of before if it is of the same process and has the same app id, or none yet; of
 * several that are, one with the same title goes before others, and then the one that was made
 * first. Each is awaited until it is there, its process ends, or `return` of the limits is over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compositor/desk_internal.h"
#include "compositor/server.h"
#include "compositor/tile.h"
#include "compositor/view.h"
#include "log.h"

struct city_process city_process_of(pid_t pid) {
	struct city_process process = {.pid = pid};
	char path[64], text[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = pid > 0 ? fopen(path, "re") : NULL;
	if (file == NULL) {
		return process;
	}
	size_t size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';
	/* The name, in brackets, may hold anything; what counts is the 20th word after it. */
	const char *at = strrchr(text, ')');
	for (int word = 0; at != NULL && word < 20; word++) {
		at = strchr(at + 1, ' ');
	}
	process.began = at != NULL ? strtoull(at, NULL, 10) : 0;
	return process;
}

/* ---- waiting */

static void stop_watching(struct city_desk_left *left) {
	if (left->ended != NULL) {
		wl_event_source_remove(left->ended);
		left->ended = NULL;
	}
	if (left->process >= 0) {
		close(left->process);
		left->process = -1;
	}
}

/* It does not come. */
static void give_up(struct city_desk_left *left) {
	struct city_server *server = left->desk->server;
	stop_watching(left);
	left->awaited = false;
	if ((left->entry.flags & CITY_DESK_FOCUSED) && server->focused == NULL) {
		city_server_focus_other(server, false);
	}
	city_desk_changed(left->desk);
}

static int handle_process_ended(int fd, uint32_t mask, void *data) {
	give_up(data);
	return 0;
}

static int handle_over(void *data) {
	struct city_desk *desk = data;
	for (uint32_t i = 0; i < desk->left_count; i++) {
		struct city_desk_left *left = &desk->left[i];
		if (left->awaited && left->view == NULL) {
			city_log(CITY_LOG_INFO, "desk",
				"the window \"%s\" of pid %d does not come back", left->entry.title,
				left->entry.pid);
			give_up(left);
		}
	}
	return 0;
}

static void await(struct city_desk_left *left) {
	const struct city_desk_entry *entry = &left->entry;
	struct city_process process = city_process_of(entry->pid);
	left->awaited = true;
	left->process = (int)syscall(SYS_pidfd_open, entry->pid, 0);
	if (left->process >= 0) {
		left->ended = wl_event_loop_add_fd(left->desk->server->loop, left->process,
			WL_EVENT_READABLE, handle_process_ended, left);
	}
	if (left->process < 0 || process.began != entry->began) {
		give_up(left);
	}
}

void city_desk_await_windows(struct city_desk *desk) {
	struct city_limits limits;
	bool any = false;
	for (uint32_t i = 0; i < desk->left_count; i++) {
		if (city_desk_is_window(&desk->left[i].entry)) {
			await(&desk->left[i]);
			any |= desk->left[i].awaited;
		}
	}
	city_limits_read(&limits);
	desk->timer = any ? wl_event_loop_add_timer(desk->server->loop, handle_over, desk) : NULL;
	if (desk->timer != NULL) {
		wl_event_source_timer_update(desk->timer, limits.return_ms);
	}
}

static void forget_view(struct city_desk_left *left) {
	if (left->view != NULL) {
		wl_list_remove(&left->view_destroy.link);
		left->view = NULL;
	}
}

void city_desk_forget_windows(struct city_desk *desk) {
	for (uint32_t i = 0; i < desk->left_count; i++) {
		stop_watching(&desk->left[i]);
		forget_view(&desk->left[i]);
	}
	if (desk->timer != NULL) {
		wl_event_source_remove(desk->timer);
	}
}

/* ---- coming back */

static void handle_view_destroy(struct wl_listener *listener, void *data) {
	struct city_desk_left *left = wl_container_of(listener, left, view_destroy);
	forget_view(left);
}

/* As much as it has in common with the window; below 0: it is another. */
static int likeness(const struct city_desk_left *left, struct city_view *view) {
	const struct city_desk_entry *entry = &left->entry;
	const char *app_id = city_view_app_id(view);
	bool same = strncmp(entry->app_id, app_id, sizeof(entry->app_id) - 1) == 0;
	if (!left->awaited || left->view != NULL || entry->pid != view->process.pid ||
		entry->began != view->process.began || (app_id[0] != '\0' && !same)) {
		return -1;
	}
	bool titled = strncmp(entry->title, city_view_title(view), sizeof(entry->title) - 1) == 0;
	return (same ? 2 : 0) + (titled ? 1 : 0);
}

const struct city_desk_entry *city_desk_claim(struct city_desk *desk, struct city_view *view) {
	struct city_desk_left *best = NULL;
	int most = -1;
	for (uint32_t i = 0; desk != NULL && i < desk->left_count; i++) {
		struct city_desk_left *left = &desk->left[i];
		int alike = likeness(left, view);
		if (alike > most ||
			(alike >= 0 && alike == most && left->entry.made < best->entry.made)) {
			best = left;
			most = alike;
		}
	}
	if (best == NULL) {
		return NULL;
	}
	best->view = view;
	best->view_destroy.notify = handle_view_destroy;
	wl_signal_add(&view->events.destroy, &best->view_destroy);
	return &best->entry;
}

/* Right above the first that was below it; what came or was raised since stays above. */
static void restack(struct city_desk *desk, struct city_view *view, int rank) {
	struct city_view *other;
	wl_list_for_each(other, &desk->server->views, link) {
		int below = other != view ? city_desk_rank(desk, other) : -1;
		if (below > rank && !desk->left[below].raised) {
			city_view_stack_above(view, other);
			return;
		}
	}
	city_view_stack_above(view, NULL);
}

void city_desk_returned(struct city_desk *desk, struct city_view *view) {
	int rank = desk != NULL ? city_desk_rank(desk, view) : -1;
	if (rank < 0 || !desk->left[rank].awaited) {
		return;
	}
	struct city_desk_left *left = &desk->left[rank];
	stop_watching(left);
	left->awaited = false;
	if (!view->minimized) {
		restack(desk, view, rank);
	}
	if ((left->entry.flags & CITY_DESK_FOCUSED) && desk->server->focused == NULL) {
		city_server_focus(desk->server, view, false);
	}
	city_desk_changed(desk);
}

/* SPDX-License-Identifier: MIT */
/*
 * text-input-v3 and input-method-v2: passes on what programs say about the text being edited and
 * what an input method (one at a time) makes of the keys, and shows its popups at the text cursor.
 * Main thread only.
 */
#ifndef CITY_INPUT_METHOD_H
#define CITY_INPUT_METHOD_H

#include <stdbool.h>
#include <stdint.h>

struct city_input_method;
struct city_server;
struct wlr_keyboard;
struct wlr_keyboard_key_event;

bool city_input_method_create(struct city_server *server); /* sets server->input_method */
void city_input_method_destroy(struct city_server *server);

/* Keys that no binding took: true if the input method has grabbed the keyboard and got it. */
bool city_input_method_key(struct city_input_method *method, struct wlr_keyboard *keyboard,
	const struct wlr_keyboard_key_event *event);
bool city_input_method_modifiers(struct city_input_method *method, struct wlr_keyboard *keyboard);
/* The map moved: popups follow. */
void city_input_method_place(struct city_input_method *method);

#endif

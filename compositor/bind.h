/* SPDX-License-Identifier: MIT */
/*
 * Bindings: what a key, a button or a wheel runs. Their names, as the config has them, are words
 * joined by plus signs:
 *
 *	Super Alt Ctrl Shift            any of them, first
 *	Ground Window Tile Frame        for buttons and wheels: only where the pointer is there
 *	ButtonLeft ButtonMiddle ...     a button is pressed
 *	WheelUp WheelDown ...           a notch of a wheel, or as much of two fingers
 *	Wheel                           any of its motion, as it comes
 *	Return, F1, a, plus, ...        a key, by its xkb name
 *
 * Plain data and functions without side effects; any thread.
 */
#ifndef CITY_BIND_H
#define CITY_BIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wlr/types/wlr_keyboard.h>

struct city_config;

/* Others, such as CapsLock, do not count. */
#define CITY_BIND_MODIFIERS                                                                        \
	(WLR_MODIFIER_SHIFT | WLR_MODIFIER_CTRL | WLR_MODIFIER_ALT | WLR_MODIFIER_LOGO)

enum city_bind_kind {
	CITY_BIND_KEY,
	CITY_BIND_BUTTON,
	CITY_BIND_WHEEL,
};

/* Where the pointer is. */
enum city_bind_place {
	CITY_BIND_ANYWHERE,
	CITY_BIND_GROUND,
	CITY_BIND_WINDOW, /* that is no tile; frame and popups included */
	CITY_BIND_TILE,
	CITY_BIND_FRAME, /* of either */
};

enum city_wheel {
	CITY_WHEEL_UP,
	CITY_WHEEL_DOWN,
	CITY_WHEEL_LEFT,
	CITY_WHEEL_RIGHT,
	CITY_WHEEL_ANY,
};

struct city_bind {
	enum city_bind_kind kind;
	enum city_bind_place place; /* ANYWHERE for keys */
	uint32_t modifiers;	    /* WLR_MODIFIER_* */
	uint32_t code;		    /* keysym in lower case, BTN_* or enum city_wheel */
	char *command;		    /* see command.h; "none" takes a default binding away */
};

/* Sets all but the command. On false `error` says what of the name is wrong and what is allowed. */
bool city_bind_parse(const char *name, struct city_bind *bind, char *error, size_t error_size);
/* Of exactly these modifiers. NULL if there is none. */
const struct city_bind *city_bind_find(const struct city_config *config, enum city_bind_kind kind,
	enum city_bind_place place, uint32_t modifiers, uint32_t code);
/*
 * Of a button or a wheel, in these places, the narrowest first. Where nothing is bound to exactly
 * the modifiers that are held, the map is dragged and scrolled as with some of them, as many as
 * there are; without any only on the ground, for elsewhere it would be taken from a client.
 */
const struct city_bind *city_bind_find_in(const struct city_config *config,
	enum city_bind_kind kind, const enum city_bind_place *where, size_t count,
	uint32_t modifiers, uint32_t code);

/* Keys or buttons that ran a binding: their release reaches no client either. */
struct city_swallowed {
	uint32_t codes[32];
	size_t count;
};
void city_swallow(struct city_swallowed *swallowed, uint32_t code);
bool city_unswallow(struct city_swallowed *swallowed, uint32_t code); /* false: it was not */
bool city_is_swallowed(const struct city_swallowed *swallowed, uint32_t code);

#endif

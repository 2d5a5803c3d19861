/* SPDX-License-Identifier: MIT */
#include "vt_tile_keys.h"

#include <string.h>
#include <xkbcommon/xkbcommon-keysyms.h>
#include <xkbcommon/xkbcommon.h>

static const struct {
	uint32_t keysym, code;
} named_keys[] = {
	{XKB_KEY_Escape, VT_KEY_ESCAPE},
	{XKB_KEY_Return, VT_KEY_ENTER},
	{XKB_KEY_Tab, VT_KEY_TAB},
	{XKB_KEY_ISO_Left_Tab, VT_KEY_TAB},
	{XKB_KEY_BackSpace, VT_KEY_BACKSPACE},
	{XKB_KEY_Insert, VT_KEY_INSERT},
	{XKB_KEY_Delete, VT_KEY_DELETE},
	{XKB_KEY_Left, VT_KEY_LEFT},
	{XKB_KEY_Right, VT_KEY_RIGHT},
	{XKB_KEY_Up, VT_KEY_UP},
	{XKB_KEY_Down, VT_KEY_DOWN},
	{XKB_KEY_Page_Up, VT_KEY_PAGE_UP},
	{XKB_KEY_Page_Down, VT_KEY_PAGE_DOWN},
	{XKB_KEY_Home, VT_KEY_HOME},
	{XKB_KEY_End, VT_KEY_END},
	{XKB_KEY_Caps_Lock, VT_KEY_CAPS_LOCK},
	{XKB_KEY_Scroll_Lock, VT_KEY_SCROLL_LOCK},
	{XKB_KEY_Num_Lock, VT_KEY_NUM_LOCK},
	{XKB_KEY_Print, VT_KEY_PRINT_SCREEN},
	{XKB_KEY_Pause, VT_KEY_PAUSE},
	{XKB_KEY_Menu, VT_KEY_MENU},
	{XKB_KEY_KP_Decimal, VT_KEY_KP_DECIMAL},
	{XKB_KEY_KP_Divide, VT_KEY_KP_DIVIDE},
	{XKB_KEY_KP_Multiply, VT_KEY_KP_MULTIPLY},
	{XKB_KEY_KP_Subtract, VT_KEY_KP_SUBTRACT},
	{XKB_KEY_KP_Add, VT_KEY_KP_ADD},
	{XKB_KEY_KP_Enter, VT_KEY_KP_ENTER},
	{XKB_KEY_KP_Equal, VT_KEY_KP_EQUAL},
	{XKB_KEY_KP_Separator, VT_KEY_KP_SEPARATOR},
	{XKB_KEY_KP_Left, VT_KEY_KP_LEFT},
	{XKB_KEY_KP_Right, VT_KEY_KP_RIGHT},
	{XKB_KEY_KP_Up, VT_KEY_KP_UP},
	{XKB_KEY_KP_Down, VT_KEY_KP_DOWN},
	{XKB_KEY_KP_Page_Up, VT_KEY_KP_PAGE_UP},
	{XKB_KEY_KP_Page_Down, VT_KEY_KP_PAGE_DOWN},
	{XKB_KEY_KP_Home, VT_KEY_KP_HOME},
	{XKB_KEY_KP_End, VT_KEY_KP_END},
	{XKB_KEY_KP_Insert, VT_KEY_KP_INSERT},
	{XKB_KEY_KP_Delete, VT_KEY_KP_DELETE},
	{XKB_KEY_KP_Begin, VT_KEY_KP_BEGIN},
	{XKB_KEY_XF86AudioPlay, VT_KEY_MEDIA_PLAY},
	{XKB_KEY_XF86AudioPause, VT_KEY_MEDIA_PAUSE},
	{XKB_KEY_XF86AudioStop, VT_KEY_MEDIA_STOP},
	{XKB_KEY_XF86AudioForward, VT_KEY_MEDIA_FAST_FORWARD},
	{XKB_KEY_XF86AudioRewind, VT_KEY_MEDIA_REWIND},
	{XKB_KEY_XF86AudioNext, VT_KEY_MEDIA_TRACK_NEXT},
	{XKB_KEY_XF86AudioPrev, VT_KEY_MEDIA_TRACK_PREVIOUS},
	{XKB_KEY_XF86AudioRecord, VT_KEY_MEDIA_RECORD},
	{XKB_KEY_XF86AudioLowerVolume, VT_KEY_LOWER_VOLUME},
	{XKB_KEY_XF86AudioRaiseVolume, VT_KEY_RAISE_VOLUME},
	{XKB_KEY_XF86AudioMute, VT_KEY_MUTE_VOLUME},
	{XKB_KEY_Shift_L, VT_KEY_LEFT_SHIFT},
	{XKB_KEY_Control_L, VT_KEY_LEFT_CONTROL},
	{XKB_KEY_Alt_L, VT_KEY_LEFT_ALT},
	{XKB_KEY_Super_L, VT_KEY_LEFT_SUPER},
	{XKB_KEY_Hyper_L, VT_KEY_LEFT_HYPER},
	{XKB_KEY_Meta_L, VT_KEY_LEFT_META},
	{XKB_KEY_Shift_R, VT_KEY_RIGHT_SHIFT},
	{XKB_KEY_Control_R, VT_KEY_RIGHT_CONTROL},
	{XKB_KEY_Alt_R, VT_KEY_RIGHT_ALT},
	{XKB_KEY_Super_R, VT_KEY_RIGHT_SUPER},
	{XKB_KEY_Hyper_R, VT_KEY_RIGHT_HYPER},
	{XKB_KEY_Meta_R, VT_KEY_RIGHT_META},
	{XKB_KEY_ISO_Level3_Shift, VT_KEY_ISO_LEVEL3_SHIFT},
	{XKB_KEY_ISO_Level5_Shift, VT_KEY_ISO_LEVEL5_SHIFT},
};

/* What the core calls a keysym: a code point or VT_KEY_*; 0 for what it does not know. */
static uint32_t key_code(uint32_t keysym) {
	for (size_t i = 0; i < sizeof(named_keys) / sizeof(named_keys[0]); i++) {
		if (named_keys[i].keysym == keysym) {
			return named_keys[i].code;
		}
	}
	if (keysym >= XKB_KEY_F1 && keysym <= XKB_KEY_F35) {
		return VT_KEY_F1 + (keysym - XKB_KEY_F1);
	}
	if (keysym >= XKB_KEY_KP_0 && keysym <= XKB_KEY_KP_9) {
		return VT_KEY_KP_0 + (keysym - XKB_KEY_KP_0);
	}
	return xkb_keysym_to_utf32(keysym);
}

uint32_t vt_modifiers_of(uint32_t modifiers) {
	static const struct {
		uint32_t tile, core;
	} map[] = {
		{TILE_MOD_SHIFT, VT_MOD_SHIFT},
		{TILE_MOD_ALT, VT_MOD_ALT},
		{TILE_MOD_CTRL, VT_MOD_CTRL},
		{TILE_MOD_SUPER, VT_MOD_SUPER},
		{TILE_MOD_HYPER, VT_MOD_HYPER},
		{TILE_MOD_META, VT_MOD_META},
		{TILE_MOD_CAPS, VT_MOD_CAPS},
		{TILE_MOD_NUM, VT_MOD_NUM},
	};
	uint32_t core = 0;
	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		if (modifiers & map[i].tile) {
			core |= map[i].core;
		}
	}
	return core;
}

struct vt_key vt_key_of(const struct tile_input_key *key) {
	struct vt_key event = {
		.code = key_code(key->base_keysym),
		.base = key_code(key->us_keysym),
		.mods = vt_modifiers_of(key->modifiers),
		.consumed = vt_modifiers_of(key->consumed),
		.action = key->state == TILE_KEY_RELEASED ? VT_KEY_RELEASE
			: key->state == TILE_KEY_REPEATED ? VT_KEY_REPEAT
							  : VT_KEY_PRESS,
		.composed = key->text[0] != '\0' && key->keysym == XKB_KEY_NoSymbol,
	};
	/* Keys of the keypad change their meaning with Num Lock: go by what they mean now. */
	uint32_t effective = key_code(key->keysym);
	if (effective >= VT_KEY_KP_0 && effective <= VT_KEY_KP_BEGIN) {
		event.code = effective;
	}
	if ((key->modifiers & TILE_MOD_SHIFT) && effective != event.code &&
		effective < VT_KEY_FIRST) {
		event.shifted = effective;
	}
	size_t length = strlen(key->text);
	event.text_len = (uint8_t)(length < sizeof(event.text) ? length : sizeof(event.text));
	memcpy(event.text, key->text, event.text_len);
	return event;
}

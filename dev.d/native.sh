# SPDX-License-Identifier: MIT
# Sourced by ./dev. Says whether the system itself can build and run the city.

native_modules="wayland-server wayland-client wayland-protocols xkbcommon pixman-1 libinput libseat
	libdrm egl glesv2 fcft libutf8proc scfg yyjson libsodium libseccomp cmocka libpng"
native_tools="gcc meson ninja git foot grim wtype wlr-randr bwrap python3"

# True inside a root, and on a system that has wlroots 0.20 and the rest.
native() {
	local missing=() module tool
	[ -n "${SOURCE_CITY_ROOT:-}" ] && return 0
	pkg-config --atleast-version=0.20 wlroots-0.20 2>/dev/null || return 1
	for module in $native_modules; do
		pkg-config --exists "$module" || missing+=("$module")
	done
	for tool in $native_tools; do
		command -v "$tool" >/dev/null || missing+=("$tool")
	done
	[ ${#missing[@]} -eq 0 ] && return 0
	say "this system has wlroots 0.20 but lacks: ${missing[*]}"
	fail "install them, by root: $(native_install)"
}

native_install() {
	if command -v apt-get >/dev/null; then
		echo "apt-get install $(grep -v '^#' "$here/dev.d/packages.txt" | grep . | paste -sd' ')"
	elif command -v pacman >/dev/null; then
		echo "pacman -S --needed base-devel clang meson git wlroots0.20 wayland-protocols libxkbcommon fcft" \
			"libutf8proc libscfg yyjson libsodium libseccomp cmocka libpng scdoc bubblewrap foot grim" \
			"wtype wlr-randr wayvnc python"
	elif command -v dnf >/dev/null; then
		echo "dnf install gcc clang meson git 'pkgconfig(wlroots-0.20)' bubblewrap foot grim wtype" \
			"wlr-randr wayvnc python3 scdoc $(printf "'pkgconfig(%s)' " $native_modules)"
	else
		echo "with this system's package manager"
	fi
}

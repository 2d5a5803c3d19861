# SPDX-License-Identifier: MIT
# Sourced by ./dev. Everything runs from an installed layout, so building ends with installing.

city_build() {
	build_configure "$build"
	ninja -C "$build" --quiet "$@" >&2 || fail "the build failed"
	meson install -C "$build" --no-rebuild --quiet --only-changed >&2 || fail "the install failed"
}

# build_configure DIR MESON-OPTION...
build_configure() {
	local dir=$1
	shift
	[ -f "$dir/build.ninja" ] && return
	# What an interrupted or failed configuration left makes the next one fail in odd ways.
	[ -d "$dir/meson-private" ] && rm -rf "$dir/meson-private" "$dir/meson-info" "$dir/meson-logs"
	mkdir -p "$dir"
	say "configuring ${dir#"$here"/}"
	meson setup "$dir" "$here" --prefix="$dir/prefix" --libdir=lib "$@" >"$dir/setup.log" 2>&1 || {
		cat "$dir/setup.log" >&2
		fail "meson failed"
	}
}

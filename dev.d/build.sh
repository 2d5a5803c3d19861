# SPDX-License-Identifier: MIT
# Sourced by ./dev. Everything runs from an installed layout, so building ends with installing.

city_build() {
	build_configure "$build"
	build_compile "$build" "$@"
	meson install -C "$build" --no-rebuild --quiet --only-changed >&2 || fail "the install failed"
}

# build_compile DIR NINJA-ARG...: on a terminal ninja shows how far it is
build_compile() {
	local dir=$1 quiet=--quiet
	shift
	[ -t 2 ] && quiet=
	ninja -C "$dir" $quiet "$@" >&2 || fail "the build failed"
}

# build_configure DIR MESON-OPTION...
build_configure() {
	local dir=$1
	shift
	[ -f "$dir/build.ninja" ] && return
	# What an interrupted or failed configuration left makes the next one fail in odd ways.
	[ -d "$dir/meson-private" ] && rm -rf "$dir/meson-private" "$dir/meson-info" "$dir/meson-logs"
	mkdir -p "$dir" 2>/dev/null && [ -w "$dir" ] ||
		fail "cannot write to $dir: set SOURCE_CITY_BUILD to a folder of your own"
	say "configuring ${dir#"$here"/}; compiling it all takes a minute or two"
	meson setup "$dir" "$here" --prefix="$dir/prefix" --libdir=lib "$@" >"$dir/setup.log" 2>&1 || {
		cat "$dir/setup.log" >&2
		fail "meson failed"
	}
}

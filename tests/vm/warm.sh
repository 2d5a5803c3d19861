#!/bin/sh
# SPDX-License-Identifier: MIT
# warm.sh HOME: what the forge remembers of its builds, made here and not in the emulated machine.
# Runs where the machine's system and the city's disk are, with HOME at its place.
set -eu
export HOME=$1 XDG_RUNTIME_DIR
XDG_RUNTIME_DIR=$(mktemp -d)
unset WAYLAND_DISPLAY DISPLAY XDG_STATE_HOME XDG_DATA_HOME XDG_CACHE_HOME XDG_CONFIG_HOME
rm -rf "$HOME/.local" "$HOME/terminal" "$HOME/clock"
PATH=/mnt/prefix/bin:$PATH
WLR_BACKENDS=headless WLR_RENDERER=pixman LIBGL_ALWAYS_SOFTWARE=1 source-city --socket wayland-9 \
	>"$HOME/warm.log" 2>&1 &
city=$!
trap 'kill $city; wait $city || true; rm -rf "$XDG_RUNTIME_DIR"' EXIT
tries=0
until cityctl --socket wayland-9 tiles 2>/dev/null | grep -q terminal; do
	tries=$((tries + 1))
	[ $tries -lt 100 ] || exit 1
	kill -0 $city
	sleep 0.1
done
for tile in terminal clock; do
	cp -r "/mnt/prefix/share/source-city/tiles/$tile" "$HOME/$tile"
	cityctl --socket wayland-9 swap $tile --source "$HOME/$tile" >>"$HOME/warm.log" 2>&1
done

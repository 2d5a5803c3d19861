# SPDX-License-Identifier: MIT
# Sourced by ./dev. Picks where to show the city.

has_wayland() {
	local socket=${WAYLAND_DISPLAY:-}
	case $socket in
	"") return 1 ;;
	/*) [ -S "$socket" ] ;;
	*) [ -S "${XDG_RUNTIME_DIR:-/nowhere}/$socket" ] ;;
	esac
}

on_tty() {
	case $(tty) in
	/dev/tty[0-9]*) ls /dev/dri/card* >/dev/null 2>&1 ;;
	*) return 1 ;;
	esac
}

city_run() {
	local stay= tour=
	for arg in "$@"; do
		case $arg in
		--stay) stay=--stay tour=yes ;;
		--tour) tour=yes ;;
		*) fail "run takes --tour and --stay, not $arg" ;;
		esac
	done
	city_build
	if [ -z "$tour" ]; then
		if has_wayland || [ -n "${DISPLAY:-}" ]; then
			say "a window of your session shows the city; Super+Shift+E ends it"
			exec source-city
		fi
		if on_tty; then
			exec source-city
		fi
		say "no screen here: this is the tour, without one"
	fi
	exec python3 "$here/dev.d/tour.py" $stay
}

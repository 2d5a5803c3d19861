# SPDX-License-Identifier: MIT
# Sourced by ./dev.

city_pictures() {
	[ $# -gt 0 ] || fail "pictures needs a folder to put them into"
	city_build
	exec python3 "$here/dev.d/pictures.py" "$@"
}

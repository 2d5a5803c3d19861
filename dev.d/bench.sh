# SPDX-License-Identifier: MIT
# Sourced by ./dev.

city_bench() {
	city_build
	local bench=$here/tests/bench/bench
	[ -x "$bench" ] || fail "tests/bench/bench is missing"
	exec "$bench" "$@"
}

# SPDX-License-Identifier: MIT
# Sourced by ./dev.

city_test() {
	# What cmocka prints is counted test by test.
	export CMOCKA_MESSAGE_OUTPUT=TAP
	export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=0:detect_leaks=1:strict_string_checks=1}
	export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}
	export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1}
	exec python3 "$here/dev.d/test.py" "$here" "$build" "$@"
}

# Several cities at a time. Filters are parts of the cases' names: attach/b/, /SIGSTOP/, ...
city_campaign() {
	city_build
	exec env SOURCE_CITY_TEST_TILES="$build/tests/handover" \
		python3 "$here/tests/handover/campaign.py" --full "$@"
}

city_soak() {
	city_build
	exec env SOURCE_CITY_TEST_TILES="$build/tests/handover" \
		python3 "$here/tests/handover/soak.py" "${1:-10000}"
}

# So many handovers while music plays, or parts of that: see tests/audio/listen.py.
city_listen() {
	city_build
	exec env SOURCE_CITY_TEST_TILES="$build/tests/handover" python3 "$here/tests/audio/listen.py" "$@"
}

# Of messages that many, with that seed.
city_requests() {
	city_build
	exec env SOURCE_CITY_TEST_TILES="$build/tests/handover" \
		python3 "$here/tests/handover/test_requests.py" "${1:-100000}" "${2:-$RANDOM}"
}

# SPDX-License-Identifier: MIT
# Sourced by ./dev.

city_run() {
	city_build
	exec source-city-run "$@"
}

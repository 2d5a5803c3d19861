# SPDX-License-Identifier: MIT
# Sourced by ./dev.

c_files() {
	git -C "$here" -c safe.directory="$here" ls-files -- "$@" | sed "s,^,$here/,"
}

city_format() {
	[ $# -eq 0 ] || fail "format takes no options: it formats all sources"
	c_files '*.c' '*.h' | xargs clang-format -i
}

# lint [FILE...]: clang-format, then clang-tidy over these files or all that are compiled
city_lint() {
	local bad=0 file files=()
	for file in "$@"; do
		[ -f "$file" ] || fail "lint: no such file: $file"
	done
	if [ $# -gt 0 ]; then printf '%s\n' "$@"; else c_files '*.c' '*.h'; fi |
		xargs clang-format --dry-run -Werror || bad=1
	build_configure "$build"
	build_compile "$build"
	if [ $# -gt 0 ]; then
		files=("$@")
	else
		mapfile -t files < <(jq -r '.[] | if (.file | startswith("/")) then .file else .directory + "/" + .file end' \
			"$build/compile_commands.json" | xargs -n 1 realpath | grep "^$here/" |
			grep -v "^$build/" | sort -u)
	fi
	say "clang-tidy over ${#files[@]} files"
	printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 4 \
		clang-tidy -p "$build" --quiet --warnings-as-errors='*' || bad=1
	return $bad
}

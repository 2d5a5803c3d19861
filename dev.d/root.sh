# SPDX-License-Identifier: MIT
# Sourced by ./dev. Makes and enters roots: directories that hold a newer Debian than the system.
#
# A root lives in the user's cache, named by a hash of its package list and hook, and is never changed once
# it is finished. It is made under another name and renamed at the end, so an interrupted make is
# never taken for a root.

suite=forky
cache=${XDG_CACHE_HOME:-${HOME:=~}/.cache}/source-city

# root_path LIST: where the root of that package list is, or will be
root_path() {
	local sum
	sum=$(cat "$here/dev.d/$1" "$here/dev.d/${1%.txt}.hook" - <<<"$suite" 2>/dev/null | sha256sum)
	echo "$cache/root-${1%.txt}-${sum:0:12}"
}

# The mirror is the one that the system's own apt uses for Debian.
root_mirror() {
	if [ -n "${SOURCE_CITY_MIRROR:-}" ]; then
		echo "$SOURCE_CITY_MIRROR"
	else
		apt-get indextargets --format '$(CREATED_BY) $(REPO_URI)' 2>/dev/null |
			sed -n 's,^Packages \(.*/debian\)/*$,\1,p' | head -n 1
	fi
}

root_needs() {
	local missing=() mirror
	command -v apt-get >/dev/null ||
		fail "there is no apt here to fetch Debian $suite with, and this system has no wlroots 0.20"
	command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
	if [ "$(id -u)" -ne 0 ]; then
		command -v newuidmap >/dev/null || missing+=(uidmap)
	fi
	if [ ${#missing[@]} -gt 0 ]; then
		if [ "$(id -u)" -eq 0 ]; then
			say "installing ${missing[*]}"
			{ apt-get update -qq &&
				DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
					--no-install-recommends "${missing[@]}"; } >"$cache/apt.log" 2>&1 ||
				fail "apt-get install ${missing[*]} failed: see $cache/apt.log"
		else
			fail "needed first, by root: apt-get install ${missing[*]}"
		fi
	fi
	if [ "$(id -u)" -ne 0 ]; then
		grep -qE "^($(id -un)|$(id -u)):" /etc/subuid 2>/dev/null ||
			fail "no subordinate user ids; once, by root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(id -un)"
		unshare -rm true 2>/dev/null ||
			fail "user namespaces are closed; once, by root: sysctl -w kernel.unprivileged_userns_clone=1 (Debian) or kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)"
	fi
	mirror=$(root_mirror)
	[ -n "$mirror" ] ||
		fail "apt names no Debian mirror here; set SOURCE_CITY_MIRROR to one"
}

# root_make LIST: make its root unless it is there; waits for another ./dev that is making it
root_make() {
	local list=$1 root
	root=$(root_path "$list")
	[ -d "$root" ] && return
	mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] ||
		fail "cannot write to $cache, where the root is kept: set HOME or XDG_CACHE_HOME"
	(
		flock -n 9 || { say "waiting for another ./dev that is making this root"; flock 9; }
		[ -d "$root" ] && exit 0
		(flock 8; root_needs) 8>"$cache/lock" || exit 1
		root_fetch "$list" "$root"
	) 9>"$root.lock" || exit 1
}

root_fetch() {
	local list=$1 root=$2 part=$2.part packages
	packages=$(grep -v '^#' "$here/dev.d/$list" | grep . | paste -sd,)
	root_remove "$part"
	mkdir -p "$part"
	say "making a root of Debian $suite in $root (once: 1 to 2.5 GB, some minutes)"
	# Of a cross compiler that brings its libraries for 40 processors, 350 MB, those of one are enough.
	local other=/usr/lib/gcc/riscv64-unknown-elf
	local options=(--variant=apt --include="$packages"
		--aptopt='Acquire::Check-Valid-Until "false"'
		--aptopt='Acquire::Languages "none"'
		--aptopt='Acquire::Retries "3"'
		--dpkgopt=force-unsafe-io
		--dpkgopt='path-exclude=/usr/share/man/*'
		--dpkgopt='path-exclude=/usr/share/locale/*'
		--dpkgopt='path-exclude=/usr/share/doc/*'
		--dpkgopt="path-exclude=$other/*/rv*"
		--dpkgopt="path-exclude=$other/*/space*"
		--dpkgopt="path-include=$other/*/rv64imafdc*"
		--skip=output/dev)
	[ -f "$here/dev.d/${list%.txt}.hook" ] &&
		options+=(--customize-hook="$here/dev.d/${list%.txt}.hook")
	local source="deb $(root_mirror) $suite main"
	if [ "$(id -u)" -eq 0 ]; then
		mmdebstrap --mode=root "${options[@]}" "$suite" "$part" "$source" >&2
	else
		# Through tar, so that every file is the user's own and can be removed by the user.
		set -o pipefail
		mmdebstrap --mode=unshare "${options[@]}" --format=tar "$suite" - "$source" |
			tar -C "$part" -x --exclude=./dev/*
	fi || fail "could not make the root; what is wrong stands above"
	rm -rf "${part:?}"/var/cache/apt/archives/*.deb "$part"/var/lib/apt/lists/*
	mv "$part" "$root"
}

root_remove() {
	[ -e "$1" ] || return 0
	chmod -R u+rwX "$1" 2>/dev/null || true
	rm -rf "${1:?}"
}

# root_enter ROOT CMD...: become CMD inside the root. Nothing stays between the caller and CMD, so
# signals, exit status and terminal are CMD's own.
root_enter() {
	local root=$1
	shift
	if [ "$(id -u)" -eq 0 ]; then
		exec unshare --mount -- /bin/sh "$here/dev.d/enter.sh" "$root" "$here" "" "$@"
	else
		exec unshare --map-root-user --mount -- /bin/sh "$here/dev.d/enter.sh" \
			"$root" "$here" "$(id -u):$(id -g)" "$@"
	fi
}

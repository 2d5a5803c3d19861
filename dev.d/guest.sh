# SPDX-License-Identifier: MIT
# Sourced by ./dev. What the RISC-V machine boots: a Linux kernel of the distribution and an initramfs
# with its busybox, fetched as packages of that architecture and kept in the user's cache.
#
# apt gets a state of its own for it, so nothing of the system's changes and any user may do it. Like
# a root, the folder is named by a hash of what makes it and appears only when it is finished.

guest_path() {
	local sum
	sum=$(cat "$here"/dev.d/guest.sh "$here"/dev.d/guest.py "$here"/dev.d/guest-{init,dhcp} - <<<"$suite" | sha256sum)
	echo "$cache/guest-${sum:0:12}"
}

# guest_use: for those who boot it, where it is there
guest_use() {
	local path
	path=$(guest_path)
	[ ! -d "$path" ] || export SOURCE_CITY_GUEST=$path
}

# guest_make: fetch it unless it is there. Fails with one line, which says what boots without it.
guest_make() {
	local path
	path=$(guest_path)
	[ -d "$path" ] && return
	mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || {
		say "cannot write to $cache, where Linux for the RISC-V machine is kept: set HOME or XDG_CACHE_HOME"
		return 1
	}
	(
		flock -n 9 || { say "waiting for another ./dev that is fetching Linux"; flock 9; }
		[ -d "$path" ] && exit 0
		rm -rf "$path.part"
		mkdir -p "$path.part"
		say "fetching Linux for the RISC-V machine into $path (once: about 130 MB)"
		if guest_fetch "$path.part" >"$path.log" 2>&1; then
			rm -rf "$path.part/fetch" "$path.log"
			mv "$path.part" "$path"
		else
			say "no Linux for the RISC-V machine: $(guest_reason "$path.log"); all of it is in $path.log"
			rm -rf "$path.part"
			exit 1
		fi
	) 9>"$cache/guest-lock"
}

guest_reason() {
	local line
	line=$(grep -E '^(E:|guest:|guest\.py:)' "$1" | head -n 1)
	echo "${line:-it cannot be fetched}"
}

# Called where `set -e` does nothing, hence each step's own end.
guest_fetch() (
	set -o pipefail
	part=$1 fetch=$1/fetch
	for tool in apt-get apt-cache dpkg-deb python3; do
		command -v "$tool" >/dev/null || { echo "guest: there is no $tool here to fetch it with"; exit 1; }
	done
	mirror=$(root_mirror)
	[ -n "$mirror" ] || { echo "guest: apt names no Debian mirror here; set SOURCE_CITY_MIRROR to one"; exit 1; }
	mkdir -p "$fetch/lists/partial" "$fetch/archives/partial" "$fetch/unpacked" || exit 1
	: >"$fetch/status"
	keys=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -e "$keys" ] && keys=" signed-by=$keys" || keys=
	echo "deb [arch=riscv64$keys] $mirror $suite main" >"$fetch/sources.list"
	cat >"$fetch/apt.conf" <<-END
	APT::Architecture "riscv64";
	APT::Architectures { "riscv64"; };
	APT::Sandbox::User "root";
	APT::Update::Error-Mode "any";
	Dir::State "$fetch";
	Dir::State::status "$fetch/status";
	Dir::Cache "$fetch";
	Dir::Etc::sourcelist "$fetch/sources.list";
	Dir::Etc::sourceparts "/dev/null";
	Dir::Etc::preferencesparts "/dev/null";
	Acquire::Check-Valid-Until "false";
	Acquire::Languages "none";
	Acquire::Retries "2";
	Acquire::http::Timeout "30";
	END
	export APT_CONFIG=$fetch/apt.conf
	apt-get -q update || exit 1
	# The package linux-image-* is empty: it only says which files belong together.
	kernel=$(apt-cache depends linux-image-riscv64 | sed -n 's/.*Depends: linux-image-//p' | head -n 1)
	[ -n "$kernel" ] || { echo "guest: no linux-image-riscv64 at the mirror"; exit 1; }
	cd "$fetch/archives" || exit 1
	apt-get -q download "linux-binary-$kernel" "linux-modules-$kernel" busybox-static || exit 1
	dpkg-deb -x linux-binary-*.deb "$fetch/unpacked" || exit 1
	dpkg-deb -x busybox-static_*.deb "$fetch/unpacked" || exit 1
	dpkg-deb --fsys-tarfile linux-modules-*.deb |
		tar -x -C "$fetch/unpacked" --wildcards '*/virtio_mmio.ko.xz' '*/virtio_blk.ko.xz' '*/virtio_net.ko.xz' \
			'*/net_failover.ko.xz' '*/failover.ko.xz' || exit 1
	python3 -B "$here/dev.d/guest.py" "$fetch/unpacked" "$here/dev.d/guest-init" "$here/dev.d/guest-dhcp" "$part"
)

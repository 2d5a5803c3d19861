# SPDX-License-Identifier: MIT
# Sourced by ./dev. The virtual machine: its root holds the system that boots and the emulator.

# vm_possible: why not, in $reason
vm_possible() {
	vm_root=$(root_path vm.txt)
	reason="no root for it here: it is made where apt and mmdebstrap are"
	[ -d "$vm_root" ]
}

# vm_inside CMD...: run CMD with the machine root's programs and the system's files
vm_inside() {
	local binds=() dir
	for dir in usr etc var; do binds+=(--ro-bind "$vm_root/$dir" "/$dir"); done
	for dir in bin sbin lib lib64; do binds+=(--symlink "usr/$dir" "/$dir"); done
	for dir in /*; do
		case $dir in
		/usr | /etc | /var | /bin | /sbin | /lib* | /boot | /dev | /proc | /lost+found) ;;
		*) [ -L "$dir" ] || binds+=(--bind "$dir" "$dir") ;;
		esac
	done
	bwrap "${binds[@]}" --dev-bind /dev /dev --proc /proc --die-with-parent \
		--setenv PATH /usr/sbin:/usr/bin -- "$@"
}

# vm_inside_machine CMD...: the same with files at the machine's own places
vm_inside_machine() {
	bwrap --ro-bind "$vm_root" / --tmpfs /tmp --tmpfs /run --tmpfs /mnt --tmpfs /home \
		--bind "$images/home" /home/city --ro-bind "$build/prefix" /mnt/prefix \
		--ro-bind "$here/tests/vm" /mnt/vm \
		--dev /dev --proc /proc --die-with-parent \
		--setenv PATH /usr/sbin:/usr/bin:/sbin:/bin --chdir / -- "$@"
}

# vm_images: the kernel and system disk, made once for each root
vm_images() {
	images=$cache/vm-${vm_root##*-}-$(cat "$here"/tests/vm/image.sh "$here"/tests/vm/initramfs-init | sha256sum | cut -c 1-8)
	(
		flock 9
		[ -f "$images/system.ext4" ] && exit
		say "making the machine's disk (once)"
		vm_inside "$here/tests/vm/image.sh" "$vm_root" "$images"
	) 9>"$cache/vm-lock" || fail "could not make the machine's disk"
}

# vm [--keep] [--with sway] [--png DIR]: ends with 77 where there can be no machine
# vm --prepare: only what takes long and is kept, for what is built already
city_vm() {
	vm_possible || { say "no virtual machine: $reason"; exit 77; }
	if [ "${1:-}" = --prepare ]; then
		vm_prepare
		return
	fi
	city_build
	vm_drive "$@"
}

# Compiling is what an emulated machine does worst: it gets the objects of the unchanged tiles.
vm_prepare() {
	vm_images
	mkdir -p "$images/home"
	vm_inside_machine /mnt/vm/warm.sh /home/city ||
		say "the machine's forge starts cold: see $images/home/warm.log"
}

vm_drive() {
	vm_prepare
	local scratch status
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/city-vm.XXXXXX")
	vm_inside "$here/tests/vm/image.sh" --city "$scratch/city.ext4" "$build/prefix" "$images/home/.cache" ||
		fail "could not make the disk of what was built"
	vm_inside python3 -B "$here/tests/vm/drive.py" "$images" "$scratch" "$@"
	status=$?
	rm -rf "$scratch"
	return $status
}

#!/bin/sh
# SPDX-License-Identifier: MIT
# image.sh ROOT IMAGES: kernel, initramfs and system disk of the machine, from a root.
# image.sh --city DISK PREFIX CACHE: the small disk with what was just built, what runs the machine, and
# the user's cache folder.
set -eu
here=$(dirname "$(readlink -f "$0")")

city_disk() {
	disk=$1 prefix=$2 cache=$3
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	mkdir "$work/vm" "$work/prefix"
	cp "$here/init" "$here/agent.py" "$work/vm/"
	chmod 755 "$work/vm/init"
	[ ! -d "$prefix" ] || cp -a "$prefix/." "$work/prefix/"
	[ ! -d "$cache" ] || cp -a "$cache" "$work/cache"
	cp "$prefix/../tests/effects/test-effects-dmabuf" "$work/vm/" 2>/dev/null || true
	size=$(($(du -sm "$work" | cut -f 1) * 5 / 4 + 16))
	rm -f "$disk"
	mke2fs -q -t ext4 -E root_owner=0:0 -O ^has_journal -d "$work" "$disk" "${size}M"
}

if [ "$1" = --city ]; then
	city_disk "$2" "$3" "$4"
	exit
fi

root=$1 images=$2
mkdir -p "$images"
kernel=$(basename "$root"/usr/lib/modules/*)
modules=$root/usr/lib/modules/$kernel
cp "$modules/vmlinuz" "$images/vmlinuz"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The initramfs: busybox and the machine's drivers, in the order they are to be loaded. udmabuf lets
# a program make dmabufs of plain memory.
mkdir -p "$work/bin" "$work/modules" "$work/root" "$work/proc" "$work/sys" "$work/dev"
cp "$root/usr/bin/busybox" "$work/bin/busybox"
cp "$here/initramfs-init" "$work/init"
chmod 755 "$work/init"
: >"$work/modules.list"
for wanted in virtio_blk ext4 virtio_console virtio-rng virtio_input evdev virtio-gpu udmabuf; do
	line=$(grep "/$wanted\.ko[^ ]*:" "$modules/modules.dep") || continue
	file=${line%%:*}
	dependencies=$(for part in ${line#*:}; do echo "$part"; done | tac)
	for part in $dependencies $file; do
		name=$(basename "$part" .xz)
		grep -qx "$name" "$work/modules.list" && continue
		case $part in
		*.xz) xz -dc "$modules/$part" >"$work/modules/$name" ;;
		*) cp "$modules/$part" "$work/modules/$name" ;;
		esac
		echo "$name" >>"$work/modules.list"
	done
done
(cd "$work" && find . | cpio -o -H newc --quiet -R 0:0) | gzip -1 >"$images/initrd"

# The system: the root without the emulator and the drivers of machines that this is not.
tar -C "$root" --owner=0 --group=0 --numeric-owner -c \
	--exclude='./usr/bin/qemu-*' --exclude='./usr/share/qemu' --exclude='./usr/share/seabios' \
	--exclude='./usr/lib/*/qemu' --exclude='./usr/lib/ipxe' --exclude='./var/cache/*' --exclude='./etc/*shadow*' \
	--exclude='./usr/lib/gcc/*/*/lto1' --exclude='./usr/lib/modules/*/kernel/sound' \
	--exclude='./usr/lib/modules/*/kernel/net' --exclude='./usr/lib/modules/*/kernel/drivers/net' \
	--exclude='./usr/lib/modules/*/kernel/drivers/media' \
	--exclude='./usr/lib/modules/*/kernel/drivers/scsi' \
	--exclude='./usr/lib/modules/*/kernel/drivers/infiniband' \
	--exclude='./usr/lib/modules/*/kernel/drivers/gpu/drm/[anxi]*' \
	. >"$work/system.tar"
size=$(($(stat -c %s "$work/system.tar") / 1048576 * 5 / 4 + 256))
rm -f "$images/system.part"
mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0 -d "$work/system.tar" "$images/system.part" "${size}M"
mv "$images/system.part" "$images/system.ext4"

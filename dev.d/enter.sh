#!/bin/sh
# SPDX-License-Identifier: MIT
# enter.sh ROOT FALLBACK-DIRECTORY UID:GID CMD...
# Runs in a fresh mount namespace. The new / has the distribution's directories from ROOT and
# everything else (home, /tmp, /run, /dev, wherever the sources lie) from the system, at its own
# path. With UID:GID (an ordinary user, who is root in this namespace), CMD gets these ids back.
set -e
PATH=$PATH:/usr/sbin:/sbin
root=$1 fallback=$2 ids=$3
shift 3
cwd=$(pwd)
new=$root/mnt

set_aside() {
	case $1 in
	/usr | /bin | /sbin | /lib | /lib[0-9]* | /libx32 | /etc | /var | /boot | /lost+found) return 0 ;;
	esac
	return 1
}

mount -t tmpfs -o mode=755 city "$new"
# Unbindable while it is filled, so that binding the home that holds it does not bind it again.
mount --make-unbindable "$new"
mkdir "$new/usr" "$new/etc" "$new/var"
for dir in usr etc var; do
	mount --bind "$root/$dir" "$new/$dir"
done
for link in bin sbin lib lib64 lib32; do
	[ -L "$root/$link" ] && cp -P "$root/$link" "$new/$link"
done
for dir in /*; do
	set_aside "$dir" && continue
	if [ -L "$dir" ]; then
		cp -P "$dir" "$new$dir"
	elif [ -d "$dir" ]; then
		mkdir "$new$dir"
		mount --rbind "$dir" "$new$dir"
	fi
done
for file in passwd group hosts resolv.conf; do
	[ -e "/etc/$file" ] || continue
	[ -e "$new/etc/$file" ] || continue
	mount --bind "$(readlink -f "/etc/$file")" "$new/etc/$file"
done
if [ ! -e /dev/pts/ptmx ]; then
	mkdir -p "$new/dev/pts"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$new/dev/pts"
	mount --bind "$new/dev/pts/ptmx" "$new/dev/ptmx"
fi

mount --make-private "$new"
cd "$new"
pivot_root . .
umount -l .
cd "$cwd" 2>/dev/null || cd "$fallback"

unset LD_LIBRARY_PATH LD_PRELOAD LIBRARY_PATH CPATH C_INCLUDE_PATH PKG_CONFIG_PATH \
	PYTHONHOME PYTHONPATH LANGUAGE LC_ALL LC_CTYPE LC_MESSAGES
export LANG=C.UTF-8 SOURCE_CITY_ROOT="$root"
[ -x "${SHELL:-}" ] || export SHELL=/bin/bash
if [ -n "$ids" ]; then
	exec unshare --user --map-user="${ids%:*}" --map-group="${ids#*:}" -- "$@"
fi
exec "$@"

# SPDX-License-Identifier: MIT
# Sourced by ./dev.

# riscv [OPTION...]: to a shell
city_riscv() {
	[ -n "${SOURCE_CITY_GUEST:-}" ] || fail "no Linux for the RISC-V machine; ./dev riscv, outside of a shell of ./dev, fetches it"
	city_build
	exec riscv-run --kernel "$SOURCE_CITY_GUEST/Image" --initrd "$SOURCE_CITY_GUEST/initramfs" --memory 256M "$@"
}

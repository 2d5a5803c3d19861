# SPDX-License-Identifier: MIT
# bash completion for riscv-run

_riscv_run() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	case $prev in
	--implementation)
		mapfile -t COMPREPLY < <(compgen -W 'plain fast fast-nojit' -- "$cur")
		return
		;;
	--harts)
		mapfile -t COMPREPLY < <(compgen -W '1 2 3 4' -- "$cur")
		return
		;;
	--append | --await | --forward | --memory | --swap-every | --max-instructions)
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W '--flat --firmware --kernel --initrd --append --disk --network --forward --memory --harts
			--console --await --implementation --swap-every --max-instructions --deterministic --hash
			--trace --help --version' -- "$cur")
		return
	fi
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

complete -F _riscv_run riscv-run

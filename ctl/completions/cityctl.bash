# SPDX-License-Identifier: MIT
# bash completion for cityctl

_cityctl() {
	local cur prev words cword command='' i
	if declare -F _get_comp_words_by_ref >/dev/null; then
		_get_comp_words_by_ref -n : cur prev words cword
	else
		cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
		words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
	fi
	local socket=() places=0
	for ((i = 1; i < cword; i++)); do
		case ${words[i]} in
		--socket)
			socket=(--socket "${words[++i]}")
			;;
		--source | --artifact | --strategy | --at | --name | --last | --save | --file | --diff | --interval | --record | --frames | --size | --region | --tile) ((i++)) ;;
		-*) ;;
		*)
			if [[ -z $command ]]; then
				command=${words[i]}
			else
				((places++))
			fi
			;;
		esac
	done

	case $prev in
	--source | --frames)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	--diff)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -W previous -- "$cur"; compgen -f -- "$cur")
		return
		;;
	--artifact | --save | --file | --record)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--strategy)
		mapfile -t COMPREPLY < <(
			compgen -W 'auto instant crossfade freeze-and-fade reset melt' -- "$cur")
		return
		;;
	--state)
		mapfile -t COMPREPLY < <(compgen -W 'inherit reset merge' -- "$cur")
		return
		;;
	--at)
		mapfile -t COMPREPLY < <(compgen -W '! @beat @bar @phrase @loop @marker' -- "$cur")
		return
		;;
	--socket)
		mapfile -t COMPREPLY < <(cd "${XDG_RUNTIME_DIR:-/nonexistent}" 2>/dev/null &&
			compgen -f -X '*.lock' -- "${cur:-wayland-}")
		return
		;;
	--tile)
		mapfile -t COMPREPLY < <(
			compgen -W "$(cityctl "${socket[@]}" tiles --names 2>/dev/null)" -- "$cur")
		return
		;;
	--name | --last | --interval | --size | --region) return ;;
	esac

	local options='--json --socket --help'
	case $command in
	'') options+=' --version' ;;
	tiles) options+=' --names' ;;
	open) options+=' --name --option' ;;
	swap) options+=' --source --artifact --strategy --at --settled --force --state --lossy' ;;
	rollback) options+=' --at --force --state --lossy --list' ;;
	move | replace | fork | undo | redo) options+=' --dry-run' ;;
	watch) options+=' --source' ;;
	test) options+=' --source --artifact --replay --amnesia --record --frames' ;;
	vat) options+=' --all --save --file --diff --watch --interval' ;;
	history) options+=' --last' ;;
	keeper) options+=' --replace' ;;
	bookmark) options+=' --names' ;;
	console) options+=' --serve' ;;
	picture) options+=' --size --region --tile' ;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
	fi

	case $command in
	'')
		mapfile -t COMPREPLY < <(compgen -W 'tiles open close swap watch rollback move replace fork undo
			redo record test vat checkpoint console history events go bookmark camera picture run keeper map transport audio state quit version' \
			-- "$cur")
		;;
	close | swap | watch | rollback | move | replace | fork | record | test | vat | checkpoint | console | history)
		if [[ $command == record ]] && ((places == 1)); then
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
		fi
		((places == 0)) || [[ $command == swap ]] || return
		mapfile -t COMPREPLY < <(
			compgen -W "$(cityctl "${socket[@]}" tiles --names 2>/dev/null)" -- "$cur")
		;;
	open)
		if [[ $cur == */* || $cur == .* || $cur == ~* ]]; then
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -W 'terminal clock synth riscv riscv-fast' -- "$cur")
		fi
		;;
	go)
		((places == 0)) || return
		mapfile -t COMPREPLY < <(compgen -W "all city back $(
			cityctl "${socket[@]}" tiles --names 2>/dev/null
			cityctl "${socket[@]}" bookmark --names 2>/dev/null)" -- "$cur")
		;;
	bookmark)
		if ((places == 0)); then
			mapfile -t COMPREPLY < <(compgen -W 'list set go remove' -- "$cur")
		elif ((places == 1)); then
			mapfile -t COMPREPLY < <(compgen -W "$(
				cityctl "${socket[@]}" bookmark --names 2>/dev/null)" -- "$cur")
		fi
		;;
	picture | keeper)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	transport | audio)
		((places == 0)) || return
		local -A what=([transport]='play stop tempo meter phrase locate mark unmark'
			[audio]='volume mute default link unlink move')
		mapfile -t COMPREPLY < <(compgen -W "${what[$command]}" -- "$cur")
		;;
	run)
		((places == 0)) || return
		mapfile -t COMPREPLY < <(compgen -W 'exec above arrange close focus fullscreen maximize minimize zoom
			pan camera go bookmark minimap move resize reload restart snap quit launch undo redo
			quarter refactor' -- "$cur")
		;;
	esac
}
complete -F _cityctl cityctl

# SPDX-License-Identifier: MIT
# fish completion for cityctl

function __cityctl_tiles
    cityctl tiles --names 2>/dev/null
end

set -l commands tiles open close swap watch rollback move replace fork undo redo record test vat checkpoint console history events go bookmark camera picture run keeper map transport audio state quit version
set -l with_tile close swap watch rollback move replace fork record test vat checkpoint console history

complete -c cityctl -f
complete -c cityctl -l json -d 'Print JSON, one object a line'
complete -c cityctl -l socket -x -d 'Socket of the city'
complete -c cityctl -l help -s h -d 'Show help'
complete -c cityctl -l version -n "not __fish_seen_subcommand_from $commands" -d 'Show the version'

complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a tiles -d 'List the tiles'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a open -d 'Open a tile'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a close -d 'End a tile and drop its state'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a swap -d 'Hand over to a new version'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a watch -d 'Build and hand over at each save'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a rollback -d 'Back to the version before'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a move -d 'Move its source to another district'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a replace -d 'Run what another tile runs'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a fork -d 'A copy of a tile'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a undo -d 'Take the last refactor back'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a redo -d 'Do again what was undone'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a record -d 'Save what went into a tile'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a test -d 'Replay what went into a tile'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a vat -d 'Print the state of a tile'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a map -d 'What stands in the city: places, lines, costs, marks'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a checkpoint -d 'Save the state of tiles now'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a console -d "The console of a tile's machine"
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a history -d 'Past handovers'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a events -d 'Everything that happens'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a go -d 'To a tile, a district, a bookmark, all or back'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a bookmark -d 'Places with a name'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a camera -d 'What the screens show'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a picture -d 'Draw the city into a file'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a transport -d 'Where the music is'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a audio -d 'Everything that sounds'
complete -c cityctl -n '__fish_seen_subcommand_from transport' -a 'play stop tempo meter phrase locate mark unmark'
complete -c cityctl -n '__fish_seen_subcommand_from audio' -a 'volume mute default link unlink move'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a run -d 'A command of the desktop'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a state -d 'Camera, outputs, views and costs'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a quit -d 'End the city'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a version -d 'The version of cityctl'

complete -c cityctl -n "__fish_seen_subcommand_from $with_tile" -a '(__cityctl_tiles)'
complete -c cityctl -n '__fish_seen_subcommand_from go' -a 'all city back (__cityctl_tiles) (cityctl bookmark --names 2>/dev/null)'
complete -c cityctl -n '__fish_seen_subcommand_from bookmark' -a 'list set go remove (cityctl bookmark --names 2>/dev/null)'
complete -c cityctl -n '__fish_seen_subcommand_from bookmark' -l names -d 'Only the names'
complete -c cityctl -n '__fish_seen_subcommand_from picture' -F
complete -c cityctl -n '__fish_seen_subcommand_from picture' -l size -x -d 'In pixels'
complete -c cityctl -n '__fish_seen_subcommand_from picture' -l region -x -d 'Part of the city'
complete -c cityctl -n '__fish_seen_subcommand_from picture' -l tile -x -a '(__cityctl_tiles)' -d 'Only this tile'
complete -c cityctl -n '__fish_seen_subcommand_from tiles' -l names -d 'Only the names'
complete -c cityctl -n '__fish_seen_subcommand_from open' -l name -x -d 'Name of the new tile'
complete -c cityctl -n '__fish_seen_subcommand_from open' -l option -x -d 'KEY=VALUE, told to the tile'
complete -c cityctl -n '__fish_seen_subcommand_from open' -a '(__fish_complete_directories) terminal clock synth riscv riscv-fast'
complete -c cityctl -n '__fish_seen_subcommand_from console' -l serve -d 'What a tile runs on a PTY of its own'
complete -c cityctl -n '__fish_seen_subcommand_from swap watch test' -l source -x -a '(__fish_complete_directories)' -d 'Folder of sources'
complete -c cityctl -n '__fish_seen_subcommand_from swap test' -l artifact -r -F -d 'A built tile'
complete -c cityctl -n '__fish_seen_subcommand_from swap' -l strategy -x -a 'auto instant crossfade freeze-and-fade reset melt' -d 'How it looks'
complete -c cityctl -n '__fish_seen_subcommand_from swap rollback' -l at -x -a '! @beat @bar @phrase @loop @marker' -d 'When'
complete -c cityctl -n '__fish_seen_subcommand_from swap' -l settled -d 'Wait for the end of probation too'
complete -c cityctl -n '__fish_seen_subcommand_from swap rollback' -l force -d 'Take no refusal'
complete -c cityctl -n '__fish_seen_subcommand_from swap rollback' -l state -x -a 'inherit reset merge' -d 'What becomes of the state'
complete -c cityctl -n '__fish_seen_subcommand_from swap rollback' -l lossy -d 'Values may be lost'
complete -c cityctl -n '__fish_seen_subcommand_from move replace fork undo redo' -l dry-run -d 'Only say what would be done'
complete -c cityctl -n '__fish_seen_subcommand_from rollback' -l list -d 'Only list the versions'
complete -c cityctl -n '__fish_seen_subcommand_from record' -F
complete -c cityctl -n '__fish_seen_subcommand_from test' -l replay -d 'Run it on the last input'
complete -c cityctl -n '__fish_seen_subcommand_from test' -l amnesia -d 'See that handovers lose nothing'
complete -c cityctl -n '__fish_seen_subcommand_from test' -l record -r -F -d 'A saved recording'
complete -c cityctl -n '__fish_seen_subcommand_from test' -l frames -x -a '(__fish_complete_directories)' -d 'For the first picture that differs'
complete -c cityctl -n '__fish_seen_subcommand_from vat' -l all -d 'Every element'
complete -c cityctl -n '__fish_seen_subcommand_from vat' -l save -r -F -d 'Write a copy to a file'
complete -c cityctl -n '__fish_seen_subcommand_from vat' -l file -r -F -d 'A copy instead of a tile'
complete -c cityctl -n '__fish_seen_subcommand_from vat' -l diff -r -F -a previous -d 'What differs'
complete -c cityctl -n '__fish_seen_subcommand_from vat' -l watch -d 'What changes, as it does'
complete -c cityctl -n '__fish_seen_subcommand_from vat' -l interval -x -d 'Milliseconds between two looks'
complete -c cityctl -n '__fish_seen_subcommand_from history' -l last -x -d 'Only the last'
complete -c cityctl -n "not __fish_seen_subcommand_from $commands" -a keeper -d 'Let another keeper take over'
complete -c cityctl -n '__fish_seen_subcommand_from keeper' -l replace -d 'Do it'
complete -c cityctl -n '__fish_seen_subcommand_from keeper' -F
complete -c cityctl -n '__fish_seen_subcommand_from run' -a 'exec above arrange close focus fullscreen maximize minimize zoom pan camera go bookmark minimap move resize reload restart snap quit launch undo redo quarter refactor'

# fish completion for brio(1)
complete -c brio -f
complete -c brio -n __fish_use_subcommand -s h -l help -d 'Print a summary'
complete -c brio -n __fish_use_subcommand -s V -l version -d 'Print the version'
complete -c brio -n __fish_use_subcommand -a get -d 'Download files, many at once'

set -l get '__fish_seen_subcommand_from get'
complete -c brio -n $get -s i -l input-file -r -F -d 'Read URLs from a file'
complete -c brio -n $get -s o -l output-dir -x -a '(__fish_complete_directories)' -d 'Folder for the files'
complete -c brio -n $get -s j -l jobs -x -d 'Downloads at once'
complete -c brio -n $get -l timeout -x -d 'Longest wait in seconds'
complete -c brio -n $get -l retries -x -d 'Further tries after a failure'
complete -c brio -n $get -l sequential -d 'One after the other'
complete -c brio -n $get -l sha256 -r -F -d 'Verify against a file of checksums'
complete -c brio -n $get -s q -l quiet -d 'Say nothing but failures'
complete -c brio -n $get -l json -d 'A line of JSON per file'
complete -c brio -n $get -s h -l help -d 'Print a summary'

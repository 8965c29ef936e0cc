# fish completion of linger: linger completion fish | source
function __linger_complete
  set -l typed (commandline -ct)
  set -l said (linger complete -- (commandline -opc)[2..-1] $typed 2>/dev/null)
  set -l how $said[1]
  printf '%s\n' $said[2..-1]
  string match -q '*files*' -- $how; and __fish_complete_path (string replace -r '^--[^=]*=' '' -- $typed)
  string match -q '*commands*' -- $how; and __fish_complete_command
  true
end
complete -c linger -f -a '(__linger_complete)'

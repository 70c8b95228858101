# stalled: what readers that read no more cost a server in memory.
title="1,000 of 10,000 SSE subscribers read no more while events of 1,000 bytes are published"
unit="MiB of user memory that stalled subscribers add, at most"
effort="100 events without them and 420 with them"
subjects=(weir nchan)
programs=(stall)
extras=("p99/p99 without, in %" "p99 without, µs" "p99, µs")
aim=5

serve() {
  case $1 in
  weir) serve_weir "$here/hub.lua" --access-log "$scratch/access.log" ;;
  nchan) serve_nchan ;;
  esac
}

measure() {
  local memory ratio without with
  need_descriptors
  read -r memory ratio without with < <(
    client stall "$port" "$pid" 9000 1000 "$(together_or_apart "$1")" stay
  ) || return 1
  awk -v memory="$memory" -v ratio="$ratio" -v without="$without" -v with="$with" 'BEGIN {
    print memory, 100 * ratio, without, with
  }'
}

# stalled-p99: the row stalled, as those see it who go on reading, for each policy of the stalled.
title="1,000 of 10,000 SSE subscribers read no more: what the others see"
unit="99th percentile of latency, publish to receipt, over that before the stalled came"
effort="100 events without them and 420 with them"
subjects=(weir disconnect drop_oldest drop_newest conflate block)
programs=(stall)
extras=("p99 without, µs" "p99, µs")
judged=("${subjects[@]}")
aim=1.25

serve() {
  local -x OVERFLOW=$1
  [ "$1" = weir ] && unset OVERFLOW
  serve_weir "$here/hub.lua" --access-log "$scratch/access.log"
}

measure() {
  local _ ratio without with deaf=stay
  need_descriptors
  [[ $1 == disconnect || $1 == block ]] && deaf=go
  read -r _ ratio without with < <(client stall "$port" "$pid" 9000 1000 together "$deaf") || return 1
  echo "$ratio $without $with"
}

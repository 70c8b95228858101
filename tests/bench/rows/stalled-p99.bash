# stalled-p99: the row stalled, as those see it who go on reading.
. "$here/rows/stalled.bash"
unit="99th percentile of latency, publish to receipt, over that before the stalled came"
extras=("p99 without, µs" "p99, µs")
aim=1.25

measure() {
  local _ ratio without with
  need_descriptors
  read -r _ ratio without with < <(
    client stall "$port" "$pid" 9000 1000 "$(together_or_apart "$1")"
  ) || return 1
  echo "$ratio $without $with"
}

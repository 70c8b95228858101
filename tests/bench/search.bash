# search: what the rows search-KIND share: lines that are found in a log of 1 GiB, which is in memory, by Weir from its
# end and by grep from its start. `few` lines have one text, 64 of nine million, so that all of the file is read, and one
# in a hundred has another, of which the last 1,000 are asked for. A row sets how grep is asked, and for what.
title="lines of a log of 1 GiB that have $kind: 64 of nine million; and the last 1,000 of one in a hundred"
unit="ms of CPU (user and system) of a search"
effort="1 GiB"
subjects=(grep weir weir-last)
programs=()
extras=("ms on the wall")
base=grep
aim=2
judged=(weir weir-last)

log=$tools/data/search.log

# Beside the programs, as in the row upload. The 64 pieces are alike, but for the line behind each.
make_log() {
  local piece
  mkdir -p "$tools/data"
  awk 'BEGIN {
    srand(1)
    while (bytes < 16777216) {
      line = sprintf("2026-01-31T12:%02d:%02d.%03dZ %s 10.0.%d.%d \"GET /api/items/%d HTTP/1.1\" %d %d %dms\n",
        n / 60 % 60, n % 60, n % 1000, n % 50 ? "info" : "warn", rand() * 256, rand() * 256, rand() * 5000,
        n % 100 ? 200 : 503, rand() * 99999, rand() * 3000)
      printf "%s", line
      bytes += length(line); n++
    }
  }' >"$scratch/piece"
  for ((piece = 0; piece < 64; piece++)); do
    cat "$scratch/piece"
    echo "2026-01-31T13:00:00.000Z error 10.0.0.1 upstream timed out after $((piece + 30)) s"
  done >"$log"
}

serve() {
  [ -s "$log" ] && cat "$log" >/dev/null || make_log || return 1
  case $1 in
  grep) launched="LC_ALL=C grep ${grep[*]} '$few' LOG" ;;
  weir) launched="SEARCH_FOR='$few' SEARCH_KIND=$key ... weir check $here/search.lua" ;;
  weir-last) launched="SEARCH_FOR='$many' SEARCH_KIND=$key ... weir check $here/search.lua" ;;
  esac
}

# Seconds of real, user and system time become the figure and the extra.
grep_once() {
  local TIMEFORMAT='%R %U %S'
  { time LC_ALL=C taskset -c "$server_cpu" grep "${grep[@]}" "$few" "$log" >"$scratch/found"; } 2>&1 |
    awk '{ print ($2 + $3) * 1000, $1 * 1000 }'
  [ "$(wc -l <"$scratch/found")" = 64 ]
}

weir_once() {
  SEARCH_FOR=$1 SEARCH_WANT=$2 SEARCH_KIND=$key SEARCH_LOG=$log \
    taskset -c "$server_cpu" "$weir" check "$here/search.lua" 2>"$scratch/stderr" | sed -n 1p
}

measure() {
  case $1 in
  grep) grep_once ;;
  weir) weir_once "$few" 64 ;;
  weir-last) weir_once "$many" 1000 ;;
  esac
}

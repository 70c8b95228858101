# logs: what the rows logs-VIEWERS share: a log to which lines are appended at a rate while viewers follow it, by
# apps/logtail as it is. A row sets how many viewers, lines a second and lines in all.
title="a log, $rate lines of 100 bytes a second, followed by $viewers viewers over SSE"
unit="ns of server CPU (user and system) per line and viewer"
effort="$lines lines"
subjects=(least weir)
programs=(least_logs lines)
extras=("lines/s" "bytes read, %" MiB)
base=least

log=$scratch/followed.log

serve() {
  : >"$log" || return
  case $1 in
  least) serve_least least_logs "$log" ;;
  weir)
    WEIR_LOG=$log serve_weir apps/logtail --access-log "$scratch/access.log" || return
    launched="WEIR_LOG=SCRATCH/followed.log $launched"
    ;;
  esac
}

# However many viewers there are, the log is read once.
measure() {
  client lines "$port" "$pid" "/lines?lines=1" "$log" "$viewers" "$rate" "$lines" >"$scratch/result" || return
  cat "$scratch/result"
  awk '$3 > 110 { print "more was read than once: " $3 " % of what was appended" >"/dev/stderr"; exit 1 }' \
    "$scratch/result"
}

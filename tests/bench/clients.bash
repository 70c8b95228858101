# clients: asking the server that runs, and reading what it takes. Sourced by run.

# client PROGRAM ARG...: runs a C program of the bench on the clients' CPU.
client() {
  local program=$1
  shift
  taskset -c "$client_cpu" "$tools/$program" "$@"
}

# user_memory: bytes of anonymous memory of $pid, each shared page divided by those who share it.
user_memory() {
  awk '/^Pss_Anon:/ { print $2 * 1024 }' "/proc/$pid/smaps_rollup"
}

# user_and_system: nanoseconds of CPU that the threads of $pid have used. (schedstat counts what utime
# and stime of /proc/PID/stat count, which know only ticks of 10 ms.)
user_and_system() {
  cat /proc/"$pid"/task/*/schedstat | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# ask PATH: prints the body that the server answers with, on a connection of its own; fails if it is
# not a 200.
ask() {
  local answer tcp
  exec {tcp}<>"/dev/tcp/127.0.0.1/$port" || return
  printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$1" "$port" >&"$tcp"
  answer=$(timeout 60 cat <&"$tcp")
  exec {tcp}>&-
  [[ $answer == "HTTP/1.1 200 "* ]] && printf '%s\n' "${answer#*$'\r\n\r\n'}"
}

# memory_per_stream PATH FIRST FEW MANY: opens FEW and then MANY SSE streams of PATH, whose first event
# has the data FIRST (or that begin with none), and prints how many KiB of the server's memory each
# of those between took. GET /collect must make the server collect its garbage.
memory_per_stream() {
  local path=$1 first=$2 count bytes=() said more
  shift 2
  coproc HOLD { client hold "$port" "$path" "$first" "$1" "$2"; }
  exec {said}<&"${HOLD[0]}" {more}>&"${HOLD[1]}"
  for count; do
    [ "$count" = "$1" ] || echo more >&"$more"
    read -r -t 60 _ <&"$said" && ask /collect >/dev/null || return 1
    bytes+=("$(user_memory)")
  done
  eval "exec ${HOLD[1]}>&-"
  exec {more}>&-
  wait "$HOLD_PID" || return 1 # it fails if a stream has ended before
  awk -v few="${bytes[0]}" -v many="${bytes[1]}" -v streams=$(($2 - $1)) 'BEGIN {
    printf "%.3f\n", (many - few) / streams / 1024
  }'
}

# together_or_apart SUBJECT: how the client publishes several events to it.
together_or_apart() {
  case $1 in
  nchan) echo apart ;;
  *) echo together ;;
  esac
}

# need_descriptors: ends the bench where 10,000 streams do not fit. Weir takes connections up to 80 %
# of its descriptors.
need_descriptors() {
  [ "$(ulimit -n)" -ge 12800 ] || die "12,800 descriptors are needed, more than the hard limit"
}

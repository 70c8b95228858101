# hello-wrk: the row hello under wrk. wrk is slower than the fastest servers, which therefore sleep
# and wake between requests; what they pay for that brings the ratios closer to 1.
. "$here/rows/hello.bash"
title="hello world from Lua, keep-alive, 64 connections, driven by wrk"
effort="2 seconds"
programs=(least_hello)

# run_wrk SECONDS: prints how many requests it made; fails if any of them did.
run_wrk() {
  taskset -c "$client_cpu" wrk -t1 -c64 "-d${1}s" "http://127.0.0.1:$port/" | awk '
    / requests in / { requests = $1 }
    /Socket errors|Non-2xx/ { print "bench: wrk: " $0 >"/dev/stderr"; requests = 0 }
    END { print requests; exit !requests }'
}

measure() {
  local before requests after
  command -v wrk >/dev/null || die "wrk is not installed: apt-get install wrk"
  run_wrk 1 >/dev/null || return 1
  before=$(user_and_system)
  requests=$(run_wrk 2) || return 1
  after=$(user_and_system)
  awk -v used=$((after - before)) -v requests="$requests" 'BEGIN {
    printf "%.4f %.0f %.0f\n", used / 1e3 / requests, requests / 2, used / 2e7
  }'
}

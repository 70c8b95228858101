# slow: ordinary requests beside clients that are slow on purpose, by Debian's slowhttptest.
slow_connections=1000
title="hello world 1,000 times a second on 8 connections, beside $slow_connections that send heads, send bodies, or read slowly"
unit="µs, 99th percentile of the latency of ordinary requests; one that fails ends the bench"
effort="5 seconds"
subjects=(alone headers body read)
programs=(paced)
extras=(requests/s "slow connections")
base=alone
aim=1.25
judged=(headers body read)

serve() {
  serve_weir "$here/slow.lua" --access-log "$scratch/access.log"
}

# attack MODE: opens the slow connections, 200 a second, and waits until they are there: more at once
# would be a flood, whose cost is that of so many requests. It has what is left of the clients' CPU, so that it is the server and not the others that it could hold up.
attack() {
  local options=(-c "$slow_connections" -r 200 -l 60 -i 1 -p 10)
  case $1 in
  headers) options+=(-H -u "http://127.0.0.1:$port/") ;;
  body) options+=(-B -s 100000 -u "http://127.0.0.1:$port/form") ;;
  read) options+=(-X -n 1 -z 32 -w 256 -y 512 -u "http://127.0.0.1:$port/large") ;;
  esac
  taskset -c "$client_cpu" chrt --idle 0 slowhttptest "${options[@]}" >"$scratch/attack" 2>&1 &
  attacker=$!
  for _ in {1..200}; do
    [ "$(ask /connections)" -gt $((slow_connections * 9 / 10)) ] && return
    read -r -t 0.1 <> <(:)
  done
  echo "bench: slowhttptest does not get its connections" >&2
  return 1
}

measure() {
  local attacker='' left=0 result
  command -v slowhttptest >/dev/null || die "slowhttptest is not installed: apt-get install slowhttptest"
  need_descriptors
  client paced "$port" 8 1000 1 >/dev/null || return 1
  if [ "$1" != alone ]; then
    attack "$1" || return 1
  fi
  result=$(client paced "$port" 8 1000 5) || return 1
  if [ "$1" != alone ]; then
    left=$(($(ask /connections) - 1))
    kill "$attacker" && wait "$attacker"
    [ "$left" -gt $((slow_connections / 2)) ] || return 1
  fi
  echo "$result $left"
}

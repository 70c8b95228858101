# workers: what it costs that subscribers are spread over two workers.
title="an event of 100 bytes to 10,000 SSE subscribers of a topic, by two workers instead of one"
unit="µs of server CPU (user and system, all threads) per delivery"
effort="100 events"
subjects=(weir-1 weir)
programs=(fan)
extras=(deliveries/s "% of CPU")
base=weir-1
aim=1.10

# The workers must be able to run at the same time, so here the server has all CPUs.
serve() {
  local server_cpu=$all_cpus workers=2
  [ "$1" = weir ] || workers=1
  serve_weir "$here/hub.lua" --access-log "$scratch/access.log"
}

measure() {
  need_descriptors
  client fan "$port" "$pid" 10000 1 100 1 together
}

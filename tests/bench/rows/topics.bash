# topics: what a publish costs where there are ten thousand topics.
title="an event to the one SSE subscriber of a topic, of 10,000 such topics in turn"
unit="µs of server CPU (user and system) per publish"
effort="20,000 publishes"
subjects=(one weir)
programs=(fan)
extras=(publishes/s "% of CPU")
base=one
aim=1.50

serve() {
  serve_weir "$here/hub.lua" --access-log "$scratch/access.log"
}

measure() {
  local topics=10000
  need_descriptors
  [ "$1" = weir ] || topics=1
  client fan "$port" "$pid" "$topics" "$topics" 20000 1 together
}

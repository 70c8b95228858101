# fanout-1000: what it costs to bring an event to one of a thousand subscribers.
readers=1000 publishes=1000
title="an event of 100 bytes to 1,000 SSE subscribers of a topic, the next when all have it"
unit="µs of server CPU (user and system) per delivery"
effort="1,000 events"
subjects=(least weir weir-nolog nchan)
programs=(least_hub fan)
extras=(deliveries/s "% of CPU")
base=least
aim=1.15

serve() {
  case $1 in
  least) serve_least least_hub ;;
  weir) serve_weir "$here/hub.lua" --access-log "$scratch/access.log" ;;
  weir-nolog) serve_weir "$here/hub.lua" ;;
  nchan) serve_nchan ;;
  esac
}

measure() {
  need_descriptors
  client fan "$port" "$pid" "$readers" 1 "$publishes" 1 "$(together_or_apart "$1")"
}

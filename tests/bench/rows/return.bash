# return: what it costs to bring an event to a client that was away.
title="1,000 clients that return at once, each with a Last-Event-ID 1,000 events ago"
unit="µs of server CPU (user and system) per delivery"
effort="3,000,000 deliveries"
subjects=(least weir nchan)
programs=(least_hub return)
extras=(deliveries/s "% of CPU")
base=least

serve() {
  case $1 in
  least) serve_least least_hub ;;
  weir) serve_weir "$here/hub.lua" --access-log "$scratch/access.log" ;;
  nchan) serve_nchan ;;
  esac
}

measure() {
  client return "$port" "$pid" 1000 1000 "$(together_or_apart "$1")"
}

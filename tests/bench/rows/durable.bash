# durable: how fast publishes come to the disk when many wait for it together. The aim is for the hub
# by itself; with a request for each event what a request costs stands in the way of a fast disk.
group=64 events=20000
title="events of 100 bytes to a durable topic, $group publishers that each wait for the commit"
unit="µs on the wall per event"
effort="20,000 events"
subjects=(sqlite weir weir-http)
programs=(least_durable load)
libraries=(-lsqlite3)
extras=(events/s)
base=sqlite
aim=2.0 # half as many at least

# The data is beside the programs: that is more likely a disk than the scratch folder is. Weir's
# thread that writes must be able to run beside the one that asks, so it has all CPUs.
serve() {
  local server_cpu=$all_cpus
  rm -rf "$tools/data"
  mkdir -p "$tools/data"
  case $1 in
  sqlite) launched="${tools#"$PWD/"}/least_durable, in groups of $group" ;;
  *) serve_weir "$here/durable.lua" --data "$tools/data" --access-log "$scratch/access.log" ;;
  esac
}

# publish_by SUBJECT: prints microseconds per event.
publish_by() {
  local rate _
  case $1 in
  sqlite) taskset -c "$server_cpu" "$tools/least_durable" "$tools/data/least.db" $events $group ;;
  weir) ask "/run?events=$events&publishers=$group" ;;
  weir-http)
    read -r _ rate _ < <(client load "$port" "$pid" $group $events $'committed\n' /publish \
      "$(printf '%0100d' 0)") && awk -v rate="$rate" 'BEGIN { print 1e6 / rate }'
    ;;
  esac
}

measure() {
  publish_by "$1" | awk '{ print $1, 1e6 / $1 } END { exit !NR }'
}

# scrape: what it costs a server under load that its admin port is asked each second.
scrape_readers=10000 scrape_blocks=${SCRAPE_BLOCKS:-5}
title="events of 100 bytes to $scrape_readers SSE subscribers of 10 topics, in one second the admin port is asked, in another not"
unit="server CPU per delivery in seconds with a scrape, over that in those without; ‰, µs"
effort="$((4 * scrape_blocks)) seconds"
subjects=(nothing metrics all)
programs=(scrape)
libraries=(-lm -pthread)
extras=("95 % from" "to" "deliveries/s" "CPU when quiet" "answer in" "slowest" "% of CPU")
aim=1.01
judged=(metrics all)

serve() {
  serve_weir "$here/hub.lua" --access-log "$scratch/access.log" --admin 127.0.0.1:0
}

# An answer must tell of all the streams, of which a publish may be another one.
measure() {
  local admin asked=()
  need_descriptors
  admin=$(sed -n 's|.*admin: listening on http://127.0.0.1:||p' "$scratch/stderr")
  [ "$1" = nothing ] ||
    asked=(/metrics "weir_route_streams{route=\"/events\",kind=\"sse\"} $scrape_readers")
  [ "$1" != all ] ||
    asked+=(/healthz "every worker replies" "/streams?limit=100" "{\"count\": ${scrape_readers%00}")
  client scrape "$port" "$pid" "$admin" "$scrape_readers" 10 "$scrape_blocks" "${asked[@]}"
}

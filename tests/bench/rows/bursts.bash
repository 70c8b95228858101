# bursts: what a delivery costs when sixteen events come at once and can leave with one write.
. "$here/rows/fanout-1000.bash"
title="bursts of 16 events to 10,000 SSE subscribers of a topic, the next when all have it"
effort="50 bursts"
subjects=(least weir nchan)
aim=1.25

measure() {
  need_descriptors
  client fan "$port" "$pid" 10000 1 50 16 "$(together_or_apart "$1")"
}

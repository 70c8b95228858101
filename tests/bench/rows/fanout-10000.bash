# fanout-10000: the row fanout-1000 with a crowd that no cache holds.
. "$here/rows/fanout-1000.bash"
readers=10000 publishes=100
title="an event of 100 bytes to 10,000 SSE subscribers of a topic, the next when all have it"
effort="100 events"

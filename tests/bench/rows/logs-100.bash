# logs-100: what it costs to bring a line of a log to one of a hundred viewers.
viewers=100 rate=20000 lines=100000
. "$here/logs.bash"
aim=2

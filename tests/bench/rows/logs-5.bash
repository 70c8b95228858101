# logs-5: the same for few viewers of a log that grows ten times as fast: most of it is what each line costs once.
viewers=5 rate=200000 lines=1000000
. "$here/logs.bash"
aim=2

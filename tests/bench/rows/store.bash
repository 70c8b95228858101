# store: what an event costs that is on the disk before its publisher is told, 64 publishers.
title="durable events of 200 bytes, 64 outstanding"
unit="µs of time, the disk's too, per event"
effort="100,000 events"
subjects=(least weir weir-keep)
programs=(least_store store_load)
libraries=(-Icore "${BUILD:-build}/libweir.a" -lsqlite3 -luv -lpthread -lm)
extras=(events/s)
base=least
aim=2

serve() {
  case $1 in
  least) work=(least_store 100000 64 200) ;;
  weir) work=(store_load 100000 64 200) ;;
  weir-keep) work=(store_load 100000 64 200 1000) ;;
  esac
  launched="${work[0]} FOLDER ${work[*]:1}"
}

measure() {
  mkdir "$scratch/data" &&
    taskset -c "$server_cpu" "$tools/${work[0]}" "$scratch/data" "${work[@]:1}" 2>"$scratch/stderr" &&
    rm -r "$scratch/data"
}

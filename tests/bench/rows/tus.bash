# tus: what a resumable upload costs on its way to the disk.
title="1 GiB to a file by PATCHes of 8 MiB, each synced"
unit="ms of server CPU (user and system) per GiB"
effort="1 GiB"
subjects=(least weir)
programs=(least_upload patches)
extras=("KiB of memory, at most" "MiB/s")
base=least
aim=1.5

# Beside the programs, as in the row upload.
serve() {
  rm -rf "$tools/data"
  mkdir -p "$tools/data"
  case $1 in
  least) launch "$tools/least_upload" "$tools/data/least" ;;
  *) serve_weir "$here/tus.lua" --data "$tools/data" --access-log "$scratch/access.log" ;;
  esac
}

# The second of two: the pages of the first are there again, as many and as large as the server takes them.
measure() {
  client patches "$port" "$pid" $((1 << 30)) $((8 << 20)) >/dev/null &&
    client patches "$port" "$pid" $((1 << 30)) $((8 << 20))
}

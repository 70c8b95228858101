# upload-form: what a file in a multipart form costs on its way to the disk.
title="1 GiB file in a multipart form to a file, synced once"
unit="ms of server CPU (user and system) per GiB"
effort="1 GiB"
subjects=(least weir weir-100 busboy)
programs=(least_upload upload)
extras=("KiB of memory, at most" "MiB/s")
base=least
aim=1.5

# Beside the programs: that is more likely a disk than the scratch folder is.
serve() {
  rm -rf "$tools/data"
  mkdir -p "$tools/data"
  case $1 in
  least) launch "$tools/least_upload" "$tools/data/least" ;;
  busboy) serve_node "$here/upload.mjs" "$tools/data" ;;
  *) serve_weir "$here/upload.lua" --data "$tools/data" --access-log "$scratch/access.log" ;;
  esac
}

measure() {
  case $1 in
  weir-100) client upload "$port" "$pid" $(((1 << 30) / 100)) 100 form/ form ;;
  *) client upload "$port" "$pid" $((1 << 30)) 1 form/ form ;;
  esac
}

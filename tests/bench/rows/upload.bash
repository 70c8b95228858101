# upload: what a raw body costs on its way to the disk.
title="1 GiB raw body to a file, synced once"
unit="ms of server CPU (user and system) per GiB"
effort="1 GiB"
subjects=(least weir weir-sha256 weir-100 nginx)
programs=(least_upload upload)
extras=("KiB of memory, at most" "MiB/s")
base=least
aim=1.3

# Beside the programs: that is more likely a disk than the scratch folder is.
serve() {
  rm -rf "$tools/data"
  mkdir -p "$tools/data"
  case $1 in
  least) launch "$tools/least_upload" "$tools/data/least" ;;
  nginx)
    # It keeps a body only for an upstream: itself, which gets nothing of it.
    serve_nginx <<END
    location / {
      client_max_body_size 0;
      client_body_in_file_only on;
      client_body_temp_path $tools/data;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_pass http://127.0.0.1:\$server_port/kept;
    }
    location = /kept { return 200; }
END
    ;;
  *) serve_weir "$here/upload.lua" --data "$tools/data" --access-log "$scratch/access.log" ;;
  esac
}

measure() {
  case $1 in
  weir-sha256) client upload "$port" "$pid" $((1 << 30)) 1 hash/ ;;
  weir-100) client upload "$port" "$pid" $(((1 << 30) / 100)) 100 ;;
  *) client upload "$port" "$pid" $((1 << 30)) 1 ;;
  esac
}

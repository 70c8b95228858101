# servers: starting and stopping what is measured. Sourced by run.
#
# A server is started with its standard output in a pipe and is ready when it has said there where
# it listens; it is gone when that pipe ends. So nothing here sleeps or polls. At most one runs at
# a time.
#
#   server   the process that `stop` ends        pid       the one whose CPU and memory count
#   port     where it listens, on 127.0.0.1      launched  its command, for the table

server=''

# The first CPU this shell may use is for the clients, the last for the server.
# `all_cpus` is both and what lies between.
choose_cpus() {
  local list
  list=$(taskset -cp $$) && list=${list##*: }
  all_cpus=$list client_cpu=${list%%[-,]*} server_cpu=${list##*[-,]}
  if [ "$client_cpu" = "$server_cpu" ]; then
    pinning="one CPU for server and clients: too few for figures that count"
  else
    pinning="server on CPU $server_cpu, clients on CPU $client_cpu"
  fi
}

# As many descriptors as a row could want, if the hard limit allows; measure checks what it needs.
raise_descriptors() {
  local hard
  hard=$(ulimit -Hn)
  if [ "$hard" = unlimited ] || [ "$hard" -gt 20000 ]; then hard=20000; fi
  ulimit -Sn "$hard"
}

# launch COMMAND...: starts a server on its CPU and waits until it listens. 1: it does not.
launch() {
  local line
  launched=${*//"$PWD/"/}
  launched=${launched//"$scratch"/SCRATCH}
  exec {output}< <(exec taskset -c "$server_cpu" "$@" 2>"$scratch/stderr")
  server=$!
  while read -r -t 10 -u "$output" line; do
    if [[ $line =~ listening\ on\ http://127\.0\.0\.1:([0-9]+) ]]; then
      port=${BASH_REMATCH[1]} pid=$server
      return 0
    elif [[ $line =~ start\ worker\ process\ ([0-9]+) ]]; then # nginx, whose port serve_nginx chose
      pid=${BASH_REMATCH[1]}
      return 0
    fi
  done
  stop
  return 1
}

# Ends the server that runs, if one does, and drops its logs.
stop() {
  [ -n "$server" ] || return 0
  kill -TERM "$server" 2>/dev/null
  while read -r -t 15 -u "$output" _; do :; done
  # Above 128 read was out of time; otherwise the pipe ended, and with it the server.
  [ $? -gt 128 ] && kill -KILL "$server" 2>/dev/null
  exec {output}<&-
  wait "$server" 2>/dev/null
  server=''
  rm -f "$scratch"/*.log
}

# serve_least PROGRAM [ARG...]: a least program of this folder.
serve_least() {
  launch "$tools/$1" "${@:2}"
}

# serve_weir APP [OPTION...]: default limits and one worker, unless `workers` says otherwise.
serve_weir() {
  launch "$weir" serve "$@" --workers "${workers:-1}" --listen 127.0.0.1:0
}

# serve_node FILE ARG...: the server in FILE, by the Node in NODE_MODULES (tests/node), which FILE gets
# before its other arguments. 2: not there.
serve_node() {
  local modules=${NODE_MODULES:-${tools%/*}/node/node_modules}
  [ -x "$modules/.bin/node" ] || return 2
  launch "$modules/.bin/node" "$1" "$modules" "${@:2}"
}

# serve_nginx [MODULE...]: nginx with these modules of Debian's, one worker, access log on; its
# locations come on standard input. 2: not installed. What differs from Debian's defaults: connections
# are as many as a row needs and are kept for as many requests as it sends.
serve_nginx() {
  local folder=/usr/lib/nginx/modules modules=("$@") module nginx locations tries
  nginx=$(PATH=$PATH:/usr/sbin command -v nginx) || return 2
  for module in "${modules[@]}"; do [ -e "$folder/${module}_module.so" ] || return 2; done
  locations=$(cat)
  # A port below the range of ephemeral ones, so that no client of ours has it.
  for tries in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 12000))
    nginx_config >"$scratch/nginx.conf"
    launch "$nginx" -e "$scratch/error.log" -p "$scratch" -c "$scratch/nginx.conf" && {
      launched="nginx as serve_nginx of $here/servers.bash, for $here/rows/$row.bash"
      return 0
    }
    [ ! -e "$scratch/error.log" ] || cat "$scratch/error.log" >>"$scratch/stderr"
  done
  return 1
}

# serve_nchan: nchan, answering as hub.lua does but for one event in each publish; its topics keep as
# much as Weir's. 2: not installed.
serve_nchan() {
  serve_nginx ngx_nchan <<'END' || return
    location = /events {
      nchan_subscriber eventsource;
      nchan_channel_id $arg_topic;
      nchan_subscriber_first_message newest;
    }
    location = /publish {
      nchan_publisher;
      nchan_channel_id $arg_topic;
      nchan_message_buffer_length 1000;
      nchan_message_timeout 1h;
    }
    location = /collect { return 200; }
END
  launched="nginx as serve_nchan of $here/servers.bash"
}

# nginx_config: with $port, $locations and $modules, a configuration. When nginx listens, its log says on
# standard output which process its worker is. That one has the same user: nobody, whom root's nginx
# would choose, may not write to our folders.
nginx_config() {
  cat <<END
daemon off;
user $(id -un) $(id -gn);
error_log /dev/stdout notice;
worker_processes 1;
worker_rlimit_nofile $(ulimit -n);
pid $scratch/nginx.pid;
$(for module in "${modules[@]}"; do echo "load_module $folder/${module}_module.so;"; done)
events { worker_connections $(($(ulimit -n) - 100)); }
http {
  error_log $scratch/error.log;
  access_log $scratch/access.log;
  client_body_temp_path $scratch/body;
  proxy_temp_path $scratch/proxy;
  fastcgi_temp_path $scratch/fastcgi;
  uwsgi_temp_path $scratch/uwsgi;
  scgi_temp_path $scratch/scgi;
  default_type "text/plain; charset=utf-8";
  keepalive_requests 1000000000;
  server {
    listen 127.0.0.1:$port;
$locations
  }
}
END
}

# hello: what a request costs that a Lua handler answers at once, on connections that stay open.
title="hello world from Lua, keep-alive, 64 connections"
unit="µs of server CPU (user and system) per request"
effort="200,000 requests"
subjects=(least weir weir-nolog nginx-lua)
programs=(least_hello load)
extras=(requests/s "% of CPU")
base=least
aim=1.15

serve() {
  case $1 in
  least) serve_least least_hello ;;
  weir) serve_weir "$here/hello.lua" --access-log "$scratch/access.log" ;;
  weir-nolog) serve_weir "$here/hello.lua" ;;
  nginx-lua) serve_nginx ndk_http ngx_http_lua <<<'    location = / { content_by_lua_block { ngx.say("Hello, World!") } }' ;;
  esac
}

measure() {
  client load "$port" "$pid" 64 200000 $'Hello, World!\n'
}

# held: what a stream costs in user memory while its coroutine sleeps, having read one header.
title="SSE streams with Chromium's headers, each held by a sleeping coroutine, after a full collection"
unit="KiB of user memory per stream, the slope between 5,000 and 10,000 streams"
effort="10,000 streams"
subjects=(weir nginx-lua)
programs=(hold)
aim=3

serve() {
  case $1 in
  weir) serve_weir "$here/held.lua" --access-log "$scratch/access.log" ;;
  nginx-lua)
    serve_nginx ndk_http ngx_http_lua <<'END'
    location = / {
      content_by_lua_block {
        if not ngx.var.http_user_agent then return ngx.exit(400) end
        ngx.header.content_type = "text/event-stream"
        ngx.say("data: hello\n")
        ngx.flush(true)
        while true do ngx.sleep(3600) end
      }
    }
    location = /collect {
      content_by_lua_block {
        collectgarbage()
        collectgarbage()
        ngx.say("collected")
      }
    }
END
    ;;
  esac
}

measure() {
  need_descriptors
  memory_per_stream / hello 5000 10000
}

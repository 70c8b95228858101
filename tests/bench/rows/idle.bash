# idle: what an SSE subscriber costs in user memory while nothing is published.
title="SSE subscribers of a topic with Chromium's headers, idle"
unit="KiB of user memory per subscriber, the slope between 5,000 and 10,000 subscribers"
effort="10,000 subscribers"
subjects=(weir nchan nginx-lua)
programs=(hold)
aim=1.5

serve() {
  case $1 in
  weir) serve_weir "$here/hub.lua" --access-log "$scratch/access.log" ;;
  nchan) serve_nchan ;;
  nginx-lua)
    serve_nginx ndk_http ngx_http_lua <<'END'
    location = /events {
      content_by_lua_block {
        ngx.header.content_type = "text/event-stream"
        ngx.send_headers()
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
  memory_per_stream "/events?topic=t" "" 5000 10000
}

-- proxy: whether a request came by a proxy, as far as proxies tell.

--- True of a stream whose head has what proxies add, or is of HTTP/1.0, in which nginx asks as it comes.
return function(stream)
  local headers = stream.headers
  return stream.version == "1.0" or (headers.forwarded or headers.via or headers["x-real-ip"]
    or headers["x-forwarded-for"] or headers["x-forwarded-proto"] or headers["x-forwarded-host"]) ~= nil
end

-- The app whose paths are written in every way: it says in its header fields who guarded and who answered. The fields
-- last, so that answers which are the server's own (files, 404, 405) have them as well.

local function noting(name)
  return function(stream, next)
    stream:_lasting("X-Guard-" .. name, "yes")
    return next()
  end
end

local function answering(name)
  return function(stream)
    stream:_lasting("X-Route", name)
    return name
  end
end

local function hex(text)
  return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

return function(app, folder)
  app:use(function(stream, next)
    stream:_lasting("X-Path", hex(stream.path))
    stream:_lasting("X-Target", stream.target)
    return next()
  end)
  app:use("/docs/secret", noting "secret")
  app:use("/docs/a b", noting "space")
  app:use("/docs/100%.txt", noting "percent")
  app:use("/api/users", noting "users")
  app:use("/api/users/me", noting "me")
  app:static("/docs", folder .. "/public")
  app:get("/api/*rest", answering "rest")
  app:get("/api/users/:id", answering "user")
  app:get("/api/users/me", answering "me")
end

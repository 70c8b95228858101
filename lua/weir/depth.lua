-- depth: coroutines within coroutines, as deep as the C stack goes.
--
-- LuaJIT counts how deep a coroutine calls, each one anew, but not how deep they resume each other: that takes C stack
-- until the process dies. So who resumes one asks first.

--- `enter` raises when there is no room for what another coroutine could do.
return function(enter)
  local resume, wrap = coroutine.resume, coroutine.wrap

  rawset(coroutine, "resume", function(co, ...)
    enter()
    return resume(co, ...)
  end)

  rawset(coroutine, "wrap", function(fn)
    if type(fn) ~= "function" then return wrap(fn) end -- raises
    local call = wrap(fn)
    return function(...)
      enter()
      return call(...)
    end
  end)
end

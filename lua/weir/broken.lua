-- broken: bytes of a request that did not come, or not as they should: by the code that says why, a status, and a
-- message about what they were, say "the request body". How a form is malformed the core says.

return {
  closed = { 400, "%s is incomplete" },
  timeout = { 408, "the rest of %s did not arrive in time" },
  limit = { 413, "%s is longer than %d bytes" },
  malformed = { 400 },
}

-- broken: what becomes of a request whose body was not read to its end, by the code that says why: a status, and a
-- message for people.

return {
  closed = { 400, "the request body is incomplete" },
  timeout = { 408, "the rest of the request body did not arrive in time" },
  malformed = { 400, "the form is malformed" }, -- the core says how
  limit = { 413, "the request body is too long" },
}

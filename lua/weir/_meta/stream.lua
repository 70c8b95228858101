---@meta weir.stream

---@alias weir.Reason "done"|"client"|"timeout"|"overflow"|"drain"|"expired"|"revoked"|"error"|"cancelled"
---@alias weir.Overflow "block"|"drop_newest"|"disconnect"
---@alias weir.TopicOverflow weir.Overflow|"drop_oldest"|"conflate"

---A request and its answer. Other fields may be set, and are there as long as the stream.
---@class weir.Stream
---@field method string
---@field path string the whole path as it was read: decoded, but `%2F` and `%25` for a `/` or `%` inside a segment
---@field target string the path and the query, or the whole address, as it was sent
---@field base string the prefix that the app was mounted below, or ""
---@field query_string string
---@field scheme "http"|"https"
---@field host string
---@field version "1.0"|"1.1"|"2"|"3"
---@field params table<string, string> of the pattern
---@field query table<string, string> the first value of each name
---@field headers table<string, string> by lower-case names
---@field cookies table<string, string>
---@field remote_addr string the client's address
---@field peer_addr string the socket's address
---@field claims? weir.Claims of the token; may be set: `sub` and `exp` then hold for the stream
---@field id integer
---@field request_id string the `X-Request-Id` that came, if it is sane, else one that is made
---@field traceparent? string of W3C Trace Context, if one that is right came; to be passed on
---@field content_length? integer of the body, when the client said it
---@field received integer bytes of the body that have arrived
---@field closed boolean
local Stream = {}

---All values of a query parameter.
---@param name string
---@return string[]
function Stream:query_all(name) end

---Up to n bytes of the body.
---@param n? integer
---@return string? bytes nil: the end, or `why`
---@return "closed"|"timeout"|nil why
function Stream:read(n) end

---Iterates over the body in pieces as they arrive.
---@return fun(...): string?
function Stream:chunks() end

---The whole body; fails with 413 when it is too long.
---@param limit? weir.Size instead of the limit body_bytes
---@return string
function Stream:body(limit) end

---The value of a JSON body; fails with 400 or 415.
---@return any
function Stream:json_body() end

---The fields of an urlencoded or small multipart form, the first value of each name; a file's is its bytes. Fails with
---400, 413 or 415.
---@return table<string, string>
function Stream:form() end

---Iterates over the parts of a multipart form as they arrive; fails with 400, 408, 413 or 415.
---@param limits? weir.PartLimits
---@return fun(...): weir.Part?
function Stream:parts(limits) end

---@class weir.PartLimits
---@field parts? integer (1000)
---@field head_bytes? weir.Size of a part's header lines ("8KB")
---@field field_bytes? weir.Size of a part without a file name (the limit body_bytes)
---@field file_bytes? weir.Size of a part with one (none)

---A part of a form, until the next step of the iteration.
---@class weir.Part
---@field name string of the form's field
---@field filename? string safe to be used as a name, whatever was sent; nil: no file
---@field type? string the media type that was sent, in lower case
---@field headers table<string, string> by lower-case names, as they were sent
local Part = {}

---Up to n bytes of the part.
---@param n? integer
---@return string? bytes nil: the end, or `code`
---@return "closed"|"timeout"|"limit"|"malformed"|nil code
---@return string? message
function Part:read(n) end

---Iterates over the part in pieces as they arrive.
---@return fun(...): string?
function Part:chunks() end

---What is left of the part; fails with 413 when it is too long.
---@param limit? weir.Size instead of the limit body_bytes
---@return string
function Part:body(limit) end

---Writes what is left of the part to a file below a root, which appears when it is complete and on the disk.
---@param path string relative
---@param options? weir.SaveOptions
---@return integer? bytes
---@return string? digest in hex, with `hash`; or the code, as of stream:save, or "malformed"
---@return string? message
function Part:save(path, options) end

---Writes the body to a file below a root, which appears when it is complete.
---@param path string relative
---@param options? weir.SaveOptions
---@return integer? bytes on the disk
---@return string? code the digest in hex, with `hash`; without bytes "limit", "closed", "timeout", or the system's,
---like "ENOSPC"; each sets a status
---@return string? message
function Stream:save(path, options) end

---@class weir.SaveOptions
---@field root? string the folder that the path is below and cannot leave (the uploads of --data); "/": any file
---@field on_progress? fun(bytes: integer, total?: integer) called after each piece
---@field limit? weir.Size beyond which it gives nil and "limit"
---@field hash? weir.Digest a digest that it returns behind the length

---@param code integer
function Stream:status(code) end

---Sets a header field, replacing what was set.
---@param name string
---@param value string
function Stream:header(name, value) end

---Adds a header field beside those of the same name.
---@param name string
---@param value string
function Stream:add_header(name, value) end

---@param name string
---@param value string
---@param options? weir.CookieOptions
function Stream:cookie(name, value, options) end

---@class weir.CookieOptions
---@field path? string ("/")
---@field domain? string
---@field max_age? integer seconds; none: until the browser is closed
---@field secure? boolean (true on https)
---@field http_only? boolean (true)
---@field same_site? "Strict"|"Lax"|"None" ("Lax")

---@param text string
function Stream:text(text) end

---@param html string
function Stream:html(html) end

---@param value any
function Stream:json(value) end

---@param url string
---@param code? 301|302|303|307|308 (302)
function Stream:redirect(url, code) end

---Answers with a file below a root. When it cannot be read, sets the status 404 and says why.
---@param path string
---@param options? weir.FileOptions
---@return nil
---@return string? code like "ENOENT"
---@return string? message
function Stream:file(path, options) end

---@class weir.FileOptions
---@field root? string the folder that the path is below and cannot leave ("public"); "/": any file
---@field type? string the content type, if not by the name's ending
---@field download? string the name under which a browser saves it
---@field max_age? number seconds that a cache may keep it
---@field hidden? boolean allow names that begin with a dot (false)

---Sends a part of the answer.
---@param chunk string
---@return boolean? ok false: dropped
---@return "dropped"|"closed"|nil why
function Stream:write(chunk) end

---Waits until the kernel has all that was written, and what was published to the stream's topics before.
---@return true? ok
---@return "closed"|nil why
function Stream:flush() end

---Ends the answer, behind what was published to the stream's topics before.
function Stream:finish() end

---Sends 103 Early Hints.
---@param fields table<string, string|string[]>
function Stream:early_hints(fields) end

---What `write` does when the client does not keep up.
---@param policy weir.Overflow
function Stream:write_policy(policy) end

---Turns the answer into server-sent events.
---@param options? weir.SseOptions
---@return weir.Sse
function Stream:sse(options) end

---Calls fn in a task of its own when the stream is over. `detail` is a text for people.
---@param fn fun(reason: weir.Reason, detail?: string)
function Stream:on_close(fn) end

---Lets the task outlive its client. sse:send then says nil, "closed" each time, and does not raise.
function Stream:detach() end

---@class weir.SseOptions
---@field retry? integer|false milliseconds until a browser connects again (3000)
---@field heartbeat? number|false seconds of silence after which a sign of life is sent (15)
---@field heartbeat_event? string its name, if it is not to be a comment
---@field hello? boolean begin with the event weir.hello (false)
---@field notices? "message" gaps and ends are events without a name, which stands in their data
---@field overflow? weir.TopicOverflow what becomes of events when the client does not keep up
---@field limit? weir.SseLimit how far it may fall behind its topics
---@field write_timeout? number seconds without progress that end the stream (30)

---@class weir.SseLimit
---@field events? integer
---@field bytes? weir.Size

---@class weir.SseEvent
---@field data? any a string, or what becomes JSON
---@field event? string
---@field id? string|integer
---@field retry? integer milliseconds
---@field comment? string

---@class weir.Sse
---@field stream weir.Stream
---@field last_event_id? string what the client says it got last
local Sse = {}

---@param event string|weir.SseEvent
---@return boolean? ok false: dropped
---@return "dropped"|"closed"|"limit"|nil why limit: it is longer than event_bytes
function Sse:send(event) end

---@param text string
---@return boolean? ok false: dropped
---@return "dropped"|"closed"|"limit"|nil why
function Sse:comment(text) end

---Sends what topics get from now on, or from where the client left. Does not wait; called again, adds topics.
---@param topics weir.Topics
---@param options? weir.SubscribeOptions
---@return weir.Sse
function Sse:subscribe(topics, options) end

---@class weir.SubscribeOptions
---@field after? string the id from where to go on, or "earliest"
---@field last? integer begin with the newest events that each topic keeps, so many
---@field resume? boolean the id that the client came with beats `after` and `last` (true)
---@field not_before? string nothing with a smaller id is sent

---@param topic string|weir.Prefix
---@return boolean was_subscribed
function Sse:unsubscribe(topic) end

---Waits until the kernel has all that was sent, and what was published to the stream's topics before.
---@return true? ok
---@return "closed"|nil why
function Sse:flush() end

---Ends the stream, behind what was sent, and published to its topics, before.
---@param how? "now" what is not on its way yet is dropped
function Sse:close(how) end

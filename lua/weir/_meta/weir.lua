---@meta weir

-- The module itself, its tasks and channels. Annotations only: no code runs from here, and the text of the reference
-- is in lua/REFERENCE.md.

---@alias weir.Size integer|string a number of bytes, or "64KB", "1MB"

---@class weir
---@field cancelled weir.Cancelled what a blocking call raises in a task that was cancelled
---@field version string
---@field fs weir.fs
---@field hex weir.Codec two digits for each byte
---@field base64 weir.Codec RFC 4648 section 4, with padding
---@field base64url weir.Codec RFC 4648 section 5, without padding
---@field json weir.json
---@field jwt weir.jwt
---@field log weir.log
---@field test weir.test
local weir = {}

---@class weir.Cancelled

---A new app without routes.
---@return weir.App
function weir.app() end

---Ends the handler, from any depth, with this status and body.
---@param status integer 400 to 599
---@param body? string|table a message, or a table that becomes JSON
function weir.fail(status, body) end

---With a table sets limits, while the app file loads; without one returns those in force, as numbers: of bytes, seconds
---or things. One that is not set, and has no default, is not among them.
---@param limits? weir.Limits
---@return weir.Limits? in_force
function weir.limits(limits) end

---@class weir.Limits
---@field head_bytes? weir.Size of a request's head ("16KB"); beyond it 431
---@field head_fields? integer (100); beyond it 431
---@field target_bytes? weir.Size of the path and query ("8KB"); beyond it 414
---@field body_bytes? weir.Size of a body that is read whole ("1MB"); beyond it 413
---@field event_bytes? weir.Size ("256KB"); beyond it nil and "limit"
---@field token_bytes? weir.Size of a JSON Web Token ("16KB")
---@field hub_memory? weir.Size of all topics ("256MB"); beyond it those unread for longest are trimmed
---@field shared_memory? weir.Size of all dictionaries ("64MB"); beyond it nil and "limit"
---@field tickets? integer whose time is not over (20000); beyond it 503
---@field subscriptions? integer topics and prefixes of one stream (1000); beyond it subscribe raises
---@field high_mark? weir.Size of a stream ("64KB"); above it a writer waits
---@field low_mark? weir.Size until so much ("16KB")
---@field turn_bytes? weir.Size of one stream in one turn ("256KB")
---@field keepalive_timeout? number seconds between two requests (75)
---@field head_timeout? number seconds for a head (10); beyond it 408
---@field progress_timeout? number seconds in which a body gets on (30); beyond it 408
---@field connections? integer (80 % of the descriptor limit); beyond it 503
---@field connections_per_address? integer (none); beyond it 429
---@field connection_rate? integer new ones a second of one address (none); beyond it 429
---@field connection_burst? integer as many at once (the rate)
---@field streams_per_sub? integer of one `stream.claims.sub` (none); beyond it 429
---@field drain_timeout? number seconds (10)
---@field cpu_time? number seconds between two waits of a task (1); beyond it 503
---@field lua_memory? weir.Size of the app in each worker ("256MB"); beyond it 503

---Middleware that answers 429, with Retry-After, to what comes more often than it should.
---@param options weir.LimitOptions
---@return weir.Middleware
function weir.limit(options) end

---@class weir.LimitOptions
---@field rate number requests a second, fractions allowed
---@field burst? number how many at once (as many as come in a second, at least 1)
---@field key? fun(stream: weir.Stream): string|number|nil who is counted together (one address); nil: not limited

---Middleware that lets pages of the named origins read what the app answers.
---@param options weir.CorsOptions
---@return weir.Middleware
function weir.cors(options) end

---@class weir.CorsOptions
---@field origins string|string[] "https://a.example", or "*"
---@field methods? string[] beyond which a preflight fails (GET, HEAD, POST, PUT, PATCH, DELETE)
---@field headers? string[] that requests may carry (Authorization, Content-Type, Last-Event-ID)
---@field credentials? boolean whether requests may carry cookies (false)
---@field expose? string[] headers of answers that pages may read
---@field max_age? number seconds that a preflight's answer holds (600)
---@field tus? boolean what resumable uploads send and read is allowed, too (false)

---An app to mount, for uploads that go on: tus 1.0.0, and the IETF's draft of it.
---@param options? weir.TusOptions
---@return weir.App
function weir.tus(options) end

---@class weir.TusOptions
---@field root? string the folder for the uploads (`tus` in those of --data)
---@field max_size? weir.Size how long an upload may be
---@field expires? number|string|false how long an unfinished one is kept after its last byte ("24h"); false: for ever
---@field owner? fun(stream: weir.Stream): string? whose request it is; who made an upload alone finds it
---@field foreign? 403|404 what others are answered (404)
---@field on_create? weir.TusHook before it is made; weir.fail refuses it
---@field on_progress? weir.TusHook after each piece; weir.fail stops the request
---@field on_complete? weir.TusHook when all of it is on the disk
---@field on_terminate? weir.TusHook before it is removed; without a stream: it has expired

---@alias weir.TusHook fun(upload: weir.TusUpload, stream?: weir.Stream)

---@class weir.TusUpload
---@field id? string nil in on_create
---@field size? integer of the whole; nil: nobody knows yet
---@field offset integer how much is there
---@field metadata table<string, string> what the client said, decoded
---@field path? string where the bytes lie
---@field kind "single"|"partial"|"final" partial: a part of what is sent in parallel; final: the whole
---@field owner? string what `owner` returned

---A handler, behind weir.jwt, that answers `{"ticket": "..."}`: what stands for the request's token in a URL, once.
---@param options? weir.TicketOptions
---@return fun(stream: weir.Stream): table
function weir.ticket(options) end

---@class weir.TicketOptions
---@field ttl? number seconds that a ticket lives (30)

---Names the proxies whose X-Forwarded-* or Forwarded count, while the app file loads.
---@param addresses weir.Proxies
function weir.trust_proxies(addresses) end

---@class weir.Proxies: { [integer]: string } "127.0.0.1", "10.0.0.0/8"
---@field header? "X-Forwarded-For"|"Forwarded"

---Unix seconds, with fraction.
---@return number
function weir.now() end

---Counters of this process and state.
---@return weir.Stats
function weir.stats() end

---All that this process counts, histograms and workers too, in the text format of Prometheus: what `GET /metrics` of
---`--admin` answers. Waits.
---@return string text
function weir.metrics() end

---@class weir.Stats
---@field connections integer open
---@field connections_total integer since the start
---@field streams integer open
---@field tasks integer
---@field tasks_ready integer that may run and wait for their turn
---@field requests integer
---@field bad_requests integer
---@field limited integer connections, streams and requests answered 429
---@field bytes_sent integer of bodies
---@field bytes_received integer of bodies
---@field closed_done integer streams that ended well
---@field closed_client integer streams whose client left
---@field closed_timeout integer streams whose client stood still
---@field closed_overflow integer streams whose client read too slowly
---@field closed_drain integer streams ended by the server's end, or a reload
---@field closed_expired integer streams whose token had ended
---@field closed_revoked integer streams whose token was withdrawn
---@field closed_error integer streams that an error broke off
---@field closed_cancelled integer streams that the app broke off
---@field reached_connections integer how often that limit was reached
---@field reached_connections_per_address integer
---@field reached_connection_rate integer
---@field reached_streams_per_sub integer
---@field reached_target_bytes integer
---@field reached_head_bytes integer head_fields, too
---@field reached_head_timeout integer
---@field reached_body_bytes integer
---@field reached_event_bytes integer
---@field reached_shared_memory integer
---@field tokens_missing integer requests that weir.jwt did not let pass, having none
---@field tokens_several integer having more than one
---@field tokens_invalid integer
---@field tokens_expired integer
---@field tokens_forbidden integer whose claims do not allow it
---@field writes_dropped integer
---@field utf8_replaced integer bytes of events that were no UTF-8
---@field lua_memory integer bytes, of this state
---@field lua_memory_all integer bytes, of all apps and workers
---@field cpu_stops integer tasks ended by the limit cpu_time
---@field memory_stops integer tasks ended by the limit lua_memory
---@field topics integer that exist
---@field subscribers integer streams and tasks
---@field published integer
---@field delivered integer events, to all subscribers together
---@field gaps integer told
---@field lost integer events that topics had trimmed before a live subscriber got them
---@field dropped integer events, by overflow policies
---@field disconnected integer streams, by overflow policies
---@field hub_memory integer bytes that topics take
---@field shared_memory integer bytes in use
---@field store_stopped integer 1: the disk could not sync, nothing durable is written until the restart
---@field log_dropped integer lines for which a log, or who reads it, had no room
---@field generations integer versions of apps that live, in all workers
---@field reloads integer that took over
---@field reloads_failed integer
---@field streams_expelled integer ended because four newer generations lived
---@field tail_files integer files that are followed
---@field tail_viewers integer tails that read them
---@field tail_read integer bytes of them that were read, once for all tails
---@field tail_reread integer bytes that tails read on their own, being behind
---@field tail_gaps integer gaps that tails were told of
---@field tail_lost integer lines that tails were told to have missed
---@field logs_viewers integer who look at weir.logs
---@field logs_batches integer of lines, that they got
---@field logs_bytes integer of these
---@field logs_skipped integer lines that they were moved past, being behind

---Suspends the task for so many seconds.
---@param seconds number
function weir.sleep(seconds) end

---Runs fn(...) as a child of the current task, which cancels it when it ends.
---@param fn fun(...)
---@param ... any
---@return weir.Task
function weir.spawn(fn, ...) end

---Runs fn(...) as a task that belongs to the app and not to who started it.
---@param fn fun(...)
---@param ... any
---@return weir.Task
function weir.background(fn, ...) end

---Calls fn when the current task ends, however it ends; the last one first.
---@param fn fun()
function weir.defer(fn) end

---Runs all functions at once. The first error cancels the others and is raised. It returns when all of them are over.
---@param fns (fun(): any)[]
---@return any[] results the first result of each, in the order of the list
function weir.all(fns) end

---Runs all functions at once. The first to finish wins, the others are cancelled; its error is raised. It returns when
---all of them are over.
---@param fns (fun(): ...)[]
---@return integer index of the winner
---@return any ... its results
function weir.race(fns) end

---Runs fn(...) for at most so many seconds, then cancels it and returns when it is over. Raises its error.
---@param seconds number
---@param fn fun(...): ...
---@param ... any
---@return any ... fn's results, or nil and "timeout"
function weir.timeout(seconds, fn, ...) end

---Calls fn every so many seconds in the background; calls never overlap, an error is logged.
---@param seconds number 0.001 or more
---@param fn fun()
---@param options? { one_worker?: boolean } at the top of an app file: in one worker of the process, not in each
---@return weir.Task
function weir.every(seconds, fn, options) end

---A queue between tasks that holds up to `capacity` values; with 0, the default, send waits for recv.
---@param capacity? integer
---@return weir.Channel
function weir.channel(capacity) end

---Takes a value from one of several channels and subscriptions, waiting for it. `timeout`: seconds.
---@param choices table a list; { first, second, timeout = 5 }
---@return integer? index of the one it was taken from
---@return any value nil: that one is closed, or the time is over
---@return "timeout"|"closed"|nil why
function weir.select(choices) end

---The dictionary of that name: in memory, the same one in all workers and apps.
---@param name string 1 to 255 bytes
---@return weir.Shared
function weir.shared(name) end

---Follows a file: its last lines, then each new one.
---@param path string
---@param options? weir.TailOptions
---@return weir.Tail
function weir.tail(path, options) end

---Several logs, to be looked at together.
---@param options weir.LogsOptions
---@return weir.Logs
function weir.logs(options) end

---@class weir.Task
local Task = {}

---Waits for the task's end.
---@param timeout? number seconds
---@return any ... its results, or nil and its error, or nil and "timeout"
function Task:join(timeout) end

---Raises weir.cancelled in the task's blocking call, and in every later one.
function Task:cancel() end

---A set of pairs, the same one in all workers and apps; with --data it survives restarts.
---@param name string 1 to 255 bytes
---@return weir.Store
function weir.store(name) end

---@alias weir.Stored string|number|boolean|table a table that JSON can hold

---@class weir.Store
local Store = {}

---@param key string 1 to 1,024 bytes
---@return weir.Stored? value
---@return "io"? code
---@return string? message
function Store:get(key) end

---Returns when the value is on the disk.
---@param key string
---@param value weir.Stored at most 1 MiB
---@param ttl? number seconds until it goes
---@return true? ok
---@return "io"? code
---@return string? message
function Store:set(key, value, ttl) end

---@param key string
---@return boolean? existed
---@return "io"? code
---@return string? message
function Store:delete(key) end

---Iterates over the keys that begin with prefix, and their values, in order.
---@param prefix? string
---@return fun(): string?, weir.Stored?
function Store:each(prefix) end

---Replaces a value by fn(value), as one step for all workers. fn must not wait; nil deletes.
---@param key string
---@param fn fun(value: weir.Stored?): weir.Stored?
---@return weir.Stored? value the new one
---@return "io"|"busy"? code
---@return string? message
function Store:update(key, fn) end

---@class weir.Channel
local Channel = {}

---Gives a value to the channel, waiting for room. Without `true` it is not delivered.
---@param value any not nil
---@param timeout? number seconds
---@return true? ok
---@return "timeout"|"closed"|nil why
function Channel:send(value, timeout) end

---Takes the next value, waiting for one.
---@param timeout? number seconds
---@return any value nil: there is none
---@return "timeout"|"closed"|nil why
function Channel:recv(timeout) end

---Ends the channel; what was sent before can still be received.
function Channel:close() end

---@class weir.Shared
local Shared = {}

---What is stored under the key.
---@param key string 1 to 1024 bytes
---@return string|number|boolean|nil value nil: there is nothing, or its time is over
function Shared:get(key) end

---Stores a value in place of what was there, its time to live included.
---@param key string
---@param value string|number|boolean
---@param ttl? number seconds; without it the entry stays
---@return true? ok
---@return "limit"|nil why
function Shared:set(key, value, ttl) end

---Stores a value where there is none.
---@param key string
---@param value string|number|boolean
---@param ttl? number seconds
---@return true? ok
---@return "exists"|"limit"|nil why
function Shared:add(key, value, ttl) end

---Adds to a number, which is 0 where there is none.
---@param key string
---@param by? number 1 by default
---@param ttl? number seconds, for a number that is new; one that is there keeps its own
---@return number? sum
---@return "limit"|nil why
function Shared:incr(key, by, ttl) end

---Removes an entry.
---@param key string
---@return boolean existed
function Shared:delete(key) end

---@class weir.TailOptions
---@field lines? integer how many of the lines that are there come first (10)
---@field after? string the id of a line: what came after it is first, instead
---@field max_line? weir.Size a longer line comes in pieces ("64KB")
---@field include? weir.TailRule[] lines come for which all of these hold
---@field exclude? weir.TailRule[] and none of these

---One of text, level, field and pattern.
---@class weir.TailRuleTable
---@field text? string the line contains it
---@field level? "trace"|"debug"|"info"|"warn"|"error"|"fatal" the line says that it is of this level, or of a worse one
---@field field? string the line is JSON, and this field, names joined by dots,
---@field is? string has this value
---@field pattern? string PCRE2, matches in the line
---@field case? boolean upper and lower case differ, in a text or pattern
---@alias weir.TailRule string|weir.TailRuleTable

---@class weir.TailGap
---@field lines? integer how many are missing; nil: nobody knows

---@class weir.Tail
---@overload fun(): string?, string?, weir.TailGap? the line, its id, and what is missing before it
local Tail = {}

---Stops following; the iteration ends.
function Tail:close() end

---@class weir.Codec
---@field encode fun(bytes: string): string
---@field decode fun(text: string): string?, string? nil and what is wrong with the text

---@alias weir.Digest "sha256"|"sha384"|"sha512"|"sha1"|"md5"

---Random bytes of the system's, which nobody can guess.
---@param n integer at most 1 MiB
---@return string bytes
function weir.random(n) end

---A random UUID (RFC 9562, version 4).
---@return string
function weir.uuid() end

---The digest of a string (FIPS 180-4), as bytes.
---@param algorithm weir.Digest
---@param text string
---@return string bytes
function weir.hash(algorithm, text) end

---The keyed digest of a string (RFC 2104), as bytes.
---@param algorithm weir.Digest
---@param key string
---@param text string
---@return string bytes
function weir.hmac(algorithm, key, text) end

---Whether two strings are equal, in a time that depends on their lengths alone: for secrets and signatures.
---@param a string
---@param b string
---@return boolean
function weir.equal(a, b) end

---A string as text of an HTML element, or of an attribute's value in quotes.
---@param text string
---@return string
function weir.html(text) end

return weir

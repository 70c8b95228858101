---@meta weir.hub

-- Topics: publishing, subscribing, what they keep, who is there. Subscriptions of streams are in stream.lua.

---@class weir
local weir = {}

---@alias weir.Topics string|weir.Prefix|(string|weir.Prefix)[] a name, a prefix, or a list of them

---@class weir.Prefix

---All topics that begin so, those made later too.
---@param text string
---@return weir.Prefix
function weir.prefix(text) end

---The name of a topic: base and the parts, with "/" between them. A part that no name can hold, that is empty or has a
---"/" in it fails with 404.
---@param base string
---@param ... string|number what a client may have sent
---@return string
function weir.topic(base, ...) end

---Appends an event to a topic. Waits for a durable topic's disk, and with `wait`.
---@param topic string 1 to 255 bytes of UTF-8 without control characters and "*"
---@param event string|weir.Publication
---@param options? { wait?: number, only?: boolean } wait: seconds, for streams with the policy "block"; only: what the
---topic kept before is trimmed in the same step
---@return string? id
---@return integer|"limit"|"io"|"closed" streams how many are subscribed; or why there is no id
function weir.publish(topic, event, options) end

---Closes a topic, behind a last event if one is given. Who is subscribed to closed topics only is sent all of them,
---then weir.end, and its stream ends. Waits as publish does.
---@param topic string
---@param event? string|weir.Publication
---@param options? { wait?: number, only?: boolean } as of publish
---@return string? id of the end
---@return integer|"closed"|"limit"|"io" streams how many were subscribed; or why there is no id
function weir.close(topic, event, options) end

---@class weir.Publication
---@field data any a string, or what becomes JSON
---@field event? string its name
---@field key? string what it is about: with the policy "conflate" only the newest of each key is sent

---Says what topics keep, by name or by prefix and "*"; the longest pattern wins. Called again it adds to that, or
---changes what the same pattern said.
---@param rules table<string, weir.TopicOptions>
function weir.topics(rules) end

---@class weir.TopicOptions
---@field history? weir.Retention
---@field durable? boolean events survive restarts, with --data (false)
---@field presence? string the topic that is told who comes and goes; `*` is what that of the pattern stands for
---@field linger? number seconds that somebody may be away before that is told (5)

---@class weir.Retention
---@field count? integer (1000)
---@field age? number|string seconds, or "90s", "15m", "24h", "7d" ("1h")
---@field bytes? weir.Size ("1MB")

---An event as tasks get it. A gap has the name "weir.gap" and JSON as data.
---@class weir.Event
---@field topic? string nil: a gap
---@field id string
---@field event? string
---@field data string|any any: decoded
---@field key? string

---The events that a topic keeps, oldest first. Of more than `limit`, those next to `after`; without it the newest.
---@param topic string
---@param options? { after?: string, before?: string, limit?: integer, decode?: boolean } ids, exclusive; limit (100);
---decode: data that is JSON is its value
---@return weir.Event[]
---@return boolean more
---@return true|nil closed the topic is
function weir.history(topic, options) end

---The place in the order of all events up to which everything can be read. Who takes it, then loads a state, and then
---subscribes with `after` that place, misses nothing; what comes may be in the state already.
---@return string id
function weir.position() end

---How many streams are subscribed to a topic, over all workers, and how many each subject has.
---@param topic string
---@return { streams: integer, subs: table<string, integer> }
function weir.presence(topic) end

---Subscribes the current task, with whose end it ends.
---@param topics weir.Topics
---@param options? { after?: string, last?: integer, not_before?: string } ids, or for `after` "earliest"; `last`: begin
---with the newest events that each topic keeps, so many
---@return weir.Subscription
function weir.subscribe(topics, options) end

---@class weir.Subscription
local Subscription = {}

---The next event, waiting for it.
---@param timeout? number seconds
---@return weir.Event? event
---@return "timeout"|"closed"|nil why
function Subscription:next(timeout) end

---Iterates over the events, waiting for each, until the subscription is closed.
---@return fun(): weir.Event?
function Subscription:events() end

---Ends it; who waits for an event gets nil and "closed".
function Subscription:close() end

---The open streams, over all workers, that fit all that is given. Its methods wait.
---@param choice? { id?: integer, sub?: string, topic?: string } none: all streams
---@return weir.Streams
function weir.streams(choice) end

---@class weir.Streams
local Streams = {}

---Ends them.
---@param reason? weir.Reason what on_close is told ("revoked")
---@return integer closed how many
function Streams:close(reason) end

---Gives them new claims, and the end that these name: how many they were. One of another `sub` is left alone.
---@param claims weir.Claims
---@return integer renewed
function Streams:renew(claims) end

---What they are, the largest first.
---@param options? { sort?: "backlog"|"age"|"sent"|"id", limit?: integer } by what ("backlog"), and how many at most
---@return weir.StreamInfo[] list
---@return integer silent workers that have not replied within a second, whose streams are not in it; mostly 0
function Streams:list(options) end

---@class weir.StreamInfo
---@field id integer
---@field path string
---@field sub? string of the claims
---@field topics string[] the first 20: names, and prefixes with "*"
---@field topics_count integer how many there are
---@field started number Unix seconds
---@field age number seconds
---@field method string
---@field route string pattern, "none" for what matches none
---@field kind "waiting"|"stream"|"sse"|"answer" for the head of its answer; at one of no known length; at any other
---@field address string the client's
---@field sent integer body bytes
---@field queued integer of these not yet taken by the kernel
---@field behind integer events of its topics that it has not read, those that are trimmed too
---@field backlog integer bytes of both
---@field position? string id up to which it has read

/* parts: a multipart form for Lua, part by part as it arrives, or whole.
 *
 *     stream:_parts --> at a head --_next_part--> in a part --_part_read--> its bytes
 *                           ^                        |
 *                           +---- the part's end, or what is left of it is skipped
 *
 * The bytes of the body stay in C until Lua asks for them: what the stream has is taken as it is,
 * the memory of two buffers changing places, and the parser looks at it there. So nothing else may
 * take from that body, which stream:read and others see to. What a task waits for is the same as
 * with these, and the parser goes on when that task runs.
 *
 * The parser and its room for a head are the exchange's, gone with it. What is wrong with a form is
 * told again to whoever asks again. Limits, and what an error means for the answer, are the Lua
 * half's (lua/weir/parts.lua). */
#include "bind/bind.h"
#include "exchange/exchange.h"

#include "base/mem.h"
#include "proto/file_name.h"
#include "proto/header.h"
#include "proto/multipart.h"
#include "proto/part_head.h"

#include <lauxlib.h>
#include <stdlib.h>

#define HEAD_BYTES_MAX (1 << 20)

struct parts {
    struct multipart parser;
    struct buf bytes;     /* of the body, */
    size_t seen;          /* of which the parser has had so many */
    uint64_t file, field; /* how long these may be */
    int wrong;            /* a head's error; 0: none */
    bool inside;          /* a part: its end has not been seen */
    char head[];
};

void parts_free(struct parts *parts) {
    if (parts)
        buf_fini(&parts->bytes);
    free(parts);
}

/* --- what comes next --- */

#define BROKEN_OFF (-1)

/* An enum multipart_event, MULTIPART_MORE when it is to be waited for and MULTIPART_END at the end
 * of the body; or BROKEN_OFF, or an error of the form's. */
static int next_event(struct exchange *exchange, size_t most, struct str *out) {
    struct stream *stream = exchange->stream;
    struct parts *parts = exchange->parts;
    for (;;) {
        struct str in = {parts->bytes.data + parts->seen, parts->bytes.len - parts->seen};
        int rc = multipart_next(&parts->parser, &in, most, out);
        parts->seen = parts->bytes.len - in.len;
        if (rc != MULTIPART_MORE && rc != MULTIPART_END)
            return rc;
        parts->bytes.len = parts->seen = 0;
        if (stream_take_all(stream, &parts->bytes) > 0)
            continue;
        if (body_is_broken(exchange))
            return BROKEN_OFF;
        if (!stream->in_ended)
            return MULTIPART_MORE;
        if (rc == MULTIPART_END)
            return rc;
        multipart_over(&parts->parser);
    }
}

static const char *text_of(int error) {
    return error <= PART_EFIELD ? part_head_error(error) : multipart_error(error);
}

/* nil, "limit" or "malformed", and what is wrong. */
static int push_wrong(lua_State *L, int error) {
    lua_pushnil(L);
    lua_pushstring(L, error == MULTIPART_ELENGTH ? "limit" : "malformed");
    lua_pushstring(L, text_of(error));
    return 3;
}

static int push_failure(struct exchange *exchange, lua_State *L, int rc) {
    return rc == BROKEN_OFF ? body_push_broken(exchange, L) : push_wrong(L, rc);
}

/* --- heads --- */

static void set_str(lua_State *L, const char *key, struct str value) {
    state_push_str(L, value);
    lua_setfield(L, -2, key);
}

static struct str lower_case(struct str name, struct buf *out) {
    out->len = 0;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        buf_add_char(out, (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c));
    }
    return buf_str(out);
}

/* Names in lower case, repeats joined as stream.headers has them. stack: +1 */
static void push_fields(lua_State *L, struct str lines) {
    struct str name, value;
    struct buf lower = {0};
    lua_newtable(L);
    while (header_field_next(&lines, &name, &value) > 0)
        bind_add_field(L, lower_case(name, &lower), value);
    buf_fini(&lower);
}

/* stack: +1 */
static void push_part(lua_State *L, struct str lines, const struct part_head *head) {
    char safe[FILE_NAME_MAX];
    struct buf lower = {0};
    lua_createtable(L, 0, 6);
    set_str(L, "name", head->name);
    if (head->filename.ptr)
        set_str(L, "filename", (struct str){safe, file_name_safe(head->filename, safe)});
    if (head->type.ptr)
        set_str(L, "type", lower_case(head->type, &lower));
    buf_fini(&lower);
    push_fields(L, lines);
    lua_setfield(L, -2, "headers");
}

/* The part that begins, or nil and what is wrong with its head. */
static int push_head(struct parts *parts, lua_State *L, struct str lines) {
    struct buf text = {0};
    struct part_head head;
    parts->wrong = part_head_read(lines, &text, &head);
    parts->parser.part_left = head.filename.ptr ? parts->file : parts->field;
    parts->inside = true;
    if (parts->wrong == 0)
        push_part(L, lines, &head);
    buf_fini(&text);
    return parts->wrong == 0 ? 1 : push_wrong(L, parts->wrong);
}

/* --- for Lua --- */

/* The next part, behind what is left of this one; nil at the end; nil, why, message; 0: it is to be
 * waited for. */
static int push_next(struct exchange *exchange, lua_State *L, size_t most) {
    struct parts *parts = exchange->parts;
    struct str out;
    int rc = parts->wrong;
    if (rc < 0)
        return push_wrong(L, rc);
    do
        rc = next_event(exchange, most, &out);
    while (rc == MULTIPART_DATA || rc == MULTIPART_PART);
    if (rc == MULTIPART_MORE)
        return 0;
    if (rc < 0)
        return push_failure(exchange, L, rc);
    parts->inside = false;
    if (rc == MULTIPART_HEAD)
        return push_head(parts, L, out);
    lua_pushnil(L);
    return 1;
}

/* At most `most` bytes of this part; nil at its end; nil, why, message; 0: it is to be waited for.
 */
static int push_piece(struct exchange *exchange, lua_State *L, size_t most) {
    struct parts *parts = exchange->parts;
    struct str out;
    int rc = parts->inside ? next_event(exchange, most, &out) : MULTIPART_PART;
    if (rc == MULTIPART_MORE)
        return 0;
    if (rc < 0)
        return push_failure(exchange, L, rc);
    parts->inside = rc == MULTIPART_DATA;
    if (rc == MULTIPART_DATA)
        state_push_str(L, out);
    else
        lua_pushnil(L);
    return 1;
}

/* What is taken out of the parser must not be lost for want of memory. */
static int lend(struct exchange *exchange, lua_State *L, size_t most,
                int (*push)(struct exchange *, lua_State *, size_t)) {
    struct state *state = &exchange->app->gen->state;
    size_t mark = state_lend(state);
    int pushed = push(exchange, L, most);
    state_take_back(state, mark);
    return pushed;
}

static int lend_next(struct exchange *exchange, lua_State *L, size_t most) {
    return lend(exchange, L, most, push_next);
}

static int lend_piece(struct exchange *exchange, lua_State *L, size_t most) {
    return lend(exchange, L, most, push_piece);
}

static int take_next(struct task *task, lua_State *co) {
    return push_next(task->armed, co, task->amount);
}

static int take_piece(struct task *task, lua_State *co) {
    return push_piece(task->armed, co, task->amount);
}

static const struct wait seeking = {
    .what = "stream:parts", .disarm = exchange_disarm, .take = take_next};
static const struct wait reading = {
    .what = "part:read", .disarm = exchange_disarm, .take = take_piece};

/* Raises unless the body of the stream at 1 is read in parts, or the stream is over. */
static void check_parts(lua_State *L) {
    struct exchange *exchange = exchange_get(L, 1);
    luaL_argcheck(L, !exchange || exchange->parts, 1, "a stream that is read in parts");
}

/* stream -> nil, part | nil, nil [, why [, message]] */
static int l_next_part(lua_State *L) {
    check_parts(L);
    return body_await(L, &seeking, SIZE_MAX, 0, lend_next);
}

/* stream, n -> nil, bytes | nil, nil [, why [, message]] */
static int l_part_read(lua_State *L) {
    lua_Number wanted = luaL_checknumber(L, 2);
    check_parts(L);
    return body_await(L, &reading, wanted < 1 ? 1 : (size_t)wanted, 0, lend_piece);
}

/* stream, n: as body_gather, unless there is something to move, or the part's end, already */
static int l_part_gather(lua_State *L) {
    check_parts(L);
    struct exchange *exchange = exchange_get(L, 1);
    const struct parts *parts = exchange ? exchange->parts : NULL;
    if (parts && (parts->seen < parts->bytes.len || !parts->inside))
        return 0;
    return body_gather(L);
}

/* Adds all that is here of the part to `into`: how much. `*rc`: what ended it. */
static size_t move(struct exchange *exchange, struct buf *into, int *rc) {
    struct parts *parts = exchange->parts;
    size_t before = into->len;
    struct str out;
    *rc = MULTIPART_PART;
    while (parts->inside && (*rc = next_event(exchange, SIZE_MAX, &out)) == MULTIPART_DATA)
        buf_add(into, out);
    parts->inside = *rc != MULTIPART_PART;
    return into->len - before;
}

/* stream, writer -> n: moves all that is here of the part to what the writer writes next; nil at
 * its end | nil, why [, message] */
static int l_part_move(lua_State *L) {
    struct exchange *exchange = exchange_get(L, 1);
    struct buf *into = bind_writer_bytes(L, 2);
    int rc;
    check_parts(L);
    if (exchange == NULL) {
        return state_push_failure(L, "closed");
    }
    size_t n = move(exchange, into, &rc);
    if (n == 0 && rc < 0)
        return push_failure(exchange, L, rc);
    if (n == 0 && rc == MULTIPART_PART)
        lua_pushnil(L);
    else
        lua_pushnumber(L, (lua_Number)n);
    return 1;
}

/* A size of Lua's, which may be infinite. */
static uint64_t check_size(lua_State *L, int index) {
    lua_Number size = luaL_checknumber(L, index);
    return size < 0 ? 0 : size < (lua_Number)(1ULL << 53) ? (uint64_t)size : UINT64_MAX;
}

static uint32_t check_u32(lua_State *L, int index) {
    uint64_t n = check_size(L, index);
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static uint32_t check_head_bytes(lua_State *L, int index) {
    uint32_t n = check_u32(L, index);
    luaL_argcheck(L, n <= HEAD_BYTES_MAX, index, "more than 1 MiB of a head");
    return n;
}

/* stream, Content-Type, parts, head_bytes, field_bytes, file_bytes -> nothing, or what is wrong
 * with that type. What is read from here on are its parts. */
static int l_parts(lua_State *L) {
    struct exchange *exchange = exchange_check(L, 1);
    struct str type = state_check_str(L, 2);
    uint32_t count = check_u32(L, 3), head_bytes = check_head_bytes(L, 4);
    uint64_t field = check_size(L, 5), file = check_size(L, 6);
    if (exchange->parts)
        return state_error(L, "stream:parts: this body is read in parts already; go on with what "
                              "the first call returned");
    if (exchange->partly)
        return state_error(L, "stream:parts: part of this body has been read by read, chunks or "
                              "save; read all of it in one way");
    struct parts *parts = mem_alloc(sizeof *parts + head_bytes);
    *parts = (struct parts){.field = field, .file = file};
    int rc = multipart_init(&parts->parser, type, parts->head, head_bytes, count);
    if (rc < 0) {
        free(parts);
        lua_pushstring(L, multipart_error(rc));
        return 1;
    }
    exchange->parts = parts;
    exchange->partly = true;
    return 0;
}

/* --- a whole form --- */

struct form {
    struct multipart parser;
    struct buf text, value; /* of the part under way */
};

/* stack: table, name; the first value of a name wins; -1 */
static void set_field(lua_State *L, struct form *form) {
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    bool taken = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (taken) {
        lua_pop(L, 1);
        return;
    }
    lua_pushlstring(L, form->value.len ? form->value.data : "", form->value.len);
    lua_rawset(L, -3);
}

/* stack: table; +1: the name of the part that begins */
static int begin_field(lua_State *L, struct form *form, struct str lines) {
    struct part_head head;
    form->text.len = form->value.len = 0;
    int rc = part_head_read(lines, &form->text, &head);
    form->parser.part_left = UINT64_MAX;
    state_push_str(L, rc == 0 ? head.name : STR(""));
    return rc;
}

/* Into the table on top of the stack. MULTIPART_END, or an error. */
static int read_fields(lua_State *L, struct form *form, struct str body) {
    struct str out;
    int rc;
    while ((rc = multipart_next(&form->parser, &body, SIZE_MAX, &out)) != MULTIPART_END) {
        if (rc == MULTIPART_HEAD)
            rc = begin_field(L, form, out);
        else if (rc == MULTIPART_DATA)
            buf_add(&form->value, out);
        else if (rc == MULTIPART_PART)
            set_field(L, form);
        else if (rc == MULTIPART_MORE)
            multipart_over(&form->parser);
        if (rc < 0)
            break;
    }
    return rc;
}

/* Content-Type, body, parts, head_bytes -> the first value of each name, or nil and what is wrong
 */
static int l_form_fields(lua_State *L) {
    struct str type = state_check_str(L, 1), body = state_check_str(L, 2);
    uint32_t count = check_u32(L, 3), head_bytes = check_head_bytes(L, 4);
    struct form form = {.text = {0}};
    char *head = lua_newuserdata(L, head_bytes + 1);
    int rc = multipart_init(&form.parser, type, head, head_bytes, count);
    size_t mark = state_lend(state_of(L));
    lua_newtable(L);
    int table = lua_gettop(L);
    if (rc == 0)
        rc = read_fields(L, &form, body);
    lua_settop(L, table);
    state_take_back(state_of(L), mark);
    buf_fini(&form.text);
    buf_fini(&form.value);
    if (rc == MULTIPART_END)
        return 1;
    return state_push_failure(L, text_of(rc));
}

/* stack: core table; 0 */
void bind_parts(lua_State *L) {
    static const luaL_Reg functions[] = {{"form_fields", l_form_fields}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"_parts", l_parts},         {"_next_part", l_next_part},
                                       {"_part_read", l_part_read}, {"_part_gather", l_part_gather},
                                       {"_part_move", l_part_move}, {NULL, NULL}};
    state_set(L, functions);
    lua_getfield(L, -1, "stream_methods");
    state_set(L, methods);
    lua_pop(L, 1);
}

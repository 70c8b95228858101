/* text: what is said about strings in C, for Lua.
 *
 * Functions of their bytes alone: they keep nothing, wait for nothing and know no task. What they
 * are for, and what is said about wrong arguments, is the Lua half's (lua/weir/json.lua,
 * lua/weir/bytes.lua). */
#include "bind/bind.h"

#include "auth/base64url.h"
#include "auth/digest.h"
#include "auth/seal.h"
#include "base/fault.h"
#include "proto/json_text.h"
#include "proto/path.h"
#include "vm/state.h"

#include <errno.h>
#include <lauxlib.h>
#include <sys/random.h>

/* text -> nil, or what is wrong and at which byte, counted from 1 */
static int l_json_check(lua_State *L) {
    size_t at;
    const char *wrong = json_text_check(state_check_str(L, 1), &at);
    if (!wrong)
        return 0;
    lua_pushstring(L, wrong);
    lua_pushnumber(L, (lua_Number)at + 1);
    return 2;
}

/* how many -> so many bytes of the system's random ones */
static int l_random(lua_State *L) {
    size_t n = (size_t)luaL_checkinteger(L, 1), got = 0;
    char *bytes = lua_newuserdata(L, n + 1);
    while (got < n) {
        ssize_t more = fault("getrandom") < 0 ? -1 : getrandom(bytes + got, n - got, 0);
        if (more < 0 && errno != EINTR)
            return luaL_error(L, "the system has no random bytes");
        got += more > 0 ? (size_t)more : 0;
    }
    lua_pushlstring(L, bytes, n);
    return 1;
}

static int push_digest(lua_State *L, const unsigned char *bytes, size_t n) {
    if (n == 0)
        return luaL_error(L, "the digest cannot be made");
    lua_pushlstring(L, (const char *)bytes, n);
    return 1;
}

/* name, text -> the digest's bytes, or nil: there is no such */
static int l_hash(lua_State *L) {
    unsigned char out[DIGEST_MAX];
    const struct digest *digest = digest_find(state_check_str(L, 1));
    struct str text = state_check_str(L, 2);
    return digest ? push_digest(L, out, digest_hash(digest, text, out)) : 0;
}

/* name, key, text -> the digest's bytes, or nil: there is no such */
static int l_hmac(lua_State *L) {
    unsigned char out[DIGEST_MAX];
    const struct digest *digest = digest_find(state_check_str(L, 1));
    struct str key = state_check_str(L, 2), text = state_check_str(L, 3);
    return digest ? push_digest(L, out, digest_hmac(digest, key, text, out)) : 0;
}

static int l_equal(lua_State *L) {
    lua_pushboolean(L, digest_equal(state_check_str(L, 1), state_check_str(L, 2)));
    return 1;
}

/* In memory of Lua's, which goes with an error. */
static int l_base64url_encode(lua_State *L) {
    struct str bytes = state_check_str(L, 1);
    char *text = lua_newuserdata(L, BASE64URL_CHARS(bytes.len));
    lua_pushlstring(L, text, base64url_write(text, bytes));
    return 1;
}

/* text -> bytes, or nil: it is no base64url */
static int l_base64url_decode(lua_State *L) {
    struct str text = state_check_str(L, 1);
    unsigned char *bytes = lua_newuserdata(L, BASE64URL_BYTES(text.len));
    int n = base64url_decode(text, bytes);
    if (n < 0)
        return 0;
    lua_pushlstring(L, (const char *)bytes, (size_t)n);
    return 1;
}

/* key, context, text -> the text sealed */
static int l_seal(lua_State *L) {
    struct str key = state_check_str(L, 1), context = state_check_str(L, 2);
    struct str text = state_check_str(L, 3);
    char *out = lua_newuserdata(L, text.len + SEAL_EXTRA);
    if (seal_close(key, context, text, out) < 0)
        return luaL_error(L, "nothing can be sealed");
    lua_pushlstring(L, out, text.len + SEAL_EXTRA);
    return 1;
}

/* key, context, sealed -> the text, or nil: it was not sealed so */
static int l_unseal(lua_State *L) {
    struct str key = state_check_str(L, 1), context = state_check_str(L, 2);
    struct str sealed = state_check_str(L, 3);
    char *out = lua_newuserdata(L, sealed.len + 1);
    int n = seal_open(key, context, sealed, out);
    if (n < 0)
        return 0;
    lua_pushlstring(L, out, (size_t)n);
    return 1;
}

/* a path as a request sends it -> as stream.path has it, or nil and why it would be refused */
static int l_path(lua_State *L) {
    struct str raw = state_check_str(L, 1);
    struct buf segments = {0}, text = {0};
    buf_reserve(&segments, 1); /* "/" is a segment without bytes, which NULL would not be */
    int rc = path_read(raw, &segments);
    if (rc >= 0)
        path_text((struct path){buf_str(&segments)}, &text);
    size_t mark = state_lend(state_of(L));
    if (rc >= 0)
        lua_pushlstring(L, text.data, text.len);
    else
        lua_pushnil(L);
    state_take_back(state_of(L), mark);
    buf_fini(&segments);
    buf_fini(&text);
    if (rc >= 0)
        return 1;
    lua_pushstring(L, path_error(rc));
    return 2;
}

void bind_text(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"json_check", l_json_check},
        {"random", l_random},
        {"hash", l_hash},
        {"hmac", l_hmac},
        {"equal", l_equal},
        {"base64url_encode", l_base64url_encode},
        {"base64url_decode", l_base64url_decode},
        {"seal", l_seal},
        {"unseal", l_unseal},
        {"path", l_path},
        {NULL, NULL},
    };
    state_set(L, functions);
}

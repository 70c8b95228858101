/* What cookie_format writes, a browser reads back (the parser here is RFC 6265 section 5.2) and
 * returns to us; what cookie_next yields are pieces of the field, none of them with a separator. */
#include "proto/cookie.h"

#include "fuzz.h"

static void check_received(struct str field) {
    struct str rest = field, name, value;
    const char *at = field.ptr;
    size_t separators = 0, pairs = 0;

    for (size_t i = 0; i < field.len; i++)
        separators += field.ptr[i] == ';';
    while (cookie_next(&rest, &name, &value)) {
        pairs++;
        CHECK(name.len > 0 && inside(name, field) && name.ptr >= at);
        CHECK(!has_byte(name, '=') && !has_byte(name, ';') && !has_byte(value, ';'));
        CHECK(inside(value, field) && value.ptr > name.ptr);
        at = value.ptr + value.len;
    }
    CHECK(pairs <= separators + 1);
}

/* What a browser makes of one attribute: "name=value" or "name". */
static void attribute(struct str part, const struct cookie_options *sent, unsigned *seen) {
    struct str name = str_trim(str_cut(&part, '=')), value = str_trim(part);
    unsigned bit;

    if (str_ieq(name, STR("Path"))) {
        bit = 1;
        CHECK(str_eq(value, sent->path.len > 0 ? str_trim(sent->path) : STR("/")));
    } else if (str_ieq(name, STR("Domain"))) {
        bit = 2;
        CHECK(str_eq(value, sent->domain));
    } else if (str_ieq(name, STR("Max-Age"))) {
        uint64_t age;
        bit = 4;
        CHECK(str_to_u64(value, &age) == 0 && age == (uint64_t)sent->max_age);
    } else if (str_ieq(name, STR("Secure"))) {
        bit = 8;
        CHECK(part.ptr == NULL);
    } else if (str_ieq(name, STR("HttpOnly"))) {
        bit = 16;
        CHECK(part.ptr == NULL);
    } else {
        bit = 32;
        CHECK(str_ieq(name, STR("SameSite")) && str_eq(value, str_of(sent->same_site)));
    }
    CHECK((*seen & bit) == 0);
    *seen |= bit;
}

static void check_sent(struct str made, struct str name, struct str value,
                       const struct cookie_options *sent) {
    struct str rest = made, pair = str_cut(&rest, ';'), back = pair, n, v;
    unsigned seen = 0;

    CHECK(!has_byte(made, '\r') && !has_byte(made, '\n') && !has_byte(made, '\0'));
    while (rest.ptr) {
        struct str part = str_cut(&rest, ';');
        attribute(part, sent, &seen);
    }
    CHECK(seen == (1u | (sent->domain.len > 0) << 1 | (sent->max_age >= 0) << 2 |
                   sent->secure << 3 | sent->http_only << 4 | (sent->same_site != NULL) << 5));
    CHECK(cookie_next(&back, &n, &v) && str_eq(n, name));
    if (value.len >= 2 && value.ptr[0] == '"')
        value = (struct str){value.ptr + 1, value.len - 2};
    CHECK(str_eq(v, value));
}

/* Flags, the lifetime, name, value, path, domain; the rest is a Cookie field. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const sites[4] = {NULL, "Strict", "Lax", "None"};
    struct input in = {data, size};
    struct buf out = {0};
    uint8_t flags = take_byte(&in);
    struct cookie_options options = {.max_age = (int8_t)take_byte(&in),
                                     .secure = flags & 1,
                                     .http_only = flags & 2,
                                     .same_site = sites[flags >> 2 & 3]};
    struct str name = take_piece(&in), value = take_piece(&in);
    options.path = take_piece(&in);
    options.domain = take_piece(&in);
    struct str field = take(&in, in.left);

    check_received(field);
    buf_add(&out, STR("kept"));
    int rc = cookie_format(&out, name, value, &options);
    CHECK(rc == 0 || rc == COOKIE_ENAME || rc == COOKIE_EVALUE);
    CHECK(out.len >= 4 && memcmp(out.data, "kept", 4) == 0);
    if (rc == 0)
        check_sent((struct str){out.data + 4, out.len - 4}, name, value, &options);
    else
        CHECK(out.len == 4);
    buf_fini(&out);
    give_back(name);
    give_back(value);
    give_back(options.path);
    give_back(options.domain);
    give_back(field);
    return 0;
}

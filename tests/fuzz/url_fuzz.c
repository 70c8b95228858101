/* Targets come apart into what they were made of, paths into segments that cannot climb, queries
 * into all their pairs, and what was percent-encoded decodes to itself. */
#include "proto/url.h"

#include "fuzz.h"

/* Every byte of `in` as an escape. */
static void encode(struct str in, struct buf *out) {
    for (size_t i = 0; i < in.len; i++)
        buf_printf(out, i % 2 ? "%%%02x" : "%%%02X", (unsigned char)in.ptr[i]);
}

/* ---- paths: the same answer found from the other end ------------------------------------------
 */

/* The segments of `path` in reverse, those that ".." takes away left out: it is counted, and the
 * next segments before it pay. -1 if it is never paid for, or an escape is bad. */
static int split_backwards(struct str path, struct buf *segments, size_t *count) {
    size_t debt = 0, end = path.len;
    bool last = true;

    *count = 0;
    while (end > 0) {
        struct buf segment = {0};
        size_t start = end;
        while (path.ptr[start - 1] != '/')
            start--;
        if (url_decode((struct str){path.ptr + start, end - start}, false, &segment) < 0) {
            buf_fini(&segment);
            return -1;
        }
        struct str text = buf_str(&segment);
        bool up = str_eq(text, STR("..")), dot = up || str_eq(text, STR("."));
        if ((dot && last) || (!dot && debt == 0)) {
            buf_add(segments, dot ? STR("") : text);
            buf_add_char(segments, '\0');
            ++*count;
        } else if (!dot) {
            debt--;
        }
        debt += up;
        last = false;
        end = start - 1;
        buf_fini(&segment);
    }
    return debt > 0 ? -1 : 0;
}

static void check_segments(const struct url_path *path) {
    CHECK(path->count >= 1 && path->count <= URL_SEGMENTS_MAX);
    CHECK(path->ends[path->count - 1] == path->text.len);
    for (size_t i = 0; i < path->count; i++) {
        struct str segment = url_segment(path, i);
        CHECK(segment.len <= path->text.len);
        CHECK(!str_eq(segment, STR(".")) && !str_eq(segment, STR("..")));
        CHECK(!has_byte(segment, '\0'));
    }
}

/* The path made anew of its segments, all bytes escaped, has the same segments. */
static void check_again(const struct url_path *path) {
    struct url_path again = {0};
    struct buf made = {0};

    for (size_t i = 0; i < path->count; i++) {
        buf_add_char(&made, '/');
        encode(url_segment(path, i), &made);
    }
    CHECK(url_path_split(buf_str(&made), &again) == 0);
    CHECK(again.count == path->count);
    for (size_t i = 0; i < path->count; i++)
        CHECK(str_eq(url_segment(&again, i), url_segment(path, i)));
    buf_fini(&made);
    buf_fini(&again.text);
}

static void check_path(struct str raw) {
    struct url_path path = {0};
    struct buf backwards = {0};
    size_t count = 0;

    int rc = url_path_split(raw, &path);
    CHECK(rc == 0 || rc == URL_EBAD || rc == URL_ELIMIT);
    if (rc == 0) {
        check_segments(&path);
        check_again(&path);
    } else {
        CHECK(path.count == 0 && path.text.len == 0);
    }
    if (raw.len == 0 || raw.ptr[0] != '/') {
        CHECK(rc == URL_EBAD);
    } else if (rc == URL_ELIMIT) {
        size_t slashes = 0;
        for (size_t i = 0; i < raw.len; i++)
            slashes += raw.ptr[i] == '/';
        CHECK(slashes >= URL_SEGMENTS_MAX);
    } else {
        CHECK((split_backwards(raw, &backwards, &count) < 0) == (rc == URL_EBAD));
        struct str rest = buf_str(&backwards);
        CHECK(rc < 0 || count == path.count);
        for (size_t i = count; rc == 0 && i-- > 0;)
            CHECK(str_eq(str_cut(&rest, '\0'), url_segment(&path, i)));
    }
    buf_fini(&backwards);
    buf_fini(&path.text);
}

/* ---- targets ----------------------------------------------------------------------------------
 */

static void check_target(struct str raw, struct str method) {
    struct target t;
    struct buf made = {0};

    int rc = url_target(raw, method, &t);
    CHECK(rc == 0 || rc == URL_EBAD);
    if (rc < 0)
        return;
    for (size_t i = 0; i < raw.len; i++)
        CHECK(raw.ptr[i] > ' ' && raw.ptr[i] < 0x7F && raw.ptr[i] != '#');
    CHECK((t.form == TARGET_AUTHORITY) == str_eq(method, STR("CONNECT")));
    CHECK((t.form == TARGET_ABSOLUTE) == (t.scheme.len > 0));
    CHECK(!has_byte(t.path, '?') && !has_byte(t.authority, '/') && !has_byte(t.authority, '@'));
    CHECK(t.path.len == 0 || t.path.ptr[0] == '/' || t.form == TARGET_ASTERISK);
    CHECK(t.path.len > 0 || t.form == TARGET_AUTHORITY);
    buf_add(&made, t.scheme);
    if (t.form == TARGET_ABSOLUTE)
        buf_add(&made, STR("://"));
    buf_add(&made, t.authority);
    if (t.form != TARGET_ABSOLUTE || inside(t.path, raw))
        buf_add(&made, t.path);
    if (t.query.ptr)
        buf_add_char(&made, '?');
    buf_add(&made, t.query);
    CHECK(str_eq(buf_str(&made), raw));
    buf_fini(&made);
    if (t.path.len > 0 && t.path.ptr[0] == '/')
        check_path(t.path);
}

/* ---- decoding and queries ---------------------------------------------------------------------
 */

static void check_decoding(struct str raw, bool plus) {
    struct buf strict = {0}, lenient = {0}, encoded = {0}, back = {0};

    int rc = url_decode(raw, plus, &strict);
    url_decode_lenient(raw, plus, &lenient);
    CHECK(lenient.len <= raw.len);
    if (rc == 0) {
        CHECK(str_eq(buf_str(&strict), buf_str(&lenient)));
        CHECK(!has_byte(buf_str(&strict), '\0'));
    } else {
        CHECK(rc == URL_EBAD && strict.len == 0);
        CHECK(has_byte(raw, '%') || has_byte(raw, '\0'));
    }
    encode(raw, &encoded);
    url_decode_lenient(buf_str(&encoded), plus, &back);
    CHECK(str_eq(buf_str(&back), raw));
    back.len = 0;
    CHECK(url_decode(buf_str(&encoded), plus, &back) == (has_byte(raw, '\0') ? URL_EBAD : 0));
    CHECK(back.len == 0 || str_eq(buf_str(&back), raw));
    buf_fini(&strict);
    buf_fini(&lenient);
    buf_fini(&encoded);
    buf_fini(&back);
}

static void check_query(struct str raw) {
    struct str rest = raw, pieces = raw, name, value;

    while (pieces.ptr) {
        struct str piece = str_cut(&pieces, '&');
        if (piece.len == 0)
            continue;
        CHECK(url_query_next(&rest, &name, &value));
        CHECK(inside(name, piece) && !has_byte(name, '='));
        CHECK(name.ptr == piece.ptr);
        CHECK(name.len == piece.len ? value.len == 0 : name.len + 1 + value.len == piece.len);
        CHECK(value.len == 0 || inside(value, piece));
    }
    CHECK(!url_query_next(&rest, &name, &value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    struct str raw = take(&in, size);

    check_target(raw, STR("GET"));
    check_target(raw, STR("OPTIONS"));
    check_target(raw, STR("CONNECT"));
    check_path(raw);
    check_decoding(raw, false);
    check_decoding(raw, true);
    check_query(raw);
    give_back(raw);
    return 0;
}

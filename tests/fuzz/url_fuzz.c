/* Targets come apart into what they were made of, paths into segments that nobody can read
 * otherwise, queries into all their pairs, and what was percent-encoded decodes to itself. */
#include "proto/path.h"
#include "proto/url.h"

#include "fuzz.h"

/* Every byte of `in` as an escape. */
static void encode(struct str in, struct buf *out) {
    for (size_t i = 0; i < in.len; i++)
        buf_printf(out, i % 2 ? "%%%02x" : "%%%02X", (unsigned char)in.ptr[i]);
}

/* ---- paths: what follows from the rules, found otherwise --------------------------------------
 */

/* What `raw` means if it is decoded as a whole, which is right where no '%' stands for a '/'. */
static bool is_refused(struct str raw) {
    struct buf all = {0};
    bool refused = raw.len == 0 || raw.ptr[0] != '/';
    for (size_t i = 0; i < raw.len && !refused; i++) {
        static const char hex[] = "0123456789abcdefABCDEF";
        bool escape = raw.ptr[i] == '%';
        refused = raw.ptr[i] == '\0' ||
                  (escape && (i + 2 >= raw.len || !raw.ptr[i + 1] || !raw.ptr[i + 2] ||
                              !strchr(hex, raw.ptr[i + 1]) || !strchr(hex, raw.ptr[i + 2]) ||
                              (raw.ptr[i + 1] == '0' && raw.ptr[i + 2] == '0')));
        if (!escape || refused) {
            buf_add_char(&all, raw.ptr[i]);
            continue;
        }
        char digits[3] = {raw.ptr[i + 1], raw.ptr[i + 2], '\0'};
        char c = (char)strtol(digits, NULL, 16);
        buf_add_char(&all, c == '/' ? 'x' : c);
        i += 2;
    }
    buf_add_char(&all, '/'); /* so that the last segment ends like the others */
    buf_add_char(&all, '\0');
    if (all.len > 2 && strcmp(all.data + all.len - 3, "//") == 0)
        all.data[all.len - 2] = '\0'; /* the last one may be empty */
    refused =
        refused || strstr(all.data, "//") || strstr(all.data, "/./") || strstr(all.data, "/../");
    buf_fini(&all);
    return refused;
}

static void check_segments(struct path path) {
    struct str segment;
    while (path_next(&path, &segment)) {
        CHECK(!str_eq(segment, STR(".")) && !str_eq(segment, STR("..")));
        CHECK(segment.len > 0 || path.bytes.ptr == NULL);
        CHECK(!has_byte(segment, '\0'));
    }
}

/* The text and the address name the path and no other: read again they are the same. */
static void check_again(struct path path) {
    struct buf text = {0}, address = {0}, again = {0}, made = {0};
    struct str segment;

    path_text(path, &text);
    for (size_t i = 0; i < text.len; i++)
        CHECK(text.data[i] != '%' || text.data[i + 1] == '2');
    CHECK(path_read(buf_str(&text), &again) >= 0 && str_eq(buf_str(&again), path.bytes));
    again.len = 0;
    path_encode(path, &address);
    CHECK(path_read(buf_str(&address), &again) >= 0 && str_eq(buf_str(&again), path.bytes));
    again.len = 0;
    for (struct path rest = path; path_next(&rest, &segment);) {
        buf_add_char(&made, '/');
        encode(segment, &made);
    }
    CHECK(path_read(buf_str(&made), &again) >= 0 && str_eq(buf_str(&again), path.bytes));
    buf_fini(&text);
    buf_fini(&address);
    buf_fini(&again);
    buf_fini(&made);
}

/* What is not rewritten is its own address. */
static void check_address(struct path path, struct str raw, int rc) {
    struct buf address = {0};

    path_encode(path, &address);
    CHECK(rc == PATH_REWRITTEN || str_eq(buf_str(&address), raw));
    buf_fini(&address);
}

static void check_path(struct str raw) {
    struct buf bytes = {0};

    int rc = path_read(raw, &bytes);
    CHECK((rc < 0) == is_refused(raw));
    CHECK(bytes.len <= raw.len);
    if (rc < 0) {
        CHECK(bytes.len == 0 && path_error(rc) != NULL);
    } else {
        struct path path = {{bytes.data, bytes.len}};
        size_t slashes = 0, segments = 0;
        struct str segment;
        for (size_t i = 0; i < raw.len; i++)
            slashes += raw.ptr[i] == '/';
        check_segments(path);
        check_again(path);
        check_address(path, raw, rc);
        while (path_next(&path, &segment))
            segments++;
        CHECK(segments == slashes);
    }
    buf_fini(&bytes);
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
    struct buf decoded = {0}, encoded = {0}, back = {0};

    url_decode_lenient(raw, plus, &decoded);
    CHECK(decoded.len <= raw.len);
    encode(raw, &encoded);
    url_decode_lenient(buf_str(&encoded), plus, &back);
    CHECK(str_eq(buf_str(&back), raw));
    buf_fini(&decoded);
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

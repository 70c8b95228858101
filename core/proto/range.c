/* range: which bytes of a representation a request asks for, and whether it wants any (RFC 9110
 * sections 13 and 14).
 *
 *     If-Match ──false──> 412        If-None-Match ──match────> 304
 *        │ absent                       │ absent
 *     If-Unmodified-Since ──later> 412  If-Modified-Since ──not later> 304
 *        │                              │
 *        └──────────────> next ─────────┘──> 200, or Range if If-Range holds
 *
 * A field that makes no sense is ignored, as each section says, so nothing here fails: at worst the
 * whole representation goes out. Pure: static knows the file and makes the answer. */
#include "proto/range.h"

#include "proto/date.h"
#include "proto/header.h"

/* ---- ranges -----------------------------------------------------------------------------------
 */

/* 1*DIGIT of any length: the grammar has no limit, so what does not fit is the largest number. */
static bool position(struct str s, uint64_t *out) {
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    if (str_to_u64(s, out) < 0)
        *out = UINT64_MAX;
    return s.len > 0;
}

/* "-" suffix-length: the last bytes (section 14.1.2). An empty representation has none to send, but
 * such a range counts as satisfiable, so all of it is sent. */
static enum range_verdict suffix(uint64_t wanted, uint64_t length, struct byte_range *out) {
    if (wanted == 0)
        return RANGE_UNSATISFIABLE;
    if (length == 0)
        return RANGE_NONE;
    *out = (struct byte_range){wanted < length ? length - wanted : 0, length - 1};
    return RANGE_PARTIAL;
}

enum range_verdict range_parse(struct str value, uint64_t length, struct byte_range *out) {
    struct str unit = str_cut(&value, '='), spec, more;
    uint64_t first, last = UINT64_MAX;

    if (!str_ieq(unit, STR("bytes")) || !header_list_next(&value, &spec) ||
        header_list_next(&value, &more))
        return RANGE_NONE;
    struct str from = str_cut(&spec, '-');
    if (!spec.ptr || (spec.len > 0 && !position(spec, &last)))
        return RANGE_NONE;
    if (from.len == 0)
        return spec.len > 0 ? suffix(last, length, out) : RANGE_NONE;
    if (!position(from, &first) || last < first)
        return RANGE_NONE;
    if (first >= length)
        return RANGE_UNSATISFIABLE;
    *out = (struct byte_range){first, last < length ? last : length - 1};
    return RANGE_PARTIAL;
}

/* ---- entity tags ------------------------------------------------------------------------------
 */

static bool is_weak(struct str etag) {
    return str_starts(etag, STR("W/"));
}

static struct str opaque(struct str etag) {
    return is_weak(etag) ? (struct str){etag.ptr + 2, etag.len - 2} : etag;
}

static bool same(struct str a, struct str b, bool weak) {
    if (weak)
        return str_eq(opaque(a), opaque(b));
    return !is_weak(a) && str_eq(a, b);
}

/* Steps through a list of tags. Not header_list_next: a backslash is an ordinary byte of an
 * opaque-tag (section 8.8.3). What is not a tag ends the list. */
static bool next_tag(struct str *rest, struct str *tag) {
    size_t i = 0, start;

    while (i < rest->len && (rest->ptr[i] == ' ' || rest->ptr[i] == '\t' || rest->ptr[i] == ','))
        i++;
    if (i == rest->len) /* also when there is no list: no arithmetic with NULL */
        return false;
    start = i;
    if (is_weak((struct str){rest->ptr + i, rest->len - i}))
        i += 2;
    if (i == rest->len || rest->ptr[i] != '"')
        return false;
    for (i++; i < rest->len && rest->ptr[i] != '"';)
        i++;
    if (i++ == rest->len)
        return false;
    *tag = (struct str){rest->ptr + start, i - start};
    *rest = (struct str){rest->ptr + i, rest->len - i};
    return true;
}

bool etag_list_has(struct str list, struct str etag, bool weak) {
    struct str tag;

    if (str_eq(str_trim(list), STR("*")))
        return true;
    while (next_tag(&list, &tag))
        if (same(tag, etag, weak))
            return true;
    return false;
}

/* ---- preconditions ----------------------------------------------------------------------------
 */

/* Whether `field` is a date and the representation has not changed since. A field that is no date,
 * or of what has none itself, counts as absent (sections 13.1.3 and 13.1.4), as `absent` says. */
static bool unchanged_since(struct str field, int64_t modified, bool absent) {
    int64_t date;

    if (!field.ptr || modified == MODIFIED_NONE || http_date_parse(field, &date) < 0)
        return absent;
    return modified <= date;
}

/* If-Range holds one tag, compared strongly, or one date that must be exactly ours. */
static bool if_range_holds(struct str field, const struct validators *now) {
    int64_t date;

    if (!field.ptr)
        return true;
    if (http_date_parse(field, &date) == 0)
        return date == now->modified;
    return now->etag.len > 0 && same(field, now->etag, false);
}

int conditional_status(const struct preconditions *pre, const struct validators *now,
                       bool *range_holds) {
    bool met = pre->if_match.ptr ? etag_list_has(pre->if_match, now->etag, false)
                                 : unchanged_since(pre->if_unmodified_since, now->modified, true);
    *range_holds = false;
    if (!met)
        return 412;
    bool fresh = pre->if_none_match.ptr
                     ? etag_list_has(pre->if_none_match, now->etag, true)
                     : unchanged_since(pre->if_modified_since, now->modified, false);
    if (fresh)
        return 304;
    *range_holds = if_range_holds(pre->if_range, now);
    return 200;
}

/* A range never reaches beyond the representation, and preconditions answer as their order says. */
#include "proto/range.h"

#include "proto/date.h"
#include "proto/header.h"

#include "fuzz.h"

static void check_range(struct str value, uint64_t length) {
    struct byte_range range = {0}, again = {0};
    char canonical[64];

    switch (range_parse(value, length, &range)) {
    case RANGE_PARTIAL:
        CHECK(range.first <= range.last && range.last < length);
        snprintf(canonical, sizeof canonical, "bytes=%llu-%llu", (unsigned long long)range.first,
                 (unsigned long long)range.last);
        CHECK(range_parse(str_of(canonical), length, &again) == RANGE_PARTIAL);
        CHECK(again.first == range.first && again.last == range.last);
        break;
    case RANGE_UNSATISFIABLE: /* no length makes a malformed one satisfiable, but this one does */
        CHECK(has_byte(value, '-') && has_byte(value, '='));
        break;
    case RANGE_NONE:
        break;
    default:
        abort();
    }
}

/* The two numbers as a range, written the three ways there are. */
static void check_numbers(uint64_t a, uint64_t b, uint64_t length) {
    unsigned long long from = a, to = b;
    struct byte_range range = {0};
    enum range_verdict verdict;
    char text[64];

    snprintf(text, sizeof text, "bytes=%llu-%llu", from, to);
    verdict = range_parse(str_of(text), length, &range);
    CHECK(verdict == (b < a ? RANGE_NONE : a < length ? RANGE_PARTIAL : RANGE_UNSATISFIABLE));
    if (verdict == RANGE_PARTIAL)
        CHECK(range.first == a && range.last == (b < length ? b : length - 1));
    snprintf(text, sizeof text, "bytes=%llu-", from);
    verdict = range_parse(str_of(text), length, &range);
    CHECK(verdict == (a < length ? RANGE_PARTIAL : RANGE_UNSATISFIABLE));
    if (verdict == RANGE_PARTIAL)
        CHECK(range.first == a && range.last == length - 1);
    snprintf(text, sizeof text, "bytes=-%llu", to);
    verdict = range_parse(str_of(text), length, &range);
    CHECK(verdict == (b == 0 ? RANGE_UNSATISFIABLE : length == 0 ? RANGE_NONE : RANGE_PARTIAL));
    if (verdict == RANGE_PARTIAL)
        CHECK(range.last == length - 1 &&
              range.last - range.first + 1 == (b < length ? b : length));
}

/* A tag made of `text`, put at the end of a list. */
static void check_tag(struct str list, struct str text) {
    struct buf tag = {0}, longer = {0};

    buf_add_char(&tag, '"');
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != '"')
            buf_add_char(&tag, text.ptr[i]);
    buf_add_char(&tag, '"');
    CHECK(etag_list_has(buf_str(&tag), buf_str(&tag), false));
    buf_add(&longer, STR("W/\"other\\\" , "));
    buf_add(&longer, buf_str(&tag));
    CHECK(etag_list_has(buf_str(&longer), buf_str(&tag), false));
    buf_drop(&longer, longer.len);
    buf_add(&longer, STR("W/"));
    buf_add(&longer, buf_str(&tag));
    CHECK(etag_list_has(buf_str(&longer), buf_str(&tag), true));
    CHECK(!etag_list_has(buf_str(&longer), buf_str(&tag), false));
    /* what holds strongly holds weakly */
    if (etag_list_has(list, buf_str(&tag), false))
        CHECK(etag_list_has(list, buf_str(&tag), true));
    buf_fini(&tag);
    buf_fini(&longer);
}

static void check_conditions(struct preconditions *pre, const struct validators *now) {
    bool holds = false;
    int64_t date;
    int status = conditional_status(pre, now, &holds);

    CHECK(status == 200 || status == 304 || status == 412);
    CHECK(status == 200 || !holds);
    CHECK(status != 412 || pre->if_match.ptr || pre->if_unmodified_since.ptr);
    CHECK(status != 304 || pre->if_none_match.ptr || pre->if_modified_since.ptr);
    if (status == 200 && !pre->if_range.ptr)
        CHECK(holds);
    if (holds && pre->if_range.ptr)
        CHECK(str_eq(pre->if_range, now->etag) || http_date_parse(pre->if_range, &date) == 0);

    /* the fields that come earlier in the order make the later ones not count */
    struct preconditions fewer = *pre;
    if (fewer.if_match.ptr)
        fewer.if_unmodified_since = (struct str){NULL, 0};
    if (fewer.if_none_match.ptr)
        fewer.if_modified_since = (struct str){NULL, 0};
    CHECK(conditional_status(&fewer, now, &holds) == status);
}

/* Flags for what is present, a length, two numbers, then pieces: our tag, five fields; the rest is
 * a Range. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    uint8_t flags = take_byte(&in), shift = take_byte(&in) & 63;
    uint64_t length = take_u64(&in) >> shift, a = take_u64(&in) >> shift,
             b = take_u64(&in) >> shift;
    struct validators now = {take_piece(&in), (int64_t)length};
    struct preconditions pre = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    struct str *fields[] = {&pre.if_match, &pre.if_none_match, &pre.if_modified_since,
                            &pre.if_unmodified_since, &pre.if_range};

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (flags & 1 << i)
            *fields[i] = take_piece(&in);
    struct str value = take(&in, in.left);

    check_range(value, length);
    check_numbers(a, b, length);
    check_tag(value, now.etag);
    check_tag(pre.if_match, now.etag);
    check_conditions(&pre, &now);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        give_back(*fields[i]);
    give_back(now.etag);
    give_back(value);
    return 0;
}

/* The grammars of fields over one piece of text, the date's arithmetic over one number. */
#include "proto/date.h"
#include "proto/header.h"

#include "fuzz.h"

static bool trimmed(struct str s) {
    struct str t = str_trim(s);
    return t.len == s.len;
}

/* Elements come in order, do not overlap, and leave only commas and white space between them. */
static void check_list(struct str s) {
    struct str rest = s, element;
    const char *at = s.ptr;

    while (header_list_next(&rest, &element)) {
        CHECK(element.len > 0 && trimmed(element) && inside(element, s));
        CHECK(inside(rest, s));
        for (; at < element.ptr; at++)
            CHECK(*at == ',' || *at == ' ' || *at == '\t');
        at = element.ptr + element.len;
        CHECK(has_byte(element, '"') || !has_byte(element, ','));
        CHECK(header_list_has(s, element));
    }
    for (; at < s.ptr + s.len; at++)
        CHECK(*at == ',' || *at == ' ' || *at == '\t');
}

static void check_weight(struct str s) {
    int gzip = header_accepts_coding(s, STR("gzip"));
    int named = header_accepts_coding(s, STR("GZIP"));
    int any = header_accepts_coding(s, STR("a;b")); /* no list names this: "*" or nothing */

    CHECK(gzip >= 0 && gzip <= 1000 && gzip == named);
    CHECK(any >= 0 && any <= 1000);
    CHECK(any == 0 || has_byte(s, '*'));
}

/* A date that is understood, written and read again is the same moment. */
static void check_date(struct str s) {
    char text[HTTP_DATE_LEN + 1];
    int64_t t, again;

    if (http_date_parse(s, &t) < 0)
        return;
    CHECK(s.len >= 24 && s.len <= 33);
    http_date_format(t, text);
    CHECK(http_date_parse(str_of(text), &again) == 0);
    CHECK(again == t || (t == 253402300800 && again == t - 1)); /* 9999's leap second */
    if (s.len == HTTP_DATE_LEN && s.ptr[3] == ',' && memcmp(s.ptr + 23, "60", 2) != 0)
        CHECK(memcmp(s.ptr + 5, text + 5, HTTP_DATE_LEN - 5) == 0); /* but for the day's name */
}

static void check_number(int64_t t) {
    const int64_t first = -62167219200, last = 253402300799;
    char *text = malloc(HTTP_DATE_LEN + 1);
    int64_t again;

    http_date_format(t, text);
    CHECK(strlen(text) == HTTP_DATE_LEN);
    CHECK(http_date_parse(str_of(text), &again) == 0);
    CHECK(again == (t < first ? first : t > last ? last : t));
    free(text);
}

static void check_host(struct str s) {
    struct buf longer = {0};

    if (!header_is_host(s))
        return;
    CHECK(header_is_value(s));
    for (size_t i = 0; i < s.len; i++)
        CHECK(s.ptr[i] > ' ' && s.ptr[i] < 0x7F && !strchr("/?#@\\\"<>^`{|}", s.ptr[i]));
    buf_add(&longer, s);
    if (!has_byte(s, ':') || s.ptr[s.len - 1] == ']')
        buf_add_char(&longer, ':');
    buf_add(&longer, STR("80"));
    CHECK(header_is_host(buf_str(&longer)));
    buf_fini(&longer);
}

static void check_text(struct str s) {
    struct str type = header_media_type(s);

    CHECK(trimmed(type) && !has_byte(type, ';'));
    CHECK(type.len == 0 || inside(type, s));
    if (header_is_token(s)) {
        struct str rest = s, element;
        CHECK(s.len > 0 && header_is_value(s));
        CHECK(header_list_next(&rest, &element) && str_eq(element, s));
    }
    if (header_is_value(s))
        CHECK(trimmed(s) && !has_byte(s, '\r') && !has_byte(s, '\n') && !has_byte(s, '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size}, number = in;
    struct str s = take(&in, size);
    int64_t t = (int64_t)take_u64(&number);

    check_text(s);
    check_list(s);
    check_weight(s);
    check_date(s);
    check_host(s);
    check_number(t);
    check_number(t / (1 << 26)); /* mostly within the years of four digits */
    CHECK(strlen(http_reason((int)(t >> 48))) > 0);
    give_back(s);
    return 0;
}

/* Whatever a README is, its line is short, is text, and is made of nothing but what stands there. */
#include "serve/summary.h"

#include "fuzz.h"

#define DOTS "\xe2\x80\xa6"

/* Each of its bytes stands in the text, in this order; those left out are marks and white space. */
static bool is_part(struct str line, struct str text) {
    size_t at = 0;
    for (size_t i = 0; i < line.len; i++) {
        while (at < text.len && text.ptr[at] != line.ptr[i] &&
               !(line.ptr[i] == ' ' && text.ptr[at] == '\n'))
            at++;
        if (at++ == text.len)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = {(const char *)data, size};
    struct buf line = {0};
    summary_of(text, &line);
    struct str got = buf_str(&line);
    CHECK(got.len <= SUMMARY_MAX + sizeof DOTS - 1 && str_utf8_valid(got) == got.len);
    for (size_t i = 0; i < got.len; i++)
        CHECK((unsigned char)got.ptr[i] >= ' ' && got.ptr[i] != 0x7f);
    if (got.len > SUMMARY_MAX / 2) /* it may be cut */
        got.len -= sizeof DOTS - 1;
    CHECK(is_part(got, text));
    buf_fini(&line);
    return 0;
}

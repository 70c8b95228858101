/* What jansson takes, json_text passes: both hold themselves to RFC 8259, but that jansson drops a
 * NUL behind a number. And what is wrong is inside the text. */
#include "proto/json_text.h"

#include "fuzz.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    struct str text = take(&in, size);
    size_t at = 0;
    const char *wrong = json_text_check(text, &at);
    CHECK(wrong ? at < text.len : at == text.len);
    json_t *value = json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    CHECK(!wrong || !value || text.ptr[at] == '\0');
    json_decref(value);
    give_back(text);
    return 0;
}

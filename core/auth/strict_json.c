/* strict_json: a JSON object as a token or a set of keys may hold it.
 *
 * Two parsers that disagree on a text are a hole (RFC 8725 section 2.4, RFC 7515 section 4): one
 * checks the first "sub", the other uses the second. So a text that can be read in two ways is
 * refused. jansson does most of it; nesting it allows up to 2048 levels, which is more than those
 * behind us should have to follow.
 *
 * What is a good text and beyond what a double or a C string holds is no reason to refuse the
 * members beside it, which may be all that is asked for: whole numbers become the nearest double,
 * NUL is a character, and a number that no double comes near is null, as JavaScript has it, which
 * is an error for whoever reads that member as a number. */
#include "auth/strict_json.h"

#include "base/mem.h"
#include "proto/json_text.h"

#include <stdlib.h>
#include <string.h>

/* Each number beyond a double, in place: "1e400" is "null " afterwards. */
static void null_infinite(char *copy, size_t len) {
    struct str text = {copy, len}, token;
    for (size_t i = 0; json_text_next(text, &i, &token);)
        if (json_text_is_infinite(token)) {
            memset((char *)token.ptr, ' ', token.len);
            memcpy((char *)token.ptr, "null", 4);
        }
}

static bool too_deep(const json_t *value, int levels) {
    if (!json_is_object(value) && !json_is_array(value))
        return false;
    if (levels == 0)
        return true;
    if (json_is_object(value)) {
        void *iter = json_object_iter((json_t *)value);
        for (; iter; iter = json_object_iter_next((json_t *)value, iter))
            if (too_deep(json_object_iter_value(iter), levels - 1))
                return true;
        return false;
    }
    for (size_t i = 0; i < json_array_size(value); i++)
        if (too_deep(json_array_get(value, i), levels - 1))
            return true;
    return false;
}

#define LOAD_FLAGS (JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)

/* A text with a number that is beyond what jansson takes. */
static json_t *load_large(struct str text, json_error_t *error) {
    char *copy = mem_copy(text.ptr, text.len);
    null_infinite(copy, text.len);
    json_t *value = json_loadb(copy, text.len, LOAD_FLAGS | JSON_DECODE_INT_AS_REAL, error);
    free(copy);
    return value;
}

int strict_json_parse(struct str text, const char *what, json_t **out, struct reason *why) {
    json_error_t error;
    const char *nul = text.len > 0 ? memchr(text.ptr, '\0', text.len) : NULL;
    if (nul) /* jansson drops one behind a number */
        return reason_set(why, STRICT_JSON_EBAD, "%s: not JSON: NUL at byte %d", what,
                          (int)(nul - text.ptr));
    json_t *value = json_loadb(text.ptr, text.len, LOAD_FLAGS, &error);
    if (!value && json_error_code(&error) == json_error_numeric_overflow)
        value = load_large(text, &error);
    if (!value)
        return reason_set(why, STRICT_JSON_EBAD, "%s: not JSON: %s at byte %d", what, error.text,
                          error.position);
    if (json_is_object(value) && !too_deep(value, STRICT_JSON_DEPTH)) {
        *out = value;
        return 0;
    }
    int rc = json_is_object(value)
                 ? reason_set(why, STRICT_JSON_EBAD, "%s: nested more than %d deep", what,
                              STRICT_JSON_DEPTH)
                 : reason_set(why, STRICT_JSON_EBAD, "%s: not a JSON object", what);
    json_decref(value);
    return rc;
}

struct str strict_json_string(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value))
        return (struct str){NULL, 0};
    return (struct str){json_string_value(value), json_string_length(value)};
}

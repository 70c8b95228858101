/* cookie: Cookie and Set-Cookie (RFC 6265).
 *
 *     Cookie: a=1; b="2"                                     taken apart, leniently (section 5.4)
 *     Set-Cookie: a=1; Path=/; Max-Age=60; Secure; HttpOnly  made, strictly (section 4.1)
 *
 * What comes from clients may have been set by anyone for the domain, so a pair that makes no sense
 * is skipped and the others still count. What goes out must mean the same to every receiver, so a
 * byte outside the grammar is an error of the caller: the grammar has no escapes, and a ';' in a
 * value would become an attribute. Pure: borrows from the input, knows neither time nor session. */
#include "proto/cookie.h"

#include "proto/header.h"

bool cookie_next(struct str *rest, struct str *name, struct str *value) {
    while (rest->ptr) {
        struct str pair = str_cut(rest, ';');
        struct str key = str_trim(str_cut(&pair, '='));
        if (!pair.ptr || key.len == 0)
            continue;
        *name = key;
        *value = str_trim(pair);
        if (value->len >= 2 && value->ptr[0] == '"' && value->ptr[value->len - 1] == '"')
            *value = (struct str){value->ptr + 1, value->len - 2};
        return true;
    }
    return false;
}

/* cookie-value = *cookie-octet / ( DQUOTE *cookie-octet DQUOTE ): US-ASCII without controls, space,
 * DQUOTE, comma, semicolon and backslash. */
static bool is_value(struct str s) {
    if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
        s = (struct str){s.ptr + 1, s.len - 2};
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c <= 0x20 || c >= 0x7F || c == '"' || c == ',' || c == ';' || c == '\\')
            return false;
    }
    return true;
}

/* path-value = any CHAR except CTLs or ";". */
static bool is_path(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < 0x20 || s.ptr[i] >= 0x7F || s.ptr[i] == ';')
            return false;
    return true;
}

/* domain-value = subdomain (RFC 1034 section 3.5 as RFC 1123 section 2.1 has it): labels of
 * letters, digits and inner hyphens. So no leading dot, which receivers would drop anyway. */
static bool is_domain(struct str rest) {
    while (rest.ptr) {
        struct str label = str_cut(&rest, '.');
        if (label.len == 0 || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
            return false;
        for (size_t i = 0; i < label.len; i++) {
            char c = label.ptr[i];
            bool letter = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
            if (!letter && c != '-' && !(c >= '0' && c <= '9'))
                return false;
        }
    }
    return true;
}

/* The three values there are (RFC 6265bis section 4.1.2.7), so that a script's typing error does
 * not silently become the browser's default. */
static bool is_same_site(struct str s) {
    return str_eq(s, STR("Strict")) || str_eq(s, STR("Lax")) || str_eq(s, STR("None"));
}

int cookie_format(struct buf *out, struct str name, struct str value,
                  const struct cookie_options *options) {
    if (!header_is_token(name))
        return COOKIE_ENAME;
    if (!is_value(value) || !is_path(options->path) ||
        (options->domain.len > 0 && !is_domain(options->domain)) ||
        (options->same_site && !is_same_site(str_of(options->same_site))))
        return COOKIE_EVALUE;
    buf_add(out, name);
    buf_add_char(out, '=');
    buf_add(out, value);
    buf_add(out, STR("; Path="));
    buf_add(out, options->path.len > 0 ? options->path : STR("/"));
    if (options->domain.len > 0)
        buf_printf(out, "; Domain=%.*s", STR_ARG(options->domain));
    if (options->max_age >= 0)
        buf_printf(out, "; Max-Age=%lld", (long long)options->max_age);
    if (options->secure)
        buf_add(out, STR("; Secure"));
    if (options->http_only)
        buf_add(out, STR("; HttpOnly"));
    if (options->same_site)
        buf_printf(out, "; SameSite=%s", options->same_site);
    return 0;
}

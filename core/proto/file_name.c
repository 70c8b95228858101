/* file_name: a name that somebody sent, as one that a file may have (RFC 7578 section 4.2).
 *
 *     C:\dir\a.txt   ../../a.txt   ..a.txt   a<NUL>.txt   CON.txt    <300 letters>.tar.gz
 *     a.txt          a.txt         a.txt     a_.txt       _CON.txt   <some letters>.gz
 *
 * The last segment counts, whichever slash its system has. What shows nothing or misleads becomes
 * '_': control characters, those that turn the direction of text, those without a width, bytes that
 * are no UTF-8. Dots and
 * spaces go from the front, where they hide a file, and from the end, where Windows drops them.
 * What is too long loses the end of what stands before its extension, at a character's border.
 *
 * Pure. Where the file goes, and whether there is one of that name, is for others to know. */
#include "proto/file_name.h"

#include <stdint.h>
#include <strings.h>

#define EXTENSION_MAX 32 /* a longer one is none */

static struct str last_segment(struct str name) {
    for (size_t i = name.len; i-- > 0;)
        if (name.ptr[i] == '/' || name.ptr[i] == '\\')
            return (struct str){name.ptr + i + 1, name.len - i - 1};
    return name;
}

static bool is_edge(char c) {
    return c == '.' || c == ' ';
}

static struct str without_edges(struct str s) {
    for (; s.len > 0 && is_edge(s.ptr[0]); s.len--)
        s.ptr++;
    while (s.len > 0 && is_edge(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* How many bytes the character at the front has; 0: it is none. */
static size_t char_len(struct str s) {
    for (size_t n = 1; n <= 4 && n <= s.len; n++)
        if (str_utf8_valid((struct str){s.ptr, n}) == n)
            return n;
    return 0;
}

/* Of one that char_len has seen. */
static uint32_t code_point(struct str c) {
    unsigned char first = (unsigned char)c.ptr[0];
    uint32_t code = c.len == 1 ? first : first & (0x7FU >> c.len);
    for (size_t i = 1; i < c.len; i++)
        code = code << 6 | ((unsigned char)c.ptr[i] & 0x3F);
    return code;
}

/* Controls; the marks, embeddings, overrides and isolates of Unicode's UAX #9; what is there and
 * has no width. Joiners are not among them: words and pictures are written with them. */
static bool is_control(struct str c) {
    static const uint32_t ranges[][2] = {
        {0, 0x1F},        {0x7F, 0x9F},     {0xAD, 0xAD},     {0x61C, 0x61C},   {0x115F, 0x1160},
        {0x180E, 0x180E}, {0x200B, 0x200B}, {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F},
        {0x3164, 0x3164}, {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF9, 0xFFFB}, {0xE0001, 0xE0001}};
    uint32_t code = code_point(c);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1])
            return true;
    return false;
}

/* Appends as many whole characters of `s` as there is room for. */
static size_t append(char *out, size_t len, size_t most, struct str s) {
    while (s.len > 0) {
        size_t n = char_len(s), taken = n > 0 ? n : 1;
        struct str c = {s.ptr, n};
        if (n == 0 || is_control(c))
            c = STR("_");
        if (len + c.len > most)
            break;
        memcpy(out + len, c.ptr, c.len);
        len += c.len;
        s = (struct str){s.ptr + taken, s.len - taken};
    }
    return len;
}

/* With its dot; empty: there is none. */
static struct str extension_of(struct str name) {
    const char *dot = name.len > 0 ? memrchr(name.ptr, '.', name.len) : NULL;
    size_t len = dot ? (size_t)(name.ptr + name.len - dot) : 0;
    return len > EXTENSION_MAX ? (struct str){NULL, 0} : (struct str){dot, len};
}

/* The names that Windows takes for a device, whatever extension is behind them. */
static bool is_device(struct str name) {
    static const char *const devices[] = {"con", "prn", "aux", "nul", "conin$", "conout$"};
    struct str stem = without_edges(str_cut(&name, '.'));
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        if (str_ieq(stem, str_of(devices[i])))
            return true;
    bool port = stem.len > 3 &&
                (strncasecmp(stem.ptr, "com", 3) == 0 || strncasecmp(stem.ptr, "lpt", 3) == 0);
    struct str number = {stem.ptr + 3, port ? stem.len - 3 : 0};
    return (number.len == 1 && number.ptr[0] >= '0' && number.ptr[0] <= '9') ||
           str_eq(number, STR("\xc2\xb9")) || str_eq(number, STR("\xc2\xb2")) ||
           str_eq(number, STR("\xc2\xb3")); /* the small ones of Latin-1 */
}

size_t file_name_safe(struct str name, char out[FILE_NAME_MAX]) {
    name = without_edges(last_segment(name));
    if (name.len == 0)
        name = STR("file");
    struct str extension = extension_of(name), stem = {name.ptr, name.len - extension.len};
    char tail[EXTENSION_MAX];
    size_t tail_len = append(tail, 0, sizeof tail, extension);
    size_t len = is_device(name) ? append(out, 0, FILE_NAME_MAX, STR("_")) : 0;
    len = append(out, len, FILE_NAME_MAX - tail_len, stem);
    memcpy(out + len, tail, tail_len);
    len += tail_len;
    while (is_edge(out[len - 1])) /* where it was cut off */
        len--;
    return len;
}

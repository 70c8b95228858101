/* level: what a line says of how bad it is, in one of six words.
 *
 *     trace  debug  info  warn  error  fatal     and what others call them: err, crit ...
 *
 * A line of JSON says it in its field "level", "severity" or "lvl", by name or by number: those of
 * pino and bunyan, 30 is info. Any other line by the first word in its first 200 bytes that is the
 * name of one, in upper or lower case. A line that says nothing is of no level.
 *
 * Each line of a log is asked, and most have ten words before the one that counts or have none: so
 * a word is compared with names only if one begins with its letter and is as long. Pure. */
#include "logs/level.h"

#define LONGEST 11

static const struct {
    struct str name;
    enum level level;
} names[] = {
    {{"trace", 5}, LEVEL_TRACE},       {{"debug", 5}, LEVEL_DEBUG}, {{"info", 4}, LEVEL_INFO},
    {{"information", 11}, LEVEL_INFO}, {{"notice", 6}, LEVEL_INFO}, {{"warn", 4}, LEVEL_WARN},
    {{"warning", 7}, LEVEL_WARN},      {{"err", 3}, LEVEL_ERROR},   {{"error", 5}, LEVEL_ERROR},
    {{"severe", 6}, LEVEL_ERROR},      {{"crit", 4}, LEVEL_FATAL},  {{"critical", 8}, LEVEL_FATAL},
    {{"fatal", 5}, LEVEL_FATAL},       {{"alert", 5}, LEVEL_FATAL}, {{"emerg", 5}, LEVEL_FATAL},
    {{"panic", 5}, LEVEL_FATAL},
};

/* A bit for each length that a name with this first letter, from 'a' on, has. */
static const uint16_t lengths[26] = {
    ['a' - 'a'] = 1 << 5,          ['c' - 'a'] = 1 << 4 | 1 << 8,
    ['d' - 'a'] = 1 << 5,          ['e' - 'a'] = 1 << 3 | 1 << 5,
    ['f' - 'a'] = 1 << 5,          ['i' - 'a'] = 1 << 4 | 1 << LONGEST,
    ['n' - 'a'] = 1 << 6,          ['p' - 'a'] = 1 << 5,
    ['s' - 'a'] = 1 << 6,          ['t' - 'a'] = 1 << 5,
    ['w' - 'a'] = 1 << 4 | 1 << 7,
};

struct str level_name(enum level level) {
    static const struct str said[] = {{"", 0},     {"trace", 5}, {"debug", 5}, {"info", 4},
                                      {"warn", 4}, {"error", 5}, {"fatal", 5}};
    return said[level];
}

static inline unsigned letter(char c) {
    return ((unsigned char)c | 0x20u) - 'a'; /* above 25: it is none */
}

static enum level level_of_name(struct str word) {
    if (word.len > LONGEST || !(lengths[letter(word.ptr[0])] >> word.len & 1))
        return LEVEL_NONE;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_ieq(word, names[i].name))
            return names[i].level;
    return LEVEL_NONE;
}

enum level level_of_word(struct str word) {
    uint64_t number;
    if (word.len == 2 && str_to_u64(word, &number) == 0 && number % 10 == 0 && number <= 60)
        return (enum level)(number / 10);
    return word.len > 0 && letter(word.ptr[0]) < 26 ? level_of_name(word) : LEVEL_NONE;
}

enum level level_of_text(struct str line) {
    size_t end = line.len < LEVEL_BYTES ? line.len : LEVEL_BYTES;
    for (size_t at = 0; at < end;) {
        size_t from = at;
        while (at < end && letter(line.ptr[at]) < 26)
            at++;
        enum level level =
            at > from ? level_of_name((struct str){line.ptr + from, at - from}) : LEVEL_NONE;
        if (level != LEVEL_NONE)
            return level;
        at += at == from;
    }
    return LEVEL_NONE;
}

bool level_is_field(struct str name) {
    return str_eq(name, STR("level")) || str_eq(name, STR("severity")) || str_eq(name, STR("lvl"));
}

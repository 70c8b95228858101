/* log: one line per event to standard error, whole lines only, from any thread.
 *
 *   2026-11-20T12:34:56.789Z info  listening on http://127.0.0.1:8080
 *
 * or a JSON object (base/log_line.h). A message is one line: control characters in it, and bytes
 * that are not UTF-8, are written as \xNN, a newline as \n, so that no peer can forge a line or
 * steer a terminal. Tracebacks go through log_text, which indents the lines that follow. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/list.h"
#include "base/log_line.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define LOG_TEXT_MAX 65536 /* of one message; the rest is cut off, which is told */
#define LOG_OFTEN 10       /* lines of one kind in a second */

struct scribe;

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_NONE };

/* What is below `level` is dropped; LOG_INFO at first, LOG_NONE drops all. */
void log_set_level(enum log_level level);
/* Whether lines are JSON objects; they are text at first. */
void log_set_json(bool json);
bool log_is_json(void);
/* For those who would have to work to make the message. */
bool log_enabled(enum log_level level);
/* "debug" "info" "warn" "error"; 0 or -1. */
int log_level_of(struct str name, enum log_level *out);
/* printf to the log; the newline is added. */
void log_at(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
/* The last word of a process that cannot go on: an error, and it aborts when that is written. */
_Noreturn void log_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* `text` may have several lines; those after the first are indented by four spaces. Tabs stay, a
 * newline at the end is dropped, and all of it is written at once. */
void log_text(enum log_level level, struct str text);
/* The same with what else there is to say, a JSON object that stands beside the message where lines
 * are JSON; in place of one longer than LOG_TEXT_MAX stands how long it is. */
void log_fields(enum log_level level, struct str text, struct str fields);

/* Who speaks on a thread: whoever makes a line there is asked which request it is about. */
struct log_speaker {
    /* `out` is empty before. NULL: it is about none. */
    void (*origin)(void *arg, struct log_origin *out);
    void *arg;
};
/* From now on, on this thread; returns who did before. */
struct log_speaker log_speak(struct log_speaker speaker);

/* What strangers can cause as often as they like: `kind` is a static LOG_KIND. With a scribe at
 * most LOG_OFTEN lines a second are told of each; how many more there were is told then. */
struct log_kind {
    const char *name; /* "refused requests" */
    struct list link; /* of those with something to tell */
    uint64_t second;
    unsigned told;
    uint64_t more;
};
#define LOG_KIND(what)                                                                             \
    { .name = (what) }
/* Whether one more is to be told now. From any thread. */
bool log_admits(struct log_kind *kind, enum log_level level);
/* Tells the sums of seconds that are over; `all`: of this one, too. For a thread that is there
 * now and then. */
void log_sums(bool all);
/* Lines go there from now on, instead of being written at once. NULL: to standard error again. */
void log_use(struct scribe *scribe);

/* For tests: what a call would write goes to `sink` instead (with its newline), one call at a time;
 * NULL restores standard error. After the return the old sink runs no more. `sink` must not log. */
void log_set_sink(void (*sink)(enum log_level level, struct str line, void *arg), void *arg);

#endif

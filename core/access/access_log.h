/* access_log: a line for each exchange that is over, and one for each stream that begins.
 *
 * In the combined format and a few fields more (access/line_text.c):
 *
 *   192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 2326 "referer" "agent" \
 *       0.012 done -                                                      (one line)
 *
 * client address, time of the end (UTC), request line, status (000: none was sent), bytes of the
 * body (of a subscribed stream its chunk lines too), Referer and User-Agent ("-": none), seconds
 * from the head to the end, why the stream closed, the request id ("-": nobody was told of one). Of
 * an answer that went on, how many events it had, and how many it did not get; when it begins it
 * has a line whose reason is "begun". Or, where the log is JSON, as an object (access/line_json.c).
 * Tokens in URLs are written ***. */
#ifndef ACCESS_ACCESS_LOG_H
#define ACCESS_ACCESS_LOG_H

#include "net/loop.h"

#define ACCESS_FLUSH_BYTES 65536 /* as many are written at once, ... */
#define ACCESS_FLUSH_MS 100      /* ... fewer after so long */

struct access_log;
struct request;
struct stream;

/* Opens the file for appending, made when it is missing; "-" is standard output. Its lines have the
 * form that those of the log (base/log.h) have now. One log for each loop; those of several loops
 * may have the same file. What a scribe (base/scribe.h) says of files that are renamed, slow or
 * full holds. 0 or a negative errno. */
int access_log_open(struct loop *loop, const char *path, struct access_log **out);
/* Adds the line of a stream that goes on from now, or that closes now: its reason is set, its peer
 * still known. */
void access_log_stream(struct access_log *log, const struct stream *stream);
/* Hands over what waits, and frees the log. NULL is allowed. */
void access_log_close(struct access_log *log);

/* Leaves of the request what its line will need, for a stream that stays long. */
void access_log_shorten(struct request *request);

#endif

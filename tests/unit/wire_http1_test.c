/* What wire/http1 owes a client, request by request: each row whole, byte by byte, and in two
 * pieces at every position. The limits and the connection's life have programs of their own. */
#include "wire/http1.h"

#include "site.h"
#include "table.h"

#include <stdio.h>

struct row {
    const char *request;
    const char *want; /* the transcript */
    enum transcript what;
};

#define ANY(method, fields, body) method " /echo HTTP/1.1\r\n" HOST fields "\r\n" body
#define CHUNKED(path, body) POST(path, "Transfer-Encoding: chunked\r\n", body)
#define OLD(path, fields) "GET " path " HTTP/1.0\r\n" fields "\r\n"

static const struct row answers[] = {
    /* keeping and closing the connection: RFC 9112 section 9.3 */
    {GET("/say?hi"), "200 length:2 hi; open", WHOLE},
    {"GET /say?hi HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "200 length:2 close hi; eof",
     WHOLE},
    {"GET /say?hi HTTP/1.1\r\n" HOST "Connection: x, Close\r\n\r\n", "200 length:2 close hi; eof",
     WHOLE},
    {"GET /say?hi HTTP/1.1\r\n" HOST "Connection: x\r\nConnection: close\r\n\r\n",
     "200 length:2 close hi; eof", WHOLE},
    {"GET /say?hi HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n\r\n", "200 length:2 hi; open",
     WHOLE},
    {OLD("/say?hi", ""), "200 length:2 close hi; eof", WHOLE},
    /* a minor version that is not known is the highest that is: RFC 9110 section 2.5 */
    {"GET /say?hi HTTP/1.2\r\n" HOST "\r\n", "200 length:2 hi; open", WHOLE},
    {"GET /stream?hi HTTP/1.9\r\n" HOST "\r\n", "200 chunked hi; open", WHOLE},
    {"POST /echo HTTP/1.2\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
     "200 length:1 a; open", WHOLE},
    {OLD("/say?hi", "Connection: keep-alive\r\n"), "200 length:2 keep-alive hi; open", WHOLE},
    {OLD("/say?hi", "Connection: Keep-Alive, close\r\n"), "200 length:2 close hi; eof", WHOLE},
    /* the body's end: RFC 9112 section 6.3 */
    {GET("/stream?ab,c"), "200 chunked abc; open", WHOLE},
    {GET("/drip?ab,c"), "200 chunked abc; open", WHOLE},
    {GET("/stream?"), "200 chunked; open", WHOLE},
    {GET("/exact?abc"), "200 length:3 abc; open", WHOLE},
    {GET("/short?abc"), "200 length:4 abc cut; eof", WHOLE},
    {GET("/abort?abc"), "200 chunked abc cut; eof", WHOLE},
    {GET("/abort"), "eof", WHOLE},
    {"GET /stream?ab,c HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "200 to-end close abc; eof",
     WHOLE},
    {OLD("/stream?ab,c", ""), "200 to-end close abc; eof", WHOLE},
    {OLD("/stream?ab,c", "Connection: keep-alive\r\n"), "200 to-end close abc; eof", WHOLE},
    {OLD("/drip?ab,c", ""), "200 to-end close abc; eof", WHOLE},
    {GET("/status?200"), "200 length:0; open", WHOLE},
    {GET("/status?204"), "204 none; open", WHOLE},
    {GET("/status?205"), "205 length:0; open", WHOLE},
    {GET("/status?304"), "304 none; open", WHOLE},
    {OLD("/status?204", "Connection: keep-alive\r\n"), "204 none keep-alive; open", WHOLE},
    {OLD("/status?204", ""), "204 none close; eof", WHOLE},
    {GET("/fail?503"), "503 length; open", BRIEF},
    {GET("/nowhere"), "404 length; open", BRIEF},
    /* HEAD: RFC 9110 section 9.3.2 */
    {"HEAD /say?hi HTTP/1.1\r\n" HOST "\r\n", "200 length:2; open", HEADS},
    {"HEAD /exact?hi HTTP/1.1\r\n" HOST "\r\n", "200 length:2; open", HEADS},
    {"HEAD /stream?a,b HTTP/1.1\r\n" HOST "\r\n", "200 none; open", HEADS},
    {"HEAD /endless?a HTTP/1.1\r\n" HOST "\r\n", "200 none; open", HEADS},
    {"HEAD /sse HTTP/1.1\r\n" HOST "\r\n", "200 none; open", HEADS},
    {"HEAD /stream?a,b HTTP/1.0\r\n\r\n", "200 none close; eof", HEADS},
    {"HEAD /later?a HTTP/1.1\r\n" HOST "\r\nHEAD /say?bc HTTP/1.1\r\n" HOST "\r\n",
     "200 length:1; 200 length:2; open", HEADS},
    /* request targets: RFC 9112 section 3.2 */
    {"GET http://b/say?hi HTTP/1.1\r\n" HOST "\r\n", "200 length:2 hi; open", WHOLE},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "200 length:0; open", WHOLE},
    {"CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n" GET("/say?hi"), "404 length; 200 length; open", BRIEF},
    {GET("/%73ay?hi"), "200 length:2 hi; open", WHOLE}, /* its path is "/say" */
    {"GET /say?hi HTTP/1.1\r\nHost:\r\n\r\n", "200 length:2 hi; open", WHOLE},
    /* what is skipped or not offered: RFC 9112 section 2.2, RFC 9110 section 7.8 */
    {"\r\n\r\n" GET("/say?hi"), "200 length:2 hi; open", WHOLE},
    {"GET /say?hi HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
     "200 length:2 hi; open", WHOLE},
    {"GET /say?hi HTTP/1.1\r\n" HOST
     "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" GET("/say?a"),
     "200 length:2 hi; 200 length:1 a; open", WHOLE},
    /* informational answers: RFC 9110 section 15.2 */
    {GET("/hint?hi"), "103 none; 200 length:2 hi; open", WHOLE},
    {OLD("/hint?hi", ""), "200 length:2 close hi; eof", WHOLE},
};

static const struct row bodies[] = {
    {POST("/echo", "Content-Length: 3\r\n", "abc"), "200 length:3 abc; open", WHOLE},
    {POST("/bulk", "Content-Length: 3\r\n", "abc"), "200 length:3 abc; open", WHOLE},
    {POST("/echo", "Content-Length: 0\r\n", ""), "200 length:0; open", WHOLE},
    {POST("/echo", "Content-Length: 003\r\n", "abc"), "200 length:3 abc; open", WHOLE},
    {POST("/echo", "", ""), "200 length:0; open", WHOLE},
    {GET("/echo"), "200 length:0; open", WHOLE},
    {"POST /echo HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", "200 length:3 close abc; eof", WHOLE},
    {POST("/answer-body", "Content-Length: 3\r\n", "abc"), "200 chunked abc; open", WHOLE},
    /* whatever the method: RFC 9112 section 6 */
    {ANY("QUERY", "Content-Length: 3\r\n", "abc") GET("/say?b"),
     "200 length:3 abc; 200 length:1 b; open", WHOLE},
    {ANY("QUERY", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n") GET("/say?b"),
     "200 length:3 abc; 200 length:1 b; open", WHOLE},
    {ANY("QUERY", "", "") GET("/say?b"), "200 length:0; 200 length:1 b; open", WHOLE},
    {ANY("BREW", "Content-Length: 3\r\n", "abc") GET("/say?b"),
     "200 length:3 abc; 200 length:1 b; open", WHOLE},
    {ANY("BREW", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n") ANY("BREW", "", ""),
     "200 length:3 abc; 200 length:0; open", WHOLE},
    {ANY("DELETE", "Content-Length: 3\r\n", "abc"), "200 length:3 abc; open", WHOLE},
    {ANY("get", "Content-Length: 3\r\n", "abc"), "200 length:3 abc; open", WHOLE},
    {ANY("POSTS", "Content-Length: 3\r\n", "abc"), "200 length:3 abc; open", WHOLE},
    {ANY("DESCRIBE", "Content-Length: 3\r\n", "abc"), "200 length:3 abc; open", WHOLE},
    /* chunked: RFC 9112 section 7.1 */
    {CHUNKED("/echo", "0\r\n\r\n"), "200 length:0; open", WHOLE},
    {CHUNKED("/echo", "3\r\nabc\r\n0\r\n\r\n"), "200 length:3 abc; open", WHOLE},
    {CHUNKED("/echo", "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"), "200 length:3 abc; open", WHOLE},
    {CHUNKED("/echo", "A\r\n0123456789\r\na\r\nabcdefghij\r\n000\r\n\r\n"),
     "200 length:20 0123456789abcdefghij; open", WHOLE},
    {CHUNKED("/echo", "003\r\na\r\n\r\n0\r\n\r\n"), "200 length:3 a\r\n; open", WHOLE},
    {CHUNKED("/answer-body", "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"), "200 chunked abc; open", WHOLE},
    {POST("/echo", "Transfer-Encoding: Chunked\r\n", "1\r\na\r\n0\r\n\r\n"), "200 length:1 a; open",
     WHOLE},
    /* extensions and trailers: sections 7.1.1 and 7.1.2 */
    {CHUNKED("/echo", "1;x\r\na\r\n0;y=z\r\n\r\n"), "200 length:1 a; open", WHOLE},
    {CHUNKED("/echo", "1;x=\"q;r\"\r\na\r\n0\r\n\r\n"), "200 length:1 a; open", WHOLE},
    {CHUNKED("/echo", "1;x=\"q\\\"r\";y=z;w\r\na\r\n0\r\n\r\n"), "200 length:1 a; open", WHOLE},
    {CHUNKED("/echo", "1\r\na\r\n0\r\nX: y\r\nZ:\r\n\r\n"), "200 length:1 a; open", WHOLE},
    {CHUNKED("/echo", "1\r\na\r\n0\r\nContent-Length: 5\r\nHost: b\r\n\r\n") GET("/say?b"),
     "200 length:1 a; 200 length:1 b; open", WHOLE},
    /* bodies that nobody reads */
    {POST("/say?hi", "Content-Length: 3\r\n", "abc"), "200 length:2 hi; open", WHOLE},
    {POST("/say?hi", "Content-Length: 3\r\n", "abc") GET("/say?b"),
     "200 length:2 hi; 200 length:1 b; open", WHOLE},
    {POST("/later?hi", "Content-Length: 3\r\n", "abc") GET("/say?b"),
     "200 length:2 hi; 200 length:1 b; open", WHOLE},
    {CHUNKED("/say?hi", "3\r\nabc\r\n0\r\n\r\n"), "200 length:2 close hi; eof", WHOLE},
    {"POST /say?hi HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", "200 length:2 close hi; eof", WHOLE},
    /* expectations: RFC 9110 section 10.1.1 */
    {POST("/echo", "Content-Length: 3\r\nExpect: 100-continue\r\n", "abc"),
     "100 none; 200 length:3 abc; open", WHOLE},
    {POST("/echo", "Transfer-Encoding: chunked\r\nExpect: 100-Continue\r\n", "1\r\na\r\n0\r\n\r\n"),
     "100 none; 200 length:1 a; open", WHOLE},
    {POST("/echo", "Content-Length: 0\r\nExpect: 100-continue\r\n", ""), "200 length:0; open",
     WHOLE},
    {POST("/echo", "Content-Length: 1\r\nExpect:\r\n", "a"), "200 length:1 a; open", WHOLE},
    {POST("/echo", "Content-Length: 1\r\nExpect: \r\nExpect: 100-continue, 100-continue\r\n", "a"),
     "100 none; 200 length:1 a; open", WHOLE},
    {GET("/say?a") POST("/echo", "Content-Length: 1\r\nExpect: 100-continue\r\n", "b"),
     "200 length:1 a; 100 none; 200 length:1 b; open", WHOLE},
    {"POST /echo HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
     "200 length:3 close abc; eof", WHOLE},
    {"POST /echo HTTP/1.0\r\nContent-Length: 3\r\nExpect: rain\r\n\r\nabc",
     "200 length:3 close abc; eof", WHOLE},
    /* the final answer instead of 100: the body may come or not, so the connection cannot go on */
    {POST("/say?hi", "Content-Length: 3\r\nExpect: 100-continue\r\n", ""),
     "200 length:2 close hi; eof", WHOLE},
    {POST("/say?hi", "Content-Length: 3\r\nExpect: 100-continue\r\n", "abc"),
     "200 length:2 close hi; eof", WHOLE},
    {POST("/answer-body", "Content-Length: 3\r\nExpect: 100-continue\r\n", "abc"),
     "200 chunked close abc; eof", WHOLE},
};

/* Answers in the order of the requests, whatever they cost (RFC 9112 section 9.3.2). */
static const struct row pipelines[] = {
    {GET("/say?a") GET("/say?b") GET("/say?c"),
     "200 length:1 a; 200 length:1 b; 200 length:1 c; open", WHOLE},
    {GET("/later?a") GET("/say?b") GET("/later?c"),
     "200 length:1 a; 200 length:1 b; 200 length:1 c; open", WHOLE},
    {GET("/drip?a,b,c") GET("/say?d"), "200 chunked abc; 200 length:1 d; open", WHOLE},
    {GET("/stream?a,b") "\r\n" GET("/status?204") GET("/exact?e"),
     "200 chunked ab; 204 none; 200 length:1 e; open", WHOLE},
    {POST("/echo", "Content-Length: 1\r\n", "a") CHUNKED("/echo", "1\r\nb\r\n0\r\nX: y\r\n\r\n")
         GET("/later?c"),
     "200 length:1 a; 200 length:1 b; 200 length:1 c; open", WHOLE},
    {"GET /later?a HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" GET("/say?b"),
     "200 length:1 close a; eof", WHOLE},
    {OLD("/say?a", "") GET("/say?b"), "200 length:1 close a; eof", WHOLE},
    {OLD("/later?a", "Connection: keep-alive\r\n") OLD("/say?b", ""),
     "200 length:1 keep-alive a; 200 length:1 close b; eof", WHOLE},
    {GET("/short?a") GET("/say?b"), "200 length:2 a cut; eof", WHOLE},
    {GET("/abort?a") GET("/say?b"), "200 chunked a cut; eof", WHOLE},
    {GET("/say?a") "nonsense\r\n\r\n", "200 length; 400 length close; eof", BRIEF},
    {GET("/later?a") "GET / HTTP/1.1\r\n\r\n", "200 length; 400 length close; eof", BRIEF},
    {POST("/later?a", "Content-Length: 1\r\n", "b") "GET / HTTP/7.0\r\n\r\n",
     "200 length; 505 length close; eof", BRIEF},
    {GET("/endless?a") GET("/say?b"), "200 chunked a cut; open", WHOLE},
};

/* --- refusals: "What bad input gets" --- */

struct refused {
    const char *request;
    size_t length; /* 0: as long as the string */
    int status;
};

#define BYTES(text) (text), sizeof(text) - 1
#define FIELD(line) BYTES("GET / HTTP/1.1\r\n" HOST line "\r\n\r\n")
#define LENGTH(value) BYTES(POST("/echo", "Content-Length: " value "\r\n", "abc"))
#define CODING(value) BYTES(POST("/echo", "Transfer-Encoding: " value "\r\n", "0\r\n\r\n"))

static const struct refused refusals[] = {
    /* no HTTP at all */
    {BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x13\x37"), 400},
    {BYTES("SSH-2.0-OpenSSH_9.2\r\n"), 400},
    {BYTES("\0\0\0\0\0\0\0\0"), 400},
    {BYTES("\xff\xfe\xff\xfe\r\n\r\n"), 400},
    {BYTES("OPTIONS * RTSP/1.0\r\n" HOST "\r\n"), 400},
    {BYTES("GET / HTP/1.1\r\n" HOST "\r\n"), 400},
    {BYTES("GET / http/1.1\r\n" HOST "\r\n"), 400},
    {BYTES("GET / ICE/1.0\r\n" HOST "\r\n"), 400},
    /* the request line */
    {BYTES("GET\r\n" HOST "\r\n"), 400},
    {BYTES("GET /\r\n" HOST "\r\n"), 400},
    {BYTES("G@T / HTTP/1.1\r\n" HOST "\r\n"), 400},
    {BYTES(" / HTTP/1.1\r\n" HOST "\r\n"), 400},
    {BYTES("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), 400},
    {BYTES("QUERY\r\n" HOST "\r\n"), 400},
    {BYTES("BREW * HTTP/1.1\r\n" HOST "\r\n"), 400},
    {BYTES("BREW a:80 HTTP/1.1\r\n" HOST "\r\n"), 400},
    {BYTES("BREW / RTSP/1.0\r\n" HOST "\r\n"), 400},
    {BYTES("BREW / HTTP/2.0\r\n" HOST "\r\n"), 505},
    {BYTES("GET /a b HTTP/1.1\r\n" HOST "\r\n"), 400},
    {BYTES("GET /a\x01 HTTP/1.1\r\n" HOST "\r\n"), 400},
    {BYTES("GET /\x80 HTTP/1.1\r\n" HOST "\r\n"), 400},
    {BYTES("GET a HTTP/1.1\r\n" HOST "\r\n"), 400},
    {BYTES("GET * HTTP/1.1\r\n" HOST "\r\n"), 400},
    {BYTES("GET /a#b HTTP/1.1\r\n" HOST "\r\n"), 400},
    {BYTES("GET /%zz HTTP/1.1\r\n" HOST "\r\n"), 400},
    {BYTES("GET /%00 HTTP/1.1\r\n" HOST "\r\n"), 400},
    {BYTES("GET /.. HTTP/1.1\r\n" HOST "\r\n"), 400},
    {BYTES("GET ftp//a HTTP/1.1\r\n" HOST "\r\n"), 400},
    {BYTES("CONNECT / HTTP/1.1\r\n" HOST "\r\n"), 400},
    /* versions */
    {BYTES("GET / HTTP/2.0\r\n" HOST "\r\n"), 505},
    {BYTES("GET / HTTP/0.9\r\n" HOST "\r\n"), 505},
    {BYTES("GET / HTTP/1.2\r\n\r\n"), 400}, /* without Host, as in 1.1 */
    {BYTES("GET / HTTP/1.10\r\n" HOST "\r\n"), 400},
    {BYTES("GET / HTTP/9.9\r\n" HOST "\r\n"), 505},
    {BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505},
    /* fields */
    {FIELD("X : b"), 400},
    {FIELD("X\t: b"), 400},
    {FIELD("X: b\r\n c"), 400},
    {FIELD("X: b\r\n\tc"), 400},
    {FIELD("X: b\rc"), 400},
    {FIELD("X: b\nc"), 400},
    {FIELD("X: b\0c"), 400},
    {FIELD("X\0: b"), 400},
    {FIELD("nonsense"), 400},
    {FIELD(": b"), 400},
    {FIELD("X(: b"), 400},
    {FIELD("X: b\x01"), 400},
    {BYTES("GET / HTTP/1.1\r\n X: b\r\n" HOST "\r\n"), 400},
    /* Host: RFC 9112 section 3.2 */
    {BYTES("GET / HTTP/1.1\r\n\r\n"), 400},
    {BYTES("GET http://a/ HTTP/1.1\r\n\r\n"), 400},
    {FIELD("Host: b"), 400},
    {BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400},
    {BYTES("GET / HTTP/1.0\r\nHost: a/b\r\n\r\n"), 400},
    /* lengths: RFC 9112 section 6.3 */
    {LENGTH("3\r\nTransfer-Encoding: chunked"), 400},
    {CODING("chunked\r\nContent-Length: 3"), 400},
    {LENGTH("3\r\nContent-Length: 4"), 400},
    {LENGTH("3, 4"), 400},
    {LENGTH("+3"), 400},
    {LENGTH("-3"), 400},
    {LENGTH("0x3"), 400},
    {LENGTH("3 3"), 400},
    {LENGTH(""), 400},
    {LENGTH("18446744073709551616"), 400},
    {LENGTH("9223372036854775808"), 400},
    /* codings: section 6.1 */
    {CODING("gzip"), 400},
    {CODING("gzip, chunked"), 501},
    {CODING("gzip\r\nTransfer-Encoding: chunked"), 501},
    {CODING("chunked, gzip"), 400},
    {CODING("chunked, gzip, chunked"), 400},
    {CODING("chunked\r\nTransfer-Encoding: identity"), 400},
    {CODING("chunked, chunked"), 400},
    {CODING("chunked\r\nTransfer-Encoding: chunked"), 400},
    {CODING("identity"), 400},
    {CODING("xchunked"), 400},
    {CODING("chunked;q=1"), 400},
    {CODING(","), 400},
    {CODING("chunked,\r\nContent-Length: 3"), 400},
    {CODING("chunked, gzip\r\nContent-Length: 3"), 400},
    {CODING("\x0b"
            "chunked"),
     400},
    {CODING("chunked\0"), 400},
    {BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
    {BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n"), 400},
    /* whatever the method */
    {BYTES(ANY("QUERY", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")), 400},
    {BYTES(ANY("QUERY", "Content-Length: 3\r\nContent-Length: 4\r\n", "abcd")), 400},
    {BYTES(ANY("QUERY", "Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n")), 400},
    {BYTES(ANY("QUERY", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")), 501},
    {BYTES(ANY("QUERY", "Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n")), 400},
    {BYTES(ANY("BREW", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n")), 400},
    {BYTES(ANY("BREW", "Content-Length: +3\r\n", "abc")), 400},
    {BYTES(
         ANY("BREW", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
     400},
    /* expectations: RFC 9110 section 10.1.1 */
    {BYTES(POST("/echo", "Content-Length: 1\r\nExpect: rain\r\n", "a")), 417},
    {BYTES(POST("/echo", "Content-Length: 1\r\nExpect: 100-continue\r\nExpect: rain\r\n", "a")),
     417},
};

/* The heads are good, the bodies are not. */
static const struct refused bad_chunks[] = {
    {BYTES(CHUNKED("/echo", "zz\r\n")), 400},
    {BYTES(CHUNKED("/echo", "\r\n")), 400},
    {BYTES(CHUNKED("/echo", "-3\r\n")), 400},
    {BYTES(CHUNKED("/echo", "0x3\r\n")), 400},
    {BYTES(CHUNKED("/echo", "3 \r\nabc\r\n0\r\n\r\n")), 400},
    {BYTES(CHUNKED("/echo", "10000000000000003\r\nabc")), 400},
    {BYTES(CHUNKED("/echo", "3\r\nabcd\r\n")), 400},
    {BYTES(CHUNKED("/echo", "3\r\nabc0\r\n\r\n")), 400},
    {BYTES(CHUNKED("/echo", "3\nabc\r\n0\r\n\r\n")), 400},
    {BYTES(CHUNKED("/echo", "3;\x01\r\nabc\r\n0\r\n\r\n")), 400},
    {BYTES(CHUNKED("/echo", "3;\r\nabc\r\n0\r\n\r\n")), 400},
    {BYTES(CHUNKED("/echo", "3;bad[=x\r\nabc\r\n0\r\n\r\n")), 400},
    {BYTES(CHUNKED("/echo", "3\r\nabc\r\n0\r\nnonsense\r\n\r\n")), 400},
    {BYTES(CHUNKED("/echo", "3\r\nabc\r\n0\r\n: b\r\n\r\n")), 400},
    {BYTES(CHUNKED("/echo", "3\r\nabc\r\n0\r\nA: b\r\n c\r\n\r\n")), 400},
    {BYTES(CHUNKED("/held", "3\r\nabc\r\nzz\r\n")), 400},
    {BYTES(CHUNKED("/bulk", "3\r\nabc\r\n0\r\n\rx")), 400},
};

/* --- each in every way --- */

/* Sends `request` in pieces that end at each position where `cut` says so. */
static void converse(struct site *site, struct str request, bool (*cut)(size_t at, size_t split),
                     size_t split, struct client *client) {
    site_connect(site, client);
    size_t begun = 0;
    for (size_t at = 1; at <= request.len; at++) {
        if (at < request.len && !cut(at, split))
            continue;
        struct str piece = exact((struct str){request.ptr + begun, at - begun});
        site_send(site, client, piece);
        exact_free(piece);
        begun = at;
    }
}

static bool nowhere(size_t at, size_t split) {
    (void)at, (void)split;
    return false;
}

static bool everywhere(size_t at, size_t split) {
    (void)at, (void)split;
    return true;
}

static bool once(size_t at, size_t split) {
    return at == split;
}

static void part(struct site *site, struct client *client) {
    client_fini(client);
    site_settle(site);
    assert_int_equal(site_connections(site), 0);
    assert_true(list_empty(&site->answers));
}

static void expect(struct site *site, const struct row *row, bool (*cut)(size_t, size_t),
                   size_t split) {
    struct client client;
    converse(site, str_of(row->request), cut, split, &client);
    SAME_STR(str_of(row->request), str_of(client_transcript(&client, row->what)),
             str_of(row->want));
    part(site, &client);
}

static void each_way(const struct row *rows, size_t n) {
    struct site site;
    site_init(&site);
    for (size_t i = 0; i < n; i++) {
        expect(&site, &rows[i], nowhere, 0);
        expect(&site, &rows[i], everywhere, 0);
        for (size_t split = 1; split < strlen(rows[i].request); split++)
            expect(&site, &rows[i], once, split);
    }
    site_fini(&site);
}

/* One answer that says so and closes, one line in the log, nothing reaches the application. */
static void expect_refusal(const struct refused *row, int requests, bool (*cut)(size_t, size_t),
                           size_t split) {
    struct site site;
    struct client client;
    struct str request = {row->request, row->length};
    char want[64];
    site_init(&site);
    snprintf(want, sizeof want, "%d length close; eof", row->status);
    converse(&site, request, cut, split, &client);
    SAME_STR(request, str_of(client_transcript(&client, BRIEF)), str_of(want));
    SAME_INT(request, site.lines, 1);
    SAME_INT(request, (long long)site.server.counters.bad_requests, 1);
    SAME_INT(request, site.requests, requests);
    part(&site, &client);
    site_fini(&site);
}

static void each_refused(const struct refused *rows, size_t n, int requests) {
    for (size_t i = 0; i < n; i++) {
        expect_refusal(&rows[i], requests, nowhere, 0);
        expect_refusal(&rows[i], requests, everywhere, 0);
        for (size_t split = 1; split < rows[i].length; split++)
            expect_refusal(&rows[i], requests, once, split);
    }
}

static void requests_are_answered(void **state) {
    (void)state;
    each_way(answers, COUNT(answers));
}

static void bodies_arrive(void **state) {
    (void)state;
    each_way(bodies, COUNT(bodies));
}

static void pipelined_requests_are_answered_in_order(void **state) {
    (void)state;
    each_way(pipelines, COUNT(pipelines));
}

static void bad_heads_are_refused(void **state) {
    (void)state;
    each_refused(refusals, COUNT(refusals), 0);
}

static void bad_chunks_are_refused(void **state) {
    (void)state;
    each_refused(bad_chunks, COUNT(bad_chunks), 1);
}

/* Once the answer is out, a body that breaks can only end the connection. */
static void a_bad_body_behind_an_answer_closes(void **state) {
    (void)state;
    struct site site;
    struct client client;
    site_init(&site);
    site_connect(&site, &client);
    site_send(&site, &client, STR(CHUNKED("/endless?a", "zz\r\n")));
    assert_string_equal(client_transcript(&client, WHOLE), "200 chunked a cut; eof");
    assert_int_equal(site.closed[REASON_CLIENT], 1);
    part(&site, &client);
    site_fini(&site);
}

static void the_heads_fields_are_sent(void **state) {
    (void)state;
    struct site site;
    struct client client;
    site_init(&site);
    site_connect(&site, &client);
    site_send(&site, &client, STR(GET("/hint?hi")));
    assert_true(str_eq(client_field(&client, "link"), STR("</a.css>")));
    assert_true(str_eq(client_field(&client, "content-type"), STR("text/plain")));
    assert_null(client_field(&client, "connection").ptr);
    part(&site, &client);
    site_connect(&site, &client);
    site_send(&site, &client, STR(GET("/sse")));
    assert_true(str_eq(client_field(&client, "content-type"), STR("text/event-stream")));
    assert_true(str_eq(client_field(&client, "x-accel-buffering"), STR("no")));
    part(&site, &client);
    site_fini(&site);
}

/* The answer to a refused HEAD has no content either (RFC 9110 section 9.3.2). */
static void a_refused_head_gets_no_body(void **state) {
    (void)state;
    struct site site;
    struct client client;
    site_init(&site);
    site_connect(&site, &client);
    site_send(&site, &client, STR("HEAD / HTTP/1.1\r\n\r\n"));
    assert_true(str_starts(str_of(client_transcript(&client, HEADS)), STR("400 length:")));
    assert_true(client.eof);
    assert_memory_equal(client.got.data + client.got.len - 4, "\r\n\r\n", 4);
    part(&site, &client);
    site_fini(&site);
}

/* Who is refused without a stream gets what every other answer has. */
static void a_refusal_has_the_fields_of_an_answer(void **state) {
    (void)state;
    struct site site;
    struct client client;
    struct buf want = {0};
    site_init(&site);
    site_connect(&site, &client);
    site_send(&site, &client, STR("nonsense\r\n\r\n"));
    buf_printf(&want,
               "HTTP/1.1 400 Bad Request\r\nDate: %s\r\nServer: weir\r\n"
               "X-Content-Type-Options: nosniff\r\nContent-Type: text/plain; charset=utf-8\r\n"
               "Content-Length: 35\r\nConnection: close\r\n\r\n"
               "400 Bad Request: malformed request\n",
               http_server_date(&site.server));
    SAME_STR(STR("nonsense"), buf_str(&client.got), buf_str(&want));
    buf_fini(&want);
    part(&site, &client);
    site_fini(&site);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered),
        cmocka_unit_test(bodies_arrive),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(bad_heads_are_refused),
        cmocka_unit_test(bad_chunks_are_refused),
        cmocka_unit_test(a_bad_body_behind_an_answer_closes),
        cmocka_unit_test(the_heads_fields_are_sent),
        cmocka_unit_test(a_refused_head_gets_no_body),
        cmocka_unit_test(a_refusal_has_the_fields_of_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* chromium: the headers that Chromium sends for an EventSource, as a format of printf. */
#ifndef BENCH_CHROMIUM_H
#define BENCH_CHROMIUM_H

/* Takes the port twice and two unsigned numbers, which make each stream's cookie its own. */
#define CHROMIUM_HEADERS                                                                           \
    "Host: 127.0.0.1:%d\r\n"                                                                       \
    "Connection: keep-alive\r\n"                                                                   \
    "sec-ch-ua-platform: \"Linux\"\r\n"                                                            \
    "Cache-Control: no-cache\r\n"                                                                  \
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "          \
    "Chrome/140.0.0.0 Safari/537.36\r\n"                                                           \
    "sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\"\r\n"                              \
    "sec-ch-ua-mobile: ?0\r\n"                                                                     \
    "Accept: text/event-stream\r\n"                                                                \
    "Sec-Fetch-Site: same-origin\r\n"                                                              \
    "Sec-Fetch-Mode: cors\r\n"                                                                     \
    "Sec-Fetch-Dest: empty\r\n"                                                                    \
    "Referer: http://127.0.0.1:%d/\r\n"                                                            \
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"                                                 \
    "Accept-Language: en-US,en;q=0.9\r\n"                                                          \
    "Cookie: session=%016x%016x\r\n"

#endif

/* patches: sends one upload in many requests, each when the one before it was answered.
 *
 *   patches PORT PID BYTES SIZE
 *
 * POST /files makes the upload, PATCHes of SIZE bytes each, as tus 1.0.0 has them, bring it to its
 * end, all on one connection, and a DELETE takes it away. Every answer must be a good one. Prints the milliseconds of CPU of
 * process PID for all but the last, user and system, the KiB of memory that it had at most beyond what it
 * had before, and the MiB per second.
 */
#include "rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE 262144
#define LOOK 8 /* after so many requests memory is looked at */

static char piece[PIECE];

static void send_all(int fd, const char *bytes, size_t n) {
    while (n > 0) {
        ssize_t put = write(fd, bytes, n);
        if (put <= 0)
            rig_fail("cannot send: %m");
        bytes += put;
        n -= (size_t)put;
    }
}

/* The head of a good answer without a body is in `answer`. */
static void take_answer(int fd, char *answer, size_t size) {
    size_t n = 0;

    do {
        ssize_t got = read(fd, answer + n, size - 1 - n);
        if (got <= 0)
            rig_fail("no whole answer");
        n += (size_t)got;
        answer[n] = '\0';
    } while (strstr(answer, "\r\n\r\n") == NULL && n < size - 1);
    if (strncmp(answer, "HTTP/1.1 20", 11) != 0)
        rig_fail("not answered well: %.200s", answer);
}

/* Makes the upload; its path is in `path`. */
static void create(int fd, long bytes, char *path, size_t size) {
    char head[300], answer[4096];
    int n = snprintf(head, sizeof head,
                     "POST /files HTTP/1.1\r\nHost: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\n"
                     "Upload-Length: %ld\r\nContent-Length: 0\r\n\r\n",
                     bytes);

    send_all(fd, head, (size_t)n);
    take_answer(fd, answer, sizeof answer);
    const char *location = strstr(answer, "\r\nLocation: ");
    if (location == NULL)
        location = "\r\nLocation: /files/it\r\n"; /* the least program has one file */
    location += strlen("\r\nLocation: ");
    snprintf(path, size, "%.*s", (int)strcspn(location, "\r"), location);
}

static void patch(int fd, const char *path, long offset, long size) {
    char head[500], answer[4096];
    int n = snprintf(head, sizeof head,
                     "PATCH %s HTTP/1.1\r\nHost: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\n"
                     "Content-Type: application/offset+octet-stream\r\nUpload-Offset: %ld\r\n"
                     "Content-Length: %ld\r\n\r\n",
                     path, offset, size);

    send_all(fd, head, (size_t)n);
    for (long left = size; left > 0; left -= PIECE)
        send_all(fd, piece, (size_t)(left < PIECE ? left : PIECE));
    take_answer(fd, answer, sizeof answer);
}

static void end(int fd, const char *path) {
    char head[300], answer[4096];
    int n = snprintf(head, sizeof head,
                     "DELETE %s HTTP/1.1\r\nHost: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\n"
                     "Content-Length: 0\r\n\r\n",
                     path);

    send_all(fd, head, (size_t)n);
    take_answer(fd, answer, sizeof answer);
}

int main(int argc, char **argv) {
    if (argc != 5)
        rig_fail("usage: patches PORT PID BYTES SIZE");
    int fd = rig_connect((int)rig_number(argv[1], "PORT", 1, 65535));
    pid_t pid = (pid_t)rig_number(argv[2], "PID", 1, 1L << 30);
    long bytes = rig_number(argv[3], "BYTES", 1, 1L << 40);
    long size = rig_number(argv[4], "SIZE", 1, 1L << 30);
    long base = rig_memory(pid), most = base, requests = 0;
    char path[200];

    if (fcntl(fd, F_SETFL, 0) < 0)
        rig_fail("cannot wait for answers: %m");
    for (long i = 0; i < PIECE; i++)
        piece[i] = (char)(i * 31 >> 3);
    rig_mark();
    uint64_t cpu = rig_cpu(pid), began = rig_now();
    create(fd, bytes, path, sizeof path);
    for (long offset = 0; offset < bytes; offset += size) {
        patch(fd, path, offset, size < bytes - offset ? size : bytes - offset);
        if (++requests % LOOK == 0) {
            long now = rig_memory(pid);
            most = now > most ? now : most;
        }
    }
    uint64_t took = rig_now() - began;
    cpu = rig_cpu(pid) - cpu;
    rig_mark();
    end(fd, path);
    printf("%.1f %.0f %.0f\n", (double)cpu / 1e6, (double)(most - base) / 1024,
           (double)bytes / 1048576 / ((double)took / 1e9));
    return 0;
}

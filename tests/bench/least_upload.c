/* least_upload: the least program that could take an upload, the measure of 1 for the server's.
 *
 *   least_upload FILE
 *
 * One thread, one connection after the other, blocking: the head, in one read, then 64 KiB a time
 * from the socket to the file, one fdatasync, then the answer. The body has the Content-Length of
 * the head; that of a PATCH is added to the file. No limits, no log, no name that appears late.
 */
#include "rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE 65536

static char piece[PIECE + 1];

static void write_all(int fd, const char *bytes, size_t n) {
    while (n > 0) {
        ssize_t put = write(fd, bytes, n);
        if (put < 0)
            rig_fail("write: %m");
        bytes += put;
        n -= (size_t)put;
    }
}

static size_t read_some(int peer) {
    ssize_t got = read(peer, piece, PIECE);
    if (got <= 0)
        rig_fail("the upload broke off");
    return (size_t)got;
}

/* Reads up to the end of the head: how long the body is, and how the file is opened for it; how much
 * of it has come with the head is in front of `piece`. */
static long read_head(int peer, size_t *n, int *how) {
    ssize_t got = read(peer, piece, PIECE);
    if (got <= 0)
        return -1; /* the client has left */
    piece[got] = '\0';
    const char *length = strstr(piece, "Content-Length: "), *end = strstr(piece, "\r\n\r\n");
    if (end && length) {
        long total = atol(length + 16);
        *how = strncmp(piece, "PATCH ", 6) == 0 ? O_APPEND : O_TRUNC;
        *n = (size_t)(piece + got - (end + 4));
        memmove(piece, end + 4, *n);
        return total;
    }
    rig_fail("no whole head that says how long the body is");
}

static void take(int peer, const char *path) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    size_t n;
    long left;
    int how;
    while ((left = read_head(peer, &n, &how)) >= 0) {
        int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | how, 0666);
        if (file < 0)
            rig_fail("cannot make %s: %m", path);
        for (;;) {
            write_all(file, piece, n);
            left -= (long)n;
            if (left <= 0)
                break;
            n = read_some(peer);
        }
        if (fdatasync(file) < 0)
            rig_fail("fdatasync: %m");
        close(file);
        write_all(peer, answer, sizeof answer - 1);
    }
}

int main(int argc, char **argv) {
    if (argc != 2)
        rig_fail("usage: least_upload FILE");
    int listener = rig_listen("least_upload");
    if (fcntl(listener, F_SETFL, 0) < 0)
        rig_fail("cannot wait for connections: %m");
    for (;;) {
        int peer = accept(listener, NULL, NULL);
        if (peer >= 0) {
            take(peer, argv[1]);
            close(peer);
        } else {
            rig_fail("accept: %m");
        }
    }
}

/* upload: sends bodies as fast as the server takes them.
 *
 *   upload PORT PID BYTES CONNECTIONS [FOLDER/ [form]]
 *
 * Each connection posts BYTES to /FOLDER/NUMBER, all at once, and waits for its answer, which must
 * be a 200; with "form" they are a file in a multipart form. Prints the milliseconds of CPU of
 * process PID for all of it, user and system, the KiB of memory that it had at most beyond what it
 * had before, for each connection, and the MiB per second. One thread, poll: a server that is slow
 * lets it sleep.
 */
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE 262144
#define LOOK (16L << 20) /* after so many bytes memory is looked at */

#define BOUNDARY "------------------------d74496d66958873e" /* as curl makes one */

static char piece[PIECE];

/* What is around the bytes: nothing, or a form. */
struct around {
    const char *type, *before, *after;
};
static const struct around nothing = {"", "", ""};
static const struct around form = {
    "Content-Type: multipart/form-data; boundary=" BOUNDARY "\r\n",
    "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n"
    "Content-Type: application/octet-stream\r\n\r\n",
    "\r\n--" BOUNDARY "--\r\n"};

struct upload {
    long left;
    const char *after; /* what is left behind the bytes */
    bool answered;
};

static void post(int fd, const char *folder, int number, long bytes, const struct around *around) {
    char head[600];
    int n = snprintf(head, sizeof head,
                     "POST /%s%d HTTP/1.1\r\nHost: 127.0.0.1\r\n%sContent-Length: %ld\r\n\r\n%s",
                     folder, number, around->type,
                     (long)strlen(around->before) + bytes + (long)strlen(around->after),
                     around->before);
    if (write(fd, head, (size_t)n) != n)
        rig_fail("cannot send a head: %m");
}

static bool is_sent(const struct upload *upload) {
    return upload->left == 0 && *upload->after == '\0';
}

/* Sends what the kernel takes: how much. */
static long send_some(int fd, struct upload *upload) {
    ssize_t n = upload->left == 0
                    ? write(fd, upload->after, strlen(upload->after))
                    : write(fd, piece, (size_t)(upload->left < PIECE ? upload->left : PIECE));
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n < 0)
        rig_fail("cannot send: %m");
    if (upload->left == 0)
        upload->after += n;
    else
        upload->left -= n;
    return n;
}

static void take_answer(int fd, struct upload *upload) {
    static char answer[4096];
    ssize_t n = read(fd, answer, sizeof answer - 1);
    if (n <= 0 || strncmp(answer, "HTTP/1.1 200 ", 13) != 0 || !is_sent(upload))
        rig_fail("not answered with 200 after the whole body");
    upload->answered = true;
}

int main(int argc, char **argv) {
    if (argc < 5 || argc > 7 || (argc == 7 && strcmp(argv[6], "form") != 0))
        rig_fail("usage: upload PORT PID BYTES CONNECTIONS [FOLDER/ [form]]");
    const struct around *around = argc == 7 ? &form : &nothing;
    int port = (int)rig_number(argv[1], "PORT", 1, 65535);
    pid_t pid = (pid_t)rig_number(argv[2], "PID", 1, 1L << 30);
    long bytes = rig_number(argv[3], "BYTES", 1, 1L << 40);
    int count = (int)rig_number(argv[4], "CONNECTIONS", 1, 10000), left = count;
    struct pollfd *fds = calloc((size_t)count, sizeof *fds);
    struct upload *uploads = calloc((size_t)count, sizeof *uploads);
    long base, most, sent = 0, looked = 0;
    uint64_t cpu, began;

    if (fds == NULL || uploads == NULL)
        rig_fail("no memory");
    for (long i = 0; i < PIECE; i++)
        piece[i] = (char)(i * 31 >> 3);
    for (int i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = rig_connect(port), .events = POLLIN | POLLOUT};
        uploads[i] = (struct upload){.left = bytes, .after = around->after};
    }
    base = most = rig_memory(pid);
    rig_mark();
    cpu = rig_cpu(pid);
    began = rig_now();
    for (int i = 0; i < count; i++)
        post(fds[i].fd, argc > 5 ? argv[5] : "", i, bytes, around);
    while (left > 0) {
        if (poll(fds, (nfds_t)count, 60000) <= 0)
            rig_fail("nothing has moved for a minute");
        for (int i = 0; i < count; i++) {
            if (fds[i].revents & (POLLIN | POLLHUP | POLLERR)) {
                take_answer(fds[i].fd, &uploads[i]);
                fds[i].events = 0;
                close(fds[i].fd);
                fds[i].fd = -1;
                left--;
            } else if (fds[i].revents & POLLOUT) {
                sent += send_some(fds[i].fd, &uploads[i]);
                if (is_sent(&uploads[i]))
                    fds[i].events = POLLIN;
            }
        }
        if (sent - looked >= LOOK) {
            long now = rig_memory(pid);
            looked = sent;
            most = now > most ? now : most;
        }
    }
    uint64_t took = rig_now() - began;
    cpu = rig_cpu(pid) - cpu;
    rig_mark();
    printf("%.1f %.0f %.0f\n", (double)cpu / 1e6, (double)(most - base) / 1024 / count,
           (double)bytes * count / 1048576 / ((double)took / 1e9));
    return 0;
}

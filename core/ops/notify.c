/* notify: what the service manager is told.
 *
 *     start --READY--> serving --RELOADING--> --READY--> serving --STOPPING--> the end
 *                         \--WATCHDOG, twice in each interval that the manager grants
 *
 * That is systemd's protocol (sd_notify(3)) by hand: datagrams of lines to the socket that
 * NOTIFY_SOCKET names, whose name begins with '@' if it is an abstract one. Who is ready, and who
 * is alive, its caller knows. A manager that does not take them is told of in the log once, and
 * holds nobody up: the main thread alone speaks to it.
 *
 * Belongs to the command line; one thread only. */
#include "ops/notify.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* Of a socket that has a name, or an abstract one. False: it is none of these, or too long. */
static bool take_address(struct notify *notify, struct str path) {
    struct sockaddr_un *to = &notify->manager;
    bool abstract = path.len > 1 && path.ptr[0] == '@';
    if (!abstract && (path.len == 0 || path.ptr[0] != '/'))
        return false;
    if (path.len >= sizeof to->sun_path)
        return false;
    to->sun_family = AF_UNIX;
    memcpy(to->sun_path, path.ptr, path.len);
    if (abstract)
        to->sun_path[0] = '\0';
    notify->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + !abstract);
    return true;
}

/* Who is to give signs of life, and how often, if it is this process. */
static void take_watchdog(struct notify *notify) {
    const char *of = getenv("WATCHDOG_PID"), *interval = getenv("WATCHDOG_USEC");
    uint64_t pid = (uint64_t)getpid(), us;
    if (of && (str_to_u64(str_of(of), &pid) < 0 || pid != (uint64_t)getpid()))
        return;
    if (interval && str_to_u64(str_of(interval), &us) == 0 && us > 0)
        notify->alive_ms = us / 2000 > 0 ? us / 2000 : 1;
}

static void open_socket(struct notify *notify) {
    struct timeval most = {.tv_sec = 1};
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify->fd >= 0)
        setsockopt(notify->fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
    else
        log_warn("cannot tell the service manager: %s", strerror(errno));
}

void notify_open(struct notify *notify) {
    *notify = (struct notify){.fd = -1};
    const char *path = getenv("NOTIFY_SOCKET");
    take_watchdog(notify);
    if (path && take_address(notify, str_of(path)))
        open_socket(notify);
    else if (path)
        log_warn("NOTIFY_SOCKET=%s: expected a path or an abstract name of a socket; the service "
                 "manager is told nothing",
                 path);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
}

void notify_close(struct notify *notify) {
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
}

static void send_text(struct notify *notify, struct str text) {
    ssize_t n;
    do
        n = sendto(notify->fd, text.ptr, text.len, MSG_NOSIGNAL,
                   (const struct sockaddr *)&notify->manager, notify->len);
    while (n < 0 && errno == EINTR);
    if (n < 0 && !notify->failed)
        log_warn("cannot tell the service manager: %s", strerror(errno));
    notify->failed = n < 0;
}

void notify_tell(struct notify *notify, const char *format, ...) {
    struct buf text = {0};
    va_list args;
    if (notify->fd < 0)
        return;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    send_text(notify, buf_str(&text));
    buf_fini(&text);
}

void notify_reloading(struct notify *notify) {
    notify_tell(notify, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading",
                (unsigned long long)(clock_mono_ns() / 1000));
}

void notify_alive(struct notify *notify) {
    uint64_t now = clock_mono_ms();
    if (notify->fd < 0 || notify->alive_ms == 0 || now < notify->next_ms)
        return;
    notify->next_ms = now + notify->alive_ms;
    send_text(notify, STR("WATCHDOG=1"));
}

int notify_wait_ms(const struct notify *notify, int most) {
    uint64_t now = clock_mono_ms();
    if (notify->fd < 0 || notify->alive_ms == 0)
        return most;
    if (now >= notify->next_ms)
        return notify->alive_ms < (uint64_t)most ? (int)notify->alive_ms : most;
    return notify->next_ms - now < (uint64_t)most ? (int)(notify->next_ms - now) : most;
}

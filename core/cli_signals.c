/* cli_signals: what the process is told by signals.
 *
 *     handler:   a bit in `pending`, a byte for the bell ---> main thread, when it comes to wait
 *                the second SIGTERM or SIGINT: _exit
 *
 * Handlers, rather than blocked signals and sigwait, because a child inherits what is blocked or
 * ignored and gets the default for what is handled: so that those of os.execute, io.popen, or any
 * C module can be ended and end when their pipe does, none of them has to be known here. For the
 * same reason SIGPIPE has a handler that does nothing.
 *
 * The kernel gives a signal to the main thread as long as that takes it, which it always does. So
 * the handler runs while the main thread loads apps or waits for workers, for a lock or for a disk:
 * who asks twice is asked nothing in return. A handler may only call what is async-signal-safe, and
 * leaves errno as it was. */
#include "cli_signals.h"

#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static atomic_uint pending;
static atomic_bool ending;
static int bell = -1;

static unsigned bit_of(int signo) {
    switch (signo) {
    case SIGHUP:
        return SIGNAL_RELOAD;
    case SIGUSR1:
        return SIGNAL_INSPECT;
    case SIGUSR2:
        return SIGNAL_REOPEN;
    default:
        return SIGNAL_END;
    }
}

static void on_signal(int signo) {
    int saved = errno;
    unsigned bit = bit_of(signo);
    if (bit == SIGNAL_END && atomic_exchange(&ending, true))
        _exit(EXIT_FAILED);
    atomic_fetch_or(&pending, bit);
    uint64_t one = 1;
    ssize_t written = write(bell, &one, sizeof one);
    (void)written; /* it rings already */
    errno = saved;
}

static void on_nothing(int signo) {
    (void)signo;
}

static void handle(int signo, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(signo, &action, NULL);
}

void signals_survive(void) {
    handle(SIGPIPE, on_nothing);
    handle(SIGXFSZ, on_nothing); /* a file at its limit is an error like a full disk */
}

int signals_catch(void) {
    static const int caught[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
    sigset_t set;
    bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (bell < 0)
        return -errno;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) {
        handle(caught[i], on_signal);
        sigaddset(&set, caught[i]);
    }
    sigaddset(&set, SIGPIPE);
    sigaddset(&set, SIGXFSZ);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* as whoever started us may have left it */
    signals_survive();
    return 0;
}

unsigned signals_wait(int ms) {
    unsigned come = atomic_exchange(&pending, 0);
    if (come != 0)
        return come;
    uint64_t rings;
    poll(&(struct pollfd){.fd = bell, .events = POLLIN}, 1, ms);
    ssize_t n = read(bell, &rings, sizeof rings);
    (void)n; /* it may not have rung */
    return atomic_exchange(&pending, 0);
}

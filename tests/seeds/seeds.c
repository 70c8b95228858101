/* seeds: runs of the hub and its store that are drawn from numbers, against an oracle.
 *
 *     seeds [--from N] [--count N] [--jobs N]       a row of seeds, and before it all that failed
 *           [--row] [--until-failure]               ... the row only; not after one has failed
 *     seeds --seed N [--trace]                      one
 *
 * Each seed is a process of its own, so that one which fails, hangs or crashes takes nothing with
 * it. Prints TAP: a case for each seed that ever failed, with what it had found, and one for the
 * row; and what happened in all of them. What a run is: plan.c; what it must hold to: oracle.c,
 * record.c. */
#include "read/found.h"
#include "plan.h"
#include "record.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_S 60 /* for one seed, whatever else the machine does */
#define JOBS_MAX 64

/* Seeds that have failed, each with what it had found. They stay. */
static const struct {
    uint32_t seed;
    const char *found;
} found[] = {
    {5, "after a restart what was trimmed was told twice"},
    {6, "who named a topic of its prefix lost what was being committed"},
    {12, "a stream of one topic ended before what was being committed"},
    {733, "what memory had trimmed was told late, and to who came back from the store not at all"},
    {889, "a gap of a restart that a policy passed was told as an overflow"},
    {1871, "a topic that was made anew told a gap with the id of another topic's event"},
    {1877, "who left a name of its prefix lost what was being committed"},
    {2985, "the oracle: a gap was due for a topic that was left meanwhile"},
    {1145, "a server was killed that had not said yet that a topic was durable no more"},
    {1689, "the oracle: what was on its way to the disk may have been trimmed there"},
    {100003, "a reader that had lapsed held up publishers when it had read all"},
    {100039, "who named a topic of its prefix got more than the newest events"},
    {100085, "the id of weir.end was smaller than that of a topic that was left"},
    {100210, "the oracle: who was in none of two servers without a store has lost nothing"},
    {307, "who lapsed was told that memory had trimmed what came from the store"},
    {491, "who named a topic of its prefix was told twice what that had lost"},
    {1391, "who lapsed and drops the oldest counted some of it twice"},
    {1455, "who lapsed was told that it had dropped nothing"},
    {2427, "what was trimmed later and is older was not told to who lapsed"},
    {3847, "who ends was sent what had been superseded when it was passed"},
    {4395, "what the store had yet to trim came behind the gap that told it"},
    {4218, "the oracle: a gap was of a topic that was left before it was told"},
    {108574, "of the newest events some came from before a hole"},
    {113195, "who chose a prefix read a name that had gone with its topic's last event"},
    {113273, "what a gap had told came from the store as well"},
    {117457,
     "what had been superseded and passed was told to be missing, behind what came after it"},
    {117923, "who had lapsed and left a name lost what was being committed"},
    {119399, "who had lapsed was sent what had been committed late behind what came after it"},
    {115562, "the oracle: a topic may open again before its reader is told that it was closed"},
    {115825, "the oracle: what waited was given its id after an end had failed"},
    {203331, "who left a topic was forgiven what it had not been told yet of others"},
    {203837, "who left a topic was forgiven what it had not read of others"},
    {203555, "what had been superseded before an end was missing behind what came after it"},
    {204159, "who had lapsed and left a prefix lost what another one, chosen later, brings"},
    {204497, "who left a prefix lost what was committed, and another one, chosen later, brings"},
    {206499, "who had lapsed and left a prefix was not told what was too much of that"},
    {207511, "who named one of the newest events' topics was told what was none of them"},
    {105927, "the oracle: what superseded had gone with a server, and was in memory only"},
    {210939, "what had come before its topic was durable was owed by who had lapsed"},
    {851127, "who lapsed and conflates was told that it misses what had been superseded"},
    {318315, "who wants the newest and lapsed was told that it misses what is older"},
    {304143, "the oracle: who leaves a prefix may have lapsed"},
    {302559, "the oracle: more publications went on at once than it could note"},
    {316939, "what left the file and is in memory was told as trimmed"},
    {0, NULL},
};

static struct {
    uint32_t from, count, jobs, seed;
    bool one, trace, until_failure, row;
} options = {.from = PLAN_ONLY + 101, .count = 200, .jobs = 2};

struct job {
    pid_t pid; /* 0: none */
    uint32_t seed;
};

static struct job jobs[JOBS_MAX];
static uint32_t failed, ran, first_failed;
static struct tally *total; /* shared with the processes of the seeds */

static void add_tally(void) {
    const uint64_t *from = (const uint64_t *)&tally;
    uint64_t *to = (uint64_t *)total;
    for (size_t i = 0; i < sizeof tally / sizeof *to; i++)
        __atomic_fetch_add(&to[i], from[i], __ATOMIC_RELAXED);
}

static void print_tally(void) {
    static const char *const names[] = {"published",
                                        "failed",
                                        "received",
                                        "gaps",
                                        "told as lost",
                                        "null gaps",
                                        "ends",
                                        "clients of the newest",
                                        "topics closed",
                                        "durable ones",
                                        "reopened",
                                        "alone",
                                        "refused",
                                        "weir.end",
                                        "told to stay away",
                                        "waited",
                                        "in vain",
                                        "expelled"};
    const uint64_t *at = (const uint64_t *)total;
    _Static_assert(sizeof names / sizeof *names == sizeof tally / sizeof *at, "one for each");
    printf("#");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        printf("%s %s %llu", i > 0 ? "," : "", names[i], (unsigned long long)at[i]);
    printf("\n");
}

/* In one of four positions keep a topic or two in mind: those of prefixes lapse all the time. */
static void run(uint32_t seed) {
    oracle_lapses = seed % 4 == 3;
    if (oracle_lapses)
        found_most = 1 + seed / 4 % 2;
    alarm(PATIENCE_S);
    plan_run(seed, options.trace);
    add_tally();
    exit(0);
}

static void start(struct job *job, uint32_t seed) {
    fflush(stdout);
    job->seed = seed;
    job->pid = fork();
    if (job->pid < 0) {
        perror("fork");
        exit(2);
    }
    if (job->pid == 0)
        run(seed);
}

/* Waits for one of them; its place. */
static struct job *await(void) {
    int status;
    pid_t pid = wait(&status);
    struct job *job = jobs;
    while (job->pid != pid)
        job++;
    job->pid = 0;
    ran++;
    if (WIFSIGNALED(status))
        printf("# seed %u: ended by signal %d%s\n", job->seed, WTERMSIG(status),
               WTERMSIG(status) == SIGALRM ? ", for it hung" : "");
    if (status != 0 && failed++ == 0)
        first_failed = job->seed;
    return job;
}

static void run_row(uint32_t from, uint32_t count) {
    uint32_t busy = 0;
    for (uint32_t i = 0; i < count && !(options.until_failure && failed); i++) {
        struct job *job = busy < options.jobs ? &jobs[busy++] : await();
        start(job, from + i);
    }
    while (busy-- > 0)
        await();
}

static int report(int number, const char *name) {
    printf("%sok %d - %s\n", failed ? "not " : "", number, name);
    int bad = failed > 0;
    failed = 0;
    return bad;
}

static int run_all(void) {
    char name[160];
    int number = 0, bad = 0;
    for (size_t i = 0; found[i].found && !options.row; i++) {
        run_row(found[i].seed, 1);
        snprintf(name, sizeof name, "seed %u: %s", found[i].seed, found[i].found);
        bad += report(++number, name);
    }
    ran = 0;
    run_row(options.from, options.count);
    if (failed)
        printf("# %u of %u failed, the first of them is %u\n", failed, ran, first_failed);
    snprintf(name, sizeof name, "%u seeds from %u on", ran, options.from);
    bad += report(++number, name);
    print_tally();
    printf("1..%d\n", number);
    return bad ? 1 : 0;
}

static uint32_t number(const char *text) {
    char *end;
    unsigned long n = text ? strtoul(text, &end, 10) : 0;
    if (text == NULL || end == text || *end || n > 1000000000) {
        fprintf(stderr, "seeds: no number: %s\n", text ? text : "nothing");
        exit(2);
    }
    return (uint32_t)n;
}

static void parse(char **argv) {
    for (char **at = argv + 1; *at; at++) {
        if (strcmp(*at, "--trace") == 0)
            options.trace = true;
        else if (strcmp(*at, "--until-failure") == 0)
            options.until_failure = true;
        else if (strcmp(*at, "--row") == 0)
            options.row = true;
        else if (strcmp(*at, "--from") == 0)
            options.from = number(*++at);
        else if (strcmp(*at, "--count") == 0)
            options.count = number(*++at);
        else if (strcmp(*at, "--jobs") == 0)
            options.jobs = number(*++at);
        else if (strcmp(*at, "--seed") == 0)
            options.seed = number(*++at), options.one = true;
        else
            fprintf(stderr, "seeds: unknown option %s\n", *at), exit(2);
    }
    if (options.jobs < 1 || options.jobs > JOBS_MAX)
        options.jobs = JOBS_MAX;
}

int main(int argc, char **argv) {
    (void)argc;
    parse(argv);
    /* cppcheck-suppress invalidFunctionArg ; no file, as MAP_ANONYMOUS wants it */
    total = mmap(NULL, sizeof *total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (total == MAP_FAILED)
        return 2;
    if (!options.one)
        return run_all();
    run(options.seed);
}

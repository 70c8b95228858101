/* loops: the loops of the process that others may ask, and asking all of them.
 *
 *     home: loops_visit --mail--> each loop: visit --the last one: mail--> home: done
 *
 * What a worker has is its own, so who wants to know of all asks each by mail. A question counts
 * the loops that owe an answer, under the lock; whoever brings that to zero sends it back to where
 * it came from. Loops come and go meanwhile: one that leaves gives the answers it owes without
 * having looked, and the questions it has asked are nobody's, so that the last answer ends them. A
 * question is in two lists, therefore: each of its visits in that of the loop it is for (`asked`),
 * until it is over, and itself in that of its home (`asking`), until all are. A visit that has much
 * to look at goes on in later turns, so that it holds nobody up. Home may withdraw a question from
 * those that have not come to it.
 *
 * It must not know what is asked. No visit and no `done` runs under the lock. */
#include "net/loops.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

struct question;

struct visit { /* of one loop */
    struct mail mail;
    struct timer again; /* there is more to look at */
    struct list asked;  /* loop->asked */
    struct question *question;
    struct loop *loop;
};

struct question {
    struct mail back;
    struct list asking; /* home->asking */
    struct loop *home;  /* NULL: it has left */
    int left;           /* loops that owe an answer */
    int count;          /* of the visits */
    bool (*visit)(struct loop *loop, void *arg);
    void (*done)(void *arg);
    void *arg;
    struct visit visits[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all lists and of what is `left` */
static struct list all = {&all, &all};
static struct histogram left; /* the turns of those that have */

static void end(struct question *question) {
    question->done(question->arg);
    free(question);
}

static void on_back(struct mail *mail) {
    struct question *question = CONTAINER_OF(mail, struct question, back);
    pthread_mutex_lock(&lock);
    list_remove(&question->asking);
    pthread_mutex_unlock(&lock);
    end(question);
}

/* One loop less is waited for. */
static void answer(struct question *question) {
    pthread_mutex_lock(&lock);
    MUST(question->left > 0);
    bool over = --question->left == 0, homeless = question->home == NULL;
    if (over && !homeless)
        loop_post(question->home, &question->back); /* under the lock: it may leave behind it */
    pthread_mutex_unlock(&lock);
    if (over && homeless)
        end(question);
}

static void make(struct visit *visit) {
    struct question *question = visit->question;
    if (question->visit(visit->loop, question->arg)) {
        loop_timer(visit->loop, &visit->again, 0);
        return;
    }
    pthread_mutex_lock(&lock);
    list_remove(&visit->asked);
    pthread_mutex_unlock(&lock);
    answer(question);
}

static void on_visit(struct mail *mail) {
    make(CONTAINER_OF(mail, struct visit, mail));
}

static void on_again(struct timer *timer) {
    make(CONTAINER_OF(timer, struct visit, again));
}

void loops_join(struct loop *loop) {
    list_init(&loop->asked);
    list_init(&loop->asking);
    pthread_mutex_lock(&lock);
    list_push(&all, &loop->joined);
    pthread_mutex_unlock(&lock);
}

/* The questions of a loop that leaves, under the lock: those on their way back into `over`, the
 * others have no home any more. */
static void give_up(struct loop *loop, struct list *over) {
    struct list *node;
    while ((node = list_pop(&loop->asking)) != NULL) {
        struct question *question = CONTAINER_OF(node, struct question, asking);
        question->home = NULL;
        if (question->left == 0) {
            loop_retract(loop, &question->back);
            list_push(over, node);
        }
    }
}

/* What is not in the list any more is not withdrawn. */
static struct visit *next_owed(struct list *owed) {
    pthread_mutex_lock(&lock);
    struct list *node = list_pop(owed);
    pthread_mutex_unlock(&lock);
    return node ? CONTAINER_OF(node, struct visit, asked) : NULL;
}

void loops_leave(struct loop *loop) {
    struct list owed, over, *node;
    struct visit *visit;
    MUST(loop_is_mine(loop));
    list_init(&owed);
    list_init(&over);
    pthread_mutex_lock(&lock);
    list_remove(&loop->joined);
    histogram_merge(&left, &loop->turns);
    list_splice(&owed, &loop->asked);
    give_up(loop, &over);
    pthread_mutex_unlock(&lock);
    while ((visit = next_owed(&owed)) != NULL) {
        loop_retract(loop, &visit->mail);
        timer_clear(&visit->again);
        answer(visit->question);
    }
    while ((node = list_pop(&over)) != NULL)
        end(CONTAINER_OF(node, struct question, asking));
}

struct question *loops_visit(struct loop *home, bool (*visit)(struct loop *loop, void *arg),
                             void (*done)(void *arg), void *arg) {
    int count = 0;
    pthread_mutex_lock(&lock);
    for (struct list *at = all.next; at != &all; at = at->next)
        count++;
    struct question *question =
        mem_zalloc(sizeof *question + (size_t)count * sizeof *question->visits);
    question->back.run = on_back;
    question->home = home;
    question->left = question->count = count;
    question->visit = visit;
    question->done = done;
    question->arg = arg;
    list_push(&home->asking, &question->asking);
    struct visit *next = question->visits;
    for (struct list *at = all.next; at != &all; at = at->next, next++) {
        struct loop *loop = CONTAINER_OF(at, struct loop, joined);
        *next = (struct visit){.mail = {.run = on_visit}, .question = question, .loop = loop};
        timer_init(&next->again, on_again);
        list_push(&loop->asked, &next->asked);
        loop_post(loop, &next->mail);
    }
    pthread_mutex_unlock(&lock);
    return question;
}

int loops_withdraw(struct question *question) {
    int withdrawn = 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < question->count; i++) {
        struct visit *visit = &question->visits[i];
        if (list_empty(&visit->asked) || !loop_take_back(visit->loop, &visit->mail))
            continue; /* it is over, or goes on */
        list_remove(&visit->asked);
        withdrawn++;
    }
    question->left -= withdrawn;
    if (withdrawn > 0 && question->left == 0)
        loop_post(question->home, &question->back);
    pthread_mutex_unlock(&lock);
    return withdrawn;
}

void loops_turns(struct histogram *turns) {
    pthread_mutex_lock(&lock);
    *turns = left;
    for (struct list *at = all.next; at != &all; at = at->next)
        histogram_merge(turns, &CONTAINER_OF(at, struct loop, joined)->turns);
    pthread_mutex_unlock(&lock);
}

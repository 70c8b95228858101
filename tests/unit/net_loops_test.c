/* What net/loops promises: each loop is asked once, on its own thread, and the asker is told once,
 * whoever comes and goes meanwhile. */
#include "net/loops.h"

#include "base/mem.h"
#include "table.h"

#include <pthread.h>

#define LOOPS 3

static struct loop loops[LOOPS]; /* all of this thread, turned by hand */

static int setup(void **state) {
    (void)state;
    for (int i = 0; i < LOOPS; i++)
        if (loop_init(&loops[i]) < 0)
            return -1;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    int handles = 0;
    for (int i = 0; i < LOOPS; i++) {
        handles += loop_handles(&loops[i]);
        loop_fini(&loops[i]);
    }
    return handles;
}

static void turn(int i) {
    uv_run(&loops[i].uv, UV_RUN_NOWAIT);
}

struct tale { /* of one question */
    int visited[LOOPS], done;
    int turns; /* that each visit takes; 0 is one, too */
};

static bool visit(struct loop *loop, void *arg) {
    struct tale *tale = arg;
    assert_int_equal(tale->done, 0);
    return ++tale->visited[loop - loops] < tale->turns;
}

static void done(void *arg) {
    ((struct tale *)arg)->done++;
}

static void assert_visits(const struct tale *tale, int first, int second, int third) {
    assert_int_equal(tale->visited[0], first);
    assert_int_equal(tale->visited[1], second);
    assert_int_equal(tale->visited[2], third);
}

static void each_is_asked_and_the_asker_told(void **state) {
    (void)state;
    struct tale tale = {0};
    loops_join(&loops[0]);
    loops_join(&loops[1]); /* and the third not */
    loops_visit(&loops[0], visit, done, &tale);
    assert_visits(&tale, 0, 0, 0); /* never from within */
    turn(0);
    turn(1);
    turn(2);
    assert_visits(&tale, 1, 1, 0);
    assert_int_equal(tale.done, 0);
    turn(0);
    assert_int_equal(tale.done, 1);
    loops_leave(&loops[0]);
    loops_leave(&loops[1]);
    assert_int_equal(tale.done, 1);
}

static void who_has_more_to_tell_does_so_in_later_turns(void **state) {
    (void)state;
    struct tale tale = {.turns = 3}, left = {.turns = 3};
    loops_join(&loops[0]);
    loops_join(&loops[1]);
    loops_visit(&loops[0], visit, done, &tale);
    for (int i = 0; i < 20 && tale.visited[1] < 3; i++)
        turn(1);
    for (int i = 0; i < 20 && tale.done == 0; i++)
        turn(0);
    assert_visits(&tale, 3, 3, 0);
    assert_int_equal(tale.done, 1);
    loops_visit(&loops[0], visit, done, &left);
    turn(1);
    assert_in_range(left.visited[1], 1, 2); /* never all in one */
    loops_leave(&loops[1]);                 /* in the middle: it is passed over */
    for (int i = 0; i < 20 && left.done == 0; i++)
        turn(0);
    assert_int_equal(left.done, 1);
    assert_in_range(left.visited[1], 1, 2);
    loops_leave(&loops[0]);
}

static void who_is_alone_asks_itself(void **state) {
    (void)state;
    struct tale tale = {0};
    loops_join(&loops[1]);
    loops_visit(&loops[1], visit, done, &tale);
    turn(1);
    turn(1);
    assert_visits(&tale, 0, 1, 0);
    assert_int_equal(tale.done, 1);
    loops_leave(&loops[1]);
}

static void who_leaves_is_passed_over(void **state) {
    (void)state;
    struct tale first = {0}, second = {0};
    for (int i = 0; i < LOOPS; i++)
        loops_join(&loops[i]);
    loops_visit(&loops[0], visit, done, &first);
    turn(0);
    turn(1);
    loops_leave(&loops[2]); /* owes an answer */
    loops_visit(&loops[0], visit, done, &second);
    turn(2);
    turn(0);
    assert_int_equal(first.done, 1);
    assert_int_equal(second.done, 0);
    turn(1);
    turn(0);
    assert_int_equal(second.done, 1);
    assert_visits(&first, 1, 1, 0);
    assert_visits(&second, 1, 1, 0);
    loops_leave(&loops[0]);
    loops_leave(&loops[1]);
}

/* The last answer may be that of one who leaves, and that home's own. */
static void all_may_leave(void **state) {
    (void)state;
    struct tale tale = {0};
    for (int i = 0; i < LOOPS; i++)
        loops_join(&loops[i]);
    loops_visit(&loops[1], visit, done, &tale);
    loops_leave(&loops[0]);
    loops_leave(&loops[1]); /* home */
    assert_int_equal(tale.done, 0);
    loops_leave(&loops[2]);
    assert_int_equal(tale.done, 1);
    assert_visits(&tale, 0, 0, 0);
}

static void a_question_of_one_who_has_left_ends_elsewhere(void **state) {
    (void)state;
    struct tale tale = {0};
    for (int i = 0; i < LOOPS; i++)
        loops_join(&loops[i]);
    loops_visit(&loops[0], visit, done, &tale);
    turn(0);
    turn(2);
    loops_leave(&loops[0]);
    assert_int_equal(tale.done, 0);
    loops_join(&loops[0]); /* another life: that question is not its own any more */
    turn(1);
    assert_int_equal(tale.done, 1);
    turn(0);
    assert_int_equal(tale.done, 1);
    assert_visits(&tale, 1, 1, 1);
    for (int i = 0; i < LOOPS; i++)
        loops_leave(&loops[i]);
}

static void an_answer_on_its_way_is_told_when_its_home_leaves(void **state) {
    (void)state;
    struct tale tale = {0};
    loops_join(&loops[0]);
    loops_join(&loops[1]);
    loops_visit(&loops[0], visit, done, &tale);
    turn(0);
    turn(1);
    assert_int_equal(tale.done, 0);
    loops_leave(&loops[0]);
    assert_int_equal(tale.done, 1);
    turn(0);
    assert_int_equal(tale.done, 1);
    loops_leave(&loops[1]);
}

static void what_is_withdrawn_is_not_asked(void **state) {
    (void)state;
    struct tale tale = {0}, again = {0};
    for (int i = 0; i < LOOPS; i++)
        loops_join(&loops[i]);
    struct question *question = loops_visit(&loops[0], visit, done, &tale);
    turn(1);
    loops_withdraw(question);
    loops_withdraw(question);
    turn(2);
    assert_int_equal(tale.done, 0); /* never from within */
    turn(0);
    assert_int_equal(tale.done, 1);
    assert_visits(&tale, 0, 1, 0);
    loops_visit(&loops[0], visit, done, &again);
    for (int i = LOOPS - 1; i >= 0; i--)
        turn(i);
    turn(0);
    assert_int_equal(again.done, 1);
    assert_visits(&again, 1, 1, 1);
    for (int i = 0; i < LOOPS; i++)
        loops_leave(&loops[i]);
}

static void what_has_begun_is_not_withdrawn(void **state) {
    (void)state;
    struct tale tale = {.turns = 3}, over = {0};
    loops_join(&loops[0]);
    loops_join(&loops[1]);
    struct question *question = loops_visit(&loops[0], visit, done, &tale);
    turn(1);
    loops_withdraw(question);
    turn(0);
    assert_int_equal(tale.done, 0);
    for (int i = 0; i < 20 && tale.visited[1] < 3; i++)
        turn(1);
    turn(0);
    assert_int_equal(tale.done, 1);
    assert_visits(&tale, 0, 3, 0);
    question = loops_visit(&loops[0], visit, done, &over);
    turn(0);
    turn(1);
    loops_withdraw(question); /* its last answer is on its way */
    turn(0);
    turn(0);
    assert_int_equal(over.done, 1);
    loops_leave(&loops[0]);
    loops_leave(&loops[1]);
}

/* --- threads that join, ask each other, and leave --- */

#define THREADS 4
#define LIVES 20 /* of each thread's loop */
#define ASKS 8   /* in each life */
#define HASTY 3  /* every so many lives it leaves with its questions under way */

static int asked, ended; /* in all; under the lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct citizen {
    struct loop loop;
    struct mail begin;
    int life, open;
};

struct errand {
    struct citizen *home;
    int visits;
    bool withdrawn;
};

static bool look(struct loop *loop, void *arg) {
    struct errand *errand = arg;
    assert_true(loop_is_mine(loop));
    pthread_mutex_lock(&lock);
    errand->visits++;
    pthread_mutex_unlock(&lock);
    return false;
}

static void come_home(void *arg) {
    struct errand *errand = arg;
    struct citizen *home = errand->home;
    assert_in_range(errand->visits, home->life % HASTY && !errand->withdrawn ? 1 : 0, THREADS);
    pthread_mutex_lock(&lock);
    ended++;
    pthread_mutex_unlock(&lock);
    free(errand);
    if (home->life % HASTY) { /* then it waits for all, and they come to its own thread */
        assert_true(loop_is_mine(&home->loop));
        if (--home->open == 0)
            loop_stop(&home->loop);
    }
}

static void begin(struct mail *mail) {
    struct citizen *self = CONTAINER_OF(mail, struct citizen, begin);
    self->open = ASKS;
    for (int i = 0; i < ASKS; i++) {
        struct errand *errand = mem_zalloc(sizeof *errand);
        errand->home = self;
        pthread_mutex_lock(&lock);
        asked++;
        pthread_mutex_unlock(&lock);
        errand->withdrawn = i % 2;
        struct question *question = loops_visit(&self->loop, look, come_home, errand);
        if (i % 2)
            loops_withdraw(question);
    }
    if (self->life % HASTY == 0)
        loop_stop(&self->loop);
}

static void *live(void *arg) {
    struct citizen *lives = arg;
    for (int i = 0; i < LIVES; i++) {
        struct citizen *self = &lives[i];
        loops_join(&self->loop);
        loop_post(&self->loop, &self->begin);
        loop_run(&self->loop);
        loops_leave(&self->loop);
    }
    return NULL;
}

static struct citizen *born(void) {
    struct citizen *lives = mem_zalloc(LIVES * sizeof *lives);
    for (int i = 0; i < LIVES; i++) {
        lives[i].life = i;
        lives[i].begin.run = begin;
        assert_int_equal(loop_init(&lives[i].loop), 0);
    }
    return lives;
}

static void buried(struct citizen *lives) {
    for (int i = 0; i < LIVES; i++)
        loop_fini(&lives[i].loop);
    free(lives);
}

static void no_question_is_lost(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    struct citizen *lives[THREADS];
    for (int i = 0; i < THREADS; i++) /* as serve/crew does: descriptors are not used again */
        lives[i] = born();
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, live, lives[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++)
        buried(lives[i]);
    assert_int_equal(asked, THREADS * LIVES * ASKS);
    assert_int_equal(ended, asked);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_is_asked_and_the_asker_told, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_more_to_tell_does_so_in_later_turns, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_is_alone_asks_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(who_leaves_is_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(all_may_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(a_question_of_one_who_has_left_ends_elsewhere, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_answer_on_its_way_is_told_when_its_home_leaves, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_withdrawn_is_not_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_begun_is_not_withdrawn, setup, teardown),
        cmocka_unit_test(no_question_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* mount: an app in its place on one loop.
 *
 *     next --another number is stored--> gen --the same again--> older --over--> freed
 *       \--the reload failed-------------------------------------^
 *
 * Which generation answers is told by a number that all workers share (vm/lineage), read once for
 * each request; so all take over at the same moment, and whoever sees it first here, a request or
 * the order of the coordinator, moves the generations on.
 *
 * An older generation lives while a task or a stream needs it. Of those MOUNT_LIVE may live; when
 * there are more, the oldest one's streams are ended. Owned by the host of the loop; one thread
 * only. It must not know who else loads the same app. */
#include "serve/mount.h"

#include "base/log.h"
#include "base/mem.h"
#include "exchange/exchange.h"
#include "serve/boot.h"
#include "serve/summary.h"
#include "vm/files.h"

#include <stdlib.h>

void mount_init(struct mount *mount, struct scheduler *scheduler, const char *prefix) {
    *mount = (struct mount){.scheduler = scheduler, .prefix = mem_strdup(prefix)};
}

/* The list's head must not move, so it is made when the mount has its place. */
static struct list *older(struct mount *mount) {
    if (mount->older.next == NULL)
        list_init(&mount->older);
    return &mount->older;
}

static void free_one(struct mount *mount, struct generation *gen) {
    (void)mount;
    atomic_fetch_sub(&lineage_counters.live, 1);
    generation_free(gen);
}

void mount_each(struct mount *mount, void (*each)(struct mount *, struct generation *)) {
    struct list *next, *list = older(mount);
    for (struct list *at = list->next; at != list; at = next) {
        next = at->next;
        each(mount, CONTAINER_OF(at, struct generation, link));
    }
    if (mount->gen)
        each(mount, mount->gen);
    if (mount->next)
        each(mount, mount->next);
}

struct looking {
    bool (*each)(void *arg, struct task *task, const char *prefix);
    void *arg;
};

static bool look_at_tasks(const struct mount *mount, const struct generation *gen,
                          const struct looking *looking) {
    if (gen == NULL || gen->state.broken)
        return true;
    for (struct list *at = gen->tasks.next; at != &gen->tasks; at = at->next)
        if (!looking->each(looking->arg, CONTAINER_OF(at, struct task, all), mount->prefix))
            return false;
    return true;
}

bool mount_each_task(struct mount *mount, bool (*each)(void *, struct task *, const char *),
                     void *arg) {
    struct looking looking = {each, arg};
    struct list *list = older(mount);
    for (struct list *at = list->next; at != list; at = at->next)
        if (!look_at_tasks(mount, CONTAINER_OF(at, struct generation, link), &looking))
            return false;
    return look_at_tasks(mount, mount->gen, &looking) &&
           look_at_tasks(mount, mount->next, &looking);
}

void mount_fini(struct mount *mount) {
    mount_each(mount, free_one);
    free(mount->prefix);
    free(mount->folder);
    free(mount->file);
    free(mount->error);
    buf_fini(&mount->summary);
}

/* --- one comes --- */

static void on_broken(struct generation *gen);

static void read_summary(struct mount *mount) {
    buf_fini(&mount->summary);
    if (mount->prefix[0] != '\0')
        summary_read(mount->folder, &mount->summary);
}

struct generation *mount_load(struct mount *mount, unsigned number, const struct limits *limits,
                              char **error) {
    struct generation *gen = generation_new(mount->scheduler, mount->folder, limits);
    gen->number = number;
    gen->owner = mount;
    gen->on_broken = on_broken;
    gen->lineage = mount->lineage;
    read_summary(mount);
    if (gen->lineage && gen->lineage->watched) {
        gen->lineage->ops->looked(gen->lineage, mount->file);
        files_watch(gen);
    }
    if (boot_load(gen, mount->file, error) == 0) {
        atomic_fetch_add(&lineage_counters.live, 1);
        return gen;
    }
    generation_free(gen);
    return NULL;
}

void mount_serve(struct mount *mount, struct generation *gen) {
    mount->gen = gen;
    mount->app = gen->app;
}

/* --- one goes --- */

static void on_settled(struct generation *gen);

static void put_aside(struct mount *mount, struct generation *gen) {
    gen->on_settled = on_settled;
    list_push(older(mount), &gen->link);
    generation_settle(gen);
}

static unsigned count_background(const struct mount *mount) {
    unsigned count = 0;
    for (struct list *at = mount->older.next; at && at != &mount->older; at = at->next)
        count += CONTAINER_OF(at, struct generation, link)->background;
    return count;
}

static void tell_retired(struct mount *mount) {
    void (*done)(void *) = mount->on_retired;
    if (done == NULL || count_background(mount) > 0)
        return;
    mount->on_retired = NULL;
    done(mount->retired_arg);
}

static void on_settled(struct generation *gen) {
    struct mount *mount = gen->owner;
    tell_retired(mount);
    if (mount->on_settled)
        mount->on_settled(mount);
}

bool mount_adopt(struct mount *mount) {
    struct generation *next = mount->next;
    if (next == NULL || lineage_current(mount->lineage) != next->number)
        return false;
    struct generation *before = mount->gen;
    mount->next = NULL;
    mount_serve(mount, next);
    free(mount->error);
    mount->error = NULL;
    if (before) {
        before->retired = true;
        put_aside(mount, before);
    }
    return true;
}

void mount_disable(struct mount *mount) {
    struct generation *gen = mount->gen;
    mount->gen = NULL;
    mount->app = NULL;
    if (gen == NULL)
        return;
    generation_cancel(gen);
    put_aside(mount, gen);
}

void mount_drop(struct mount *mount) {
    struct generation *gen = mount->next;
    mount->next = NULL;
    if (gen == NULL)
        return;
    generation_forget_start(gen);
    generation_cancel(gen);
    put_aside(mount, gen);
}

static void on_broken(struct generation *gen) {
    struct mount *mount = gen->owner;
    bool answers = gen == mount->gen, follows = gen == mount->next;
    if (answers) {
        mount->gen = NULL;
        mount->app = NULL;
    }
    if (follows)
        mount->next = NULL;
    if (answers || follows)
        put_aside(mount, gen);
    else
        generation_settle(gen);
}

static void retire(struct mount *mount, struct generation *gen) {
    (void)mount;
    if (gen->retired)
        generation_retire(gen);
}

void mount_retire(struct mount *mount, void (*done)(void *), void *arg) {
    mount->on_retired = done;
    mount->retired_arg = arg;
    mount_each(mount, retire);
    tell_retired(mount);
}

void mount_make_room(struct mount *mount) {
    struct generation *oldest = NULL;
    unsigned live = 1;
    struct list *list = older(mount);
    for (struct list *at = list->next; at != list; at = at->next) {
        struct generation *gen = CONTAINER_OF(at, struct generation, link);
        if (gen->ending || gen->expelling || generation_is_over(gen))
            continue;
        if (oldest == NULL)
            oldest = gen;
        live++;
    }
    if (live <= MOUNT_LIVE)
        return;
    exchange_expel_all(oldest);
    mount->on_settled(mount);
}

static void expel_some(struct mount *mount, struct generation *gen) {
    if (exchange_expel_some(gen)) {
        mount->on_settled(mount);
        return;
    }
    atomic_fetch_add(&lineage_counters.expelled, gen->expelled);
    log_warn("generation %u of the app %s ends with %u streams: at most %d generations live",
             gen->number, mount->folder, gen->expelled, MOUNT_LIVE);
}

void mount_reap(struct mount *mount) {
    struct list *next, *list = older(mount);
    for (struct list *at = list->next; at != list; at = next) {
        next = at->next;
        struct generation *gen = CONTAINER_OF(at, struct generation, link);
        if (gen->expelling && !gen->state.broken)
            expel_some(mount, gen);
        else if (gen->state.broken || generation_is_over(gen))
            free_one(mount, gen);
    }
}

/* --- the end of all --- */

static void cancel(struct mount *mount, struct generation *gen) {
    (void)mount;
    gen->on_settled = on_settled;
    generation_forget_start(gen);
    generation_cancel(gen);
}

void mount_cancel(struct mount *mount) {
    mount->on_retired = NULL;
    mount_each(mount, cancel);
}

bool mount_is_busy(const struct mount *mount) {
    for (struct list *at = mount->older.next; at && at != &mount->older; at = at->next)
        if (!list_empty(&CONTAINER_OF(at, struct generation, link)->tasks))
            return true;
    return (mount->gen && !list_empty(&mount->gen->tasks)) ||
           (mount->next && !list_empty(&mount->next->tasks));
}

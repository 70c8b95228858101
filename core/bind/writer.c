/* writer: a file that is written piece by piece, for Lua: one that is seen when it is whole
 * (net/file_writer.h), or, as an appender, one that grows (net/file_appender.h).
 *
 *     put, move --> bytes --write: a job in the pool, the task waits--> empty again
 *
 * What is put nobody limits but who calls: write after each. The memory of `bytes` is used again
 * and again, and changed for that of the stream that is moved from (stream_take_all), which fills
 * meanwhile: memory that is new for each piece costs more than what is done with it.
 *
 * One job at a time, and whatever becomes of who made it, what is not committed goes:
 *
 *     userdata --commit, or an error--> over --collected--> freed
 *         \--abort, or collected--> no userdata: when its job is done, the pool aborts; freed
 *
 * An appender stays open behind a commit, which syncs it, and behind an error, after which its file
 * is as it was; abort closes it, at once where no job works on it, and so gives its lock back.
 *
 * A job has all of the writer but `task` and `held` to itself until it is done; it touches Lua on
 * the loop's thread only, and only while its task waits. What the system refuses is a result: nil,
 * "ENOSPC", a message. */
#include "bind/bind.h"

#include "auth/digest.h"
#include "base/mem.h"
#include "net/file.h"
#include "net/file_appender.h"
#include "net/file_writer.h"
#include "net/work.h"
#include "vm/class.h"
#include "vm/generation.h"

#include <lauxlib.h>
#include <stdlib.h>

#define WRITER_META "weir.writer"

struct writer {
    struct work work; /* the job, while `busy` */
    struct loop *loop;
    struct task *task; /* that waits for it; NULL: nobody does any more */
    struct file_writer file;
    struct file_appender appender;     /* in its place, where it `grows` */
    struct digest_run *hash;           /* NULL: not asked for, or told */
    struct buf bytes;                  /* to be written */
    char *root, *path;                 /* as they were given, for messages */
    char *other;                       /* what an appender copies from, by its name in `root` */
    uint64_t at, amount;               /* of a job: where, and how much */
    int (*job)(struct writer *writer); /* in the pool: 0 or an error */
    int error;                         /* of the job */
    unsigned char digest[DIGEST_MAX];
    uint8_t digest_size;
    bool makes_root; /* if it is missing */
    bool grows;      /* an appender */
    bool makes;      /* its file */
    bool open;       /* begun, and neither committed nor aborted */
    bool busy;       /* a job works on it */
    bool held;       /* by a userdata */
};

/* --- what the pool does --- */

static int run_open(struct writer *writer) {
    int rc = writer->makes_root ? file_mkdir(writer->root) : 0;
    if (rc == 0)
        rc = file_writer_open(&writer->file, writer->root, writer->path);
    writer->open = rc == 0;
    return rc;
}

static int run_grow(struct writer *writer) {
    int rc = writer->makes_root ? file_mkdir(writer->root) : 0;
    if (rc == 0)
        rc = file_appender_open(&writer->appender, writer->root, writer->path, writer->makes);
    writer->open = rc == 0;
    return rc;
}

static int run_write(struct writer *writer) {
    int rc = writer->grows ? file_appender_add(&writer->appender, buf_str(&writer->bytes))
                           : file_writer_add(&writer->file, buf_str(&writer->bytes));
    if (writer->hash && rc == 0)
        digest_add(writer->hash, buf_str(&writer->bytes));
    writer->bytes.len = 0;
    return rc;
}

static int run_commit(struct writer *writer) {
    int rc = run_write(writer);
    if (writer->hash && rc == 0) {
        writer->digest_size = (uint8_t)digest_end(writer->hash, writer->digest);
        writer->hash = NULL;
        rc = writer->digest_size ? 0 : UV_EIO;
    }
    if (rc < 0)
        return rc;
    if (writer->grows)
        return file_appender_sync(&writer->appender);
    writer->open = false;
    return file_writer_commit(&writer->file, true);
}

static int run_copy(struct writer *writer) {
    return file_appender_copy(&writer->appender, writer->root, writer->other, writer->at,
                              writer->amount);
}

static int run_cut(struct writer *writer) {
    return file_appender_cut(&writer->appender, writer->at);
}

static int run_remove(struct writer *writer) {
    int rc = file_appender_remove(&writer->appender, writer->root, writer->path);
    writer->open = rc < 0;
    return rc;
}

static int run_abort(struct writer *writer) {
    writer->open = false;
    file_writer_abort(&writer->file);
    return 0;
}

static void run(struct work *work) {
    struct writer *writer = CONTAINER_OF(work, struct writer, work);
    writer->error = writer->job(writer);
}

/* --- its life --- */

static void submit(struct writer *writer, int (*job)(struct writer *)) {
    writer->job = job;
    writer->busy = true;
    work_submit(writer->loop, &writer->work);
}

/* Ends a writer that neither a userdata nor a job needs. */
static void settle(struct writer *writer) {
    if (writer->held || writer->busy)
        return;
    if (writer->open && writer->grows) {
        file_appender_close(&writer->appender);
    } else if (writer->open) {
        submit(writer, run_abort);
        return;
    }
    if (writer->hash)
        digest_end(writer->hash, NULL);
    buf_fini(&writer->bytes);
    free(writer->root);
    free(writer->path);
    free(writer->other);
    free(writer);
}

static void let_go(struct writer **slot) {
    struct writer *writer = *slot;
    if (writer == NULL)
        return;
    *slot = NULL;
    writer->held = false;
    settle(writer);
}

static int l_writer_gc(lua_State *L) {
    let_go(lua_touserdata(L, 1));
    return 0;
}

static int l_writer_abort(lua_State *L) {
    let_go(luaL_checkudata(L, 1, WRITER_META));
    return 0;
}

/* --- waiting for a job --- */

static void lose(struct task *task) {
    struct writer *writer = task->armed;
    writer->task = NULL;
}

static const struct wait opening = {.what = "stream:save", .disarm = lose, .elsewhere = true};
/* What has begun is done when the task goes on. */
static const struct wait writing = {
    .what = "stream:save", .disarm = lose, .cancel = task_go_on, .elsewhere = true};

static void push_error(const struct writer *writer, lua_State *co) {
    const char *message = writer->error == UV_EFTYPE ? "it is a device, a pipe or a socket, no file"
                                                     : uv_strerror(writer->error);
    lua_pushnil(co);
    lua_pushstring(co, uv_err_name(writer->error));
    lua_pushfstring(co, "%s/%s: %s", writer->root, writer->path, message);
}

static void push_writer(struct writer *writer, lua_State *co) {
    struct writer **slot = class_new(co, WRITER_META, sizeof *slot);
    *slot = writer;
    writer->held = true;
}

/* Of a job that went well, for the task that waits. */
static void push_result(struct writer *writer, lua_State *co) {
    if (writer->job == run_open || writer->job == run_grow) {
        push_writer(writer, co);
        if (writer->grows) {
            lua_pushnumber(co, (lua_Number)writer->appender.size);
            lua_pushnumber(co, (lua_Number)writer->appender.changed_ms / 1000);
        }
        return;
    }
    lua_pushboolean(co, true);
    if (writer->digest_size)
        lua_pushlstring(co, (const char *)writer->digest, writer->digest_size);
}

static void done(struct work *work) {
    struct writer *writer = CONTAINER_OF(work, struct writer, work);
    writer->busy = false;
    if (writer->task) {
        lua_State *co = task_wake(writer->task);
        if (writer->error < 0)
            push_error(writer, co);
        else
            push_result(writer, co);
    }
    settle(writer);
}

static int start(lua_State *L, struct writer *writer, struct task *task, const struct wait *wait,
                 int (*job)(struct writer *)) {
    writer->task = task;
    task->armed = writer;
    submit(writer, job);
    lua_settop(L, wait == &writing); /* keeps the writer that it waits for */
    return task_wait(task, wait, WHEEL_NEVER);
}

static int begin(lua_State *L, bool grows, bool makes, int (*job)(struct writer *)) {
    struct generation *gen = task_generation(L);
    const char *path = luaL_checkstring(L, 1), *root = luaL_checkstring(L, 2);
    const struct digest *digest = lua_isnoneornil(L, 4) ? NULL : digest_find(state_check_str(L, 4));
    struct task *task = task_enter(L, "stream:save");
    if (task == NULL)
        return task_refuse(L);
    struct digest_run *hash = digest ? digest_begin(digest) : NULL;
    if (digest && hash == NULL)
        return luaL_error(L, "the digest cannot be made");
    struct writer *writer = mem_zalloc(sizeof *writer);
    writer->work.run = run;
    writer->work.done = done;
    writer->loop = gen->scheduler->loop;
    writer->hash = hash;
    writer->path = mem_strdup(path);
    writer->root = generation_path(gen, root);
    writer->makes_root = lua_toboolean(L, 3);
    writer->grows = grows;
    writer->makes = makes;
    return start(L, writer, task, &opening, job);
}

/* writer(path, root, make_root, hash): `path` is relative to `root`, a relative `root` to the app.
 */
static int l_writer(lua_State *L) {
    return begin(L, false, true, run_open);
}

/* appender(name, root, make_root, hash, make) -> nil, appender, size, Unix time of its last change
 * | nil, nil, code, message: a plain name; "EAGAIN" when somebody else has the file open so. The
 * hash is that of what is added. */
static int l_appender(lua_State *L) {
    return begin(L, true, lua_toboolean(L, 5), run_grow);
}

/* --- what is done with it --- */

/* The writer at `index`, which can be written to. */
static struct writer *check_writer(lua_State *L, int index) {
    struct writer *writer = *(struct writer **)luaL_checkudata(L, index, WRITER_META);
    if (writer && writer->busy)
        state_error(L, "stream:save: another task works on this writer");
    if (writer == NULL || !writer->open)
        state_error(L, "stream:save: this writer is over");
    return writer;
}

struct buf *bind_writer_bytes(lua_State *L, int index) {
    return &check_writer(L, index)->bytes;
}

static int run_on(lua_State *L, int (*job)(struct writer *)) {
    struct writer *writer = check_writer(L, 1);
    struct task *task = task_enter(L, "stream:save");
    return task ? start(L, writer, task, &writing, job) : task_refuse(L);
}

/* writer_write(writer) -> nil, true | nil, nil, code, message: writes what was put. */
static int l_writer_write(lua_State *L) {
    return run_on(L, run_write);
}

/* writer_commit(writer) -> nil, true [, digest] | nil, nil, code, message: writes the rest, syncs,
 * and gives the file its name. */
static int l_writer_commit(lua_State *L) {
    return run_on(L, run_commit);
}

/* --- of an appender alone --- */

static struct writer *check_appender(lua_State *L, int index) {
    struct writer *writer = check_writer(L, index);
    if (!writer->grows)
        state_error(L, "stream:save: this writer is no appender");
    return writer;
}

static uint64_t check_amount(lua_State *L, int index) {
    lua_Number n = luaL_checknumber(L, index);
    luaL_argcheck(L, n >= 0 && n < 9007199254740992.0, index, "a number of bytes");
    return (uint64_t)n;
}

/* appender_copy(appender, name, from, n) -> nil, true | nil, nil, code, message: adds n bytes of
 * another file of its root, from `from` on; "EOF" where that is shorter. */
static int l_appender_copy(lua_State *L) {
    struct writer *writer = check_appender(L, 1);
    const char *name = luaL_checkstring(L, 2);
    uint64_t from = check_amount(L, 3), n = check_amount(L, 4);
    struct task *task = task_enter(L, "weir.tus");
    if (task == NULL)
        return task_refuse(L);
    free(writer->other);
    writer->other = mem_strdup(name);
    writer->at = from;
    writer->amount = n;
    return start(L, writer, task, &writing, run_copy);
}

/* appender_cut(appender, size) -> nil, true | nil, nil, code, message: takes away, durably, what is
 * beyond it. */
static int l_appender_cut(lua_State *L) {
    struct writer *writer = check_appender(L, 1);
    uint64_t size = check_amount(L, 2);
    struct task *task = task_enter(L, "weir.tus");
    if (task == NULL)
        return task_refuse(L);
    writer->at = size;
    return start(L, writer, task, &writing, run_cut);
}

/* appender_remove(appender) -> nil, true | nil, nil, code, message: removes its file, if that still
 * has its name ("ENOENT": it has not), and is over then. */
static int l_appender_remove(lua_State *L) {
    struct writer *writer = check_appender(L, 1);
    struct task *task = task_enter(L, "weir.tus");
    return task ? start(L, writer, task, &writing, run_remove) : task_refuse(L);
}

void bind_writer(lua_State *L) {
    static const luaL_Reg functions[] = {{"writer", l_writer},
                                         {"appender", l_appender},
                                         {"appender_copy", l_appender_copy},
                                         {"appender_cut", l_appender_cut},
                                         {"appender_remove", l_appender_remove},
                                         {"writer_write", l_writer_write},
                                         {"writer_commit", l_writer_commit},
                                         {"writer_abort", l_writer_abort},
                                         {NULL, NULL}};
    state_set(L, functions);
    class_define(L, WRITER_META, NULL, l_writer_gc);
    lua_pop(L, 1);
}

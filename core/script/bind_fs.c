/* bind_fs: files for Lua, which other threads work on while the task waits.
 *
 *     called --> job in the pool --> done: wakes its task with the results, frees itself
 *                    \--the task that only looks is cancelled, or its generation freed-->
 *                       job->task = NULL: done only frees
 *
 * A job owns copies of all it was given, and touches Lua on the loop's thread only, and only while
 * its task waits for it. What the system refuses is a result: nil, "ENOENT", a message.
 *
 * A writer is a file that gets its name when it is whole (net/file.h), one job at a time. Whatever
 * becomes of who made it, the temporary file goes:
 *
 *     userdata --commit, or an error--> over --collected--> freed
 *         \--abort, or collected--> no userdata: when its job is done, the pool aborts; freed
 */
#include "script/bind.h"

#include "base/mem.h"
#include "hub/store.h"
#include "net/file.h"
#include "net/work.h"
#include "script/generation.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define WRITER_META "weir.writer"
#define READ_BYTES (16u << 20)    /* where the script says no limit, */
#define READ_MOST_BYTES (1 << 30) /* and where it says a larger one; a Lua string ends at 2 GiB */
#define LIST_NAMES 100000

struct writer {
    struct file_writer file; /* a job's own while busy */
    struct work abort;
    struct loop *loop;
    bool open; /* begun, and neither committed nor aborted */
    bool busy; /* a job works on it */
    bool held; /* by a userdata */
};

struct job {
    struct work work;
    struct loop *loop;
    struct task *task; /* that waits; NULL: nobody does any more */
    /* In the pool: 0 or more, or an error. */
    int64_t (*run)(struct job *job);
    /* Pushes the result after success: one value. */
    void (*push)(struct job *job, lua_State *co);
    char *path;
    char *to;              /* the other path of a rename */
    char *root;            /* of a writer: the folder that it stays beneath */
    bool make_root;        /* if it is missing */
    struct writer *writer; /* NULL for all but a writer's */
    struct buf bytes;      /* to be written, or read */
    struct stat stat;
    size_t limit;
    int64_t result;
};

/* --- waiting for a job --- */

static void lose(struct task *task) {
    struct job *job = task->armed;
    job->task = NULL;
}

static const struct wait working = {.what = "a file", .disarm = lose, .elsewhere = true};
static const struct wait changing = {
    .what = "a file", .disarm = lose, .cancel = task_go_on, .elsewhere = true};

static void settle(struct writer *writer);

static void free_job(struct job *job) {
    buf_fini(&job->bytes);
    free(job->path);
    free(job->to);
    free(job->root);
    free(job);
}

static int64_t run_read(struct job *job);

static void push_error(struct job *job, lua_State *co) {
    const char *message = job->result == UV_EFTYPE ? "it is a device, a pipe or a socket, no file"
                                                   : uv_strerror((int)job->result);
    char limit_text[120];
    if (job->run == run_read && job->result == UV_EFBIG) {
        snprintf(limit_text, sizeof(limit_text),
                 "it is longer than %zu bytes; weir.fs.read(path, limit) takes another limit",
                 job->limit);
        message = limit_text;
    }
    lua_pushnil(co);
    lua_pushstring(co, uv_err_name((int)job->result));
    if (job->to)
        lua_pushfstring(co, "%s to %s: %s", job->path, job->to, message);
    else if (job->root)
        lua_pushfstring(co, "%s/%s: %s", job->root, job->path, message);
    else
        lua_pushfstring(co, "%s: %s", job->path, message);
}

static void run(struct work *work) {
    struct job *job = CONTAINER_OF(work, struct job, work);
    job->result = job->run(job);
}

static void done(struct work *work) {
    struct job *job = CONTAINER_OF(work, struct job, work);
    if (job->task) {
        lua_State *co = task_wake(job->task);
        if (job->result < 0)
            push_error(job, co);
        else
            job->push(job, co);
    }
    if (job->writer) {
        job->writer->busy = false;
        settle(job->writer);
    }
    free_job(job);
}

/* A job about `path` for the current task, NULL when that is cancelled. Where it raises nothing has
 * been made yet. */
static struct job *begin(lua_State *L, const char *what, const char *path,
                         int64_t (*run_it)(struct job *), void (*push)(struct job *, lua_State *)) {
    struct task *task = task_enter(L, what);
    if (task == NULL)
        return NULL;
    struct job *job = mem_zalloc(sizeof *job);
    job->work.run = run;
    job->work.done = done;
    job->loop = task->gen->scheduler->loop;
    job->task = task;
    job->run = run_it;
    job->push = push;
    job->path = generation_path(task->gen, path);
    return job;
}

static int start(lua_State *L, struct job *job, const struct wait *wait) {
    if (job == NULL)
        return task_refuse(L);
    struct task *task = job->task;
    task->armed = job;
    work_submit(job->loop, &job->work);
    lua_settop(L, 0); /* the job has copies */
    return task_wait(task, wait, WHEEL_NEVER);
}

/* For what only looks: a cancelled task goes at once. */
static int await(lua_State *L, struct job *job) {
    return start(L, job, &working);
}

/* For what changes files: what has begun is done when the task goes on. */
static int await_change(lua_State *L, struct job *job) {
    return start(L, job, &changing);
}

static void push_true(struct job *job, lua_State *co) {
    (void)job;
    lua_pushboolean(co, true);
}

/* --- contents --- */

static int64_t run_read(struct job *job) {
    return file_read_all(job->path, job->limit, &job->bytes);
}

static void push_bytes(struct job *job, lua_State *co) {
    lua_pushlstring(co, job->bytes.len ? job->bytes.data : "", job->bytes.len);
}

static int l_read(lua_State *L) {
    lua_Number limit = luaL_optnumber(L, 2, READ_BYTES);
    struct job *job = begin(L, "weir.fs.read", luaL_checkstring(L, 1), run_read, push_bytes);
    if (job)
        job->limit = limit < READ_MOST_BYTES ? (size_t)limit : READ_MOST_BYTES;
    return await(L, job);
}

static int64_t run_write(struct job *job) {
    return file_write_all(job->path, buf_str(&job->bytes), FILE_REPLACE);
}

static int64_t run_append(struct job *job) {
    return file_write_all(job->path, buf_str(&job->bytes), FILE_APPEND);
}

/* Writes the bytes at index 2. */
static int put(lua_State *L, const char *what, int64_t (*run_it)(struct job *)) {
    struct str bytes = state_check_str(L, 2);
    struct job *job = begin(L, what, luaL_checkstring(L, 1), run_it, push_true);
    if (job)
        buf_add(&job->bytes, bytes);
    return await_change(L, job);
}

static int l_write(lua_State *L) {
    return put(L, "weir.fs.write", run_write);
}

static int l_append(lua_State *L) {
    return put(L, "weir.fs.append", run_append);
}

/* --- names --- */

static int64_t run_list(struct job *job) {
    return file_list(job->path, LIST_NAMES, &job->bytes);
}

static void push_names(struct job *job, lua_State *co) {
    lua_createtable(co, (int)job->result, 0);
    const char *name = job->bytes.data;
    for (int i = 1; i <= (int)job->result; i++) {
        size_t n = strlen(name);
        lua_pushlstring(co, name, n);
        lua_rawseti(co, -2, i);
        name += n + 1;
    }
}

static int l_list(lua_State *L) {
    return await(L, begin(L, "weir.fs.list", luaL_checkstring(L, 1), run_list, push_names));
}

static int64_t run_stat(struct job *job) {
    return file_stat(job->path, &job->stat);
}

static const char *type_of(mode_t mode) {
    return S_ISREG(mode) ? "file" : S_ISDIR(mode) ? "folder" : "other";
}

static void push_stat(struct job *job, lua_State *co) {
    const struct stat *st = &job->stat;
    lua_createtable(co, 0, 3);
    lua_pushnumber(co, (lua_Number)st->st_size);
    lua_setfield(co, -2, "size");
    lua_pushnumber(co, (lua_Number)st->st_mtim.tv_sec + (lua_Number)st->st_mtim.tv_nsec / 1e9);
    lua_setfield(co, -2, "mtime");
    lua_pushstring(co, type_of(st->st_mode));
    lua_setfield(co, -2, "type");
}

static int l_stat(lua_State *L) {
    return await(L, begin(L, "weir.fs.stat", luaL_checkstring(L, 1), run_stat, push_stat));
}

static int64_t run_rename(struct job *job) {
    return file_rename(job->path, job->to);
}

static int l_rename(lua_State *L) {
    const char *to = luaL_checkstring(L, 2);
    struct job *job = begin(L, "weir.fs.rename", luaL_checkstring(L, 1), run_rename, push_true);
    if (job)
        job->to = generation_path(job->task->gen, to);
    return await_change(L, job);
}

static int64_t run_remove(struct job *job) {
    return file_remove(job->path);
}

static int l_remove(lua_State *L) {
    return await_change(L,
                        begin(L, "weir.fs.remove", luaL_checkstring(L, 1), run_remove, push_true));
}

static int64_t run_mkdir(struct job *job) {
    return file_mkdir(job->path);
}

static int l_mkdir(lua_State *L) {
    return await_change(L, begin(L, "weir.fs.mkdir", luaL_checkstring(L, 1), run_mkdir, push_true));
}

/* --- a writer's life --- */

static void run_abort(struct work *work) {
    struct writer *writer = CONTAINER_OF(work, struct writer, abort);
    file_writer_abort(&writer->file);
}

static void aborted(struct work *work) {
    free(CONTAINER_OF(work, struct writer, abort));
}

/* Ends a writer that neither a userdata nor a job needs. */
static void settle(struct writer *writer) {
    if (writer->held || writer->busy)
        return;
    if (writer->open)
        work_submit(writer->loop, &writer->abort);
    else
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

/* --- what is done with a writer --- */

static int64_t run_open(struct job *job) {
    int rc = job->make_root ? file_mkdir(job->root) : 0;
    if (rc == 0)
        rc = file_writer_open(&job->writer->file, job->root, job->path);
    job->writer->open = rc == 0;
    return rc;
}

static void push_writer(struct job *job, lua_State *co) {
    struct writer **slot = lua_newuserdata(co, sizeof *slot);
    *slot = job->writer;
    job->writer->held = true;
    luaL_getmetatable(co, WRITER_META);
    lua_setmetatable(co, -2);
}

/* writer(path, root, make_root): `path` is relative to `root`, a relative `root` to the app. */
static int l_writer(lua_State *L) {
    struct generation *gen = task_generation(L);
    const char *path = luaL_checkstring(L, 1), *root = luaL_checkstring(L, 2);
    struct job *job = begin(L, "stream:save", path, run_open, push_writer);
    if (job) {
        struct writer *writer = job->writer = mem_zalloc(sizeof *writer);
        free(job->path);
        job->path = mem_strdup(path);
        job->root = generation_path(gen, root);
        job->make_root = lua_toboolean(L, 3);
        writer->loop = job->loop;
        writer->abort.run = run_abort;
        writer->abort.done = aborted;
        writer->busy = true;
    }
    return await(L, job);
}

/* A job about the writer at index 1. */
static struct job *begin_on(lua_State *L, int64_t (*run_it)(struct job *)) {
    struct writer *writer = *(struct writer **)luaL_checkudata(L, 1, WRITER_META);
    if (writer && writer->busy)
        state_error(L, "stream:save: another task works on this writer");
    if (writer == NULL || !writer->open)
        state_error(L, "stream:save: this writer is over");
    struct job *job = begin(L, "stream:save", "", run_it, push_true);
    if (job == NULL)
        return NULL;
    free(job->path);
    job->path = mem_strdup(writer->file.path);
    job->writer = writer;
    writer->busy = true;
    return job;
}

static int64_t run_add(struct job *job) {
    return file_writer_add(&job->writer->file, buf_str(&job->bytes));
}

static int l_writer_write(lua_State *L) {
    struct str bytes = state_check_str(L, 2);
    struct job *job = begin_on(L, run_add);
    if (job)
        buf_add(&job->bytes, bytes);
    return await_change(L, job);
}

static int64_t run_commit(struct job *job) {
    job->writer->open = false;
    return file_writer_commit(&job->writer->file);
}

static int l_writer_commit(lua_State *L) {
    return await_change(L, begin_on(L, run_commit));
}

/* The folder for what clients send, or nil: --data was not given. */
static int l_uploads(lua_State *L) {
    const char *data = store_folder(store_default());
    char *folder = data ? realpath(data, NULL) : NULL;
    size_t mark = state_lend(state_of(L));
    if (folder)
        lua_pushfstring(L, "%s/uploads", folder);
    else
        lua_pushnil(L);
    state_take_back(state_of(L), mark);
    free(folder);
    return 1;
}

void bind_fs(lua_State *L) {
    static const luaL_Reg functions[] = {{"fs_read", l_read},
                                         {"fs_write", l_write},
                                         {"fs_append", l_append},
                                         {"fs_list", l_list},
                                         {"fs_stat", l_stat},
                                         {"fs_rename", l_rename},
                                         {"fs_remove", l_remove},
                                         {"fs_mkdir", l_mkdir},
                                         {"uploads", l_uploads},
                                         {"writer", l_writer},
                                         {"writer_write", l_writer_write},
                                         {"writer_commit", l_writer_commit},
                                         {"writer_abort", l_writer_abort},
                                         {NULL, NULL}};
    state_set(L, functions);
    luaL_newmetatable(L, WRITER_META);
    lua_pushcfunction(L, l_writer_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

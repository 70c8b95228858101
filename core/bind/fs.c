/* fs: files for Lua, which other threads work on while the task waits.
 *
 *     called --> job in the pool --> done: wakes its task with the results, frees itself
 *                    \--the task that only looks is cancelled, or its generation freed-->
 *                       job->task = NULL: done only frees
 *
 * A job owns copies of all it was given, and touches Lua on the loop's thread only, and only while
 * its task waits for it. What the system refuses is a result: nil, "ENOENT", a message.
 */
#include "bind/bind.h"

#include "auth/digest.h"
#include "base/mem.h"
#include "store/store.h"
#include "net/file.h"
#include "net/file_writer.h"
#include "net/work.h"
#include "proto/file_name.h"
#include "vm/generation.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define READ_BYTES (16u << 20)    /* where the script says no limit, */
#define READ_MOST_BYTES (1 << 30) /* and where it says a larger one; a Lua string ends at 2 GiB */
#define LIST_NAMES 100000
#define HASH_CHUNK (256u << 10)
#define HASH_SLICE (8u << 20) /* after which others have their turn in the pool */

struct job {
    struct work work;
    struct loop *loop;
    struct task *task; /* that waits; NULL: nobody does any more */
    /* In the pool: 0 or more, or an error. */
    int64_t (*run)(struct job *job);
    /* Pushes the result after success: one value. */
    void (*push)(struct job *job, lua_State *co);
    char *path;
    char *to;         /* the other path of a rename */
    struct buf bytes; /* to be written, or read */
    struct stat stat;
    struct file_space space;
    size_t limit;
    int64_t result;
    /* Of a hash: how far it is. */
    const struct digest *algorithm;
    struct digest_run *digest;
    uint64_t offset;
    int fd; /* 0: none yet */
};

/* --- waiting for a job --- */

static void lose(struct task *task) {
    struct job *job = task->armed;
    job->task = NULL;
}

static const struct wait working = {.what = "a file", .disarm = lose, .elsewhere = true};
static const struct wait changing = {
    .what = "a file", .disarm = lose, .cancel = task_go_on, .elsewhere = true};

static void free_job(struct job *job) {
    buf_fini(&job->bytes);
    if (job->digest)
        digest_end(job->digest, NULL);
    if (job->fd)
        file_close(job->fd);
    free(job->path);
    free(job->to);
    free(job);
}

static int64_t run_read(struct job *job);
static int64_t run_rename(struct job *job);
static int64_t run_hash(struct job *job);
static int64_t run_list_after(struct job *job);

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
    if (job->to && job->run != run_list_after)
        lua_pushfstring(co, job->run == run_rename ? "%s to %s: %s" : "%s/%s: %s", job->path,
                        job->to, message);
    else
        lua_pushfstring(co, "%s: %s", job->path, message);
}

static void run(struct work *work) {
    struct job *job = CONTAINER_OF(work, struct job, work);
    job->result = job->run(job);
}

static void done(struct work *work) {
    struct job *job = CONTAINER_OF(work, struct job, work);
    if (job->task && job->run == run_hash && job->result > 0) {
        work_submit(job->loop, &job->work);
        return;
    }
    if (job->task) {
        lua_State *co = task_wake(job->task);
        if (job->result < 0)
            push_error(job, co);
        else
            job->push(job, co);
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

static int64_t run_head(struct job *job) {
    return file_read_head(job->path, job->limit, &job->bytes);
}

static int l_head(lua_State *L) {
    size_t n = (size_t)luaL_checknumber(L, 2);
    struct job *job = begin(L, "weir.fs.head", luaL_checkstring(L, 1), run_head, push_bytes);
    if (job)
        job->limit = n;
    return await(L, job);
}

/* One slice: 1 while there may be more of the file, 0 when job->bytes is the digest. */
static int64_t run_hash(struct job *job) {
    if (job->fd == 0) {
        int fd = file_open(job->path, &job->stat);
        if (fd < 0)
            return fd;
        job->fd = fd;
        job->digest = digest_begin(job->algorithm);
        if (job->digest == NULL)
            return UV_ENOTSUP;
        buf_reserve(&job->bytes, HASH_CHUNK);
    }
    for (size_t done = 0; done < HASH_SLICE; done += HASH_CHUNK) {
        int64_t n = file_read_at(job->fd, job->bytes.data, HASH_CHUNK, job->offset);
        if (n < 0)
            return n;
        digest_add(job->digest, (struct str){job->bytes.data, (size_t)n});
        job->offset += (uint64_t)n;
        if (n == HASH_CHUNK)
            continue;
        job->bytes.len = digest_end(job->digest, (unsigned char *)job->bytes.data);
        job->digest = NULL;
        return job->bytes.len ? 0 : UV_ENOTSUP;
    }
    return 1;
}

/* fs_hash(path, algorithm) -> nil, bytes | nil, nil, code, message; nothing for no algorithm. */
static int l_hash(lua_State *L) {
    const struct digest *digest = digest_find(state_check_str(L, 2));
    if (digest == NULL)
        return 0;
    struct job *job = begin(L, "weir.fs.hash", luaL_checkstring(L, 1), run_hash, push_bytes);
    if (job)
        job->algorithm = digest;
    return await(L, job);
}

static int64_t run_write(struct job *job) {
    return file_replace(job->path, buf_str(&job->bytes));
}

/* Of a name that is no link, and of a root: what the library itself keeps beside files. */
static int64_t run_get(struct job *job) {
    return file_read_own(job->path, job->limit, &job->bytes);
}

/* fs_get(path, limit) -> nil, bytes | nil, nil, code, message */
static int l_get(lua_State *L) {
    size_t limit = (size_t)luaL_checknumber(L, 2);
    struct job *job = begin(L, "a file", luaL_checkstring(L, 1), run_get, push_bytes);
    if (job)
        job->limit = limit;
    return await(L, job);
}

static int64_t run_put(struct job *job) {
    return file_put(job->path, job->to, buf_str(&job->bytes));
}

/* fs_put(root, path, bytes) -> nil, true | nil, nil, code, message: whole, and on the disk. */
static int l_put(lua_State *L) {
    const char *path = luaL_checkstring(L, 2);
    struct str bytes = state_check_str(L, 3);
    struct job *job = begin(L, "a file", luaL_checkstring(L, 1), run_put, push_true);
    if (job) {
        job->to = mem_strdup(path);
        buf_add(&job->bytes, bytes);
    }
    return await_change(L, job);
}

static int64_t run_append(struct job *job) {
    return file_append(job->path, buf_str(&job->bytes));
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

static int64_t run_list_after(struct job *job) {
    return file_list_after(job->path, job->to, job->limit, &job->bytes);
}

/* fs_list_after(path, name, limit) -> nil, names | nil, nil, code, message: the first names that
 * come behind `name`, of a folder with any number of them. */
static int l_list_after(lua_State *L) {
    const char *after = luaL_checkstring(L, 2);
    lua_Number limit = luaL_checknumber(L, 3);
    luaL_argcheck(L, limit >= 1 && limit <= LIST_NAMES, 3, "a number of names");
    struct job *job = begin(L, "a folder", luaL_checkstring(L, 1), run_list_after, push_names);
    if (job) {
        job->to = mem_strdup(after);
        job->limit = (size_t)limit;
    }
    return await(L, job);
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

static int64_t run_space(struct job *job) {
    return file_space(job->path, &job->space);
}

static void push_space(struct job *job, lua_State *co) {
    lua_createtable(co, 0, 2);
    lua_pushnumber(co, (lua_Number)job->space.total);
    lua_setfield(co, -2, "total");
    lua_pushnumber(co, (lua_Number)job->space.free);
    lua_setfield(co, -2, "free");
}

static int l_space(lua_State *L) {
    return await(L, begin(L, "weir.fs.space", luaL_checkstring(L, 1), run_space, push_space));
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

static int l_file_name(lua_State *L) {
    char safe[FILE_NAME_MAX];
    size_t n = file_name_safe(state_check_str(L, 1), safe);
    lua_pushlstring(L, safe, n);
    return 1;
}

void bind_fs(lua_State *L) {
    static const luaL_Reg functions[] = {{"fs_read", l_read},
                                         {"fs_head", l_head},
                                         {"fs_hash", l_hash},
                                         {"fs_write", l_write},
                                         {"fs_append", l_append},
                                         {"fs_list", l_list},
                                         {"fs_list_after", l_list_after},
                                         {"fs_stat", l_stat},
                                         {"fs_space", l_space},
                                         {"fs_get", l_get},
                                         {"fs_put", l_put},
                                         {"fs_rename", l_rename},
                                         {"fs_remove", l_remove},
                                         {"fs_mkdir", l_mkdir},
                                         {"uploads", l_uploads},
                                         {"file_name", l_file_name},
                                         {NULL, NULL}};
    state_set(L, functions);
}

/* socket: sockets to this machine for weir.test: clients that do exactly what they are told.
 *
 *     connected --EOF is received--> half open: sends on --close, reset, a failed write--> over
 *
 * Nothing is read but while a task waits in socket_recv, so a client that does not ask for bytes
 * stalls its server as a real one would. What arrived before a failed write is not lost: it is
 * given first, then the reason.
 *
 * A client is freed when its connection is closed and its userdata collected. */
#include "testing/testing.h"

#include "base/mem.h"
#include "net/conn.h"
#include "vm/class.h"
#include "vm/generation.h"

#include <lauxlib.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define META "weir.test.socket"
#define CONNECT_SECONDS 2          /* the server may be this very thread, with its queue full */
#define REST_MAX (4 * 1024 * 1024) /* kept of what arrived before a failed write */

struct client {
    struct conn conn;
    struct list receivers, senders;
    struct buf rest;  /* what came before the failure and was not asked for yet */
    const char *over; /* what receiving gives from now on, after `rest`; NULL: go on */
    bool shut;        /* no more is sent */
    bool closed, collected;
};

static void settle(struct client *client) {
    if (!client->closed || !client->collected)
        return;
    buf_fini(&client->rest);
    free(client);
}

/* --- waking --- */

static struct task *first(struct list *list) {
    return list_empty(list) ? NULL : CONTAINER_OF(list->next, struct task, seat);
}

static void wake_all(struct list *list, const char *why) {
    for (struct task *task; (task = first(list)) != NULL;)
        state_push_failure(task_wake(task), why);
}

static void push_rest(struct client *client, lua_State *L) {
    size_t n = client->rest.len < LOOP_READ_BYTES ? client->rest.len : LOOP_READ_BYTES;
    lua_pushlstring(L, client->rest.data, n);
    buf_drop(&client->rest, n);
}

static void rouse_receivers(struct client *client) {
    for (struct list *at = client->receivers.next; at != &client->receivers; at = at->next)
        task_rouse(CONTAINER_OF(at, struct task, seat));
}

/* Receiving is over, but for `rest`; sending too if `all`. */
static void end(struct client *client, const char *why, bool all) {
    client->over = why;
    rouse_receivers(client);
    if (all)
        wake_all(&client->senders, "closed");
}

/* Reads while somebody waits for more than is there. */
static void balance_reading(struct client *client) {
    conn_read(&client->conn, !list_empty(&client->receivers) && client->rest.len == 0);
}

/* --- what the connection tells --- */

static struct client *of_conn(struct conn *conn) {
    return CONTAINER_OF(conn, struct client, conn);
}

static void on_data(struct conn *conn, const char *data, size_t n) {
    struct client *client = of_conn(conn);
    buf_append(&client->rest, data, n);
    balance_reading(client);
    rouse_receivers(client);
}

static void on_eof(struct conn *conn) {
    end(of_conn(conn), "closed", false);
}

static void on_drain(struct conn *conn) {
    struct client *client = of_conn(conn);
    if (conn_queued(conn) > 0)
        return;
    if (client->shut)
        shutdown(client->conn.fd, SHUT_WR);
    for (struct task *task; (task = first(&client->senders)) != NULL;)
        lua_pushboolean(task_wake(task), true);
}

static void take_rest(struct client *client) {
    ssize_t n;
    do {
        char *to = buf_reserve(&client->rest, LOOP_READ_BYTES);
        n = recv(client->conn.fd, to, LOOP_READ_BYTES, MSG_DONTWAIT);
        if (n > 0)
            client->rest.len += (size_t)n;
    } while (n > 0 && client->rest.len < REST_MAX);
}

static void on_error(struct conn *conn, int error) {
    take_rest(of_conn(conn));
    end(of_conn(conn), error == UV_ECONNRESET ? "reset" : "closed", true);
}

static void on_closed(struct conn *conn) {
    of_conn(conn)->closed = true;
    settle(of_conn(conn));
}

static const struct conn_ops conn_ops = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_error = on_error,
    .on_closed = on_closed,
};

/* --- connecting --- */

static int open_socket(uint16_t port, int rcvbuf) {
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = CONNECT_SECONDS};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* what is sent apart goes apart */
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (rcvbuf > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
    int rc;
    do /* what has a timeout is not begun again after a signal, whatever its handler asks for */
        rc = connect(fd, (struct sockaddr *)&to, sizeof to);
    while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        int error = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
        close(fd);
        return error;
    }
    return fd;
}

/* (port, {rcvbuf=}) -> socket | nil, "ECONNREFUSED" */
static int l_connect(lua_State *L) {
    int port = (int)luaL_checkinteger(L, 1), rcvbuf = 0;
    if (lua_istable(L, 2)) {
        lua_getfield(L, 2, "rcvbuf");
        rcvbuf = (int)luaL_optinteger(L, -1, 0);
    }
    lua_pushnil(L);
    struct client **slot = class_new(L, META, sizeof *slot);
    int fd = open_socket((uint16_t)port, rcvbuf); /* from here on nothing raises */
    if (fd < 0) {
        lua_settop(L, 0);
        lua_pushnil(L);
        return state_push_failure(L, uv_err_name(fd)) + 1;
    }
    struct client *client = *slot = mem_zalloc(sizeof *client);
    list_init(&client->receivers);
    list_init(&client->senders);
    if (conn_init(&client->conn, task_generation(L)->scheduler->loop, fd, &conn_ops) < 0)
        client->over = "closed";
    client->conn.progress_ms = UINT32_MAX; /* it is the server's patience that is on trial */
    return 2;
}

/* --- sending and receiving --- */

static struct client *check(lua_State *L) {
    return *(struct client **)luaL_checkudata(L, 1, META);
}

static void stop_receiving(struct task *task) {
    balance_reading(task->armed);
}

static int receive(struct task *task, lua_State *co) {
    struct client *client = task->armed;
    if (client->rest.len > 0) {
        push_rest(client, co);
        return 1;
    }
    return client->over ? state_push_failure(co, client->over) : 0;
}

static void receive_expired(struct task *task, lua_State *co) {
    (void)task;
    state_push_failure(co, "timeout");
}

static const struct wait receiving = {
    .what = "a client's receive",
    .disarm = stop_receiving,
    .expired = receive_expired,
    .take = receive,
};
static const struct wait sending = {.what = "a client's send"};

static int wait_in(struct client *client, struct task *task, struct list *list,
                   const struct wait *wait, uint64_t ms) {
    lua_settop(task->co, 1);
    task->armed = client;
    list_push(list, &task->seat);
    return task_wait(task, wait, ms);
}

/* (socket, timeout) -> bytes | nil, "closed"|"reset"|"timeout" */
static int l_recv(lua_State *L) {
    struct client *client = check(L);
    uint64_t ms = task_ms(L, 2);
    struct task *task = task_enter(L, "client:receive");
    if (task == NULL)
        return task_refuse(L);
    lua_pushnil(L);
    if (client->rest.len > 0) {
        push_rest(client, L);
        return 2;
    }
    if (client->over)
        return state_push_failure(L, client->over) + 1;
    conn_read(&client->conn, true);
    return wait_in(client, task, &client->receivers, &receiving, ms);
}

/* (socket, bytes) -> true when the kernel has them | nil, "closed" */
static int l_send(lua_State *L) {
    struct client *client = check(L);
    size_t n;
    const char *bytes = luaL_checklstring(L, 2, &n);
    struct task *task = task_enter(L, "client:send");
    if (task == NULL)
        return task_refuse(L);
    if (!client->shut && !client->conn.closing) {
        conn_write(&client->conn, bytes, n);
        conn_flush(&client->conn);
    }
    if (!client->shut && !client->conn.closing && conn_queued(&client->conn) > 0)
        return wait_in(client, task, &client->senders, &sending, WHEEL_NEVER);
    lua_pushnil(L);
    if (client->shut || client->conn.closing)
        return state_push_failure(L, "closed") + 1;
    lua_pushboolean(L, true);
    return 2;
}

/* --- ending --- */

static int l_shutdown(lua_State *L) {
    struct client *client = check(L);
    if (!client->shut && !client->conn.closing && conn_queued(&client->conn) == 0)
        shutdown(client->conn.fd, SHUT_WR);
    client->shut = true;
    return 0;
}

static int close_with(lua_State *L, bool reset) {
    struct client *client = check(L);
    size_t mark = state_lend(state_of(L)); /* it wakes others */
    if (!client->conn.closing)
        end(client, "closed", true);
    conn_close(&client->conn, reset);
    state_take_back(state_of(L), mark);
    return 0;
}

static int l_close(lua_State *L) {
    return close_with(L, false);
}

static int l_reset(lua_State *L) {
    return close_with(L, true);
}

static int l_gc(lua_State *L) {
    struct client *client = check(L);
    if (client == NULL) /* it could not connect */
        return 0;
    client->collected = true;
    conn_close(&client->conn, false);
    settle(client);
    return 0;
}

void bind_socket(lua_State *L) {
    static const luaL_Reg functions[] = {{"connect", l_connect},
                                         {"socket_send", l_send},
                                         {"socket_recv", l_recv},
                                         {"socket_shutdown", l_shutdown},
                                         {"socket_close", l_close},
                                         {"socket_reset", l_reset},
                                         {NULL, NULL}};
    state_set(L, functions);
    class_define(L, META, NULL, l_gc);
    lua_pop(L, 1);
}

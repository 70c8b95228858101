/* stats: what the process counts, by name.
 *
 * Each area has a table of its own beside what it counts, but for the hub, whose rows are here;
 * here they are listed, once for all who show them: Lua gets them as one table of numbers, sums
 * over all workers, and beside them what its own state takes. What is new to be shown is a row. */
#include "bind/stats.h"

#include "base/scribe.h"
#include "bind/bind.h"
#include "http/server.h"
#include "hub/hub.h"
#include "store/shared.h"
#include "store/store.h"
#include "logs/count.h"
#include "tail/follower.h"
#include "vm/generation.h"
#include "vm/lineage.h"
#include "vm/stop.h"

static uint64_t read_hub(size_t at) {
    struct hub_counters totals;
    hub_totals(&totals);
    return ((const uint64_t *)&totals)[at / sizeof(uint64_t)];
}

#define ROW(name, counter, kind, help)                                                             \
    { name, help, kind, read_hub, offsetof(struct hub_counters, counter), NULL, NULL }

/* Of what the hub has for whoever asks, that which is shown. */
static const struct counter_row hub_rows[] = {
    ROW("topics", topics, GAUGE, "Topics that there are."),
    ROW("subscribers", subscribers, GAUGE, "Streams and tasks that are subscribed to a topic."),
    ROW("published", published, COUNTER, "Events that were published."),
    ROW("delivered", delivered, COUNTER, "Events that subscribers got, all of them together."),
    ROW("gaps", gaps, COUNTER, "Gaps that subscribers were told of."),
    ROW("lost", lost, COUNTER, "Events that were trimmed before a live subscriber had them."),
    ROW("dropped", dropped, COUNTER, "Events that an overflow policy dropped."),
    ROW("disconnected", disconnected, COUNTER, "Streams that an overflow policy ended."),
    {"hub_memory", "Bytes that topics take in memory.", GAUGE, read_hub,
     offsetof(struct hub_counters, memory), "hub_memory_bytes", NULL},
    {0},
};

static uint64_t read_replaced(size_t at) {
    (void)at;
    struct http_counters sent;
    struct hub_counters published;
    http_server_totals(&sent);
    hub_totals(&published);
    return sent.utf8_replaced + published.utf8_replaced;
}

/* What several areas count together. */
static const struct counter_row common_rows[] = {
    {"utf8_replaced", "Bytes of events that were no UTF-8 and were replaced.", COUNTER,
     read_replaced, 0, "utf8_replaced_bytes", NULL},
    {0},
};

const struct counter_row *const stats_tables[] = {http_counter_rows,    hub_rows,
                                                  store_counter_rows,   shared_counter_rows,
                                                  lineage_counter_rows, limits_counter_rows,
                                                  stop_counter_rows,    state_counter_rows,
                                                  token_counter_rows,   tail_counter_rows,
                                                  logs_counter_rows,    scribe_counter_rows,
                                                  common_rows,          NULL};

static void set(lua_State *L, const char *name, uint64_t value) {
    lua_pushnumber(L, (lua_Number)value);
    lua_setfield(L, -2, name);
}

static int l_stats(lua_State *L) {
    lua_newtable(L);
    for (const struct counter_row *const *table = stats_tables; *table; table++)
        for (const struct counter_row *row = *table; row->name; row++)
            set(L, row->name, row->read(row->at));
    set(L, "lua_memory", task_generation(L)->state.bytes); /* of this state alone */
    return 1;
}

void bind_stats(lua_State *L) {
    static const luaL_Reg functions[] = {{"stats", l_stats}, {NULL, NULL}};
    state_set(L, functions);
}

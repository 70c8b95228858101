/* library: what weir.core has: a row for each binding.
 *
 * Each adds its functions and classes to the core table on top of the stack, and leaves that there.
 * A new noun for scripts is a file of bind/, of exchange/ if it is about a stream, or of serve/ if
 * it is about the workers, and a row here. It must not know what they are. */
#include "library.h"

#include "bind/bind.h"
#include "exchange/exchange.h"
#include "serve/metrics.h"
#include "testing/testing.h"
#include "vm/outlet.h"

typedef void binding(lua_State *L);

/* The last one prepares what the others have filled. */
static binding *const bindings[] = {
    bind_task,        bind_group,      bind_outlet,  bind_channel,   bind_stream,   bind_answer,
    bind_file,        bind_body,       bind_parts,   bind_claims,    bind_app,      bind_process,
    bind_stats,       bind_shared,     bind_fs,      bind_writer,    bind_iterator, bind_tail,
    bind_logs,        bind_log_search, bind_publish, bind_subscribe, bind_streams,  bind_clients,
    bind_history,     bind_store,      bind_jwt,     bind_text,      bind_metrics,  bind_test,
    exchange_prepare,
};

void library_open(lua_State *L) {
    for (size_t i = 0; i < sizeof bindings / sizeof *bindings; i++)
        bindings[i](L);
}

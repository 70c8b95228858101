/* least_durable: what SQLite by itself commits, the measure of 1 of the row `durable`.
 *
 *   least_durable FILE EVENTS GROUP
 *
 *   begin -> GROUP inserts of an event -> commit -> begin ... -> EVENTS are in FILE
 *
 * A write-ahead log and synchronous=FULL, so each commit waits for the disk, and one table whose
 * key is the event's id: the least that can be read back by topic and id. The statement is prepared
 * once and the checkpoints are SQLite's own. No HTTP, no second thread, nobody told. Prints
 * microseconds per event, of the clock on the wall: what is measured is mostly waiting.
 */
#include "rig.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define DATA_SIZE 100

static sqlite3 *db;

static void demand(int result, int wanted) {
    if (result != wanted)
        rig_fail("sqlite: %s", sqlite3_errmsg(db));
}

static void run(const char *statement) {
    demand(sqlite3_exec(db, statement, NULL, NULL, NULL), SQLITE_OK);
}

int main(int argc, char **argv) {
    char data[DATA_SIZE];
    sqlite3_stmt *insert;
    uint64_t began;
    long events, group;

    if (argc != 4)
        rig_fail("usage: least_durable FILE EVENTS GROUP");
    events = rig_number(argv[2], "EVENTS", 1, 100000000);
    group = rig_number(argv[3], "GROUP", 1, 10000);
    memset(data, 'x', sizeof data);
    demand(sqlite3_open(argv[1], &db), SQLITE_OK);
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    run("CREATE TABLE event (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, data BLOB NOT NULL)");
    demand(sqlite3_prepare_v2(db, "INSERT INTO event VALUES (?, 'd/t', ?)", -1, &insert, NULL),
           SQLITE_OK);

    began = rig_now();
    for (long i = 0; i < events; i++) {
        if (i % group == 0)
            run("BEGIN");
        demand(sqlite3_bind_int64(insert, 1, i), SQLITE_OK);
        demand(sqlite3_bind_blob(insert, 2, data, sizeof data, SQLITE_STATIC), SQLITE_OK);
        demand(sqlite3_step(insert), SQLITE_DONE);
        demand(sqlite3_reset(insert), SQLITE_OK);
        if (i % group == group - 1 || i == events - 1)
            run("COMMIT");
    }
    printf("%.4f\n", (double)(rig_now() - began) / 1e3 / (double)events);
    sqlite3_finalize(insert);
    sqlite3_close(db);
    return 0;
}

/* least_store: the least program that could keep events: SQLite itself, its measure of 1.
 *
 *   least_store FOLDER EVENTS GROUP BYTES
 *
 * The same file, settings and statement as core/store has, one thread, GROUP events in each
 * transaction. No queue, no second thread, no retention, nobody who is told. Prints the
 * microseconds per event, wall clock, since a sync of the disk is most of it, and the events per
 * second.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static sqlite3 *db;

static void run(const char *sql) {
    char *error;
    if (sqlite3_exec(db, sql, NULL, NULL, &error) == SQLITE_OK)
        return;
    fprintf(stderr, "least_store: %s: %s\n", sql, error);
    exit(1);
}

static sqlite3_stmt *prepare(const char *sql) {
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
        exit(1);
    return stmt;
}

static void step(sqlite3_stmt *stmt) {
    if (sqlite3_step(stmt) != SQLITE_DONE) {
        fprintf(stderr, "least_store: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
    sqlite3_reset(stmt);
}

static double seconds(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    char path[4096], text[65536];
    if (argc != 5 || atoi(argv[4]) > (int)sizeof text)
        return 2;
    int64_t events = atoll(argv[2]), group = atoll(argv[3]), bytes = atoll(argv[4]);
    snprintf(path, sizeof path, "%s/least.db", argv[1]);
    memset(text, 'x', sizeof text);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return 1;
    run("PRAGMA journal_mode = WAL");
    run("PRAGMA synchronous = FULL");
    run("PRAGMA secure_delete = FAST");
    run("PRAGMA journal_size_limit = 67108864");
    run("CREATE TABLE events(topic INTEGER NOT NULL, id INTEGER NOT NULL, key BLOB,"
        " text BLOB NOT NULL, PRIMARY KEY(topic, id)) WITHOUT ROWID");
    sqlite3_stmt *begin = prepare("BEGIN IMMEDIATE"), *commit = prepare("COMMIT");
    sqlite3_stmt *insert =
        prepare("INSERT INTO events(topic, id, key, text) VALUES(?1, ?2, NULL, ?3)");
    double begun = seconds();
    for (int64_t id = 0; id < events;) {
        step(begin);
        for (int64_t i = 0; i < group && id < events; i++) {
            sqlite3_bind_int64(insert, 1, 1);
            sqlite3_bind_int64(insert, 2, ++id);
            sqlite3_bind_blob(insert, 3, text, (int)bytes, SQLITE_STATIC);
            step(insert);
        }
        step(commit);
    }
    double took = seconds() - begun;
    printf("%.3f %.0f\n", took * 1e6 / (double)events, (double)events / took);
    return 0;
}

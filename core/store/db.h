/* db: one connection to the store's file, and its statements. For the store's own files. */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "base/str.h"

#include <sqlite3.h>
#include <stdbool.h>

enum statement {
    DB_BEGIN_WRITE,
    DB_BEGIN_READ,
    DB_COMMIT,
    DB_ROLLBACK,
    TOPICS_ALL,
    TOPICS_INSERT,
    TOPICS_DELETE,
    TOPICS_SET_FLOOR,
    TOPICS_FLOOR,
    EVENTS_INSERT,
    EVENTS_COUNT,
    EVENTS_OLDEST,
    EVENTS_DELETE,
    EVENTS_PEEK,
    EVENTS_NEWEST,
    EVENTS_SCAN,
    EVENTS_KEYS,
    META_GET,
    META_SET,
    META_ENDS,
    META_SET_END,
    META_DELETE_END,
    RUNS_ALL,
    RUNS_SET,
    RUNS_TRIM,
    RULES_ALL,
    RULES_CLEAR,
    RULES_INSERT,
    KV_STMT_GET,
    KV_STMT_SET,
    KV_STMT_REPLACE,
    KV_STMT_DELETE,
    KV_STMT_CLEAR,
    KV_STMT_LIST,
    KV_STMT_PURGE,
    STATEMENTS
};

struct store_db {
    sqlite3 *sql;
    sqlite3_stmt *statements[STATEMENTS];
    const char *path; /* NULL: in memory */
    int log_pages;    /* in the log, after the last commit */
    bool unsynced;    /* a test has said so */
};

/* Opens (`writes`: and makes) the file with the settings that the store wants. 0, or -1 with `why`.
 */
int db_open(struct store_db *db, const char *path, bool writes, char *why, size_t why_size);
/* `keep_log`: what is in the log stays there, see db_sync_has_failed. */
void db_close(struct store_db *db, bool keep_log);
/* Copies what is in the log into the database, when that is worth it, or at once; then the log
 * begins again in the room that it has. 0, or UV_EIO, UV_ENOSPC. */
int db_checkpoint(struct store_db *db, bool at_once);
/* Whether the last call failed because the disk could not sync. */
bool db_sync_has_failed(struct store_db *db);
/* The statement, prepared at its first use, reset. NULL when that fails, which all that is done
 * with it then reports. */
sqlite3_stmt *db_use(struct store_db *db, enum statement which);
/* Runs a statement that gives no rows. 0, or UV_EIO, UV_ENOSPC. */
int db_run(sqlite3_stmt *stmt);
/* Ends a transaction. 0, or UV_EIO, UV_ENOSPC. */
int db_commit(struct store_db *db);
/* 1: a row is there; 0: no more; or an error. Anything but a row resets the statement. */
int db_step(sqlite3_stmt *stmt);
/* SQLite's code as libuv's: 0, UV_EIO, UV_ENOSPC. Out of memory aborts. */
int db_error(int rc);
/* Why the last call failed, for the log. */
const char *db_reason(struct store_db *db);
/* Why the file cannot be used, by what the last call said: before any other, which would make it
 * forgotten. -1. */
int db_refuse(struct store_db *db, char *why, size_t why_size);

void db_bind_bytes(sqlite3_stmt *stmt, int index, struct str bytes);
struct str db_column(sqlite3_stmt *stmt, int index);

#endif

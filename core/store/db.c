/* db: one connection to the store's file: opening it with care, and the statements.
 *
 *     weir.db   topics(number, name, floor)       a name once, its events refer to the number; it
 *                                                 stays when its events are gone
 *               events(topic, id, key, text,      one b-tree in the order in which they are read;
 *                      floor)                     the topic's floor once it was appended
 *               kv(name, key, value, expires)     the pairs of weir.store
 *               rules(pattern, since)             which names are durable, from which id on
 *               runs(start, last)                 the servers that have had the file, by their ids
 *               meta(name, value)                 last_id: the largest id known to be given;
 *                                                 gone: the largest of topics not in `topics` any
 *                                                 more; "end/NAME": the id of a topic's end
 *
 * The file says what it is: application_id is Weir's, user_version the number of this schema. One
 * of an older schema is brought up to this one, step by step, in one transaction. A file that says
 * something else is refused, not touched: it may be somebody's only copy. WAL with
 * synchronous=FULL syncs at each commit; NORMAL would lose the last ones when the power goes.
 *
 * A connection belongs to one thread at a time, and each has statements of its own, prepared when
 * they are first used. The store's other files speak to SQLite through here; they know its
 * statements, not how they came to be. */
#include "store/db.h"

#include "base/fault.h"
#include "base/log.h"
#include "net/loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APPLICATION_ID 0x57656972 /* "Weir" */
#define SCHEMA 3
#define BUSY_MS 10000  /* somebody looks at the file with another program */
#define LOG_PAGES 1000 /* in the log, before a checkpoint */
#define CHUNK 1048576  /* bytes by which the file grows: room for a checkpoint on a full disk */
#define MEMORY_PAGES "65536" /* of 4 KiB: 256 MiB, for a store in memory */

static const char *const texts[STATEMENTS] = {
    [DB_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [DB_BEGIN_READ] = "BEGIN",
    [DB_COMMIT] = "COMMIT",
    [DB_ROLLBACK] = "ROLLBACK",
    [TOPICS_ALL] =
        "SELECT number, name, below, (SELECT min(id) FROM events WHERE topic = number "
        "AND id > below), (SELECT max(id) FROM events WHERE topic = number) "
        "FROM (SELECT number, name, max(floor, coalesce((SELECT events.floor FROM events "
        "WHERE topic = number ORDER BY id DESC LIMIT 1), 0)) AS below FROM topics)",
    [TOPICS_INSERT] = "INSERT INTO topics(number, name, floor) VALUES(?1, ?2, ?3)",
    [TOPICS_DELETE] = "DELETE FROM topics WHERE number = ?1",
    [TOPICS_SET_FLOOR] = "UPDATE topics SET floor = ?2 WHERE number = ?1",
    [TOPICS_FLOOR] = "SELECT floor FROM topics WHERE number = ?1",
    [EVENTS_INSERT] = "INSERT INTO events(topic, id, key, text, floor) "
                      "VALUES(?1, ?2, ?3, ?4, ?5)",
    [EVENTS_COUNT] =
        "SELECT count(*), total(length(text)) FROM events WHERE topic = ?1 AND id > ?2",
    [EVENTS_OLDEST] = "SELECT id, length(text) FROM events WHERE topic = ?1 AND id > ?2 "
                      "ORDER BY id LIMIT ?3",
    [EVENTS_DELETE] = "DELETE FROM events WHERE topic = ?1 AND id <= ?2",
    [EVENTS_PEEK] = "SELECT id FROM events WHERE topic = ?1 AND id > ?2 AND id <= ?3 "
                    "ORDER BY id LIMIT 1",
    [EVENTS_NEWEST] = "SELECT id FROM events WHERE topic = ?1 AND id > ?2 AND id <= ?3 "
                      "ORDER BY id DESC LIMIT 1 OFFSET ?4",
    [EVENTS_SCAN] = "SELECT id, key, text FROM events WHERE topic = ?1 AND id > ?2 AND id <= ?3 "
                    "ORDER BY id",
    [EVENTS_KEYS] = "SELECT id, key FROM events WHERE topic = ?1 AND id > ?2 AND id <= ?3 "
                    "ORDER BY id",
    [META_GET] = "SELECT value FROM meta WHERE name = ?1",
    [META_SET] = "INSERT OR REPLACE INTO meta(name, value) VALUES(?1, ?2)",
    [META_ENDS] = "SELECT substr(name, 5), value FROM meta WHERE name >= CAST('end/' AS BLOB) AND "
                  "name < CAST('end0' AS BLOB)",
    [META_SET_END] = "INSERT OR REPLACE INTO meta(name, value) "
                     "VALUES(CAST('end/' || ?1 AS BLOB), ?2)",
    [META_DELETE_END] = "DELETE FROM meta WHERE name = CAST('end/' || ?1 AS BLOB)",
    [RUNS_ALL] = "SELECT start, last FROM runs ORDER BY start",
    [RUNS_SET] = "INSERT OR REPLACE INTO runs(start, last) VALUES(?1, ?2)",
    [RUNS_TRIM] = "DELETE FROM runs WHERE start <= "
                  "(SELECT start FROM runs ORDER BY start DESC LIMIT 1 OFFSET ?1)",
    [RULES_ALL] = "SELECT pattern, since FROM rules",
    [RULES_CLEAR] = "DELETE FROM rules",
    [RULES_INSERT] = "INSERT OR REPLACE INTO rules(pattern, since) VALUES(?1, ?2)",
    [KV_STMT_GET] = "SELECT value FROM kv WHERE name = ?1 AND key = ?2 AND "
                    "(expires IS NULL OR expires > ?3)",
    [KV_STMT_SET] = "INSERT OR REPLACE INTO kv(name, key, value, expires) VALUES(?1, ?2, ?3, ?4)",
    [KV_STMT_REPLACE] = "UPDATE kv SET value = ?3 WHERE name = ?1 AND key = ?2",
    [KV_STMT_DELETE] = "DELETE FROM kv WHERE name = ?1 AND key = ?2",
    [KV_STMT_CLEAR] = "DELETE FROM kv",
    [KV_STMT_LIST] = "SELECT key, value FROM kv WHERE name = ?1 AND key >= ?2 AND "
                     "(expires IS NULL OR expires > ?3) ORDER BY key",
    [KV_STMT_PURGE] = "DELETE FROM kv WHERE (name, key) IN "
                      "(SELECT name, key FROM kv WHERE expires <= ?1 LIMIT ?2)",
};

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE topics(number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE,"
    " floor INTEGER NOT NULL);"
    "CREATE TABLE events(topic INTEGER NOT NULL, id INTEGER NOT NULL, key BLOB, text BLOB NOT NULL,"
    " floor INTEGER, PRIMARY KEY(topic, id)) WITHOUT ROWID;"
    "CREATE TABLE kv(name BLOB NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, expires INTEGER,"
    " PRIMARY KEY(name, key)) WITHOUT ROWID;"
    "CREATE INDEX kv_expires ON kv(expires) WHERE expires IS NOT NULL;"
    "CREATE TABLE meta(name BLOB PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE rules(pattern BLOB PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE runs(start INTEGER PRIMARY KEY, last INTEGER NOT NULL);"
    "PRAGMA user_version = 3;"
    "PRAGMA application_id = 1466263922;"
    "COMMIT";

/* What makes a file of schema i + 1 one of schema i + 2. */
static const char *const steps[SCHEMA - 1] = {
    /* Which rules were in force was not noted: whatever is durable now is taken to have been so. */
    "CREATE TABLE rules(pattern BLOB PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO rules VALUES(CAST('*' AS BLOB), 1);"
    "CREATE TABLE runs(start INTEGER PRIMARY KEY, last INTEGER NOT NULL);"
    "INSERT INTO meta SELECT CAST('gone' AS BLOB), value FROM meta"
    " WHERE name = CAST('last_id' AS BLOB);"
    "PRAGMA user_version = 2;",
    /* Of what was appended before it is not known: the topic's row says it. */
    "ALTER TABLE events ADD COLUMN floor INTEGER;"
    "PRAGMA user_version = 3;",
};

_Static_assert(SCHEMA == 3 && APPLICATION_ID == 1466263922, "the numbers in the schema's text");

/* --- errors --- */

int db_error(int rc) {
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        return UV_ENOSPC;
    case SQLITE_NOMEM:
        log_fatal("out of memory in the store");
    default:
        return UV_EIO;
    }
}

bool db_sync_has_failed(struct store_db *db) {
    int rc = sqlite3_extended_errcode(db->sql);
    return db->unsynced || rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC;
}

const char *db_reason(struct store_db *db) {
    int rc = sqlite3_errcode(db->sql) & 0xff;
    bool none = rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE;
    return none ? "SQLite says no more" : sqlite3_errmsg(db->sql); /* "not an error" */
}

static const char *shown(const struct store_db *db) {
    return db->path ? db->path : "the store in memory";
}

int db_refuse(struct store_db *db, char *why, size_t why_size) {
    int rc = sqlite3_errcode(db->sql) & 0xff;
    const char *reason = db_reason(db);
    if (rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT || rc == SQLITE_ERROR) /* a table is missing */
        snprintf(why, why_size,
                 "%s is damaged, or no database (%s); put back a copy of it, or move it away to "
                 "begin with an empty one",
                 shown(db), reason);
    else if (rc == SQLITE_BUSY)
        snprintf(why, why_size, "%s is held by another program (%s); end that program", shown(db),
                 reason);
    else
        snprintf(why, why_size,
                 "%s cannot be used: %s; see that its folder is on a local disk with room, and "
                 "that this user may write there",
                 shown(db), reason);
    return -1;
}

/* --- opening --- */

/* The first column of the first row of `text` as a number; false: db_refuse knows why not. */
static bool ask(struct store_db *db, const char *text, int64_t *answer) {
    sqlite3_stmt *stmt = NULL;
    bool got = sqlite3_prepare_v2(db->sql, text, -1, &stmt, NULL) == SQLITE_OK &&
               sqlite3_step(stmt) == SQLITE_ROW;
    if (got)
        *answer = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return got;
}

/* Brings a file of an older version up to this schema: all of the way, or not at all. */
static int migrate(struct store_db *db, int64_t version, char *why, size_t why_size) {
    int rc = sqlite3_exec(db->sql, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (; rc == SQLITE_OK && version < SCHEMA; version++)
        rc = sqlite3_exec(db->sql, steps[version - 1], NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db->sql, "COMMIT", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return 0;
    db_refuse(db, why, why_size);
    sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}

static int check_schema(struct store_db *db, char *why, size_t why_size) {
    int64_t version, owner, tables;
    if (!ask(db, "PRAGMA user_version", &version) || !ask(db, "PRAGMA application_id", &owner) ||
        !ask(db, "SELECT count(*) FROM sqlite_schema", &tables))
        return db_refuse(db, why, why_size);
    if (owner == APPLICATION_ID && version == SCHEMA)
        return 0;
    if (owner == APPLICATION_ID && version > 0 && version < SCHEMA)
        return migrate(db, version, why, why_size);
    if (owner == APPLICATION_ID) {
        snprintf(why, why_size,
                 "%s was made by another version of weir (its schema is %lld, this one reads %d); "
                 "use that version, or another folder",
                 shown(db), (long long)version, SCHEMA);
        return -1;
    }
    if (tables > 0 || owner != 0 || version != 0) {
        snprintf(why, why_size, "%s is a database of another program; use another folder",
                 shown(db));
        return -1;
    }
    if (sqlite3_exec(db->sql, schema, NULL, NULL, NULL) != SQLITE_OK)
        return db_refuse(db, why, why_size);
    return 0;
}

static int set_up_file(struct store_db *db, char *why, size_t why_size) {
    static const char settings[] = "PRAGMA synchronous = FULL;"
                                   "PRAGMA cache_size = -8192;"
                                   "PRAGMA secure_delete = FAST;"
                                   "PRAGMA journal_size_limit = 67108864;";
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db->sql, "PRAGMA journal_mode = WAL", -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    struct str mode = rc == SQLITE_ROW ? db_column(stmt, 0) : STR("");
    bool wal = str_ieq(mode, STR("wal"));
    sqlite3_finalize(stmt);
    if (rc == SQLITE_ROW && !wal) {
        snprintf(why, why_size, "%s: this file system has no shared memory (WAL); use a local disk",
                 shown(db));
        return -1;
    }
    if (!wal || sqlite3_exec(db->sql, settings, NULL, NULL, NULL) != SQLITE_OK)
        return db_refuse(db, why, why_size);
    return 0;
}

/* Instead of SQLite's own checkpoints, see db_checkpoint. */
static int note_log(void *arg, sqlite3 *sql, const char *name, int pages) {
    struct store_db *db = arg;
    (void)sql, (void)name;
    db->log_pages = pages;
    return SQLITE_OK;
}

int db_checkpoint(struct store_db *db, bool at_once) {
    if (!at_once && db->log_pages < LOG_PAGES)
        return 0;
    int rc = sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return db_error(rc);
}

static int set_up(struct store_db *db, bool writes, char *why, size_t why_size) {
    if (db->path == NULL) {
        sqlite3_exec(db->sql, "PRAGMA max_page_count = " MEMORY_PAGES, NULL, NULL, NULL);
        return check_schema(db, why, why_size);
    }
    int chunk = CHUNK;
    sqlite3_file_control(db->sql, NULL, SQLITE_FCNTL_CHUNK_SIZE, &chunk);
    if (writes && check_schema(db, why, why_size) < 0)
        return -1; /* before anything is written to it */
    sqlite3_wal_hook(db->sql, note_log, db);
    return set_up_file(db, why, why_size);
}

int db_open(struct store_db *db, const char *path, bool writes, char *why, size_t why_size) {
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    *db = (struct store_db){.path = path};
    int rc = sqlite3_open_v2(path ? path : ":memory:", &db->sql,
                             flags | (path ? 0 : SQLITE_OPEN_MEMORY), NULL);
    if (db->sql == NULL)
        log_fatal("out of memory in the store");
    if (rc != SQLITE_OK) {
        db_refuse(db, why, why_size);
    } else {
        sqlite3_busy_timeout(db->sql, BUSY_MS);
        if (set_up(db, writes, why, why_size) == 0)
            return 0;
    }
    db_close(db, false);
    return -1;
}

void db_close(struct store_db *db, bool keep_log) {
    if (keep_log)
        sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->sql);
    *db = (struct store_db){0};
}

/* --- statements --- */

sqlite3_stmt *db_use(struct store_db *db, enum statement which) {
    sqlite3_stmt **slot = &db->statements[which];
    if (*slot == NULL)
        db_error(
            sqlite3_prepare_v3(db->sql, texts[which], -1, SQLITE_PREPARE_PERSISTENT, slot, NULL));
    else
        sqlite3_reset(*slot);
    return *slot;
}

int db_step(sqlite3_stmt *stmt) {
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        return 1;
    sqlite3_reset(stmt);
    return db_error(rc);
}

int db_run(sqlite3_stmt *stmt) {
    int rc = db_step(stmt);
    if (rc == 1)
        sqlite3_reset(stmt);
    return rc < 0 ? rc : 0;
}

int db_commit(struct store_db *db) {
    int rc = fault("store_sync");
    db->unsynced = rc < 0;
    return rc < 0 ? UV_EIO : db_run(db_use(db, DB_COMMIT));
}

void db_bind_bytes(sqlite3_stmt *stmt, int index, struct str bytes) {
    sqlite3_bind_blob64(stmt, index, bytes.len ? bytes.ptr : "", bytes.len, SQLITE_STATIC);
}

struct str db_column(sqlite3_stmt *stmt, int index) {
    const char *bytes = sqlite3_column_blob(stmt, index);
    int len = sqlite3_column_bytes(stmt, index);
    return (struct str){bytes ? bytes : "", (size_t)len};
}

/* visit: one client of a site at a time, in the words of the tests of wire/http1. Each program has
 * its own of both; VISIT(name) is a test with a site that is new. */
#ifndef TESTS_VISIT_H
#define TESTS_VISIT_H

#include "site.h"
#include "table.h"

static struct site site;
static struct client client;

static inline int visit_setup(void **state) {
    (void)state;
    site_init(&site);
    return 0;
}

static inline int visit_teardown(void **state) {
    (void)state;
    site_fini(&site);
    return 0;
}

#define VISIT(name) cmocka_unit_test_setup_teardown(name, visit_setup, visit_teardown)

static inline void say(const char *bytes) {
    site_send(&site, &client, str_of(bytes));
}

/* Connects, and says that first. */
static inline void join(const char *bytes) {
    site_connect(&site, &client);
    say(bytes);
}

/* What came so far is that; in brief. */
static inline void hear(const char *want) {
    client_read(&client);
    assert_string_equal(client_transcript(&client, WHOLE), want);
}

static inline void hear_status(const char *want) {
    client_read(&client);
    assert_string_equal(client_transcript(&client, BRIEF), want);
}

static inline void leave(void) {
    client_fini(&client);
    site_settle(&site);
    assert_int_equal(site_connections(&site), 0);
}

#endif

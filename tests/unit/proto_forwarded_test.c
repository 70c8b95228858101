/* What proto/forwarded promises: the word of those who are trusted counts, and nobody else's (RFC
 * 7239; for X-Forwarded-* there is only usage). */
#include "proto/forwarded.h"

#include "table.h"

#include <arpa/inet.h>
#include <stdio.h>

static struct cidr ours[3]; /* 10.0.0.0/8, 127.0.0.1, fd00::/8 */

static int setup(void **state) {
    (void)state;
    assert_int_equal(cidr_parse(STR("10.0.0.0/8"), &ours[0]), 0);
    assert_int_equal(cidr_parse(STR("127.0.0.1"), &ours[1]), 0);
    assert_int_equal(cidr_parse(STR("fd00::/8"), &ours[2]), 0);
    return 0;
}

static struct str field(const char *text) {
    return text ? exact(str_of(text)) : (struct str){NULL, 0};
}

/* "client scheme host" */
static void check(bool standard, const char *peer, const char *const fields[4], const char *want) {
    struct trust trust = {ours, COUNT(ours), standard};
    struct forwarded_fields in = {field(fields[0]), field(fields[1]), field(fields[2]),
                                  field(fields[3])};
    struct str row = str_of(standard ? fields[0] : fields[1]);
    struct forwarded out;
    struct ip ip;
    char address[INET6_ADDRSTRLEN], text[256];
    SAME_INT(row, ip_parse(str_of(peer), &ip), 0);
    forwarded_resolve(&trust, &ip, &in, &out);
    inet_ntop(out.client.v6 ? AF_INET6 : AF_INET, out.client.bytes, address, sizeof address);
    int n =
        snprintf(text, sizeof text, "%s %s %.*s", address, out.by == VIA_HTTPS ? "https" : "http",
                 (int)out.host.len, out.host.ptr ? out.host.ptr : "");
    SAME_STR(row, (struct str){text, (size_t)n}, str_of(want));
    exact_free(in.forwarded);
    exact_free(in.x_for);
    exact_free(in.x_proto);
    exact_free(in.x_host);
}

static void x_forwarded(void **state) {
    static const struct {
        const char *peer, *x_for, *proto, *host, *want;
    } rows[] = {
        /* not trusted: nothing counts */
        {"192.0.2.1", "198.51.100.7", "https", "a.example", "192.0.2.1 http "},
        {"11.0.0.1", "198.51.100.7", NULL, NULL, "11.0.0.1 http "},
        {"::1", "198.51.100.7", NULL, NULL, "::1 http "},
        /* one proxy */
        {"10.0.0.1", NULL, NULL, NULL, "10.0.0.1 http "},
        {"10.0.0.1", "198.51.100.7", NULL, NULL, "198.51.100.7 http "},
        {"127.0.0.1", "198.51.100.7", "https", "a.example:8443",
         "198.51.100.7 https a.example:8443"},
        {"fd00::5", "2001:db8::7", "http", "[::1]:80", "2001:db8::7 http [::1]:80"},
        {"10.0.0.1", "[2001:db8::7]:99", "HTTPS", NULL, "2001:db8::7 https "},
        {"10.0.0.1", "198.51.100.7:1234", NULL, NULL, "198.51.100.7 http "},
        {"10.0.0.1", "::ffff:198.51.100.7", NULL, NULL, "198.51.100.7 http "},
        {"10.0.0.1", NULL, "https", "a.example", "10.0.0.1 https a.example"},
        /* what the client wrote itself does not count */
        {"10.0.0.1", "10.9.9.9, 198.51.100.7", "https, http", "evil.example, a.example",
         "198.51.100.7 http a.example"},
        {"10.0.0.1", "1.1.1.1, 2.2.2.2,198.51.100.7", NULL, NULL, "198.51.100.7 http "},
        {"10.0.0.1", "\", 198.51.100.7", NULL, NULL, "198.51.100.7 http "},
        {"10.0.0.1", "junk, 198.51.100.7", NULL, NULL, "198.51.100.7 http "},
        /* several proxies of ours */
        {"10.0.0.1", "198.51.100.7, 10.0.0.2", "https, http", NULL, "198.51.100.7 https "},
        {"10.0.0.1", "198.51.100.7,10.0.0.2,fd00::1", "https", "a.example",
         "198.51.100.7 https a.example"},
        {"10.0.0.1", "10.0.0.3, 10.0.0.2", NULL, NULL, "10.0.0.3 http "},
        {"10.0.0.1", "1.1.1.1, 198.51.100.7, 10.0.0.2", "ftp, https, http",
         "x, b.example, c.example", "198.51.100.7 https b.example"},
        /* malformed: ignored from there on */
        {"10.0.0.1", "198.51.100.7, unknown, 10.0.0.2", NULL, NULL, "10.0.0.2 http "},
        {"10.0.0.1", "198.51.100.7, _hidden", NULL, NULL, "10.0.0.1 http "},
        {"10.0.0.1", "198.51.100.7, 10.0.0.256", NULL, NULL, "10.0.0.1 http "},
        {"10.0.0.1", "198.51.100.7, 10.0.0.2:99999", NULL, NULL, "10.0.0.1 http "},
        {"10.0.0.1", "198.51.100.7, [10.0.0.2]", NULL, NULL, "10.0.0.1 http "},
        {"10.0.0.1", "198.51.100.7, [fd00::2", NULL, NULL, "10.0.0.1 http "},
        {"10.0.0.1", "198.51.100.7, [fd00::2]x", NULL, NULL, "10.0.0.1 http "},
        {"10.0.0.1", "198.51.100.7, :", NULL, NULL, "10.0.0.1 http "},
        {"10.0.0.1", "198.51.100.7", "gopher", "not a host", "198.51.100.7 http "},
        /* empty elements */
        {"10.0.0.1", "", "", "", "10.0.0.1 http "},
        {"10.0.0.1", " , ,198.51.100.7, ,", ",https,", NULL, "198.51.100.7 https "},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *fields[4] = {"for=6.6.6.6;proto=https;host=forged", rows[i].x_for,
                                 rows[i].proto, rows[i].host};
        check(false, rows[i].peer, fields, rows[i].want);
    }
}

static void forwarded(void **state) {
    static const struct {
        const char *peer, *field, *want;
    } rows[] = {
        {"192.0.2.1", "for=198.51.100.7", "192.0.2.1 http "},
        {"10.0.0.1", NULL, "10.0.0.1 http "},
        {"10.0.0.1", "for=198.51.100.7", "198.51.100.7 http "},
        /* RFC 7239 section 4 */
        {"10.0.0.1", "For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17 http "},
        {"10.0.0.1", "for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60 http "},
        {"10.0.0.1", "for=192.0.2.43, for=198.51.100.17", "198.51.100.17 http "},
        {"10.0.0.1", "for=_gazonk", "10.0.0.1 http "},
        {"10.0.0.1", "for=192.0.2.43, for=\"[2001:db8:cafe::17]\", for=10.1.1.1",
         "2001:db8:cafe::17 http "},
        {"10.0.0.1", "for=\"192.0.2.43:80\";proto=https;host=\"a.example:8443\"",
         "192.0.2.43 https a.example:8443"},
        {"10.0.0.1", "proto=https;host=a.example;for=192.0.2.43", "192.0.2.43 https a.example"},
        {"10.0.0.1", "for=192.0.2.43;proto=https, for=10.0.0.2;proto=http", "192.0.2.43 https "},
        {"10.0.0.1", "for=1.1.1.1;proto=https, for=192.0.2.43", "192.0.2.43 http "},
        {"10.0.0.1", "proto=https", "10.0.0.1 https "}, /* whose client has no name */
        {"10.0.0.1", "for=192.0.2.43;ext=\"a, b; c\\\" d\"", "10.0.0.1 http "}, /* escapes: no */
        {"10.0.0.1", "for=192.0.2.43;ext=\"a, b; c\"", "192.0.2.43 http "},
        {"10.0.0.1", ";for=192.0.2.43;;", "192.0.2.43 http "},
        /* a client's open quote swallows nothing */
        {"10.0.0.1", "for=\", for=192.0.2.43", "192.0.2.43 http "},
        {"10.0.0.1", "for=\"\\, for=192.0.2.43", "192.0.2.43 http "},
        {"10.0.0.1", "for=\"x, for=\"[2001:db8::1]\"", "2001:db8::1 http "},
        /* malformed: ignored from there on */
        {"10.0.0.1", "for=192.0.2.43, for=10.0.0.2;for=10.0.0.3", "10.0.0.1 http "},
        {"10.0.0.1", "for=192.0.2.43, for = 10.0.0.2", "10.0.0.1 http "},
        {"10.0.0.1", "for=192.0.2.43, for=[fd00::2]", "10.0.0.1 http "}, /* must be quoted */
        {"10.0.0.1", "for=192.0.2.43, for", "10.0.0.1 http "},
        {"10.0.0.1", "for=192.0.2.43, =10.0.0.2", "10.0.0.1 http "},
        {"10.0.0.1", "for=192.0.2.43, for=\"10.0.0.2", "10.0.0.1 http "},
        {"10.0.0.1", "for=192.0.2.43, for=unknown;proto=https", "10.0.0.1 https "},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *fields[4] = {rows[i].field, "6.6.6.6", "https", "forged"};
        check(true, rows[i].peer, fields, rows[i].want);
    }
}

static void nobody_is_trusted(void **state) {
    (void)state;
    struct trust trust = {NULL, 0, false};
    struct forwarded_fields fields = {STR("for=6.6.6.6"), STR("6.6.6.6"), STR("https"), STR("x")};
    struct forwarded out;
    struct ip peer;
    ip_parse(STR("127.0.0.1"), &peer);
    forwarded_resolve(&trust, &peer, &fields, &out);
    assert_memory_equal(&out.client, &peer, sizeof peer);
    assert_int_equal(out.by, VIA_HTTP);
    assert_null(out.host.ptr);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x_forwarded),
        cmocka_unit_test(forwarded),
        cmocka_unit_test(nobody_is_trusted),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

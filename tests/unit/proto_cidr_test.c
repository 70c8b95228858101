/* What proto/cidr promises: one meaning for each text, and ranges to the bit. */
#include "proto/cidr.h"

#include "table.h"

#include <arpa/inet.h>

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

static void addresses(void **state) {
    static const struct {
        struct str text;
        const char *want; /* NULL: refused */
    } rows[] = {
        {S("192.0.2.1"), "192.0.2.1"},
        {S("0.0.0.0"), "0.0.0.0"},
        {S("2001:db8::1"), "2001:db8::1"},
        {S("2001:DB8:0:0::1"), "2001:db8::1"},
        {S("::"), "::"},
        {S("::ffff:192.0.2.1"), "192.0.2.1"},
        {S("::ffff:c000:201"), "192.0.2.1"},
        {S("::192.0.2.1"), "::192.0.2.1"},
        {{NULL, 0}, NULL},
        {S(""), NULL},
        {S("192.0.2"), NULL},
        {S("192.0.2.256"), NULL},
        {S("192.0.2.1 "), NULL},
        {S(" 192.0.2.1"), NULL},
        {S("0300.0.2.1"), NULL},
        {S("1e1.0.2.1"), NULL},
        {S("192.0.2.1\0"), NULL},
        {S("192.0.2.1:80"), NULL},
        {S("[::1]"), NULL},
        {S("fe80::1%eth0"), NULL},
        {S("2001:db8::1::2"), NULL},
        {S("1:2:3:4:5:6:7:8:9"), NULL},
        {S("localhost"), NULL},
        {S("0000:0000:0000:0000:0000:ffff:192.168.100.200.300.400"), NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(rows[i].text);
        struct ip ip;
        char back[INET6_ADDRSTRLEN] = "";
        int rc = ip_parse(text, &ip);
        SAME_INT(text, rc, rows[i].want ? 0 : -1);
        if (rc == 0)
            inet_ntop(ip.v6 ? AF_INET6 : AF_INET, ip.bytes, back, sizeof back);
        SAME_STR(text, str_of(back), str_of(rows[i].want));
        exact_free(text);
    }
}

static void ranges(void **state) {
    static const struct {
        struct str range;
        const char *in, *out; /* lists of addresses; in NULL: refused */
    } rows[] = {
        {S("10.0.0.0/8"), "10.0.0.0,10.1.2.3,10.255.255.255,::ffff:10.1.2.3",
         "9.255.255.255,11.0.0.0,::1"},
        {S("192.0.2.128/25"), "192.0.2.128,192.0.2.255", "192.0.2.127,192.0.3.128"},
        {S("192.0.2.1"), "192.0.2.1", "192.0.2.0,192.0.2.2"},
        {S("192.0.2.1/32"), "192.0.2.1", "192.0.2.0,192.0.2.2"},
        {S("0.0.0.0/0"), "0.0.0.0,255.255.255.255", "::,::1"},
        {S("128.0.0.0/1"), "128.0.0.0,255.255.255.255", "127.255.255.255"},
        {S("fd00::/8"), "fd00::1,fdff::", "fc00::1,fe00::,253.0.0.0"},
        {S("2001:db8::/33"), "2001:db8::,2001:db8:7fff::", "2001:db8:8000::"},
        {S("::1"), "::1", "::,127.0.0.1"},
        {S("::/0"), "::,ffff::", "1.2.3.4"},
        {S("10.0.0.1/8"), NULL, NULL}, /* bits beyond the prefix */
        {S("10.0.0.0/33"), NULL, NULL},
        {S("10.0.0.0/"), NULL, NULL},
        {S("10.0.0.0/-1"), NULL, NULL},
        {S("10.0.0.0/8/8"), NULL, NULL},
        {S("10.0.0.0/0x8"), NULL, NULL},
        {S("10/8"), NULL, NULL},
        {S("::/129"), NULL, NULL},
        {S("::ffff:10.0.0.0/104"), NULL, NULL}, /* of which form are these bits? */
        {S("unix"), NULL, NULL},
        {S(""), NULL, NULL},
        {{NULL, 0}, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(rows[i].range);
        struct cidr cidr;
        SAME_INT(text, cidr_parse(text, &cidr), rows[i].in ? 0 : -1);
        for (int inside = 0; rows[i].in && inside < 2; inside++) {
            struct str rest = str_of(inside ? rows[i].in : rows[i].out);
            while (rest.ptr) {
                struct str address = str_cut(&rest, ',');
                struct ip ip;
                SAME_INT(address, ip_parse(address, &ip), 0);
                SAME_INT(address, cidr_has(&cidr, &ip), inside);
            }
        }
        exact_free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

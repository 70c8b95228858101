/* Whatever a client wrote into the fields, what a trusted proxy appends behind it decides; and the
 * walk ends at an address that is not trusted, or where nobody says more. */
#include "proto/forwarded.h"

#include "fuzz.h"

static struct cidr ours[2];

static struct ip address(const char *text) {
    struct ip ip;
    CHECK(ip_parse(str_of(text), &ip) == 0);
    return ip;
}

static bool same(const struct ip *a, const struct ip *b) {
    return a->v6 == b->v6 && memcmp(a->bytes, b->bytes, a->v6 ? 16 : 4) == 0;
}

static struct str with(struct str written, const char *appended, struct buf *out) {
    buf_add(out, written);
    buf_add(out, STR(", "));
    buf_add(out, str_of(appended));
    return buf_str(out);
}

/* A proxy at 10.0.0.1 was asked by 192.0.2.9 for a.example, over TLS. */
static void check_appended(struct trust trust, const struct forwarded_fields *written) {
    struct buf texts[4] = {{0}, {0}, {0}, {0}};
    struct forwarded_fields fields = {
        with(written->forwarded, "for=192.0.2.9;proto=https;host=a.example", &texts[0]),
        with(written->x_for, "192.0.2.9", &texts[1]), with(written->x_proto, "https", &texts[2]),
        with(written->x_host, "a.example", &texts[3])};
    struct ip peer = address("10.0.0.1"), client = address("192.0.2.9");
    struct forwarded out;
    forwarded_resolve(&trust, &peer, &fields, &out);
    CHECK(same(&out.client, &client) && out.by == VIA_HTTPS && str_eq(out.host, STR("a.example")));
    for (int i = 0; i < 4; i++)
        buf_fini(&texts[i]);
}

static void check_alone(struct trust trust, const struct forwarded_fields *fields) {
    struct ip peer = address("10.0.0.1"), stranger = address("192.0.2.9");
    struct forwarded out;
    forwarded_resolve(&trust, &peer, fields, &out);
    CHECK(out.host.ptr == NULL ||
          inside(out.host, trust.standard ? fields->forwarded : fields->x_host));
    forwarded_resolve(&trust, &stranger, fields, &out);
    CHECK(same(&out.client, &stranger) && out.by == VIA_HTTP && out.host.ptr == NULL);
}

/* Ranges and addresses that are read mean what they say. */
static void check_range(struct str text) {
    struct cidr cidr;
    if (cidr_parse(text, &cidr) < 0)
        return;
    CHECK(cidr.bits <= (cidr.ip.v6 ? 128 : 32));
    CHECK(cidr_has(&cidr, &cidr.ip));
    struct ip other = cidr.ip;
    if (cidr.bits > 0) {
        other.bytes[(cidr.bits - 1) / 8] ^= (uint8_t)(0x80 >> (cidr.bits - 1) % 8);
        CHECK(!cidr_has(&cidr, &other));
    }
}

/* Four fields, the last of which is what is left; each is tried as a range too. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    cidr_parse(STR("10.0.0.0/8"), &ours[0]);
    cidr_parse(STR("fd00::/8"), &ours[1]);
    struct forwarded_fields fields = {take_piece(&in), take_piece(&in), take_piece(&in),
                                      take(&in, in.left)};
    struct trust trust = {ours, 2, false};
    for (int i = 0; i < 2; i++, trust.standard = true) {
        check_alone(trust, &fields);
        check_appended(trust, &fields);
    }
    check_range(fields.forwarded);
    check_range(fields.x_for);
    give_back(fields.forwarded);
    give_back(fields.x_for);
    give_back(fields.x_proto);
    give_back(fields.x_host);
    return 0;
}

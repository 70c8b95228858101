/* auth_keys: key pairs in PEM for the tests of auth, made for them and used nowhere else. */
#ifndef TESTS_AUTH_KEYS_H
#define TESTS_AUTH_KEYS_H

extern const char key_rsa[];              /* RSA, 2048 bits: PKCS #8 */
extern const char key_rsa_pkcs1[];        /* the same as PKCS #1 */
extern const char key_rsa_public[];       /* its public half */
extern const char key_rsa_public_pkcs1[]; /* the same as PKCS #1 */
extern const char key_rsa_short_public[]; /* 2040 bits */
extern const char key_rsa_pss_public[];   /* id-RSASSA-PSS */
extern const char key_p256[];             /* P-256 */
extern const char key_p256_public[];
extern const char key_p256_certificate[]; /* of the same */
extern const char key_p256_encrypted[];   /* the same, with a passphrase */
extern const char key_p256_sec1[];        /* another, with parameters before it */
extern const char key_p384[];
extern const char key_p384_public[];
extern const char key_p521[];
extern const char key_p521_public[];
extern const char key_k256_public[]; /* secp256k1 */
extern const char key_ed25519[];
extern const char key_ed25519_public[];
extern const char key_ed448_public[];

#endif

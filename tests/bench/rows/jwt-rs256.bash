# jwt-rs256: what a token costs that is signed with RSA, 2048 bits.
alg=RS256 count=40000
. "$here/jwt.bash"

make_key() {
  key_pair "$@" -algorithm RSA -pkeyopt rsa_keygen_bits:2048
}

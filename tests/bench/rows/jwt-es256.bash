# jwt-es256: what a token costs that is signed with ECDSA on P-256.
alg=ES256 count=10000
. "$here/jwt.bash"

make_key() {
  key_pair "$@" -algorithm EC -pkeyopt ec_paramgen_curve:P-256
}

# jwt-eddsa: what a token costs that is signed with Ed25519.
alg=EdDSA count=10000
. "$here/jwt.bash"

make_key() {
  key_pair "$@" -algorithm ED25519
}

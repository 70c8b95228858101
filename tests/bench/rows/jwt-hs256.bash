# jwt-hs256: what a token costs that has an HMAC: nearly all of it is JSON.
alg=HS256 count=200000
. "$here/jwt.bash"

make_key() {
  key_option=--secret-file
  openssl rand -hex 32 | tee "$1" >"$2"
}

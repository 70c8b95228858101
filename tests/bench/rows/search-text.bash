# search-text: lines that contain a text, beside grep -F.
kind="a text" key=text grep=(-F) few="upstream timed out" many='" 503 '
. "$here/search.bash"

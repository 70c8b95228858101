# search-pattern: lines that a pattern matches, beside grep -P.
kind="a pattern" key=pattern grep=(-P) few='timed\s+out after \d+' many='" 5\d\d \d+'
. "$here/search.bash"

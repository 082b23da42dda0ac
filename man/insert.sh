# insert.sh PAGE GENERATOR WORD: the page with its line "@WORD@" replaced by what the generator prints.
set -eu
list=$("$2" "$3")
while IFS= read -r line; do
	if [ "$line" = "@$3@" ]; then printf '%s\n' "$list"; else printf '%s\n' "$line"; fi
done <"$1"

package main

import (
	"os"
	"strconv"

	"aval/assets"
)

// surroundings: a user has one desktop, and no display by which it would be named.
func surroundings(func(string) string) session {
	return session{display: "aqua-" + strconv.Itoa(os.Getuid()), kind: "aqua", locale: assets.Locale()}
}

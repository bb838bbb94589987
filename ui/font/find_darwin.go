package font

import (
	"errors"
	"io/fs"
	"strings"
)

// system are fonts that macOS comes with, by language, best first (Apple, "Fonts
// included with macOS").
var system = []struct{ lang, path, bold string }{
	{"ja", "/System/Library/Fonts/ヒラギノ角ゴシック W3.ttc", "/System/Library/Fonts/ヒラギノ角ゴシック W6.ttc"},
	{"zh", "/System/Library/Fonts/Hiragino Sans GB.ttc", ""},
	{"zh", "/System/Library/Fonts/STHeiti Light.ttc", "/System/Library/Fonts/STHeiti Medium.ttc"},
	{"ko", "/System/Library/Fonts/AppleSDGothicNeo.ttc", ""},
	{"", "/System/Library/Fonts/Supplemental/Arial Unicode.ttf", ""},
	{"", "/Library/Fonts/Arial Unicode.ttf", ""},
}

// candidates lists those that may be there: the language's own first.
func candidates(_ []rune, lang string, bold bool) ([]candidate, error) {
	var first, rest []candidate
	for _, f := range system {
		c := candidate{path: f.path}
		if bold && f.bold != "" {
			c.path = f.bold
		}
		if f.lang != "" && strings.HasPrefix(lang, f.lang) {
			first = append(first, c)
		} else {
			rest = append(rest, c)
		}
	}
	return append(first, rest...), nil
}

// trusted: only an administrator writes to the folders above.
func trusted(_ string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return errors.New("no regular file")
	}
	return nil
}

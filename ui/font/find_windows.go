package font

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

// system are the fonts that Windows 10 and 11 come with, by language, best
// first ("Windows 11 font list", learn.microsoft.com/typography/fonts).
var system = []struct {
	lang, file, bold string
	index            int
}{
	{"ja", "YuGothM.ttc", "YuGothB.ttc", 1}, // 1: Yu Gothic UI
	{"ja", "meiryo.ttc", "meiryob.ttc", 2},  // 2: Meiryo UI
	{"ja", "msgothic.ttc", "", 1},           // 1: MS UI Gothic
	{"zh", "msyh.ttc", "msyhbd.ttc", 1},     // 1: Microsoft YaHei UI
	{"zh", "simsun.ttc", "", 0},
	{"ko", "malgun.ttf", "malgunbd.ttf", 0},
	{"", "segoeui.ttf", "segoeuib.ttf", 0},
	{"", "seguisym.ttf", "", 0},
}

// candidates lists those that may be there: the language's own first.
func candidates(_ []rune, lang string, bold bool) ([]candidate, error) {
	dir, err := windows.KnownFolderPath(windows.FOLDERID_Fonts, 0)
	if err != nil {
		return nil, err
	}
	var first, rest []candidate
	for _, f := range system {
		file := f.file
		if bold && f.bold != "" {
			file = f.bold
		}
		c := candidate{filepath.Join(dir, file), f.index}
		if f.lang != "" && strings.HasPrefix(lang, f.lang) {
			first = append(first, c)
		} else {
			rest = append(rest, c)
		}
	}
	return append(first, rest...), nil
}

// trusted: only an administrator writes to the system's folder of fonts.
func trusted(_ string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return errors.New("no regular file")
	}
	return nil
}

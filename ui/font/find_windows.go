package font

import "golang.org/x/sys/windows"

// system are the fonts that Windows 10 and 11 come with, by language, best
// first ("Windows 11 font list", learn.microsoft.com/typography/fonts).
var system = []bundled{
	{"ja", "YuGothM.ttc", "YuGothB.ttc", 1}, // 1: Yu Gothic UI
	{"ja", "meiryo.ttc", "meiryob.ttc", 2},  // 2: Meiryo UI
	{"ja", "msgothic.ttc", "", 1},           // 1: MS UI Gothic
	{"zh", "msyh.ttc", "msyhbd.ttc", 1},     // 1: Microsoft YaHei UI
	{"zh", "simsun.ttc", "", 0},
	{"ko", "malgun.ttf", "malgunbd.ttf", 0},
	{"", "segoeui.ttf", "segoeuib.ttf", 0},
	{"", "seguisym.ttf", "", 0},
}

func candidates(_ []rune, lang string, bold bool) ([]candidate, error) {
	dir, err := windows.KnownFolderPath(windows.FOLDERID_Fonts, 0)
	if err != nil {
		return nil, err
	}
	return bundledIn(dir, system, lang, bold), nil
}

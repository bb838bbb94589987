package font

// system are fonts that macOS comes with, by language, best first (Apple, "Fonts
// included with macOS").
var system = []bundled{
	{"ja", "System/Library/Fonts/ヒラギノ角ゴシック W3.ttc", "System/Library/Fonts/ヒラギノ角ゴシック W6.ttc", 0},
	{"zh", "System/Library/Fonts/Hiragino Sans GB.ttc", "", 0},
	{"zh", "System/Library/Fonts/STHeiti Light.ttc", "System/Library/Fonts/STHeiti Medium.ttc", 0},
	{"ko", "System/Library/Fonts/AppleSDGothicNeo.ttc", "", 0},
	{"", "System/Library/Fonts/Supplemental/Arial Unicode.ttf", "", 0},
	{"", "Library/Fonts/Arial Unicode.ttf", "", 0},
}

func candidates(_ []rune, lang string, bold bool) ([]candidate, error) {
	return bundledIn("/", system, lang, bold), nil
}

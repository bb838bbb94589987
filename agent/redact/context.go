package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// How people write passwords in Portuguese, English and Spanish: "a senha do
// wi-fi é Gato2024", "your PIN 4711", "digita Gato2024 que é a senha".

// contextWords are the literals of which one is in every word below: the scan
// looks for them.
var contextWords = []string{"senha", "password", "passwd", "pwd", "passphrase", "contrasena", "pin", "otp", "2fa", "mfa", "pass",
	"token", "digo", "code", "chave", "key", "clave", "secret", "segredo", "cvv", "cvc", "passcode", "pw", "pswd", "psw"}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// word is a stretch between blanks. What it means is looked up when it is asked for.
type word struct {
	from, to int
	text     string
	core     string // without the punctuation around it; known after is
	means    uint16
	known    bool
	colon    bool // ends with : or =
	stop     bool // ends a sentence
}

// is tells whether the vocabulary says one of these things of the word.
func (w *word) is(what uint16) bool {
	if !w.known {
		w.known = true
		bare, _ := strings.CutSuffix(w.text, "'s") // password's
		w.core = core(bare)
		w.means = meaning(w.core)
		if len(w.text) <= 3 { // signs: -> => —
			w.means |= vocabulary[w.text] & isAssign
		}
	}
	return w.means&what != 0
}

// assigned tells whether the word says that the value comes next.
func (w *word) assigned() bool { return w.colon || w.is(isAssign) }

func contextual(s string) []span {
	ws := words(s, nil)
	var out []span
	for i := 0; i < len(ws); i++ {
		at, before := secretAt(s, ws, i)
		if at < 0 {
			continue
		}
		last := at
		// "senha: Gato 2024": what follows at once and looks like a part of it.
		for !before && last+1 < len(ws) && last < at+2 && !ws[last].stop && secretive(ws[last+1].text) {
			last++
		}
		from, to := trimmed(s, ws[at].from, ws[last].to)
		if from < to && (len(out) == 0 || out[len(out)-1].to <= from) {
			out = append(out, span{from, to, MarkSecret})
		}
		if !before {
			i = last
		}
	}
	return out
}

// secretAt is the index of the word that is or begins the secret which the word
// at i announces, or -1, and whether it stands before that word.
func secretAt(s string, ws []word, i int) (at int, before bool) {
	strong := ws[i].is(isStrong)
	if !strong && !ws[i].is(isWeak) {
		return -1, false
	}
	if !strong && i > 0 && ws[i-1].is(isOther) { // "error code"
		return -1, false
	}
	if !strong && (i > 0 && ws[i-1].is(isQualifier) || qualified(ws[i+1:])) {
		strong = true
	}
	if !ws[i].stop {
		if at = target(s, ws, i, strong); at >= 0 {
			return at, false
		}
	}
	return targetBefore(s, ws, i, strong), true
}

// How many words before and after one secretAt looks at.
const (
	contextBefore = 6
	contextAfter  = 16
)

// wordAt is where the word that holds s[at] begins and ends.
func wordAt(s string, at int) (from, to int) {
	from, to = at, at
	for from > 0 && s[from-1] != ' ' {
		from--
	}
	for to < len(s) && s[to] != ' ' {
		to++
	}
	return from, to
}

// wordsAround are the words that secretAt looks at for the one at s[from:to],
// and its index among them.
func wordsAround(s string, from, to int, room []word) (ws []word, i int) {
	at := from
	for n := 0; from > 0 && n <= contextBefore; from-- {
		if s[from-1] == ' ' {
			n++
		}
	}
	if from > 0 {
		from++ // a blank too far
	}
	for n := 0; to < len(s) && n <= contextAfter; to++ {
		if s[to] == ' ' {
			n++
		}
	}
	ws = words(s[from:to], room)
	for k := range ws {
		ws[k].from += from
		ws[k].to += from
		if ws[k].from <= at {
			i = k
		}
	}
	return ws, i
}

// qualified: one of the next two words that are no small ones qualifies.
func qualified(ws []word) bool {
	for k := range ws {
		if ws[k].is(isQualifier) && k < 3 {
			return true
		}
		if k == 3 || ws[k].colon || !ws[k].is(isFiller) {
			return false
		}
	}
	return false
}

// target is the index of the word to remove for the keyword at i, or -1.
func target(s string, ws []word, i int, strong bool) int {
	near := ws[max(0, i-4):i]
	// Does an assignment follow within six words?
	assigned, at := ws[i].colon, i+1
	for j := i + 1; !assigned && j < len(ws) && j <= i+7; j++ {
		if !strong && ws[j].is(isOther) {
			return -1
		}
		if ws[j].assigned() || ws[j].is(isTowards) && among(near, isChange) {
			assigned, at = true, j+1
		}
		if ws[j].stop || secretive(ws[j].text) {
			break
		}
	}
	for skipped := 0; at < len(ws) && skipped < 6; skipped++ {
		w := &ws[at]
		text := w.text
		switch {
		case w.is(isAssign):
			assigned = true
			at++
			continue
		case assigned && w.is(isAdverb) && at+1 < len(ws):
			at++
			continue
		case !strong && w.is(isOther):
			return -1
		case secretive(text) && !clockOrDate(text):
			return at
		case w.is(isFiller) && at+1 < len(ws) || w.core == "" && !assigned:
			at++
			continue
		case w.is(isBenign) && !assigned && at+1 < len(ws) && !w.stop: // "senha padrão X": only what looks like one
			at++
			continue
		case w.is(isBenign | isFiller):
			return -1
		case assigned && (strong || mixed(text)):
			return at
		case strong && (at == i+1 || ws[at-1].is(isQualifier)) && (i <= 1 && at == len(ws)-1 || among(near, isCue)) && len([]rune(w.core)) >= 4:
			return at
		}
		return -1
	}
	return -1
}

func among(ws []word, what uint16) bool {
	for k := range ws {
		if ws[k].is(what) {
			return true
		}
	}
	return false
}

// targetBefore is the index of a value that stands before the keyword at i:
// "coloca X na senha", "type X as the password", "X é a senha".
func targetBefore(s string, ws []word, i int, strong bool) int {
	j := i - 1
	for ; j >= 0 && i-j <= 4 && ws[j].is(isBetween); j-- {
	}
	if j < 0 || j == i-1 || i-j > 5 || ws[j].stop || ws[j].colon || !strong {
		return -1
	}
	text := ws[j].text
	told := j > 0 && (ws[j-1].is(isCue|isChange) || meaning(ws[j-1].core)&isAssign != 0 && secretive(text))
	says := false
	for k := j + 1; k < i; k++ {
		says = says || meaning(ws[k].core)&isAssign != 0
	}
	if secretive(text) && !clockOrDate(text) && (told || says || j == 0) || told && !ws[j].is(isBenign|isFiller) && len([]rune(ws[j].core)) >= 4 {
		return j
	}
	return -1
}

// secretive tells whether a word looks like a password or a code: at least four
// characters, a digit among them, or a sign in the middle of letters.
func secretive(text string) bool {
	from, to := 0, len(text)
	for from < to && text[from] < utf8.RuneSelf && quoting[text[from]] {
		from++
	}
	for to > from && text[to-1] < utf8.RuneSelf && quoting[text[to-1]] {
		to--
	}
	core, has := text[from:to], false
	if len(core) < 4 {
		return false
	}
	for i, r := range core {
		if has = r < utf8.RuneSelf && telling[core[i]] || r >= utf8.RuneSelf && unicode.IsDigit(r); has {
			break
		}
	}
	return has && utf8.RuneCountInString(core) >= 4 && core[0] != '/' && !(core[0] == '0' && core[1]|0x20 == 'x') && !strings.Contains(core, "://")
}

// quoting may stand around a password; telling in one.
var quoting, telling = signs(`"'()[]{}<>,;:.!?`), signs("0123456789@#$%&*!+=^~?")

func signs(all string) (m [utf8.RuneSelf]bool) {
	for _, c := range []byte(all) {
		m[c] = true
	}
	return m
}

// mixed: capitals after small letters, as in what a generator makes.
func mixed(text string) bool {
	small, turns := false, 0
	for _, r := range text {
		if unicode.IsUpper(r) && small {
			turns++
		}
		small = unicode.IsLower(r)
	}
	return turns >= 1 && len(text) >= 6
}

// words are appended to ws.
func words(s string, ws []word) []word {
	if ws == nil {
		ws = make([]word, 0, 1+strings.Count(s, " "))
	}
	from := -1
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != ' ' {
			if from < 0 {
				from = i
			}
			continue
		}
		if from >= 0 {
			w := wordOf(s[from:i])
			w.from, w.to = from, i
			ws = append(ws, w)
			from = -1
		}
	}
	return ws
}

// wordOf is what a word is, without its place.
func wordOf(text string) word {
	w := word{text: text}
	switch text[len(text)-1] {
	case ':', '=':
		w.colon = true
	case '.', ';', '?':
		w.stop = true
	case 's':
		w.colon = strings.HasSuffix(text, "'s")
	}
	return w
}

// longestWord is as long as any in the vocabulary, in bytes.
const longestWord = 20

// meaning is what the vocabulary says of a word in any case.
func meaning(core string) uint16 {
	if len(core) > longestWord {
		return 0
	}
	var low [longestWord]byte
	for i := range len(core) {
		c := core[i]
		if c >= utf8.RuneSelf {
			return vocabulary[strings.ToLower(core)]
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		low[i] = c
	}
	return vocabulary[string(low[:len(core)])]
}

// core is a word without the punctuation around it.
func core(w string) string {
	from, to := 0, len(w)
	for from < to && w[from] < utf8.RuneSelf && asciiPunct(w[from]) {
		from++
	}
	for to > from && w[to-1] < utf8.RuneSelf && asciiPunct(w[to-1]) {
		to--
	}
	w = w[from:to]
	if w != "" && (w[0] >= utf8.RuneSelf || w[len(w)-1] >= utf8.RuneSelf) {
		return strings.TrimFunc(w, unicode.IsPunct)
	}
	return w
}

// asciiPunct is unicode.IsPunct for ASCII.
func asciiPunct(c byte) bool { return punct[c] }

var punct = func() (m [utf8.RuneSelf]bool) {
	for c := range m {
		m[c] = unicode.IsPunct(rune(c))
	}
	return m
}()

// trimmed leaves quotes and a sentence's last sign outside.
func trimmed(s string, from, to int) (int, int) {
	for from < to && strings.ContainsRune(`"'(`, rune(s[from])) {
		from++
	}
	for to > from && strings.ContainsRune(`"').,;`, rune(s[to-1])) {
		to--
	}
	return from, to
}

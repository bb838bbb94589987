package redact

import (
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How people write passwords in Portuguese, English and Spanish: "a senha do
// wi-fi é Gato2024", "your PIN 4711", "digita Gato2024 que é a senha".

// contextWords are the literals of which one is in every word below: the scan looks
// for them. With İ, whose small letter is an i, two more stand in the rule.
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
	from, to int32
	means    uint16
	known    bool
	colon    bool   // ends with : or =
	stop     bool   // ends a sentence
	telling  bool   // holds a sign that may make it a secret; without one it is none
	core     string // without the punctuation around it; known after is
}

// reading is the words of a text, read as far as somebody asked for them.
type reading struct {
	s    string
	at   int      // what stands before it was read
	n    int      // so many were
	few  [16]word // the first of them: most readings end there
	more []word
	// Reading began in the middle, and what stands before was asked for.
	middle, short bool
}

// has reads on as far as word i; false: there are fewer.
func (r *reading) has(i int) bool {
	for r.n <= i {
		s, from := r.s, r.at
		for from < len(s) && s[from] == ' ' {
			from++
		}
		if r.at = from; from == len(s) {
			return false
		}
		if r.n >= len(r.few) {
			r.more = append(r.more, word{})
		}
		r.n++
		w := r.word(r.n - 1)
		if k, n := shortWord(s, from); n > 0 {
			r.at = from + n
			*w = word{from: int32(from), to: int32(r.at), known: true, core: s[from:r.at], means: lexicon.means(k)}
			continue
		}
		to, tells := from, false
		for ; to < len(s) && s[to] != ' '; to++ {
			tells = tells || telling[s[to]]
		}
		r.at = to
		w.set(s, from, to)
		w.telling = tells
	}
	return true
}

// shortWord spells the word that begins at from, and tells how long it is: 0 if it is
// longer than eight bytes or holds anything but ASCII letters.
func shortWord(s string, from int) (k spelling, n int) {
	x := step(s, from)
	v := x ^ ' '*ones
	n = bits.TrailingZeros64((v-ones)&^v&tops) / 8 // of the first blank; 8: there is none
	n = min(n, len(s)-from)
	if n == 8 && from+8 < len(s) && s[from+8] != ' ' {
		return k, 0
	}
	only := ^uint64(0) >> (64 - 8*n) // these bytes
	low := (x | 0x20*ones) &^ tops
	if letters := (low + (0x80-'a')*ones) &^ (low + (0x80-'z'-1)*ones) &^ x; ^letters&only&tops != 0 {
		return k, 0
	}
	return spelling{a: (x | 0x20*ones) & only}, n
}

// word is word i, which must have been read.
func (r *reading) word(i int) *word {
	if i < len(r.few) {
		return &r.few[i]
	}
	return &r.more[i-len(r.few)]
}

func (r *reading) text(i int) string {
	w := r.word(i)
	return r.s[w.from:w.to]
}

// secretive tells whether a word looks like a secret.
func (r *reading) secretive(i int) bool { return r.word(i).telling && secretive(r.text(i)) }

// means is what the vocabulary says of a word.
func (r *reading) means(i int) uint16 {
	w := r.word(i)
	if !w.known {
		w.know(r.s[w.from:w.to])
	}
	return w.means
}

// is tells whether the vocabulary says one of these things of a word.
func (r *reading) is(i int, what uint16) bool { return r.means(i)&what != 0 }

// among tells whether the vocabulary says one of these things of the words from to to.
func (r *reading) among(from, to int, what uint16) bool {
	r.short = r.short || from < 0 && r.middle
	for k := max(0, from); k < to; k++ {
		if r.is(k, what) {
			return true
		}
	}
	return false
}

func (w *word) set(s string, from, to int) {
	*w = word{from: int32(from), to: int32(to)}
	switch s[to-1] {
	case ':', '=':
		w.colon = true
	case '.', ';', '?':
		w.stop = true
	case 's':
		w.colon = strings.HasSuffix(s[from:to], "'s")
	}
}

// know looks up what a word means.
func (w *word) know(text string) {
	w.known = true
	bare := text
	if w.colon {
		bare, _ = strings.CutSuffix(text, "'s") // password's
	}
	w.core = core(bare)
	w.means = meaning(w.core)
	if len(text) <= 3 && len(w.core) != len(text) { // signs: -> => —
		w.means |= meaning(text) & isAssign
	}
}

func contextual(s string) []span {
	r := reading{s: s}
	var out []span
	for i := 0; r.has(i); i++ {
		at, before := r.secretAt(i)
		if at < 0 {
			continue
		}
		last := at
		// "senha: Gato 2024": what follows at once and looks like a part of it.
		for !before && last < at+2 && !r.word(last).stop && r.has(last+1) && r.secretive(last+1) {
			last++
		}
		if !before {
			last = r.figures(last)
		}
		from, to := trimmed(s, int(r.word(at).from), int(r.word(last).to))
		if from < to && (len(out) == 0 || out[len(out)-1].to <= from) {
			out = append(out, span{from, to, MarkSecret})
		}
		if !before {
			i = last
		}
	}
	return out
}

// figures is the last of the groups of digits that go on from the word at i, with
// single signs between them: of a card none may stay.
func (r *reading) figures(i int) (last int) {
	digits := func(k int) (all, on bool) {
		if !r.has(k) {
			return false, false
		}
		text := r.text(k)
		bare := strings.TrimRight(text, ",.;:!?)")
		return bare != "" && allDigits([]byte(bare)), bare == text
	}
	_, on := digits(i)
	for first := i; on && i < first+2*maxDigits; {
		next := i + 1
		if r.has(next) && r.word(next).to-r.word(next).from == 1 && mayGap[r.s[r.word(next).from]] {
			next++
		}
		var all bool
		if all, on = digits(next); !all {
			return i
		}
		i = next
	}
	return i
}

// secretAt is the index of the word that is or begins the secret which the word
// at i announces, or -1, and whether it stands before that word.
func (r *reading) secretAt(i int) (at int, before bool) {
	strong := r.is(i, isStrong)
	if !strong && !r.is(i, isWeak) {
		return -1, false
	}
	if !strong && i > 0 && r.is(i-1, isOther) { // "error code"
		return -1, false
	}
	if !strong && (i > 0 && r.is(i-1, isQualifier) || r.qualified(i+1)) {
		strong = true
	}
	if r.lookedUp(i) {
		return -1, false
	}
	if !strong && !promising(r.s[r.word(i).to:]) {
		return -1, false
	}
	if !r.word(i).stop {
		if at = r.target(i, strong); at >= 0 {
			return at, false
		}
	}
	return r.targetBefore(i, strong), true
}

// lookedUp: a command line names what it looks up, and no secret: "getent passwd
// maria", "kubectl -n shop get secret db-1".
func (r *reading) lookedUp(i int) bool {
	if i == 0 || r.word(i).colon {
		return false
	}
	switch r.text(i - 1) {
	case "getent":
		return true
	case "get", "describe", "delete", "edit":
		return r.among(i-4, i-1, isCluster)
	}
	return false
}

// command: the word at i is the program passwd, which an account follows.
func (r *reading) command(i int) bool {
	return r.text(i) == "passwd" && (i == 0 || i == 1 && (r.text(0) == "sudo" || r.text(0) == "doas"))
}

// targetReach is how many words behind one target looks at, and some.
const targetReach = 16

// promising: one of the next words may look like a secret, or be mixed. After a weak
// word only such a one goes.
func promising(s string) bool {
	words, before := 0, byte(' ')
	for i := range len(s) {
		c := s[i]
		if telling[c] || 'A' <= c && c <= 'Z' && 'a' <= before && before <= 'z' {
			return true
		}
		if c == ' ' {
			if words++; words > targetReach {
				return false
			}
		}
		before = c
	}
	return false
}

// contextBefore is how many words before one secretAt looks at.
const contextBefore = 6

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

// around reads the word that begins at at and so many before it, and tells its
// index.
func (r *reading) around(at, before int) (i int) {
	s, from := r.s, at
	for n := 0; from > 0 && n <= before; from-- {
		if s[from-1] == ' ' {
			n++
		}
	}
	if from > 0 {
		from++ // a blank too far
		r.middle = true
	}
	for r.at = from; r.has(i) && int(r.word(i).from) < at; {
		i++
	}
	return i
}

// qualified: one of the words from i on, the first two that are no small ones,
// qualifies.
func (r *reading) qualified(i int) bool {
	for k := 0; r.has(i + k); k++ {
		if r.is(i+k, isQualifier) && k < 3 {
			return true
		}
		if k == 3 || r.word(i+k).colon || !r.is(i+k, isFiller) {
			return false
		}
	}
	return false
}

// target is the index of the word to remove for the keyword at i, or -1.
func (r *reading) target(i int, strong bool) int {
	// Does an assignment follow within six words?
	assigned, at := r.word(i).colon, i+1
	for j := i + 1; !assigned && j <= i+7 && r.has(j); j++ {
		means, w := r.means(j), r.word(j)
		if !strong && means&isOther != 0 {
			return -1
		}
		if w.colon || means&isAssign != 0 || means&isTowards != 0 && r.among(i-4, i, isChange) {
			assigned, at = true, j+1
		}
		if w.stop || r.secretive(j) {
			break
		}
	}
	for skipped := 0; skipped < 6 && r.has(at); skipped++ {
		means := r.means(at)
		switch {
		case means&isAssign != 0:
			assigned = true
			at++
			continue
		case assigned && means&isAdverb != 0 && r.has(at+1):
			at++
			continue
		case !strong && means&isOther != 0:
			return -1
		case r.secretive(at) && !clockOrDate(r.text(at)):
			return at
		case means&isFiller != 0 && r.has(at+1) || r.word(at).core == "" && !assigned:
			at++
			continue
		case means&isBenign != 0 && !assigned && !r.word(at).stop && r.has(at+1): // "senha padrão X": only what looks like one
			at++
			continue
		case means&(isBenign|isFiller) != 0:
			return -1
		case assigned && (strong || mixed(r.text(at))):
			return at
		case strong && (at == i+1 || r.is(at-1, isQualifier)) && (i <= 1 && !r.has(at+1) && !r.command(i) || r.among(i-4, i, isCue)) && utf8.RuneCountInString(r.word(at).core) >= 4:
			return at
		}
		return -1
	}
	return -1
}

// targetBefore is the index of a value that stands before the keyword at i:
// "coloca X na senha", "type X as the password", "X é a senha".
func (r *reading) targetBefore(i int, strong bool) int {
	if !strong {
		return -1
	}
	j := i - 1
	for ; j >= 0 && i-j <= 4 && r.is(j, isBetween); j-- {
	}
	r.short = r.short || j <= 0 && r.middle
	if j < 0 || j == i-1 || i-j > 5 || r.word(j).stop || r.word(j).colon {
		return -1
	}
	told := j > 0 && (r.is(j-1, isCue|isChange) || r.signless(j-1)&isAssign != 0 && r.secretive(j))
	says := false
	for k := j + 1; k < i; k++ {
		says = says || r.signless(k)&isAssign != 0
	}
	if r.secretive(j) && !clockOrDate(r.text(j)) && (told || says || j == 0) || told && !r.is(j, isBenign|isFiller) && utf8.RuneCountInString(r.word(j).core) >= 4 {
		return j
	}
	return -1
}

// signless is what the vocabulary says of a word without the signs around it.
func (r *reading) signless(i int) uint16 {
	r.is(i, 0)
	return meaning(r.word(i).core)
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

// quoting may stand around a password; telling in one, as may a digit that is not
// of ASCII.
var quoting, telling = signs(`"'()[]{}<>,;:.!?`), func() (m [256]bool) {
	for c := range m {
		m[c] = c >= utf8.RuneSelf || strings.IndexByte("0123456789@#$%&*!+=^~?", byte(c)) >= 0
	}
	return m
}()

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

// meaning is what the vocabulary says of a word in any case.
func meaning(w string) uint16 {
	if len(w) > longestWord {
		return 0
	}
	k, ascii := spell(w)
	if !ascii {
		if w = strings.ToLower(w); len(w) > longestWord {
			return 0
		}
		k, _ = spell(w)
	}
	return lexicon.means(k)
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
	if w == "" || w[0] < utf8.RuneSelf && w[len(w)-1] < utf8.RuneSelf {
		return w
	}
	// À to ÿ are no punctuation.
	if n := len(w); (w[0] < utf8.RuneSelf || w[0] == 0xC3) && (w[n-1] < utf8.RuneSelf || n > 1 && w[n-2] == 0xC3) {
		return w
	}
	return strings.TrimFunc(w, unicode.IsPunct)
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

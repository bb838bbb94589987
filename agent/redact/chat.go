package redact

import (
	"regexp"
	"strings"
	"unicode"
)

// thread is what the lines of a conversation so far say about the next one.
type thread struct {
	awaited int // lines in which a secret that was announced or asked for may still come
	inKey   int // lines in which a private key may still go on
}

const (
	awaitLines = 3   // of a conversation, after "the password is"
	keyLines   = 400 // a large key in a chat that sends each line by itself
)

// line redacts one line of a chat or a note, with what the lines before it say.
func (r *Redactor) line(s string, max int) (out string, err error) {
	defer func() {
		if recover() != nil {
			out, err = "", ErrUnsettled
		}
	}()
	s = normal(capped(s))
	if r.chat.inKey > 0 {
		var done bool
		if s, done = r.chat.keyLine(s); done {
			return cut(s, max), nil
		}
	}
	asked := r.chat.awaited > 0
	announces := announcing(s)
	if asked {
		r.chat.awaited--
		var took bool
		if s, took = awaitedSecret(s); took {
			r.chat.awaited = 0
		}
	}
	out, err = limited(s, max, theScanner(), r.more)
	if err != nil {
		return "", err
	}
	if opened := strings.LastIndex(s, "-----BEGIN "); opened >= 0 && !strings.Contains(s[opened:], "-----END ") {
		r.chat.inKey = keyLines
	}
	if announces && !strings.Contains(out, MarkSecret) && !strings.Contains(out, MarkKey) {
		r.chat.awaited = awaitLines
	}
	return out, nil
}

var keyEnd = regexp.MustCompile(`-----END [A-Z0-9 ]+-----`)

// keyLine looks at a line while a private key is going on: one of base64, or
// with the header of a key, goes as a whole; other talk stays.
func (t *thread) keyLine(s string) (left string, done bool) {
	t.inKey--
	if m := keyEnd.FindStringIndex(s); m != nil {
		t.inKey = 0
		return MarkKey + s[m[1]:], false
	}
	for w := range strings.FieldsSeq(s) {
		if !strings.ContainsRune(w, ':') && len(w) >= 8 && base64Like(w) {
			return MarkKey, true
		}
	}
	if len(s) > 0 && base64Like(s) && (strings.HasSuffix(s, "=") || strings.ContainsAny(s, "0123456789+/")) {
		return MarkKey, true // the last, short line
	}
	for _, h := range []string{"Proc-Type:", "DEK-Info:", "Comment:", "Private-Lines:", "Private-MAC:"} {
		if strings.HasPrefix(s, h) {
			return MarkKey, true
		}
	}
	return s, false
}

func base64Like(w string) bool {
	return strings.Trim(w, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") == ""
}

// announcing tells whether a line asks for a secret or says that one comes next:
// "qual é a senha?", "the password is:", "minha senha".
func announcing(s string) bool {
	r := reading{s: s}
	for i := 0; r.has(i); i++ {
		strong := r.is(i, isStrong)
		if !strong && (!r.is(i, isWeak) || i > 0 && r.is(i-1, isOther)) {
			continue
		}
		open := true // nothing but small words follows
		k := i + 1
		for ; r.has(k); k++ {
			if !r.is(k, isAssign|isFiller|isAnnounce) && r.word(k).core != "" {
				open = false
			}
			if !strong && r.is(k, isOther) {
				return false
			}
		}
		if open && (k > i+1 || r.word(i).colon || i <= 3) {
			return true
		}
		if strings.HasSuffix(s, "?") {
			return true
		}
		if r.among(0, i, isAsk) {
			return true
		}
	}
	return false
}

// awaitedSecret takes the secret out of a line that follows its announcement:
// what looks like one anywhere in it, or a line of one to three words that is no
// answer of another sort.
func awaitedSecret(s string) (left string, took bool) {
	r := reading{s: s}
	var spans []span
	for i := 0; r.has(i); i++ {
		if r.secretive(i) && !clockOrDate(r.text(i)) {
			from, to := trimmed(s, int(r.word(i).from), int(r.word(i).to))
			if from < to {
				spans = append(spans, span{from, to, MarkSecret})
			}
		}
	}
	if len(spans) == 0 && r.n > 0 && r.n <= 3 {
		for k := range r.n {
			if r.is(k, isAck) || r.word(k).core == "" || strings.HasSuffix(r.text(k), "?") {
				return s, false
			}
		}
		spans = append(spans, span{int(r.word(0).from), int(r.word(r.n - 1).to), MarkSecret})
	}
	if len(spans) == 0 {
		return s, false
	}
	var b strings.Builder
	for _, p := range replaced(s, spans) {
		b.WriteString(p.text)
	}
	return b.String(), true
}

// clockOrDate: 14:30, 22/11/2026, 2026-11-22.
func clockOrDate(text string) bool {
	text = strings.TrimFunc(text, unicode.IsPunct)
	seps := strings.Count(text, ":") + strings.Count(text, "/") + strings.Count(text, "-")
	return seps > 0 && seps <= 2 && strings.Trim(text, "0123456789:/-") == "" && len(text) <= 10
}

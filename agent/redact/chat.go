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
	ws := words(s, nil)
	for i := range ws {
		w := &ws[i]
		strong := w.is(isStrong)
		if !strong && (!w.is(isWeak) || i > 0 && ws[i-1].is(isOther)) {
			continue
		}
		rest := ws[i+1:]
		open := true // nothing but small words follows
		for k := range rest {
			n := &rest[k]
			if !n.is(isAssign|isFiller|isAnnounce) && n.core != "" {
				open = false
			}
			if !strong && n.is(isOther) {
				return false
			}
		}
		if open && (len(rest) > 0 || w.colon || i <= 3) {
			return true
		}
		if strings.HasSuffix(s, "?") {
			return true
		}
		if among(ws[:i], isAsk) {
			return true
		}
	}
	return false
}

// awaitedSecret takes the secret out of a line that follows its announcement:
// what looks like one anywhere in it, or a line of one to three words that is no
// answer of another sort.
func awaitedSecret(s string) (left string, took bool) {
	ws := words(s, nil)
	var spans []span
	for _, w := range ws {
		text := s[w.from:w.to]
		if secretive(text) && !clockOrDate(text) {
			from, to := trimmed(s, w.from, w.to)
			if from < to {
				spans = append(spans, span{from, to, MarkSecret})
			}
		}
	}
	if len(spans) == 0 && len(ws) > 0 && len(ws) <= 3 {
		for k := range ws {
			w := &ws[k]
			if w.is(isAck) || w.core == "" || strings.HasSuffix(s[w.from:w.to], "?") {
				return s, false
			}
		}
		spans = append(spans, span{ws[0].from, ws[len(ws)-1].to, MarkSecret})
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

package redact

import (
	"strings"
	"unicode/utf8"
)

// The guards of the triggers: each tells whether its rule could find something
// where the literal stands.

// run: n bytes follow that can be part of a token.
func run(n int) func(s string, from, to int) bool {
	return func(s string, _, to int) bool {
		if len(s)-to < n {
			return false
		}
		for _, c := range []byte(s[to : to+n]) {
			if c <= ' ' || c >= 0x80 || c == '"' || c == '\'' || c == '`' || c == ';' {
				return false
			}
		}
		return true
	}
}

// hexRun: n hexadecimal digits follow.
func hexRun(n int) func(s string, from, to int) bool {
	return func(s string, _, to int) bool {
		if len(s)-to < n {
			return false
		}
		for i := range n {
			if !hexDigit(s[to+i]) {
				return false
			}
		}
		return true
	}
}

// nameByte: a byte of a setting's name.
func nameByte(c byte) bool { return wordByte(c) || c == '_' || c == '-' }

// option: the word that ends with the literal has a dash in front of it.
func option(s string, from, _ int) bool {
	for i := from - 1; i >= 0 && nameByte(s[i]); i-- {
		if s[i] == '-' {
			return true
		}
	}
	return false
}

// assigned: a colon or an equals sign follows the name.
func assigned(s string, _, to int) bool {
	for to < len(s) && nameByte(s[to]) {
		if s[to] >= utf8.RuneSelf && strings.HasPrefix(s[to:], "→") {
			return true
		}
		to++
	}
	if to < len(s) && (s[to] == '"' || s[to] == '\'') {
		to++
	}
	if to < len(s) && s[to] == ' ' {
		to++
	}
	return to < len(s) && (s[to] == ':' || s[to] == '=' || strings.HasPrefix(s[to:], "->") || s[to] == '>' && s[to-1] == '-' || strings.HasPrefix(s[to:], "→"))
}

// valued: what gitleaks's rules of the form "name, operator, value" need after
// the name: at most 64 bytes of name, blanks and quotes, an operator, and within
// 40 bytes eight that can be a value.
func valued(s string, _, to int) bool {
	end := min(len(s), to+64)
	for to < end && (wordByte(s[to]) && s[to] < 0x80 || strings.IndexByte("_.- '\"", s[to]) >= 0) {
		to++
	}
	if to == len(s) || strings.IndexByte("=>:|?,", s[to]) < 0 {
		return false
	}
	n := 0
	for _, c := range []byte(s[to+1 : min(len(s), to+41)]) {
		if n++; c <= ' ' || c >= 0x80 || c == '"' || c == '\'' || c == '`' {
			n = 0
		}
		if n == 8 {
			return true
		}
	}
	return false
}

// atLater: an @ follows.
func atLater(s string, _, to int) bool { return strings.IndexByte(s[to:], '@') >= 0 }

// dotLater: what follows is a word and then a dot, or the word for one.
func dotLater(s string, _, to int) bool {
	for to < len(s) && strings.IndexByte(" )]", s[to]) >= 0 {
		to++
	}
	for to < len(s) && (wordByte(s[to]) || s[to] == '-') {
		to++
	}
	rest := strings.TrimPrefix(s[to:min(len(s), to+10)], " ")
	if rest == "" || strings.IndexByte(".([dDpP", rest[0]) < 0 {
		return false
	}
	rest = lower(rest)
	for _, dot := range []string{".", "(", "[", "dot ", "ponto ", "punto "} {
		if strings.HasPrefix(rest, dot) {
			return true
		}
	}
	return false
}

// later: one of the options follows.
func later(options ...string) func(s string, from, to int) bool {
	return func(s string, _, to int) bool {
		for {
			i := strings.Index(s[to:], " -")
			if i < 0 {
				return false
			}
			to += i + 1
			for _, o := range options {
				if strings.HasPrefix(s[to:], o) {
					return true
				}
			}
		}
	}
}

// secretHere: the word, of which the literal is all but its plural, is one after
// or before which contextual would find something.
func secretHere(s string, from, to int) bool {
	if to < len(s) && (s[to] == 's' || s[to] == 'S') {
		to++
	}
	if to < len(s) && wordByte(s[to]) && s[to] < 0x80 {
		return false
	}
	glued := from > 0 && wordByte(s[from-1])
	from, to = wordAt(s, from)
	if glued { // "barcode" is none, "código" is
		var w word
		w.set(s, from, to)
		if w.know(s[from:to]); w.means&(isStrong|isWeak) == 0 {
			return false
		}
	}
	return announces(s, from)
}

// announces tells whether contextual finds something around the word that begins
// at from.
func announces(s string, from int) bool {
	r := reading{s: s}
	at, _ := r.secretAt(r.around(from, 2)) // which is mostly enough to tell
	if at < 0 && r.short {
		r = reading{s: s}
		at, _ = r.secretAt(r.around(from, contextBefore))
	}
	return at >= 0
}

// bracketHere: a telephone number begins with the bracket.
func bracketHere(s string, from, _ int) bool { return bracketed(s, from) > 0 }

// plusHere: a telephone number may follow the sign.
func plusHere(s string, _, to int) bool {
	_, digits := phoneRun(s, to)
	return digits >= 8
}

// macHere: a hardware address around its first separator.
func macHere(s string, from, _ int) bool {
	if s[from+2] == '.' {
		return from >= 2 && macForm(s, from-2) > 0
	}
	return macForm(s, from) > 0
}

// colons: so many colons follow that it can be an address written out.
func colons(s string, from, _ int) bool {
	if len(s)-from < len("0:0:0:0:0:0:") {
		return false
	}
	n := 0
	for i := from; i < len(s) && (hexDigit(s[i]) || s[i] == ':' || s[i] == '.'); i++ {
		if s[i] == ':' {
			n++
		}
	}
	return n >= 6
}

package policy

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"aval/agent/event"
)

// Scope says for whom a source speaks.
type Scope string

// The scopes.
const (
	Machine Scope = "machine"
	User    Scope = "user"
)

// Names of sources, for Origin.Name. All but FromServer are device management
// (MDM) and stand above the server.
const (
	FromFile        = "file"                // JSON files in the policy folder
	FromRegistry    = "registry"            // Windows
	FromPreferences = "managed-preferences" // macOS
	FromServer      = "server"              // the company's summarizer
	FromDefault     = "default"             // no source set the key
	// FromAccount is no source: in a record it says that Unmanaged was applied.
	FromAccount = "account"
)

// Origin says where a value came from.
type Origin struct {
	Name  string `json:"name"`
	Scope Scope  `json:"scope"`
	// File is the file or other place within the source, empty where there is none.
	File string `json:"file,omitempty"`
}

// String is the origin in one word for logs and records: file:/path, server.
func (o Origin) String() string {
	s := o.Name
	if o.Scope == User {
		s += "(user)"
	}
	if o.File != "" {
		s += ":" + o.File
	}
	return s
}

// rank orders origins: device management above the server, machine above user.
func (o Origin) rank() int {
	r := 0
	if o.Name != FromServer {
		r += 2
	}
	if o.Scope != User {
		r++
	}
	return r
}

// Value is one key's value from one source. Which of Text, Number and List
// holds it follows from the key's type.
type Value struct {
	Name     Name     `json:"key"`
	Text     string   `json:"text,omitempty"`
	Number   int      `json:"number,omitempty"`
	List     []string `json:"list,omitempty"`
	Enforced bool     `json:"enforced"`
	Origin   Origin   `json:"origin"`
}

// String is the value as people write it.
func (v Value) String() string {
	d, _ := Define(v.Name)
	switch d.Type {
	case Number:
		return itoa(v.Number)
	case List:
		return strings.Join(v.List, ", ")
	}
	return v.Text
}

// check returns what is wrong with v, or nothing.
func (v Value) check() (wrong, allowed string) {
	d, ok := Define(v.Name)
	if !ok {
		return unknown(v.Name)
	}
	switch d.Type {
	case Choice:
		if !slices.Contains(d.Choices, v.Text) {
			return "value " + quote(v.Text) + " is not allowed", d.Allowed()
		}
	case Number:
		if v.Number < d.Min || v.Number > d.Max {
			return "value " + itoa(v.Number) + " is not allowed", d.Allowed()
		}
	case List:
		return d.checkList(v.List)
	}
	return "", ""
}

func (d Definition) checkList(list []string) (wrong, allowed string) {
	if len(list) > MaxEntries {
		return itoa(len(list)) + " entries are too many", "at most " + itoa(MaxEntries)
	}
	for i, e := range list {
		if len(e) > MaxEntry {
			return "entry " + itoa(i+1) + " is too long", "at most " + itoa(MaxEntry) + " bytes"
		}
		if allowed, ok := d.Entry(e); !ok {
			return "entry " + quote(e) + " is not allowed", allowed
		}
		if slices.Contains(list[:i], e) {
			return "entry " + quote(e) + " stands there twice", "each entry once"
		}
	}
	return "", ""
}

// unknown explains a name that is no key; often only its case is wrong.
func unknown(name Name) (wrong, allowed string) {
	var all []string
	for _, d := range definitions {
		if strings.EqualFold(string(d.Name), string(name)) {
			return "is not a key: upper and lower case count", string(d.Name)
		}
		all = append(all, string(d.Name))
	}
	return "is not a key", strings.Join(all, ", ")
}

// stricter tells whether a permits less than b; both are values of d.
func (d Definition) stricter(a, b Value) bool {
	switch d.Type {
	case Number:
		return d.Smaller && a.Number < b.Number
	case List:
		return false
	}
	return slices.Index(d.Choices, a.Text) < slices.Index(d.Choices, b.Text)
}

// groupName checks that s is a group of events.
func groupName(s string) (string, bool) {
	names := make([]string, 0, len(event.Groups))
	for _, g := range event.Groups {
		names = append(names, string(g))
	}
	return "groups of events: " + strings.Join(names, ", "), slices.Contains(names, s)
}

func plainText(s string) (string, bool) {
	ok := s != "" && utf8.ValidString(s) && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
	return "texts without control characters and without spaces around them", ok
}

// languageTag checks the form of a BCP 47 tag (RFC 5646, 2.1), not its meaning.
func languageTag(s string) (string, bool) {
	const allowed = "BCP 47 language tags such as pt-BR"
	for i, part := range strings.Split(s, "-") {
		if len(part) < 1 || len(part) > 8 || (i == 0 && len(part) < 2) {
			return allowed, false
		}
		for _, r := range part {
			letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
			if !letter && (i == 0 || r < '0' || r > '9') {
				return allowed, false
			}
		}
	}
	return allowed, true
}

// expression: RE2, of bounded size, and not found in every text.
func expression(s string) (string, bool) {
	const allowed = "regular expressions (RE2) that do not fit the empty text, with few and small repetitions"
	tree, err := syntax.Parse(s, syntax.Perl)
	if err != nil || strings.ContainsFunc(s, unicode.IsControl) {
		return allowed, false
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil || len(prog.Inst) > maxProgram {
		return allowed, false
	}
	re, err := regexp.Compile(s)
	return allowed, err == nil && !re.MatchString("")
}

// maxProgram is how many instructions an expression may compile to, as the
// redaction allows them.
const maxProgram = 4096

// fingerprint checks the form that `ssh-keygen -l` prints: SHA256: and 43
// characters of unpadded base64 (OpenSSH 6.8 and later).
func fingerprint(s string) (string, bool) {
	const allowed = "SSH key fingerprints: SHA256: and 43 characters of base64"
	body, ok := strings.CutPrefix(s, "SHA256:")
	if !ok || len(body) != 43 {
		return allowed, false
	}
	for _, r := range body {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '/') {
			return allowed, false
		}
	}
	return allowed, true
}

// quote makes s safe to show: cut, and without control characters.
func quote(s string) string {
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:60], "") + "…"
	}
	return strconv.Quote(s)
}

func itoa(n int) string { return strconv.Itoa(n) }

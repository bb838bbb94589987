package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxFile is the largest policy file in bytes.
const MaxFile = 256 << 10

// Problem is one thing that is wrong with a policy.
type Problem struct {
	File    string `json:"file"`
	Key     string `json:"key,omitempty"` // empty: the file as a whole
	Wrong   string `json:"wrong"`
	Allowed string `json:"allowed,omitempty"`
}

// String is the problem in one line.
func (p Problem) String() string {
	s := p.File + ": "
	if p.Key != "" {
		s += quote(p.Key) + ": "
	}
	s += p.Wrong
	if p.Allowed != "" {
		s += " (allowed: " + p.Allowed + ")"
	}
	return s
}

// Validate returns everything that is wrong with a policy file's bytes; file is
// only the name to show. A file is one flat JSON object of keys:
//
//	{"AccessControl": "denied", "QuestionSeconds": 60, "SSHAccounts": ["support"]}
func Validate(file string, raw []byte) []Problem {
	_, problems := Parse(file, raw)
	return problems
}

// Parse decodes a policy file. With any problem there are no values. Whether
// the values are enforced follows from the folder, so the caller sets it.
func Parse(file string, raw []byte) ([]Value, []Problem) {
	p := parser{file: file, seen: map[string]bool{}}
	p.object(raw)
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	return p.values, nil
}

type parser struct {
	file     string
	values   []Value
	problems []Problem
	seen     map[string]bool
}

// maxProblems ends the list of problems of one file.
const maxProblems = 100

func (p *parser) problem(key, wrong, allowed string) {
	if len(p.problems) < maxProblems {
		p.problems = append(p.problems, Problem{File: p.file, Key: key, Wrong: wrong, Allowed: allowed})
	}
}

// object reads the one object of a file. It goes token by token, because
// encoding/json takes names in any case and the last of two equal ones.
func (p *parser) object(raw []byte) {
	switch {
	case len(raw) > MaxFile:
		p.problem("", "is larger than "+itoa(MaxFile)+" bytes", "")
		return
	case !utf8.Valid(raw):
		p.problem("", "is not text in UTF-8", "")
		return
	case len(bytes.TrimSpace(raw)) == 0:
		p.problem("", "is empty", "one JSON object, {} for no setting")
		return
	}
	var whole json.RawMessage
	if err := json.Unmarshal(raw, &whole); err != nil {
		p.problem("", syntaxError(raw, err), "one JSON object")
		return
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		p.problem("", "is not an object", `one JSON object such as {"AccessControl": "denied"}`)
		return
	}
	for d.More() {
		t, err := d.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			p.problem("", "has a key that cannot be read", "")
			return
		}
		var v any
		if err := d.Decode(&v); err != nil {
			p.problem(key, "has a value that cannot be read", "")
			return
		}
		if p.seen[key] {
			p.problem(key, "stands there twice", "each key once")
			continue
		}
		p.seen[key] = true
		p.value(key, v)
	}
}

func (p *parser) value(key string, v any) {
	d, ok := Define(Name(key))
	if !ok {
		wrong, allowed := unknown(Name(key))
		p.problem(key, wrong, allowed)
		return
	}
	out := Value{Name: d.Name}
	switch v := v.(type) {
	case string:
		if d.Type != Choice {
			p.problem(key, "value "+quote(v)+" is a text", d.Allowed())
			return
		}
		out.Text = v
	case json.Number:
		n, err := strconv.Atoi(v.String())
		if d.Type != Number || err != nil {
			p.problem(key, "value "+quote(v.String())+" is not allowed", d.Allowed())
			return
		}
		out.Number = n
	case []any:
		if d.Type != List {
			p.problem(key, "value is a list", d.Allowed())
			return
		}
		out.List = []string{}
		for i, e := range v {
			s, ok := e.(string)
			if !ok {
				p.problem(key, "entry "+itoa(i+1)+" is not a text", d.Allowed())
				return
			}
			out.List = append(out.List, s)
		}
	default:
		p.problem(key, "value is "+kind(v), d.Allowed())
		return
	}
	if wrong, allowed := out.check(); wrong != "" {
		p.problem(key, wrong, allowed)
		return
	}
	p.values = append(p.values, out)
}

func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	}
	return "an object"
}

// syntaxError says where raw stops being JSON.
func syntaxError(raw []byte, err error) string {
	offset := int64(len(raw))
	if se, ok := err.(*json.SyntaxError); ok {
		offset = max(0, min(se.Offset-1, offset))
	}
	before := string(raw[:offset])
	line := strings.Count(before, "\n") + 1
	col := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	what := err.Error()
	if err == io.ErrUnexpectedEOF {
		what = "unexpected end"
	}
	return fmt.Sprintf("is not JSON: line %d, column %d: %s", line, col, what)
}

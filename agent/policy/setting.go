package policy

import (
	"bytes"
	"encoding/json"
	"slices"
)

// MaxSettings is the longest list of settings that one policy may have, in
// bytes of its JSON: its signed forms must fit into one record.
const MaxSettings = 12 << 10

// Setting is one value as a company assigns it to devices, in the form of the
// public API: settings[{key, value, enforce}].
type Setting struct {
	Key     Name            `json:"key"`
	Value   json.RawMessage `json:"value"`
	Enforce bool            `json:"enforce"`
}

// ParseSettings checks a company's settings as strictly as a policy file, and
// returns them as values without an origin. With any problem there are no
// values. where is only the name to show.
func ParseSettings(where string, settings []Setting) ([]Value, []Problem) {
	p := parser{file: where, seen: map[string]bool{}}
	size := 0
	for _, s := range settings {
		key := string(s.Key)
		size += len(key) + len(s.Value)
		if p.seen[key] {
			p.problem(key, "stands there twice", "each key once")
			continue
		}
		p.seen[key] = true
		d := json.NewDecoder(bytes.NewReader(s.Value))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil || d.More() {
			p.problem(key, "has a value that cannot be read", "one JSON value")
			continue
		}
		n := len(p.values)
		p.value(key, v)
		if len(p.values) > n {
			p.values[n].Enforced = s.Enforce
		}
	}
	if size > MaxSettings {
		p.problem("", "is larger than "+itoa(MaxSettings)+" bytes", "")
	}
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	return p.values, nil
}

// Loosens lists the values among those given that can turn into an allow
// without a question, in their order.
func Loosens(values []Value) []Value {
	var out []Value
	for _, v := range values {
		if d, ok := Define(v.Name); ok && d.AllowsUnasked(v) {
			out = append(out, v)
		}
	}
	return out
}

// Vouched tells whether what v lets happen is let happen by one of vouched: the
// same key with the same value, enforced too where v is.
func Vouched(v Value, vouched []Value) bool {
	return slices.ContainsFunc(vouched, func(w Value) bool {
		return v.Name == w.Name && v.Text == w.Text && v.Number == w.Number && slices.Equal(v.List, w.List) && (w.Enforced || !v.Enforced)
	})
}

// Package strict reads what must be exactly what its reader knows: JSON, and the
// addresses of servers.
//
// The one rule that must not be broken: what it does not understand is an error,
// never ignored.
package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Decode reads one JSON value of raw into into. A name that the value has no
// place for, and anything after it, are errors; into may be half filled then.
func Decode(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("bytes after the end")
	}
	return nil
}

// Once refuses JSON in which an object names something twice, in whatever case: who
// reads the first and who reads the last would not read the same. raw is valid JSON.
func Once(raw []byte) error {
	type level struct {
		names map[string]bool // nil: an array
		value bool            // of an object: the value of a name comes next
	}
	var open []level
	d := json.NewDecoder(bytes.NewReader(raw))
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if t == json.Delim('}') || t == json.Delim(']') {
			open = open[:len(open)-1]
			continue
		}
		if n := len(open) - 1; n >= 0 && open[n].names != nil {
			if name, ok := t.(string); ok && !open[n].value {
				folded := strings.ToUpper(strings.ToLower(name))
				if open[n].names[folded] {
					return fmt.Errorf("%q stands there twice", name)
				}
				open[n].names[folded] = true
			}
			open[n].value = !open[n].value
		}
		switch t {
		case json.Delim('{'):
			open = append(open, level{names: map[string]bool{}})
		case json.Delim('['):
			open = append(open, level{})
		}
	}
}

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
	"io"
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

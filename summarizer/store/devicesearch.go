package store

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A computer is found by any part of its names. Each part is the beginning of one of
// the ends of the text, so an index over the ends finds it, on every database and
// for whatever language. Ends are cut to suffixRunes; what a longer search leaves
// is compared with the whole text.

const (
	suffixRunes = 16
	// leastSuffix is how many characters a search must have to begin at the ends:
	// fewer are in nearly every name, and the list is walked through.
	leastSuffix = 2
)

// fewDevices is how many may be found by their ends and sorted; of more, the list
// has a page soon.
var fewDevices = 2000

// suffixes are the ends of a text, each once. Ends of one character are none.
func suffixes(search string) (out [][]byte) {
	for i := range search {
		s := firstRunes(search[i:], suffixRunes)
		if utf8.RuneCountInString(s) >= leastSuffix {
			out = append(out, []byte(s))
		}
	}
	slices.SortFunc(out, bytes.Compare)
	return slices.CompactFunc(out, bytes.Equal)
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// suffix writes what a device is found by, in the transaction that changed it.
func (t *Tx) suffix(company, device, search string, enrolled time.Time) error {
	// Not by the key, which begins with the company: see DevicePage.
	if _, err := t.exec(`DELETE FROM device_suffixes WHERE company || '' = $1 AND device = $2`, company, device); err != nil {
		return err
	}
	for chunk := range slices.Chunk(suffixes(search), 100) {
		args, rows := []any{company, device, ns(enrolled)}, make([]string, len(chunk))
		for i, s := range chunk {
			args = append(args, s)
			rows[i] = fmt.Sprintf("($1, $%d, $2, $3)", len(args))
		}
		if _, err := t.exec(`INSERT INTO device_suffixes (company, suffix, device, enrolled_at) VALUES `+strings.Join(rows, ", "), args...); err != nil {
			return err
		}
	}
	_, err := t.exec(`UPDATE devices SET suffixed = search WHERE company = $1 AND id = $2`, company, device)
	return err
}

// IndexOldDevices writes what devices are found by that an older program has added
// or renamed, at most max of them. n is how many it did; 0: all are done.
func (t *Tx) IndexOldDevices(max int) (n int, err error) {
	type old struct {
		company, id, search string
		enrolled            time.Time
	}
	var list []old
	err = t.each(`SELECT company, id, search, enrolled_at FROM devices WHERE suffixed <> search AND code = '' LIMIT $1`, []any{int64(max)}, func(scan func(...any) error) error {
		var d old
		err := scan(&d.company, &d.id, &d.search, stamp{&d.enrolled})
		list = append(list, d)
		return err
	})
	for _, d := range list {
		if err := t.suffix(d.company, d.id, d.search, d.enrolled); err != nil {
			return n, err
		}
		n++
	}
	return n, err
}

// AnyOldDevice tells whether IndexOldDevices has something to do.
func (t *Tx) AnyOldDevice() (any bool, err error) {
	err = t.one(`SELECT EXISTS (SELECT 1 FROM devices WHERE suffixed <> search AND code = '')`, nil, &any)
	return any, err
}

// bySuffix lists the devices that have a part in their names, or are called so by
// id, those enrolled last first, where they are few and all devices of the company
// can be found so; ok is false where the list is to be walked through instead.
func (t *Tx) bySuffix(company, part string) (list []DeviceCursor, ok bool, err error) {
	if utf8.RuneCountInString(part) < leastSuffix {
		return nil, false, nil
	}
	var old bool
	if err := t.one(`SELECT EXISTS (SELECT 1 FROM devices WHERE company = $1 AND suffixed <> search AND code = '')`, []any{company}, &old); err != nil || old {
		return nil, false, err
	}
	add := func(query string, args ...any) error {
		return t.each(query, args, func(scan func(...any) error) error {
			var d DeviceCursor
			err := scan(stamp{&d.EnrolledAt}, &d.ID)
			list = append(list, d)
			return err
		})
	}
	from := []byte(firstRunes(part, suffixRunes))
	if err := add(`SELECT enrolled_at, device FROM device_suffixes WHERE company = $1 AND suffix >= $2 AND suffix < $3 LIMIT $4`,
		company, from, append(bytes.Clone(from), 0xff), int64(fewDevices+1)); err != nil || len(list) > fewDevices {
		return nil, false, err
	}
	if err := add(`SELECT enrolled_at, id FROM devices WHERE company = $1 AND id IN ($2, $3)`, company, part, strings.ToUpper(part)); err != nil {
		return nil, false, err
	}
	slices.SortFunc(list, DeviceCursor.compare)
	return slices.Compact(list), true, nil
}

// compare is the order of the list of devices.
func (c DeviceCursor) compare(d DeviceCursor) int {
	if n := d.EnrolledAt.Compare(c.EnrolledAt); n != 0 {
		return n
	}
	return strings.Compare(d.ID, c.ID)
}

package source

import (
	"encoding/json"
	"fmt"
	"time"

	"aval/agent/strict"
)

// docName is the kept policy's name with the Keeper.
const docName = "last-policy.json"

// kept is the last good policy: its bytes, and when they were last read. The
// bytes are parsed anew each time, by the same strict parser.
type kept struct {
	V      int       `json:"v"`
	At     time.Time `json:"at"`
	SHA256 string    `json:"sha256"`
	Files  []file    `json:"files"`
}

// keep stores files as the last good policy of now. Without files there is no
// policy, which is a fact and needs none.
func (d *Dir) keep(files []file, now time.Time) {
	last, ok := d.lookup()
	if len(files) == 0 {
		if ok {
			d.last = kept{}
			d.forget()
		}
		return
	}
	next := kept{V: 2, At: now.UTC(), SHA256: sum(files), Files: files}
	if ok && last.SHA256 == next.SHA256 && !now.Before(last.At) && now.Sub(last.At) < rekeep {
		return
	}
	d.last = next
	if d.o.Keeper == nil {
		return
	}
	raw, err := json.Marshal(next)
	if err == nil {
		err = d.o.Keeper.PutDoc(docName, raw)
	}
	if err != nil {
		d.o.Log.Error("last good policy cannot be kept", "error", err)
	}
}

func (d *Dir) forget() {
	if d.o.Keeper == nil {
		return
	}
	if err := d.o.Keeper.DeleteDoc(docName); err != nil && !notExist(err) {
		d.o.Log.Error("last good policy cannot be deleted", "error", err)
	}
}

// lookup returns the last good policy, asking the keeper once.
func (d *Dir) lookup() (kept, bool) {
	if !d.looked {
		d.looked = true
		if d.o.Keeper != nil {
			raw, err := d.o.Keeper.Doc(docName)
			if err == nil {
				d.last, err = decodeKept(raw)
			}
			if err != nil && !notExist(err) {
				d.o.Log.Error("last good policy cannot be read", "error", err)
			}
		}
	}
	return d.last, !d.last.At.IsZero()
}

// decodeKept is strict: what is not exactly what keep wrote is no policy.
func decodeKept(raw []byte) (kept, error) {
	var k kept
	if err := strict.Decode(raw, &k); err != nil {
		return kept{}, fmt.Errorf("decode kept policy: %w", err)
	}
	if k.V != 2 || k.At.IsZero() || len(k.Files) == 0 || k.SHA256 != sum(k.Files) {
		return kept{}, fmt.Errorf("decode kept policy: it is damaged")
	}
	return k, nil
}

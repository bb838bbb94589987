package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// docMachine names the computer that the device's key belongs to.
const docMachine = "machine"

// Machine is what is known of which computer this is. Both are hashes, each empty
// where the system does not say.
type Machine struct {
	// System is that of the installed system: a clone whose identity was made new,
	// as deployment tools do, and a re-imaged computer have another.
	System string `json:"system,omitempty"`
	// Board is that of the computer's board or virtual machine: a copied disk image
	// runs under another.
	Board string `json:"board,omitempty"`
}

// other tells whether m and n are two computers. What one of them does not say
// tells nothing.
func (m Machine) other(n Machine) bool {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	return differ(m.System, n.System) || differ(m.Board, n.Board)
}

// bind holds the state directory against the computer that it is opened on. On
// another one than before, the device's key is destroyed and what was agreed
// under it forgotten: no two computers may have one key. The rest stays.
func (s *Store) bind(keyPath string) (moved bool, err error) {
	if s.o.Machine == (Machine{}) {
		return false, nil
	}
	var before Machine
	switch raw, err := s.Doc(docMachine); {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, ErrDamaged) || err == nil && json.Unmarshal(raw, &before) != nil:
		moved = exists(keyPath) // it cannot be told: so it is another
	case err != nil:
		return false, err
	}
	if before == s.o.Machine {
		return false, nil
	}
	moved = moved || before.other(s.o.Machine)
	if moved {
		// The key first, the name last: what interrupts this has it begin again.
		if err := removeFile(keyPath); err != nil {
			return false, fmt.Errorf("destroy another computer's key: %w", err)
		}
		for _, name := range s.o.Bound {
			if err := s.DeleteDoc(name); err != nil {
				return false, err
			}
		}
		s.note("This computer is not the one that the state in " + filepath.Clean(s.dir) + " was made on (it was cloned, re-imaged, or got another board): " +
			"it has a new key, and its enrolment has ended. Enrol it again; what was recorded before stays here and is not sent.")
	}
	raw, err := json.Marshal(s.o.Machine)
	if err != nil {
		return false, fmt.Errorf("encode machine: %w", err)
	}
	return moved, s.PutDoc(docMachine, raw)
}

package company

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"aval/agent/policy"
	"aval/summarizer/store"
)

// ChangeKind says what was changed.
type ChangeKind string

// The kinds of change.
const (
	ChangeActivation  ChangeKind = "activation"
	ChangeOptions     ChangeKind = "options"
	ChangeReleaseKey  ChangeKind = "release-key"
	ChangeEngine      ChangeKind = "engine"         // who writes summaries
	ChangePolicy      ChangeKind = "policy"         // made, renamed, deleted
	ChangeDraft       ChangeKind = "policy-draft"   // its values
	ChangePublished   ChangeKind = "policy-version" // given to devices
	ChangeAssigned    ChangeKind = "assignment"     // subject is a Target
	ChangeModule      ChangeKind = "module"         // made, or revoked
	ChangeSwitch      ChangeKind = "module-switch"
	ChangeGroup       ChangeKind = "group"        // made, renamed, deleted
	ChangeDeviceGroup ChangeKind = "device-group" // devices moved
	ChangeDeviceName  ChangeKind = "device-name"
	ChangeDevice      ChangeKind = "device" // revoked
)

// undoable are the kinds that can be taken back; the others are final, or have
// to be done anew with what they need (terms to accept, a key).
var undoable = map[ChangeKind]func(*Service, *store.Tx, store.Change) error{
	ChangeOptions:     (*Service).undoOptions,
	ChangePolicy:      (*Service).undoPolicy,
	ChangeDraft:       (*Service).undoDraft,
	ChangePublished:   (*Service).undoPublished,
	ChangeAssigned:    (*Service).undoAssigned,
	ChangeSwitch:      (*Service).undoSwitch,
	ChangeGroup:       (*Service).undoGroup,
	ChangeDeviceGroup: (*Service).undoMoved,
	ChangeDeviceName:  (*Service).undoNamed,
}

// Changed is one entry of the history.
type Changed struct {
	Number  int64           `json:"number"`
	At      time.Time       `json:"at"`
	Actor   string          `json:"actor"`
	Kind    ChangeKind      `json:"kind"`
	Subject string          `json:"subject,omitempty"`
	Name    string          `json:"name,omitempty"`
	Old     json.RawMessage `json:"old"`
	New     json.RawMessage `json:"new"`
	Undoes  int64           `json:"undoes,omitempty"`
	Undone  int64           `json:"undone,omitempty"`
	// CanUndo: it is of a kind that can be taken back. Whether it can be now is
	// said when it is tried.
	CanUndo bool `json:"can_undo"`
}

// History lists at most limit changes below a number, newest first; before 0:
// from the newest on.
func (s *Service) History(ctx context.Context, before int64, limit int) (out []Changed, err error) {
	out = []Changed{}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		list, err := tx.Changes(s.id, before, limit)
		for _, c := range list {
			out = append(out, asChanged(c))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list changes: %w", err)
	}
	return out, nil
}

func asChanged(c store.Change) Changed {
	k := ChangeKind(c.Kind)
	can := undoable[k] != nil && (k != ChangePublished || c.Old != "null")
	return Changed{Number: c.Number, At: c.At, Actor: c.Actor, Kind: k, Subject: c.Subject, Name: c.Name, Old: json.RawMessage(c.Old), New: json.RawMessage(c.New),
		Undoes: c.Undoes, Undone: c.Undone, CanUndo: can}
}

// Errors of Undo that callers tell apart.
var (
	ErrNoChange     = wrongf("there is no such change; history shows them")
	ErrFinal        = wrongf("this change cannot be taken back")
	ErrChangedSince = wrongf("it was changed again since; take the later change back first")
)

// Undo takes a change back: as a new change that restores what was before. It
// is refused with ErrChangedSince where something else has been chosen since,
// and where a release key is needed for what would come back.
func (s *Service) Undo(ctx context.Context, number int64) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		c, err := tx.Change(s.id, number)
		if errors.Is(err, store.ErrNotFound) {
			return ErrNoChange
		}
		if err != nil {
			return err
		}
		if !asChanged(c).CanUndo {
			return ErrFinal
		}
		return undoable[ChangeKind(c.Kind)](s, tx, c)
	})
	if err != nil {
		return fmt.Errorf("undo change %d: %w", number, err)
	}
	return nil
}

// entry is one change as its maker tells it.
type entry struct {
	kind     ChangeKind
	action   string // of the audit
	subject  string
	name     string
	old, new any // as JSON says them; nil: there is nothing
	undoes   int64
}

// note keeps a change in the history and in the audit, in the transaction that
// makes it.
func (s *Service) note(tx *store.Tx, e entry) error {
	before, err := json.Marshal(e.old)
	if err != nil {
		return fmt.Errorf("encode change: %w", err)
	}
	after, err := json.Marshal(e.new)
	if err != nil {
		return fmt.Errorf("encode change: %w", err)
	}
	n, err := tx.AddChange(store.Change{Company: s.id, At: s.now(), Actor: s.actor.String(), Kind: string(e.kind), Subject: e.subject, Name: e.name,
		Old: string(before), New: string(after), Undoes: e.undoes})
	if err != nil {
		return err
	}
	detail := fmt.Sprintf("change %d", n)
	if e.name != "" {
		detail = e.name + ", " + detail
	}
	if e.undoes > 0 {
		detail += fmt.Sprintf(", takes back %d", e.undoes)
	}
	return tx.AddAudit(store.Audit{Company: s.id, At: s.now(), Actor: s.actor.String(), Action: e.action, Subject: e.subject, Detail: detail,
		Before: string(before), After: string(after)})
}

// same tells whether v is what a change's JSON says.
func same(v any, raw string) bool {
	b, err := json.Marshal(v)
	return err == nil && bytes.Equal(b, []byte(raw))
}

// differ are the members of two structs, as JSON names them, that are not the same.
func differ(a, b any) (old, now map[string]any) {
	members := func(v any) (m map[string]any) {
		raw, err := json.Marshal(v)
		if err != nil || json.Unmarshal(raw, &m) != nil {
			panic("company: a value that is no JSON object") // structs of plain values
		}
		return m
	}
	old, now = members(a), members(b)
	for k, v := range old {
		if w, ok := now[k]; ok && reflect.DeepEqual(v, w) {
			delete(old, k)
			delete(now, k)
		}
	}
	return old, now
}

// Difference is one key of a policy that two lists of settings do not agree on.
type Difference struct {
	Key policy.Name
	// Old and New are nil where the list has no such key.
	Old, New *policy.Setting
}

// Compare lists what is not the same in two lists of settings, by key.
func Compare(older, newer []policy.Setting) (out []Difference) {
	for _, d := range policy.Definitions() {
		a, b := settingOf(older, d.Name), settingOf(newer, d.Name)
		if (a == nil) != (b == nil) || a != nil && (a.Enforce != b.Enforce || !bytes.Equal(a.Value, b.Value)) {
			out = append(out, Difference{d.Name, a, b})
		}
	}
	return out
}

func settingOf(list []policy.Setting, key policy.Name) *policy.Setting {
	for i := range list {
		if list[i].Key == key {
			return &list[i]
		}
	}
	return nil
}

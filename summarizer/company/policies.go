package company

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"aval/agent/policy"
	"aval/summarizer/store"
)

// CreatePolicy makes an empty policy.
func (s *Service) CreatePolicy(ctx context.Context, name string) (Policy, error) {
	if err := checkTitle(name); err != nil {
		return Policy{}, fmt.Errorf("create policy: %w", err)
	}
	now := s.now()
	p := store.Policy{ID: store.NewID(now), Company: s.id, Name: name, Draft: "[]", CreatedAt: now}
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.InsertPolicy(p); errors.Is(err, store.ErrExists) {
			return taken("policy", name)
		} else if err != nil {
			return err
		}
		return s.note(tx, entry{ChangePolicy, "policy-created", p.ID, name, nil, name, 0})
	})
	if err != nil {
		return Policy{}, fmt.Errorf("create policy: %w", err)
	}
	return Policy{ID: p.ID, Name: name, Settings: []policy.Setting{}, Devices: []string{}, Groups: []string{}}, nil
}

// RenamePolicy names a policy anew. Devices that have it hear the new name within
// seconds; its version stays.
func (s *Service) RenamePolicy(ctx context.Context, which, name string) error {
	err := checkTitle(name)
	if err == nil {
		err = s.db.Tx(ctx, func(tx *store.Tx) error {
			p, err := s.named(tx, which)
			if err != nil {
				return err
			}
			return s.namePolicy(tx, p, name, 0)
		})
	}
	if err != nil {
		return fmt.Errorf("rename policy: %w", err)
	}
	return nil
}

// ErrAssigned: what is assigned is not deleted, unless its assignments are taken
// away with it.
var ErrAssigned = errors.New("the policy is assigned")

// DeletePolicy deletes a policy. Where it is assigned, it is refused with
// ErrAssigned, which says where; or, with unassign, it is taken away there first,
// as changes of their own. Its versions stay, for records name them.
func (s *Service) DeletePolicy(ctx context.Context, which string, unassign bool) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		p, err := s.named(tx, which)
		if err != nil {
			return err
		}
		if unassign {
			targets, err := s.targets(tx, p.ID)
			for _, t := range targets {
				if err == nil {
					err = s.assign(tx, t.to, t.name, "", 0)
				}
			}
			if err != nil {
				return err
			}
		}
		return s.namePolicy(tx, p, "", 0)
	})
	if err != nil {
		return fmt.Errorf("delete policy: %w", err)
	}
	return nil
}

// target is something that a policy is assigned to, and what people call it.
type target struct {
	to   Target
	name string
}

// targets lists what a policy is assigned to.
func (s *Service) targets(tx *store.Tx, id string) (out []target, err error) {
	assigned, err := tx.Assignments(s.id)
	if err != nil {
		return nil, err
	}
	groups, err := tx.Groups(s.id)
	if err != nil {
		return nil, err
	}
	p, err := tx.Policy(s.id, id)
	if err != nil {
		return nil, err
	}
	v, err := describe(tx, p, assigned, groups)
	if err != nil {
		return nil, err
	}
	if v.All {
		out = append(out, target{to: ToAll})
	}
	for _, g := range groups {
		if g.Policy == id {
			out = append(out, target{ToGroup(g.ID), g.Name})
		}
	}
	for _, device := range v.Devices {
		d, err := tx.Device(s.id, device)
		if err != nil {
			return nil, err
		}
		out = append(out, target{ToDevice(d.ID), d.Name})
	}
	return out, nil
}

// where says for people what a policy is assigned to, the first ones of many.
func where(all []target) string {
	var words []string
	for i, t := range all {
		kind, _, _ := strings.Cut(string(t.to), ":")
		switch {
		case i == 5:
			return strings.Join(words, ", ") + fmt.Sprintf(" and %d more", len(all)-i)
		case t.to == ToAll:
			words = append(words, "all devices")
		default:
			words = append(words, fmt.Sprintf("the %s %q", kind, t.name))
		}
	}
	return strings.Join(words, ", ")
}

// namePolicy gives a policy its name; the empty one deletes it, and a name for a
// deleted one brings it back, assigned to nothing.
func (s *Service) namePolicy(tx *store.Tx, p store.Policy, name string, undoes int64) error {
	e := entry{kind: ChangePolicy, action: "policy-renamed", subject: p.ID, name: name, undoes: undoes}
	if !p.Deleted {
		e.old = p.Name
	}
	if name != "" {
		e.new = name
		if other, err := tx.PolicyNamed(s.id, name); err == nil && other.ID != p.ID {
			return taken("policy", name)
		} else if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	var err error
	switch now := s.now(); {
	case name == "" && p.Deleted, name == p.Name && !p.Deleted:
		return nil
	case name == "":
		all, err := s.targets(tx, p.ID)
		if err != nil {
			return err
		}
		if len(all) > 0 {
			return wrongIs(ErrAssigned, "policy %q is assigned to %s: take it away there first, or delete it with its assignments", p.Name, where(all))
		}
		e.action, e.name = "policy-deleted", p.Name
		if err := tx.DeletePolicy(s.id, p.ID, now); err != nil {
			return err
		}
	case p.Deleted:
		e.action = "policy-restored"
		err = tx.RestorePolicy(s.id, p.ID, name, now)
	default:
		err = tx.RenamePolicy(s.id, p.ID, name, now)
	}
	if err != nil {
		return err
	}
	if err := s.note(tx, e); err != nil {
		return err
	}
	return s.changed(tx)
}

func (s *Service) undoPolicy(tx *store.Tx, c store.Change) error {
	p, err := tx.Policy(s.id, c.Subject)
	if err != nil {
		return err
	}
	var was, is *string
	if !p.Deleted {
		is = &p.Name
	}
	if !same(is, c.New) {
		return ErrChangedSince
	}
	if err := json.Unmarshal([]byte(c.Old), &was); err != nil {
		return fmt.Errorf("read change: %w", err)
	}
	if was == nil {
		return s.namePolicy(tx, p, "", c.Number)
	}
	return s.namePolicy(tx, p, *was, c.Number)
}

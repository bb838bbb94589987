package company

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"aval/summarizer/store"
)

// ErrUnpublished: what was never published cannot be assigned.
var ErrUnpublished = errors.New("the policy was never published")

// Target is what a policy is assigned to. The one of a device counts before the
// one of its group, and that one before the one of all devices.
type Target string

// Targets. The other ones are ToDevice and ToGroup.
const ToAll Target = "all"

// ToDevice is one device, by its id or name.
func ToDevice(which string) Target { return Target("device:" + which) }

// ToGroup is a group of devices, by its name or id.
func ToGroup(which string) Target { return Target("group:" + which) }

// AssignPolicy assigns a policy; an empty name takes the assignment away.
// Devices that are connected hear of it within seconds.
func (s *Service) AssignPolicy(ctx context.Context, name string, to Target) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		var p store.Policy
		if name != "" {
			var err error
			if p, err = s.named(tx, name); err != nil {
				return err
			}
			if p.Version == 0 {
				return wrongIs(ErrUnpublished, "policy %q was never published: publish it first", name)
			}
		}
		kind, which, _ := strings.Cut(string(to), ":")
		switch kind {
		case "group":
			g, err := s.groupFor(tx, which)
			if err != nil {
				return err
			}
			to, which = ToGroup(g.ID), g.Name
		case "device":
			d, err := s.deviceFor(tx, which)
			if err != nil {
				return err
			}
			if err := managed(d); err != nil {
				return err
			}
			to, which = ToDevice(d.ID), d.Name
		case string(ToAll):
		default:
			return wrongf("a policy cannot be assigned to %q", to)
		}
		return s.assign(tx, to, which, p.ID, 0)
	})
	if err != nil {
		return fmt.Errorf("assign policy: %w", err)
	}
	return nil
}

// assigned is a policy as the history names it.
type assigned struct {
	Policy string `json:"policy"`
	Name   string `json:"name"`
}

// assignment is the policy that a target has; nil: none.
func (s *Service) assignment(tx *store.Tx, to Target) (*assigned, error) {
	kind, which, _ := strings.Cut(string(to), ":")
	var id string
	if kind == "group" {
		g, err := tx.Group(s.id, which)
		if err != nil {
			return nil, err
		}
		id = g.Policy
	} else {
		all, err := tx.Assignments(s.id)
		if err != nil {
			return nil, err
		}
		id = all[which]
	}
	if id == "" {
		return nil, nil
	}
	p, err := tx.Policy(s.id, id)
	if err != nil || p.Deleted {
		return nil, err
	}
	return &assigned{p.ID, p.Name}, nil
}

// assign gives a target, whose group or device is named by its id, a policy; the
// empty one takes it away.
func (s *Service) assign(tx *store.Tx, to Target, name, policy string, undoes int64) error {
	before, err := s.assignment(tx, to)
	if err != nil {
		return err
	}
	if policy != "" {
		if p, err := tx.Policy(s.id, policy); err != nil || p.Deleted {
			return errors.Join(ErrChangedSince, err) // it was deleted after it had been assigned
		}
	}
	kind, which, _ := strings.Cut(string(to), ":")
	if kind == "group" {
		err = tx.AssignGroupPolicy(s.id, which, policy)
	} else {
		err = tx.AssignPolicy(s.id, which, policy)
	}
	if err != nil {
		return err
	}
	after, err := s.assignment(tx, to)
	if err != nil {
		return err
	}
	if before == nil && after == nil || before != nil && after != nil && *before == *after {
		return nil
	}
	if err := s.note(tx, entry{ChangeAssigned, "policy-assigned", string(to), name, before, after, undoes}); err != nil {
		return err
	}
	return s.changed(tx)
}

func (s *Service) undoAssigned(tx *store.Tx, c store.Change) error {
	is, err := s.assignment(tx, Target(c.Subject))
	if err != nil {
		return err
	}
	var was, then *assigned
	if err := errors.Join(json.Unmarshal([]byte(c.Old), &was), json.Unmarshal([]byte(c.New), &then)); err != nil {
		return fmt.Errorf("read change: %w", err)
	}
	if was == nil {
		was = &assigned{}
	}
	// The names are those of then: a policy may have been renamed since.
	if (is == nil) != (then == nil) || is != nil && is.Policy != then.Policy {
		return ErrChangedSince
	}
	return s.assign(tx, Target(c.Subject), c.Name, was.Policy, c.Number)
}

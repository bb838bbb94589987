package company

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"aval/summarizer/store"
)

// Group is a group of devices as commands and pages show it.
type Group struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Devices is how many managed ones are in it that are not revoked.
	Devices   int       `json:"devices"`
	Policy    string    `json:"policy,omitempty"` // the name of its policy
	CreatedAt time.Time `json:"created_at"`
}

// ErrNoGroup: there is no group of this name or id.
var ErrNoGroup = errors.New("there is no such group; device group list shows them")

// Groups lists the groups by name, and how many devices are in none.
func (s *Service) Groups(ctx context.Context) (out []Group, none int, err error) {
	out = []Group{}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		groups, err := tx.Groups(s.id)
		if err != nil {
			return err
		}
		sizes, err := tx.GroupSizes(s.id)
		if err != nil {
			return err
		}
		none = sizes[""]
		policies, err := tx.Policies(s.id)
		names := map[string]string{}
		for _, p := range policies {
			names[p.ID] = p.Name
		}
		for _, g := range groups {
			out = append(out, Group{g.ID, g.Name, sizes[g.ID], names[g.Policy], g.CreatedAt})
		}
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list groups: %w", err)
	}
	return out, none, nil
}

// GroupNames lists the groups by name, without counting their devices.
func (s *Service) GroupNames(ctx context.Context) (out []Group, err error) {
	out = []Group{}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		groups, err := tx.Groups(s.id)
		for _, g := range groups {
			out = append(out, Group{ID: g.ID, Name: g.Name, CreatedAt: g.CreatedAt})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	return out, nil
}

// Group returns one group by its name or id; ErrNoGroup.
func (s *Service) Group(ctx context.Context, which string) (out Group, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		g, err := s.groupFor(tx, which)
		if err != nil {
			return err
		}
		sizes, err := tx.GroupSizes(s.id)
		out = Group{ID: g.ID, Name: g.Name, Devices: sizes[g.ID], CreatedAt: g.CreatedAt}
		if g.Policy == "" || err != nil {
			return err
		}
		p, err := tx.Policy(s.id, g.Policy)
		if !p.Deleted {
			out.Policy = p.Name
		}
		return err
	})
	if err != nil {
		return Group{}, fmt.Errorf("show group: %w", err)
	}
	return out, nil
}

// Errors of names that callers tell apart.
var (
	ErrName  = wrongf("a name has 1 to %d printable characters and no space around them", MaxTitle)
	ErrTaken = errors.New("exists already")
)

// checkTitle checks a name that people give to a policy or a group.
func checkTitle(name string) error {
	if n := utf8.RuneCountInString(name); n == 0 || n > MaxTitle || strings.TrimSpace(name) != name ||
		strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ErrName
	}
	return nil
}

// CreateGroup makes an empty group.
func (s *Service) CreateGroup(ctx context.Context, name string) (Group, error) {
	now := s.now()
	g := store.DeviceGroup{ID: store.NewID(now), Company: s.id, Name: name, CreatedAt: now.UTC()}
	err := checkTitle(name)
	if err == nil {
		err = s.db.Tx(ctx, func(tx *store.Tx) error {
			if err := tx.InsertGroup(g); errors.Is(err, store.ErrExists) {
				return taken("group", name)
			} else if err != nil {
				return err
			}
			return s.note(tx, entry{ChangeGroup, "group-created", g.ID, name, nil, name, 0})
		})
	}
	if err != nil {
		return Group{}, fmt.Errorf("create group: %w", err)
	}
	return Group{ID: g.ID, Name: name, CreatedAt: g.CreatedAt}, nil
}

func taken(what, name string) error {
	return wrongIs(ErrTaken, "there is a %s named %q already", what, name)
}

// RenameGroup names a group anew.
func (s *Service) RenameGroup(ctx context.Context, which, name string) error {
	err := checkTitle(name)
	if err == nil {
		err = s.db.Tx(ctx, func(tx *store.Tx) error {
			g, err := s.groupFor(tx, which)
			if err != nil {
				return err
			}
			return s.nameGroup(tx, g, name, 0)
		})
	}
	if err != nil {
		return fmt.Errorf("rename group: %w", err)
	}
	return nil
}

// DeleteGroup deletes a group. Its devices are in none then, and its policy does
// not count for them any more.
func (s *Service) DeleteGroup(ctx context.Context, which string) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		g, err := s.groupFor(tx, which)
		if err != nil {
			return err
		}
		return s.nameGroup(tx, g, "", 0)
	})
	if err != nil {
		return fmt.Errorf("delete group: %w", err)
	}
	return nil
}

// nameGroup gives a group its name; the empty one deletes it, and a name for a
// deleted one brings it back.
func (s *Service) nameGroup(tx *store.Tx, g store.DeviceGroup, name string, undoes int64) error {
	deleted := !g.DeletedAt.IsZero()
	e := entry{kind: ChangeGroup, action: "group-renamed", subject: g.ID, name: name, undoes: undoes}
	if !deleted {
		e.old = g.Name
	}
	if name != "" {
		e.new = name
		if other, err := tx.GroupNamed(s.id, name); err == nil && other.ID != g.ID {
			return taken("group", name)
		} else if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	switch {
	case name == "" && deleted, name == g.Name && !deleted:
		return nil
	case name == "":
		e.action, e.name = "group-deleted", g.Name
		if err := tx.DeleteGroup(s.id, g.ID, s.now()); err != nil {
			return err
		}
	default:
		if deleted {
			e.action = "group-restored"
			if err := tx.DeleteGroup(s.id, g.ID, time.Time{}); err != nil {
				return err
			}
		}
		if err := tx.RenameGroup(s.id, g.ID, name); err != nil {
			return err
		}
	}
	if err := s.note(tx, e); err != nil {
		return err
	}
	return s.changed(tx)
}

func (s *Service) undoGroup(tx *store.Tx, c store.Change) error {
	g, err := tx.Group(s.id, c.Subject)
	if err != nil {
		return err
	}
	var was, is *string
	if !g.DeletedAt.IsZero() {
		is = nil
	} else {
		is = &g.Name
	}
	if !same(is, c.New) {
		return ErrChangedSince
	}
	if err := json.Unmarshal([]byte(c.Old), &was); err != nil {
		return fmt.Errorf("read change: %w", err)
	}
	if was == nil {
		return s.nameGroup(tx, g, "", c.Number)
	}
	return s.nameGroup(tx, g, *was, c.Number)
}

// groupFor looks a group up for people, by its id or its name; the id counts first.
func (s *Service) groupFor(tx *store.Tx, which string) (store.DeviceGroup, error) {
	g, err := tx.Group(s.id, which)
	if errors.Is(err, store.ErrNotFound) {
		g, err = tx.GroupNamed(s.id, which)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && !g.DeletedAt.IsZero() {
		return g, ErrNoGroup
	}
	return g, err
}

// MoveDevices puts computers into a group, by its name or id; the empty one: into
// none. It is done wholly or not at all, and returns how many were moved.
func (s *Service) MoveDevices(ctx context.Context, devices []string, group string) (moved int, err error) {
	if len(devices) > maxMove {
		return 0, fmt.Errorf("move devices: at most %d at once", maxMove)
	}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		id, name := "", ""
		if group != "" {
			g, err := s.groupFor(tx, group)
			if err != nil {
				return err
			}
			id, name = g.ID, g.Name
		}
		to := map[string]string{}
		for _, which := range devices {
			d, err := s.deviceFor(tx, which)
			if err != nil {
				return fmt.Errorf("%q: %w", which, err)
			}
			if err := managed(d); err != nil {
				return err
			}
			to[d.ID] = id
		}
		moved, err = s.move(tx, to, name, 0)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("move devices: %w", err)
	}
	return moved, nil
}

// move puts each device into the group that stands beside it.
func (s *Service) move(tx *store.Tx, to map[string]string, name string, undoes int64) (moved int, err error) {
	was, is := map[string]string{}, map[string]string{}
	for id, group := range to {
		d, err := tx.Device(s.id, id)
		if err != nil {
			return 0, err
		}
		if d.Group == group {
			continue
		}
		was[id], is[id] = d.Group, group
		if err := tx.MoveDevice(s.id, id, group); err != nil {
			return 0, err
		}
	}
	if len(is) == 0 {
		return 0, nil
	}
	if err := s.note(tx, entry{ChangeDeviceGroup, "devices-moved", "", name, was, is, undoes}); err != nil {
		return 0, err
	}
	return len(is), s.changed(tx)
}

func (s *Service) undoMoved(tx *store.Tx, c store.Change) error {
	was, is := map[string]string{}, map[string]string{}
	if err := errors.Join(json.Unmarshal([]byte(c.Old), &was), json.Unmarshal([]byte(c.New), &is)); err != nil {
		return fmt.Errorf("read change: %w", err)
	}
	for id, group := range is {
		if d, err := tx.Device(s.id, id); err != nil || d.Group != group {
			return errors.Join(ErrChangedSince, err)
		}
	}
	_, err := s.move(tx, was, "", c.Number)
	return err
}

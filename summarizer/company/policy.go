package company

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aval/agent/policy"
	"aval/agent/record"
	"aval/summarizer/store"
)

// ReleaseLife is how long a release is in force where its signer says nothing else.
const ReleaseLife = 90 * 24 * time.Hour

// MaxTitle is the longest name of a policy or a group, in characters.
const MaxTitle = 60

// Policy is a policy as the commands show it.
type Policy struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Version is the last published one; 0: never.
	Version     int64     `json:"version"`
	PublishedAt time.Time `json:"published_at,omitzero"`
	// ReleasedUntil is when its release by the company's release key ends.
	ReleasedUntil time.Time        `json:"released_until,omitzero"`
	Settings      []policy.Setting `json:"settings"` // the draft
	Changed       bool             `json:"changed"`  // the draft is not what is published
	// Devices it is assigned to, by id, and groups, by name; All: to every device
	// that neither has one of its own nor is in a group that has one.
	Devices []string `json:"devices"`
	Groups  []string `json:"groups"`
	All     bool     `json:"all"`
	// Reach is how many devices have it, in whatever version.
	Reach int `json:"reach"`
}

// Policies lists all policies by name.
func (s *Service) Policies(ctx context.Context) (list []Policy, err error) {
	list = []Policy{}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		assigned, err := tx.Assignments(s.id)
		if err != nil {
			return err
		}
		groups, err := tx.Groups(s.id)
		if err != nil {
			return err
		}
		all, err := tx.Policies(s.id)
		if err != nil {
			return err
		}
		for _, p := range all {
			v, err := describe(tx, p, assigned, groups)
			if err != nil {
				return err
			}
			list = append(list, v)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	return list, nil
}

// Policy returns one policy by its id or its name; ErrNoPolicy.
func (s *Service) Policy(ctx context.Context, name string) (out Policy, err error) {
	list, err := s.Policies(ctx)
	if err != nil {
		return Policy{}, err
	}
	i := slices.IndexFunc(list, func(p Policy) bool { return p.ID == name })
	if i < 0 {
		i = slices.IndexFunc(list, func(p Policy) bool { return p.Name == name })
	}
	if i < 0 {
		return Policy{}, noPolicy(name)
	}
	return list[i], nil
}

// ErrNoPolicy: there is no policy of this name or id.
var ErrNoPolicy = errors.New("there is no such policy")

func noPolicy(name string) error {
	return wrongIs(ErrNoPolicy, "there is no policy %q: aval-summarizer policy list shows them", name)
}

func describe(tx *store.Tx, p store.Policy, assigned map[string]string, groups []store.DeviceGroup) (Policy, error) {
	out := Policy{ID: p.ID, Name: p.Name, Version: p.Version, Changed: true, Devices: []string{}, Groups: []string{}, All: assigned[""] == p.ID}
	for _, g := range groups {
		if g.Policy == p.ID {
			out.Groups = append(out.Groups, g.Name)
		}
	}
	var err error
	if out.Reach, err = tx.PolicyReach(p.Company, p.ID); err != nil {
		return out, err
	}
	if out.Settings, err = decodeDraft(p.Draft); err != nil {
		return out, err
	}
	for device, id := range assigned {
		if id == p.ID && device != "" {
			out.Devices = append(out.Devices, device)
		}
	}
	slices.Sort(out.Devices)
	if p.Version == 0 {
		return out, nil
	}
	v, err := tx.PolicyVersion(p.Company, p.ID, p.Version)
	if err != nil {
		return out, err
	}
	out.PublishedAt, out.Changed = v.PublishedAt.UTC(), v.Settings != p.Draft
	if len(v.Release) > 0 {
		_, payload, err := record.Peek(v.Release)
		var r record.Release
		if err == nil && json.Unmarshal(payload, &r) == nil {
			out.ReleasedUntil = r.Expires
		}
	}
	return out, nil
}

// decodeDraft reads settings as they are stored.
func decodeDraft(raw string) ([]policy.Setting, error) {
	set := []policy.Setting{}
	if err := json.Unmarshal([]byte(raw), &set); err != nil {
		return nil, fmt.Errorf("decode policy: %w", err)
	}
	return set, nil
}

// Invalid is a policy that would not be valid, with everything that is wrong.
type Invalid struct{ Problems []policy.Problem }

func (e *Invalid) Error() string {
	all := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		all = append(all, p.String())
	}
	return strings.Join(all, "; ")
}

// SetPolicy changes values of a policy's draft and takes others out of it. It is
// done wholly or, with *Invalid, not at all. Devices see it once it is published.
func (s *Service) SetPolicy(ctx context.Context, name string, set []policy.Setting, unset []policy.Name) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		p, err := s.named(tx, name)
		if err != nil {
			return err
		}
		draft, err := decodeDraft(p.Draft)
		if err != nil {
			return err
		}
		var problems []policy.Problem
		for _, n := range unset {
			if !slices.ContainsFunc(draft, func(d policy.Setting) bool { return d.Key == n }) {
				problems = append(problems, policy.Problem{File: name, Key: string(n), Wrong: "is not set in this policy"})
			}
		}
		draft = slices.DeleteFunc(draft, func(d policy.Setting) bool {
			return slices.Contains(unset, d.Key) || slices.ContainsFunc(set, func(c policy.Setting) bool { return c.Key == d.Key })
		})
		draft = append(draft, set...)
		_, more := policy.ParseSettings(name, draft)
		if problems = append(problems, more...); len(problems) > 0 {
			return &Invalid{problems}
		}
		return s.redraft(tx, p, draft)
	})
	if err != nil {
		return fmt.Errorf("set policy: %w", err)
	}
	return nil
}

// DraftSum names the values of a draft: whoever changes it says from which they began.
func DraftSum(settings []policy.Setting) string {
	raw, err := json.Marshal(settings)
	if err != nil { // values that were read as JSON always encode
		panic(err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// ReplacePolicy gives a policy's draft exactly these values. It is done wholly or,
// with *Invalid, not at all. base is the DraftSum of the values that they were made
// from, and ErrChanged says that others stand there by now; empty: whatever stands
// there.
func (s *Service) ReplacePolicy(ctx context.Context, name, base string, settings []policy.Setting) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		p, err := s.named(tx, name)
		if err != nil {
			return err
		}
		if _, problems := policy.ParseSettings(p.Name, settings); len(problems) > 0 {
			return &Invalid{problems}
		}
		draft, err := decodeDraft(p.Draft)
		if err != nil {
			return err
		}
		if base != "" && base != DraftSum(draft) {
			return ErrChanged
		}
		return s.redraft(tx, p, settings)
	})
	if err != nil {
		return fmt.Errorf("set policy: %w", err)
	}
	return nil
}

// redraft gives a policy these values, by key, as its draft.
func (s *Service) redraft(tx *store.Tx, p store.Policy, settings []policy.Setting) error {
	settings = append([]policy.Setting{}, settings...) // an empty list is [], and the caller's stays as it is
	slices.SortStableFunc(settings, func(a, b policy.Setting) int { return strings.Compare(string(a.Key), string(b.Key)) })
	raw, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	return s.draft(tx, p, string(raw), 0)
}

// draft gives a policy another draft.
func (s *Service) draft(tx *store.Tx, p store.Policy, draft string, undoes int64) error {
	if draft == p.Draft {
		return nil
	}
	if err := tx.DraftPolicy(s.id, p.ID, draft, s.now()); err != nil {
		return err
	}
	return s.note(tx, entry{ChangeDraft, "policy-changed", p.ID, p.Name, json.RawMessage(p.Draft), json.RawMessage(draft), undoes})
}

func (s *Service) undoDraft(tx *store.Tx, c store.Change) error {
	p, err := tx.Policy(s.id, c.Subject)
	if err != nil {
		return err
	}
	if p.Deleted || p.Draft != c.New {
		return ErrChangedSince
	}
	return s.draft(tx, p, c.Old, c.Number)
}

// named looks a policy up for people, by its id or its name. The id counts
// first: nobody can hide a policy by giving its id to another one as a name.
func (s *Service) named(tx *store.Tx, name string) (store.Policy, error) {
	p, err := tx.Policy(s.id, name)
	if errors.Is(err, store.ErrNotFound) {
		p, err = tx.PolicyNamed(s.id, name)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && p.Deleted {
		return p, noPolicy(name)
	}
	return p, err
}

// changed makes every device's bundle one to be signed again.
func (s *Service) changed(tx *store.Tx) error {
	c, err := tx.Company(s.id)
	if err != nil {
		return err
	}
	return tx.UpdateCompany(c)
}

func (s *Service) audit(tx *store.Tx, action, subject, detail string) error {
	return tx.AddAudit(store.Audit{Company: s.id, At: s.now(), Actor: s.actor.String(), Action: action, Subject: subject, Detail: detail})
}

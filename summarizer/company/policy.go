package company

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"aval/agent/policy"
	"aval/agent/record"
	"aval/summarizer/store"
)

// ReleaseLife is how long a release is in force where its signer says nothing else.
const ReleaseLife = 90 * 24 * time.Hour

// maxPolicyName is the longest name of a policy in characters.
const maxPolicyName = 60

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
	// Devices it is assigned to; All: to every device without one of its own.
	Devices []string `json:"devices"`
	All     bool     `json:"all"`
}

// CreatePolicy makes an empty policy.
func (s *Service) CreatePolicy(ctx context.Context, name string) (Policy, error) {
	if n := utf8.RuneCountInString(name); n == 0 || n > maxPolicyName || strings.TrimSpace(name) != name ||
		strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return Policy{}, fmt.Errorf("create policy: a name has 1 to %d printable characters and no space around them", maxPolicyName)
	}
	now := s.now()
	p := store.Policy{ID: store.NewID(now), Company: s.id, Name: name, Draft: "[]", CreatedAt: now}
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.InsertPolicy(p); err != nil {
			return err
		}
		return s.audit(tx, "policy-created", p.ID, name)
	})
	if errors.Is(err, store.ErrExists) {
		return Policy{}, fmt.Errorf("create policy: there is one named %q already", name)
	}
	if err != nil {
		return Policy{}, fmt.Errorf("create policy: %w", err)
	}
	return Policy{ID: p.ID, Name: name, Settings: []policy.Setting{}, Devices: []string{}}, nil
}

// Policies lists all policies by name.
func (s *Service) Policies(ctx context.Context) (list []Policy, err error) {
	list = []Policy{}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		assigned, err := tx.Assignments(s.id)
		if err != nil {
			return err
		}
		all, err := tx.Policies(s.id)
		if err != nil {
			return err
		}
		for _, p := range all {
			v, err := describe(tx, p, assigned)
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

// Policy returns one policy by its name.
func (s *Service) Policy(ctx context.Context, name string) (out Policy, err error) {
	list, err := s.Policies(ctx)
	if err != nil {
		return Policy{}, err
	}
	i := slices.IndexFunc(list, func(p Policy) bool { return p.Name == name })
	if i < 0 {
		return Policy{}, noPolicy(name)
	}
	return list[i], nil
}

func noPolicy(name string) error {
	return fmt.Errorf("there is no policy %q: aval-summarizer policy list shows them", name)
}

func describe(tx *store.Tx, p store.Policy, assigned map[string]string) (Policy, error) {
	out := Policy{ID: p.ID, Name: p.Name, Version: p.Version, Changed: true, Devices: []string{}, All: assigned[""] == p.ID}
	var err error
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
	v, err := tx.PolicyVersion(p.ID, p.Version)
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
		slices.SortStableFunc(draft, func(a, b policy.Setting) int { return strings.Compare(string(a.Key), string(b.Key)) })
		raw, err := json.Marshal(draft)
		if err != nil {
			return err
		}
		if err := tx.DraftPolicy(p.ID, string(raw), s.now()); err != nil {
			return err
		}
		return s.audit(tx, "policy-changed", p.ID, string(raw))
	})
	if err != nil {
		return fmt.Errorf("set policy: %w", err)
	}
	return nil
}

// AssignPolicy assigns a policy to one device, or with an empty device to all
// that have none of their own; an empty name takes the assignment away. Devices
// that are connected hear of it within seconds.
func (s *Service) AssignPolicy(ctx context.Context, name, device string) error {
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		id := ""
		if name != "" {
			p, err := s.named(tx, name)
			if err != nil {
				return err
			}
			if p.Version == 0 {
				return fmt.Errorf("policy %q was never published: publish it first", name)
			}
			id = p.ID
		}
		if device != "" {
			if _, err := tx.Device(s.id, device); errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("there is no device %q", device)
			} else if err != nil {
				return err
			}
		}
		if err := tx.AssignPolicy(s.id, device, id); err != nil {
			return err
		}
		if err := s.audit(tx, "policy-assigned", device, name); err != nil {
			return err
		}
		return s.changed(tx)
	})
	if err != nil {
		return fmt.Errorf("assign policy: %w", err)
	}
	return nil
}

// Draft is what the release key signs to have a policy's draft published: the
// body of a release, without its times.
func (s *Service) Draft(ctx context.Context, name string) (r record.Release, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		p, err := s.named(tx, name)
		if err != nil {
			return err
		}
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		set := decodeSettings(c.Settings)
		r = record.Release{V: 1, Company: s.id, Policy: p.ID, Name: p.Name, Version: p.Version + 1,
			Incoming: set.Incoming, IncomingEnforced: set.IncomingEnforced}
		r.Settings, err = decodeDraft(p.Draft)
		return err
	})
	if err != nil {
		return record.Release{}, fmt.Errorf("draft policy: %w", err)
	}
	return r, nil
}

// SignRelease signs a draft with the company's release key.
func SignRelease(key ed25519.PrivateKey, draft record.Release, now time.Time, life time.Duration) ([]byte, error) {
	draft.At, draft.Expires = now.UTC(), now.Add(life).UTC()
	env, err := record.Sign(key, record.TypeRelease, draft)
	if err == nil {
		_, _, err = record.OpenRelease(env, key.Public().(ed25519.PublicKey))
	}
	if err != nil {
		return nil, fmt.Errorf("sign release: %w", err)
	}
	return env, nil
}

// PublishPolicy makes a policy's draft its next version and gives it to the
// devices. Where the company has a release key of its own, values that can allow
// without a question need release, signed with it over exactly this draft.
func (s *Service) PublishPolicy(ctx context.Context, name string, release []byte) (version int64, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		p, err := s.named(tx, name)
		if err != nil {
			return err
		}
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		version = p.Version + 1
		draft, err := decodeDraft(p.Draft)
		if err != nil {
			return err
		}
		values, problems := policy.ParseSettings(name, draft)
		if len(problems) > 0 {
			return &Invalid{problems}
		}
		set := decodeSettings(c.Settings)
		if loose := policy.Loosens(values); len(set.ReleaseKey) > 0 && len(loose) > 0 && release == nil {
			return fmt.Errorf("%s = %s can allow without a question and needs the company's release key: aval-summarizer policy draft, then policy sign --key F, then publish --signed FILE", loose[0].Name, loose[0])
		}
		if release != nil {
			if err := checkRelease(release, set.ReleaseKey, p, version, s.id, s.now()); err != nil {
				return err
			}
		}
		v := store.PolicyVersion{Policy: p.ID, Version: version, Settings: p.Draft, Release: release, PublishedAt: s.now()}
		if err := tx.PublishPolicy(v); err != nil {
			return err
		}
		if err := s.audit(tx, "policy-published", p.ID, fmt.Sprintf("%s version %d", name, version)); err != nil {
			return err
		}
		return s.changed(tx)
	})
	if err != nil {
		return 0, fmt.Errorf("publish policy: %w", err)
	}
	return version, nil
}

// checkRelease holds a release against the draft that is to be published.
func checkRelease(envelope []byte, key ed25519.PublicKey, p store.Policy, version int64, company string, now time.Time) error {
	if len(key) == 0 {
		return errors.New("this company has no release key of its own: aval-summarizer policy release-key")
	}
	r, _, err := record.OpenRelease(envelope, key)
	if err != nil {
		return err
	}
	settings, err := json.Marshal(r.Settings)
	if err != nil {
		return err
	}
	switch {
	case r.Company != company || r.Policy != p.ID || r.Version != version:
		return fmt.Errorf("the signed file is of policy %q version %d", r.Name, r.Version)
	case !bytes.Equal(settings, []byte(p.Draft)):
		return errors.New("the draft has changed since it was signed: make a new draft and have it signed")
	case !now.Before(r.Expires):
		return errors.New("the signed file has expired")
	}
	return nil
}

// SetReleaseKey makes a key that is kept elsewhere the company's release key. It
// is pinned by devices that are enrolled from now on; the others keep what they
// have. nil: the server's own key again.
func (s *Service) SetReleaseKey(ctx context.Context, key ed25519.PublicKey) error {
	if len(key) != 0 && len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("set release key: it has %d bytes, not %d", len(key), ed25519.PublicKeySize)
	}
	err := s.db.Tx(ctx, func(tx *store.Tx) error {
		c, err := tx.Company(s.id)
		if err != nil {
			return err
		}
		set := decodeSettings(c.Settings)
		set.ReleaseKey = key
		c.Settings = set.encode()
		id := "server"
		if len(key) > 0 {
			id = record.KeyID(key)
		}
		if err := s.audit(tx, "release-key-set", id, ""); err != nil {
			return err
		}
		return tx.UpdateCompany(c)
	})
	if err != nil {
		return fmt.Errorf("set release key: %w", err)
	}
	return nil
}

// named looks a policy up for people.
func (s *Service) named(tx *store.Tx, name string) (store.Policy, error) {
	p, err := tx.PolicyNamed(s.id, name)
	if errors.Is(err, store.ErrNotFound) {
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
